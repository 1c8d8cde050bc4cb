"""Runs a worker with one public page and one internal destination."""

from tests.integration import vendor, workers


def run(with_redis, play, **more) -> None:
    """Run ``play`` with the worker, the vendor of the page, and the vendor of the internal destination."""
    page, pager = vendor.Vendor(), vendor.Vendor()

    async def body(on):
        await play(on, page, pager)

    workers.run(with_redis, body, vendor.place("page", page, public=True), vendor.on_call(pager), **more)
