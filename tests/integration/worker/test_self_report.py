"""The router reports its own failures through another vendor, once, and calls a ping URL."""

import asyncio
import random

import pytest
from starlette import applications, requests, responses, routing

from router import configuration
from router.destinations import base, registry
from router.outbound import errors, fetch
from router.store import codec, keys, publishing_state
from router.telemetry import metrics
from router.web import serve
from router.worker import circuit_breaker, configured_destinations, self_alerts, self_monitor
from tests.integration import vendor, workers

NOW = 1_772_450_000_000_000
MINUTE = 60_000_000
AWAY = errors.Temporary("no connection")


class NameOpening(base.Opening):
    name: str
    summary: str = ""


class TitleOpening(base.Opening):
    title: str
    body: str | None = None


def place(name: str, account: str, opening: type[base.Opening]) -> configured_destinations.ConfiguredDestination:
    kind = base.Kind("test", base.Config, opening, public=False, adopts=False, connect=None, make=None)
    return configured_destinations.ConfiguredDestination(name, kind, vendor.Vendor(), account=account)


PLACES = {
    "on-call": place("on-call", "one", NameOpening),
    "page": place("page", "one", NameOpening),
    "devhelm": place("devhelm", "two", TitleOpening),
}


class Scene:
    """A worker's reports, with circuit breakers that the test controls."""

    def __init__(self, store, *destinations: str, ping=None) -> None:
        self.store = store
        self.breakers = circuit_breaker.CircuitBreakers(random.Random(1))
        wanted = self_monitor.SelfMonitorSettings(destinations, (), 5 * MINUTE, 240 * MINUTE, ping, "router.yaml")
        self.gate = store.publishing_controls
        self.stage = workers.WorkerHarness(store)
        self.own = self_monitor.SelfMonitor(
            wanted, PLACES, self.breakers,
            store=self.store, storms=self.stage.storms, randomness=random.Random(2),
        )  # fmt: skip

    async def list_reports(self) -> list[tuple[str, str, list[str]]]:
        """Return the reports in the inbox: destination, status, and targets."""
        found = []
        for _, fields in await self.store.redis.xrange(keys.INBOX):
            entry = codec.unpack_delivery(fields[b"h"])
            (row,) = entry.rows
            targets = [target.destination for target in entry.responses[row.response].targets]
            about = row.alert.labels.get("destination") or row.alert.labels["pages"]
            found.append((about, row.alert.status, targets))
        return found

    async def fold(self) -> None:
        await self.stage.fold()


def test_failing_account_is_reported_once_and_ended(with_redis):
    """The report goes to the other vendor."""

    async def body(store):
        scene = Scene(store, "on-call", "devhelm")
        scene.breakers.record("on-call", AWAY, NOW)
        scene.breakers.record("devhelm", None, NOW)
        await scene.own.turn(NOW + 4 * MINUTE)
        assert await scene.list_reports() == []
        scene.breakers.record("on-call", AWAY, NOW + 4 * MINUTE)
        await scene.own.turn(NOW + 5 * MINUTE)
        assert await scene.list_reports() == [("on-call", "firing", ["devhelm"])]
        await scene.fold()
        key = 'incident-router{destination="on-call"}'
        assert (await scene.store.incidents.read([key]))[key].incident.status == "open"
        await scene.own.turn(NOW + 6 * MINUTE)
        assert await scene.list_reports() == []
        scene.breakers.record("on-call", None, NOW + 7 * MINUTE)
        await scene.own.turn(NOW + 7 * MINUTE)
        assert await scene.list_reports() == [("on-call", "resolved", ["devhelm"])]
        await scene.fold()
        assert (await scene.store.incidents.read([key]))[key].incident.status == "closed"
        await scene.own.turn(NOW + 8 * MINUTE)
        assert await scene.list_reports() == []

    with_redis(body)


@pytest.mark.parametrize(
    "problem",
    [
        errors.Denied("401", status=401),
        errors.Throttled("429", 30.0),
        errors.Throttled("429", 30.0, limit="incidents_create", is_account_wide=False),
        errors.Unanswered("503", 30.0),
    ],
    ids=["401", "429", "429 of one endpoint", "503 with Retry-After"],
)
def test_failing_account_is_reported_after_its_delay(with_redis, problem):
    async def body(store):
        scene = Scene(store, "on-call", "devhelm")
        scene.breakers.record("devhelm", problem, NOW, "open")
        scene.breakers.record("on-call", errors.Queued("the account's quota is used up for now", 30.0), NOW, "open")
        scene.breakers.record("page", errors.Permanent("422", status=422), NOW, "open")
        await scene.own.turn(NOW + 9 * MINUTE)
        assert await scene.list_reports() == [("devhelm", "firing", ["on-call"])]

    with_redis(body)


def test_failing_account_does_not_report_itself(with_redis):
    async def body(store):
        for wanted in (("on-call",), ()):
            scene = Scene(store, *wanted)
            scene.breakers.record("page", AWAY, NOW)
            await scene.own.turn(NOW + 9 * MINUTE)
            assert await scene.list_reports() == []

    with_redis(body)


def test_report_is_valid_for_every_destination_kind():
    scene = self_monitor.SelfMonitor(
        self_monitor.SelfMonitorSettings(("on-call", "devhelm")),
        PLACES, circuit_breaker.CircuitBreakers(random.Random(1)),
        store=None, storms=None, randomness=random.Random(1),
    )  # fmt: skip
    (named,) = scene._targets(self_alerts.of_account("devhelm"))
    assert NameOpening.model_validate(named.fields).name == "incident-router can't reach devhelm"
    (titled,) = scene._targets(self_alerts.of_account("on-call"))
    assert TitleOpening.model_validate(titled.fields).title == "incident-router can't reach on-call"


def test_worker_calls_its_ping_url(with_redis):
    """A failed ping has no effect."""
    asked = []

    async def pinged(_: requests.Request) -> responses.Response:
        asked.append(1)
        return responses.Response(status_code=204 if len(asked) == 1 else 500)

    async def body(store):
        started = asyncio.get_running_loop().create_future()
        app = applications.Starlette(routes=[routing.Route("/ping", pinged)])
        serving = asyncio.create_task(serve.serve(app, "127.0.0.1", 0, started.set_result))
        url = f"http://127.0.0.1:{await started}/ping"

        async def ping() -> None:
            await fetch.get(url, timeout_seconds=5, most_bytes=1000)

        scene = Scene(store, ping=ping)
        await scene.own.ping()
        await scene.own.ping()
        assert len(asked) == 2
        serving.cancel()
        await asyncio.wait([serving])

    with_redis(body)


def test_fetched_document_is_complete_or_refused():
    async def answered(request: requests.Request) -> responses.Response:
        size = int(request.query_params.get("size", "0"))
        if request.query_params.get("to"):
            return responses.RedirectResponse("/?size=1")
        return responses.Response(b"x" * size)

    async def main() -> None:
        started = asyncio.get_running_loop().create_future()
        app = applications.Starlette(routes=[routing.Route("/", answered)])
        serving = asyncio.create_task(serve.serve(app, "127.0.0.1", 0, started.set_result))
        base_url = f"http://127.0.0.1:{await started}/"
        assert await fetch.get(f"{base_url}?size=1000", timeout_seconds=5, most_bytes=1000) == b"x" * 1000
        for wrong in (f"{base_url}?size=1001", f"{base_url}?to=1", "http://127.0.0.1:1/"):
            with pytest.raises(errors.Temporary):
                await fetch.get(wrong, timeout_seconds=5, most_bytes=1000)
        serving.cancel()
        await asyncio.wait([serving])

    asyncio.run(main())


def test_metrics_of_the_guard_follow_its_state(with_redis):
    async def body(store):
        on = workers.WorkerHarness(store)
        read = metrics.REGISTRY.get_sample_value
        await store.publishing_controls.trip(NOW, "too many")
        await on.reconciler.gauge(await on.redis_now())
        assert read("incident_router_publishing_guard_tripped") == 1
        await store.publishing_controls.reset()
        await on.reconciler.gauge(await on.redis_now())
        assert read("incident_router_publishing_guard_tripped") == 0

    with_redis(body)


def test_tripped_guard_is_reported_once_until_reset(with_redis):
    async def body(store):
        scene = Scene(store, "on-call", "devhelm")
        await scene.own.turn(NOW)
        assert await scene.list_reports() == []
        one = publishing_state.Limit(1, workers.HOUR)
        assert [await scene.gate.count_auto_post(f"page/{n}", [], one, one) for n in range(2)] == [True, False]
        await scene.own.turn(NOW + 1)
        assert await scene.list_reports() == [("guard", "firing", ["on-call", "devhelm"])]
        await scene.fold()
        held = (await scene.store.incidents.read([self_alerts.GUARD.key]))[self_alerts.GUARD.key].incident
        assert held.opening_alert.annotations == {"reason": "more than 1 posts or 1 components"}
        await scene.own.turn(NOW + 2)
        assert await scene.list_reports() == []
        await scene.gate.reset()
        await scene.own.turn(NOW + 3)
        assert await scene.list_reports() == [("guard", "resolved", ["on-call", "devhelm"])]
        await scene.fold()
        assert (await scene.store.incidents.read([self_alerts.GUARD.key]))[
            self_alerts.GUARD.key
        ].incident.status == "closed"
        await scene.own.turn(NOW + 4)
        assert await scene.list_reports() == []

    with_redis(body)


def test_long_freeze_is_reported_until_unfrozen(with_redis):
    async def body(store):
        scene = Scene(store, "devhelm")
        await scene.gate.freeze("ann", NOW, "an audit")
        await scene.own.turn(NOW + 239 * MINUTE)
        assert await scene.list_reports() == []
        await scene.own.turn(NOW + 240 * MINUTE)
        assert await scene.list_reports() == [("freeze", "firing", ["devhelm"])]
        await scene.fold()
        held = (await scene.store.incidents.read([self_alerts.FREEZE.key]))[self_alerts.FREEZE.key].incident
        assert (held.status, held.opening_alert.annotations["reason"]) == ("open", "an audit (ann)")
        await scene.gate.unfreeze()
        await scene.own.turn(NOW + 241 * MINUTE)
        assert await scene.list_reports() == [("freeze", "resolved", ["devhelm"])]
        await scene.fold()
        assert (await scene.store.incidents.read([self_alerts.FREEZE.key]))[
            self_alerts.FREEZE.key
        ].incident.status == "closed"

    with_redis(body)


def test_self_report_without_destination_does_nothing(with_redis):
    async def body(store):
        scene = Scene(store)
        await scene.gate.trip(NOW, "too many")
        await scene.own.turn(NOW + 300 * MINUTE)
        assert await scene.list_reports() == []

    with_redis(body)


def test_unknown_or_public_report_destination_is_refused(tmp_path):
    file = tmp_path / "router.yaml"
    key = "{kind: %s, api_key: {env: KEY}%s}"
    file.write_text(
        "self_report: {destinations: [on-cal, page]}\n"
        f"destinations:\n  on-call: {key % ('incident-io', '')}\n"
        f"  page: {key % ('incident-io-status-page', ', page: Acme')}\n"
    )
    with pytest.raises(configuration.InvalidConfiguration) as refused:
        configuration.load(file, {"KEY": "k"})
    said = str(refused.value)
    assert 'unknown destination "on-cal"' in said
    assert "on-call" in said
    assert '"page" is public' in said


def test_every_private_kind_has_fields_for_reports():
    """Each kind has its own fields for the title and the text of a report."""
    for kind in registry.KINDS.values():
        fields = base.map_title_and_text(kind.opening, "incident-router can't reach on-call", "The log says why.")
        assert kind.public or (len(fields) == 2 and fields.keys() <= kind.opening.model_fields.keys())
