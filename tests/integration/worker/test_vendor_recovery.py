"""Operations that wait for a vendor resume when any worker sees it recover."""

import pytest

from router.domain import publications
from router.outbound import errors
from tests.integration import vendors

SECOND = 1_000_000


@pytest.fixture
def play(with_redis):
    """Run a coroutine function with a scene of a kind."""
    return lambda play, kind="incident-io": vendors.run(with_redis, kind, play)


def open_circuit_breaker(scene: vendors.VendorHarness, when: int, *kinds: publications.Kind) -> None:
    """Open the worker's circuit breaker at ``when`` by failures of these kinds of operations."""
    for number in range(5):
        kind = kinds[number % len(kinds)]
        scene.on.performer.breakers.record(vendors.NAME, errors.Unanswered("no answer"), when, kind)


async def has_circuit_open(scene: vendors.VendorHarness) -> bool:
    return scene.on.performer.breakers.is_open(vendors.NAME, await scene.on.redis_now(), 0)


def test_recovery_at_another_worker_starts_a_probe(play):
    async def body(scene):
        now = await scene.on.redis_now()
        open_circuit_breaker(scene, now, "open")
        await scene.fire()
        assert scene.states() == []
        woken = await scene.on.accounts.resume(vendors.NAME, await scene.on.redis_now())
        assert woken == ["down"]
        await scene.on.publications.wake(woken)
        await scene.on.wait_until(lambda: scene.states() == ["open"])
        assert not await has_circuit_open(scene)

    play(body)


def test_recovery_before_opening_keeps_circuit_open(play):
    async def body(scene):
        await scene.on.accounts.resume(vendors.NAME, await scene.on.redis_now())
        open_circuit_breaker(scene, await scene.on.redis_now(), "open")
        await scene.fire()
        assert scene.states() == []

    play(body)


def test_successful_probe_resumes_all_operations(play):
    """Other kinds of operation had failed before."""

    async def body(scene):
        await scene.fire("first")  # Its success is recorded as a recovery.
        open_circuit_breaker(scene, await scene.on.redis_now() - 16 * SECOND, "update", "resolve", "open")
        for key in ("a", "b", "c", "d"):
            await scene.on.deliver(vendors.workers.firing(key), key=key, response=scene.response())
        await scene.eventually(lambda: scene.states() == ["open"] * 5)

    play(body)


def test_inconclusive_probe_continues_with_another_operation(play):
    async def body(scene):
        open_circuit_breaker(scene, await scene.on.redis_now() - 16 * SECOND, "open")
        scene.fault("429", retry_after=1, limit="incidents_create")
        for key in ("a", "b", "c", "d"):
            await scene.on.deliver(vendors.workers.firing(key), key=key, response=scene.response())
        await scene.eventually(lambda: scene.states() == ["open"] * 4)

    play(body)


@pytest.mark.parametrize("ends", [False, True], ids=["opens", "resolves"])
def test_failing_operation_retries_within_half_a_minute(play, ends):
    """With a single incident, no other operation can show that the vendor has recovered."""

    async def body(scene):
        await scene.fire()
        kept = {} if ends else {"state": "absent", "vendor_id": "", "digest": "", "content": None, "number": 0}
        await scene.changed(attempts=40, **kept)
        scene.on.performer._randomness = Longest()
        for method in ("POST", "PUT"):
            scene.fault("503", method, "", count=100)
        await (scene.end_alert() if ends else scene.on.turn())
        publication = await scene.get_publication()
        assert publication.attempts == 41
        assert 20 * SECOND < publication.retry_at - publication.failed_at <= 31 * SECOND

    play(body)


class Longest(vendors.workers.NoJitter):
    """Randomness that makes waits as long as possible."""

    def getrandbits(self, k: int, /) -> int:
        return super().getrandbits(k) if k > 64 else (1 << k) - 1
