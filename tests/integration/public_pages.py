"""A worker with one public page, and somebody on call: what holds posts back from customers is played here."""

from tests.integration import vendor, workers


def run(with_redis, play, **more) -> None:
    """Run ``play`` with the stage, the vendor behind the page, and the one that tells who is on call."""
    page, pager = vendor.Vendor(), vendor.Vendor()

    async def body(on):
        await play(on, page, pager)

    workers.run(with_redis, body, vendor.place("page", page, public=True), vendor.on_call(pager), **more)
