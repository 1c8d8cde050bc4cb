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
            return [one for one in await found.waiting() if one.what == "resolution"]

        async def both_wait():
            found = await waiting()
            return found if len(found) == 2 else None

        async def none_waits():
            return not await waiting()

        async with scene.working():
            await scene.say("firing", ["a"], **REVIEWED)
            await scene.until_shown("open")
            await scene.say("resolved", ["a"], **REVIEWED)
            await scene.until_shown("resolved", at=("on-call", "devhelm"))
            await scene.until(both_wait)
            await scene.say("firing", ["a"], **REVIEWED)
            await scene.until(none_waits)
            await scene.until_shown("open", "resolved", at=("on-call",))
            await scene.until_idle()
            assert {name: (await scene.words())[name] for name in PAGES} == {name: ["open"] for name in PAGES}
            await scene.say("resolved", ["a"], **REVIEWED)
            for one in await scene.until(both_wait):
                service = public_pages.reviews(scene.settings, scene.store, factories.clock)
                await service.decide(one, reviews.ReviewDecision("approved", "ann"))
            await scene.until_shown("resolved", at=PAGES)

    lost_data.run(with_redis, tmp_path, play)
