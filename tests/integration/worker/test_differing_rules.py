"""Two webs have different rules during a rollout: an alert still fires in one incident, and resolves there.

Workers are interleaved at every call to the store, and killed, in an order that a seed repeats (see ``interleaving``).
"""

import asyncio
import functools
import os
import random

import pytest

from router.domain import alerts, decisions, severities
from router.store import keys
from tests.integration import interleaving, workers

KEYS = ("old rules", "new rules", "newest rules")
SEEDS = range(int(os.environ.get("INTERLEAVINGS", "15")))
ALERT = workers.firing().identity


def decide(key: str) -> decisions.Decision:
    return decisions.Decision(key, severities.Severity.MAJOR, workers.rule(name=key))


class Rollout:
    """Workers that fold messages of one alert. Each message was decided by a different version of the rules."""

    def __init__(self, store, seed: int) -> None:
        self.store = store
        self.randomness = random.Random(seed)
        self.plain = workers.WorkerHarness(store, consumer="plain")

    async def deliver(self, alert: alerts.Alert, key: str) -> None:
        """Deliver a message, and fold it without interruptions."""
        await self.plain.deliver_decided(alert, decide(key))
        await self.plain.fold()

    async def race(self, *messages: tuple[alerts.Alert, str], kills: int = 0) -> None:
        """Fold every message by a separate worker; the entries of killed workers are claimed."""
        scheduler = interleaving.Scheduler(self.randomness, kills=kills)
        await self.plain.reader.prepare()
        for number, (one, key) in enumerate(messages):
            await self.plain.deliver_decided(one, decide(key))
            racer = interleaving.worker(self.store, f"w{number}", scheduler)
            entries = await racer.reader.read(1, None)
            scheduler.begin(f"w{number}", functools.partial(racer.triage.handle, entries))
        await scheduler.run()
        while entries := await self.plain.reader.take_over(10, idle_ms=0):
            await self.plain.triage.handle_again(entries)

    async def holders(self) -> list[str]:
        """Return the incidents in which the alert fires."""
        held = await self.plain.incidents.read(KEYS)
        return [key for key in KEYS if is_firing(held[key].incident)]

    async def end_alert(self, key: str, starts_at: int = 100) -> None:
        """Resolve the alert under the rules of one of the webs."""
        await self.deliver(workers.resolved(starts_at=starts_at), key)
        assert await self.holders() == []


def is_firing(one) -> bool:
    state = one.alerts.get(ALERT)
    return ALERT in one.muted or (state is not None and not state.resolved)


@pytest.fixture
def rollouts(with_redis):
    """Run a scenario once per seed on an empty server."""

    def run(play, seeds=SEEDS):
        async def body(store):
            for seed in seeds:
                await store.redis.flushall()
                try:
                    await play(Rollout(store, seed))
                except BaseException as error:
                    error.add_note(f"with seed {seed}")
                    raise

        with_redis(body)

    return run


def test_two_rule_sets_share_one_incident(rollouts):
    async def play(at):
        await at.race((workers.firing(), KEYS[0]), (workers.firing(), KEYS[1]))
        (holder,) = await at.holders()
        assert await at.plain.incidents.owners.find([ALERT]) == {ALERT: holder}
        await at.end_alert(at.randomness.choice(KEYS[:2]))

    rollouts(play)


def test_three_rule_sets_share_one_incident(rollouts):
    """Some workers are killed."""

    async def play(at):
        await at.race(*((workers.firing(), key) for key in KEYS), kills=2)
        assert len(await at.holders()) == 1
        await at.end_alert(at.randomness.choice(KEYS))

    rollouts(play)


def test_alert_of_two_incidents_fires_in_one(rollouts):
    """Both incidents have the alert as resolved, so neither document says where it fires now."""

    async def play(at):
        for number, key in enumerate((KEYS[0], KEYS[1], KEYS[0])):
            await at.deliver(workers.firing(starts_at=100 * number + 1), key)
            assert await at.holders() == [key]
            await at.end_alert(key, 100 * number + 1)
        await at.race(*((workers.firing(starts_at=1000), key) for key in KEYS), kills=1)
        assert len(await at.holders()) == 1
        await at.end_alert(at.randomness.choice(KEYS), 1000)

    rollouts(play)


def test_racing_resolution_leaves_nothing_open(rollouts):
    async def play(at):
        messages = [
            (workers.firing(), KEYS[0]),
            (workers.firing(), KEYS[1]),
            (workers.resolved(), at.randomness.choice(KEYS)),
        ]
        await at.race(*messages, kills=at.randomness.randrange(2))
        assert await at.holders() == []

    rollouts(play)


def test_racing_new_episode_is_in_one_incident(rollouts):
    """The alert fires under the old rules, resolves, and fires again under both. Its final state is firing."""

    async def play(at):
        await at.deliver(workers.firing(starts_at=100), KEYS[0])
        again = workers.firing(starts_at=1000)
        await at.race((workers.resolved(starts_at=100), KEYS[1]), (again, KEYS[0]), (again, KEYS[1]), kills=1)
        assert len(await at.holders()) == 1
        await at.end_alert(at.randomness.choice(KEYS), 1000)

    rollouts(play)


def test_new_episode_follows_edited_rules(rollouts):
    async def play(at):
        await at.deliver(workers.firing(starts_at=100), KEYS[0])
        await at.deliver(workers.firing(starts_at=100), KEYS[1])
        assert await at.holders() == [KEYS[0]]
        await at.end_alert(KEYS[1], 100)
        await at.deliver(workers.firing(starts_at=1000), KEYS[1])
        assert await at.holders() == [KEYS[1]]
        await at.end_alert(KEYS[0], 1000)

    rollouts(play, range(1))


def test_batch_with_both_decisions_makes_one_incident(rollouts):
    async def play(at):
        for key in KEYS[:2]:
            await at.plain.deliver_decided(workers.firing(), decide(key))
        await at.plain.fold()
        assert len(await at.holders()) == 1
        await at.end_alert(KEYS[1])

    rollouts(play, range(1))


def test_many_alerts_move_with_new_rules(with_redis):
    """A delivery has 300 alerts, which all fire again after the rules have changed."""

    async def play(on):
        names = [f"f{number}" for number in range(300)]
        for key, starts_at in (("a", 100), ("b", 1000)):
            for name in names:
                await on.deliver_decided(workers.firing(name, starts_at), decide(f"{key} {name[-1]}"))
            await on.fold()
            held = await on.incidents.read([f"{key} {number}" for number in range(10)])
            assert [len(one.incident.firing) for one in held.values()] == [30] * 10
            for name in names:
                await on.deliver_decided(workers.resolved(name, starts_at), decide(f"{key} {name[-1]}"))
            await on.fold()
        moves = [await on.store.redis.exists(keys.moves(number)) for number in range(keys.SHARDS)]
        assert sum(moves) == 0

    workers.run(with_redis, play)


def test_two_workers_fold_duplicate_deliveries_once(with_redis):
    """Two workers run without a scheduler. Each of 50 alerts arrives at both webs in the same batch."""

    async def body(store):
        pair = [workers.WorkerHarness(store, consumer=f"w{number}") for number in range(2)]
        await pair[0].reader.prepare()
        for number in range(50):
            for key in ("old", "new"):
                await pair[0].deliver_decided(workers.firing(f"f{number}"), decide(f"{key} {number}"))
        batches = [await worker.reader.read(50, None) for worker in pair]
        await asyncio.gather(*(each.triage.handle(batch) for each, batch in zip(pair, batches, strict=True)))
        held = await pair[0].incidents.read([f"{key} {number}" for key in ("old", "new") for number in range(50)])
        assert sum(len(one.incident.firing) for one in held.values()) == 50

    with_redis(body)
