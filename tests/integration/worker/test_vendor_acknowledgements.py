"""A responder's acknowledgement at a vendor is imported once, and operators in the router can override it."""

import asyncio

from router.domain import severities
from router.store import publishing_state
from router.worker import acknowledgements, publishing_guard
from tests.integration import vendor, workers

LOOKING = publishing_guard.GuardLimits(
    publishing_state.Limit(9, workers.HOUR), publishing_state.Limit(9, workers.HOUR), observe_interval=10_000
)


class Scene:
    """A worker that reads its vendor frequently, and an operator."""

    def __init__(self, on, pager):
        self.on = on
        self.pager = pager
        self.operator = acknowledgements.Acknowledgements(on.store, workers.factories.clock)

    def accept(self):
        self.pager.incidents["v1"]["acknowledged"] = True

    async def wait_until(self, met):
        """Reconcile due incidents until the condition is met. On a slow machine, a full turn may never end."""
        async with asyncio.timeout(60):
            while not await met():
                await self.on.fold()
                for lease in await self.on.due():
                    await self.on.reconciler.reconcile(lease)

    async def wait_for_reads(self, times=3):
        """Let the worker read the vendor several more times."""
        wanted = self.pager.looks + times

        async def met():
            return self.pager.looks >= wanted

        await self.wait_until(met)

    async def held(self):
        """Wait until the incident is acknowledged; return the acknowledgement."""

        async def met():
            return (await self.on.incident()).acknowledged

        await self.wait_until(met)
        return (await self.on.incident()).acknowledged

    async def acknowledgement_texts(self):
        return [event.text for event in await self.on.incidents.timeline("down") if "cknowledged" in event.what]


def play(with_redis, body):
    pager = vendor.Vendor()

    async def main(on):
        await on.deliver(workers.firing())
        scene = Scene(on, pager)
        await scene.wait_for_reads(1)
        await body(scene)

    workers.run(with_redis, main, vendor.on_call(pager), limits=LOOKING)


def test_acknowledgement_at_vendor_is_recorded_once(with_redis):
    async def body(scene):
        await scene.wait_for_reads()
        assert (await scene.on.incident()).interventions.acknowledgement is None
        scene.accept()
        held = await scene.held()
        assert (held.destination, held.who, held.name) == ("on-call", "", "a responder at on-call")
        await scene.wait_for_reads()
        assert (await scene.on.incident()).acknowledged == held
        assert await scene.acknowledgement_texts() == ["Acknowledged by a responder at on-call."]
        assert scene.pager.kinds == ["open"]

    play(with_redis, body)


def test_acknowledgement_of_an_operator_stays(with_redis):
    async def body(scene):
        await scene.operator.acknowledge("down", acknowledgements.OperatorRequest("ann"))
        scene.accept()
        await scene.wait_for_reads()
        assert (await scene.on.incident()).acknowledged.who == "ann"

    play(with_redis, body)


def test_withdrawn_acknowledgement_of_the_vendor_does_not_return(with_redis):
    async def body(scene):
        scene.accept()
        await scene.held()
        ended = await scene.operator.withdraw("down", acknowledgements.OperatorRequest("bob"))
        assert ended.name == "a responder at on-call"
        await scene.wait_for_reads()
        assert (await scene.on.incident()).acknowledged is None

    play(with_redis, body)


def test_raised_severity_ends_the_acknowledgement_of_the_vendor(with_redis):
    async def body(scene):
        scene.accept()
        await scene.held()
        await scene.on.deliver(workers.firing("f2"), level=severities.Severity.CRITICAL)
        await scene.wait_for_reads()
        incident = await scene.on.incident()
        assert (incident.acknowledged, incident.interventions.acknowledgement.ended_cause) == (None, "escalated")

    play(with_redis, body)


def test_crash_before_the_incident_is_written_loses_nothing(with_redis, monkeypatch):
    async def body(scene):
        async def fail(*_):
            monkeypatch.undo()
            raise RuntimeError("killed")

        monkeypatch.setattr(acknowledgements, "read_back", fail)
        scene.accept()
        try:
            await scene.wait_for_reads()
        except RuntimeError:
            leases = [one.key for one in await scene.on.due()]
            assert leases == []  # The lease of the killed worker has to expire first.
        publications = await scene.on.publications.look("down")
        assert publications[0].acknowledged_at
        await acknowledgements.read_back(scene.on.store, await scene.on.incident(), publications)
        assert (await scene.on.incident()).acknowledged.destination == "on-call"

    play(with_redis, body)
