"""One "not found" changes nothing: the worker reads the item again, and records only a confirmed absence."""

import pytest

from router.domain import plan
from router.store import publishing_state
from router.telemetry import metrics
from router.worker import not_found, publishing_guard
from tests.integration import vendor, workers

LOOKING = publishing_guard.GuardLimits(
    publishing_state.Limit(9, workers.HOUR), publishing_state.Limit(9, workers.HOUR), observe_interval=10_000
)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """Shorten waits of a minute to milliseconds."""
    monkeypatch.setattr(not_found, "PROOF", 20_000)
    monkeypatch.setattr(plan, "MAX_MISSING_INTERVAL", 5_000)


async def publication(on):
    (known,) = await on.publications.look("down")
    return known


async def texts(on):
    return [event.text for event in await on.incidents.timeline("down")]


def count_not_found():
    return metrics.not_found.labels("on-call")._value.get()


async def opened(on):
    await on.deliver(workers.firing())
    await on.turn()


async def resolved(on):
    await on.deliver(workers.resolved())
    await on.turn()


def run_scene(with_redis, play):
    at = vendor.Vendor()

    async def body(on):
        await opened(on)
        await play(on, at)

    workers.run(with_redis, body, vendor.on_call(at), limits=LOOKING)


def test_stray_not_found_response_changes_nothing(with_redis):
    async def play(on, at):
        at.missing = [vendor.not_found(), vendor.not_found()]
        await on.wait_until(lambda: at.looks > 3)
        known = await publication(on)
        assert (known.state, known.missing) == ("open", None)
        await resolved(on)
        assert at.states() == ["resolved"]

    run_scene(with_redis, play)


def test_stray_not_found_does_not_prevent_resolution(with_redis):
    async def play(on, at):
        at.missing = [vendor.not_found(), vendor.not_found()]
        await resolved(on)
        await on.wait_until(lambda: at.states() == ["resolved"])
        assert at.kinds == ["open", "resolve", "resolve"]
        told = [text for text in await texts(on) if "resolve at on-call" in text or text.startswith("Resolved")]
        assert [text.partition(" at ")[0] for text in told] == ["Could not resolve", "Resolved"]
        assert (await publication(on)).rejection is None

    run_scene(with_redis, play)


def test_unreadable_account_does_not_confirm_an_absence(with_redis):
    async def play(on, at):
        kept, at.incidents = at.incidents, {}
        at.unreadable = vendor.not_found()
        await on.wait_until(lambda: at.probes > 5)
        assert (await publication(on)).state == "open"
        at.incidents, at.unreadable = kept, None
        await resolved(on)
        await on.wait_until(lambda: at.states() == ["resolved"])

    run_scene(with_redis, play)


def test_repeated_not_found_is_reported_and_counted(with_redis):
    async def play(on, at):
        before = count_not_found()
        at.incidents.clear()

        async def gone():
            return (await publication(on)).gone

        await on.wait_until_async(gone)
        known = await publication(on)
        assert (known.state, known.problem) == ("dismissed", "not found at the vendor")
        (text,) = [text for text in await texts(on) if text.startswith("Not found at on-call")]
        assert "the key may not see it" in text
        assert count_not_found() == before + 1
        await resolved(on)
        assert "resolve" not in at.kinds

    run_scene(with_redis, play)


def test_resolution_of_missing_post_is_not_recorded(with_redis):
    async def play(on, at):
        before = count_not_found()
        at.incidents.clear()
        await resolved(on)

        async def gone():
            return (await publication(on)).gone

        await on.wait_until_async(gone)
        told = await texts(on)
        assert [text for text in told if "Could not resolve at on-call." in text]
        assert not [text for text in told if text.startswith("Resolved")]
        assert count_not_found() == before + 1

    run_scene(with_redis, play)
