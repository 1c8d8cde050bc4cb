"""Acknowledgements and takes are part of a backup, and survive a restart."""

from router.worker import acknowledgements, review_takes
from tests.integration import vendor, workers
from tests.integration.store.test_backup import back_up, delete_all, restore


def test_acknowledgement_and_take_survive_backup_and_restore(with_redis):
    async def body(store):
        on = workers.WorkerHarness(store, vendor.on_call(vendor.Vendor()))
        await on.deliver(workers.firing())
        await on.turn()
        clock = workers.factories.clock
        given = await acknowledgements.Acknowledgements(store, clock).acknowledge(
            "down", acknowledgements.OperatorRequest("ann", "on it")
        )
        name = f"{given.incident.episode}/on-call"
        taken = await review_takes.Takes(store, clock).take("down", name, "bob", 600)
        data = await back_up(store)
        await delete_all(store)
        await restore(store, data)
        incident = (await store.incidents.read(["down"]))["down"].incident
        assert (incident.acknowledged, incident.interventions.takes) == (given.acknowledgement, {name: taken.take})
        texts = [event.text for event in await store.incidents.timeline("down")]
        assert "Acknowledged by ann: on it" in texts

    with_redis(body)


def test_acknowledgements_at_one_time_differ(with_redis):
    """Notifiers distinguish acknowledgements by their times, so the times must differ."""

    async def body(store):
        on = workers.WorkerHarness(store, vendor.on_call(vendor.Vendor()))
        await on.deliver(workers.firing())
        await on.turn()
        now = workers.factories.clock()
        service = acknowledgements.Acknowledgements(on.store, lambda: now)
        times = []
        for who in ("ann", "bob"):
            times.append((await service.acknowledge("down", acknowledgements.OperatorRequest(who))).acknowledgement.at)
            assert await service.withdraw("down", acknowledgements.OperatorRequest(who)) is not None
            assert await service.withdraw("down", acknowledgements.OperatorRequest(who)) is None
        assert times[0] < times[1]

    with_redis(body)
