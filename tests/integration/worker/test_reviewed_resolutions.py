"""A post whose resolution waits for a reviewer stays open when alerts fire again, and is resolved by review."""

from router.bootstrap import factories, public_pages
from router.domain import decisions
from router.worker import reviews
from tests.integration import lost_data

REVIEWED = {"ending": decisions.Ending(review=True)}
PAGES = ("public-page", "devhelm-page")


def test_only_review_resolves_a_refiring_post(with_redis, tmp_path):
    async def play(scene):
        async def waiting():
            found = public_pages.reviews(scene.settings, scene.store, factories.clock)
            return [review for review in await found.waiting() if review.what == "resolution"]

        async def both_wait():
            found = await waiting()
            return found if len(found) == 2 else None

        async def none_waits():
            return not await waiting()

        async with scene.run_worker():
            await scene.send_messages("firing", ["a"], **REVIEWED)
            await scene.wait_until_shown("open")
            await scene.send_messages("resolved", ["a"], **REVIEWED)
            await scene.wait_until_shown("resolved", at=("on-call", "devhelm"))
            await scene.wait_until(both_wait)
            await scene.send_messages("firing", ["a"], **REVIEWED)
            await scene.wait_until(none_waits)
            await scene.wait_until_shown("open", "resolved", at=("on-call",))
            await scene.wait_until_idle()
            assert {name: (await scene.words())[name] for name in PAGES} == {name: ["open"] for name in PAGES}
            await scene.send_messages("resolved", ["a"], **REVIEWED)
            for one in await scene.wait_until(both_wait):
                service = public_pages.reviews(scene.settings, scene.store, factories.clock)
                await service.decide(one, reviews.ReviewDecision("approved", "ann"))
            await scene.wait_until_shown("resolved", at=PAGES)

    lost_data.run(with_redis, tmp_path, play)
