"""Silences are created, listed, ended, and imported from an Alertmanager, and the worker applies them."""

import asyncio

import msgspec
import pytest
import structlog
import uvicorn
from starlette import applications, responses, routing

from router.domain.silences import Silence, matcher
from router.outbound import alertmanager, client, errors
from router.store import silences
from router.telemetry import metrics
from router.worker import silencing
from tests import ports
from tests.end_to_end import harness
from tests.integration import vendor, workers

NOW = 1_700_000_000_000_000


def make_silence(identity: str = "s1", end: int = NOW + workers.HOUR) -> Silence:
    return Silence(identity, (matcher('alertname="Down"'),), NOW, end, "ann", "works")


def test_silences_are_stored_ended_and_expired(with_redis):
    async def body(store):
        await store.silences.save(make_silence("later", NOW + 2 * workers.HOUR))
        await store.silences.save(make_silence("sooner"))
        assert [one.id for one in await store.silences.read()] == ["sooner", "later"]
        assert (await store.silences.expire("sooner", NOW + 5)).ends_at == NOW + 5
        assert await store.silences.expire("sooner", NOW + 6) is None
        assert await store.silences.expire("unknown", NOW) is None
        assert await store.silences.delete_expired(NOW + 5 + silences.KEPT_AFTER) == 0
        assert await store.silences.delete_expired(NOW + 6 + silences.KEPT_AFTER) == 1
        assert [one.id for one in await store.silences.read()] == ["later"]

    with_redis(body)


def test_silenced_alert_opens_when_silence_ends(with_redis):
    at = vendor.Vendor()

    async def play(on):

        async def mute(length):
            now, name = await on.redis_now(), f"down{length}"
            matchers = (matcher(f'alertname="{name}"'),)
            await on.store.silences.save(Silence(name, matchers, now - 1, now + length, "ann", "works"))
            await on.mutes.refresh()
            await on.deliver(msgspec.structs.replace(workers.firing(name), labels={"alertname": name}), key=name)
            await on.turn()
            told = [event.text for event in await on.incidents.timeline(name)]
            return name, told, list(at.calls)

        (name, told, calls), _ = await workers.run_in_window(on.store, mute)
        assert calls == []
        assert told == [f"Muted by silence {name} of ann: works: am/{name}."]
        await on.wait_until(lambda: at.states() == ["open"])
        assert (await on.incident(name)).muted == {}

    workers.run(with_redis, play, vendor.on_call(at))


LISTED = [
    {
        "id": "u1",
        "status": {"state": "active"},
        "matchers": [
            {"name": "alertname", "value": "Down", "isRegex": False, "isEqual": True},
            {"name": "env", "value": "prod.*", "isRegex": True, "isEqual": False},
        ],
        "startsAt": "2023-11-14T22:13:20.000Z",
        "endsAt": "2023-11-14T23:13:20.000Z",
        "createdBy": "bob",
        "comment": "upgrade",
        "updatedAt": "2023-11-14T22:13:20.000Z",
    },
    {
        "id": "u2",
        "status": {"state": "expired"},
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "2023-11-14T22:13:20.000Z",
        "endsAt": "2023-11-14T22:14:20.000Z",
    },
]


class Serving:
    """A local API that lists silences, or fails."""

    def __init__(self) -> None:
        self.answer: tuple[int, object] = (200, LISTED)

    async def ask(self, body):
        async def listed(_):
            status, content = self.answer
            return responses.JSONResponse(content, status)

        app = applications.Starlette(routes=[routing.Route("/am/api/v2/silences", listed)])
        port = ports.reserve()
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        http = client.Client(
            name="am", base_url=f"http://127.0.0.1:{port}/am", headers={}, timeout_seconds=5, now=lambda: NOW
        )
        try:
            return await body(http)
        finally:
            await http.aclose()
            server.should_exit = True
            await task


def test_alertmanager_silences_are_imported():
    async def body(http):
        (one,) = (await alertmanager.read_silences(http, "am")).silences
        assert (one.id, one.author, one.comment, one.source) == ("u1", "bob", "upgrade", "am")
        assert [str(matcher) for matcher in one.matchers] == ['alertname="Down"', 'env!~"prod.*"']
        assert (one.starts_at, one.ends_at) == (NOW, NOW + workers.HOUR)

    asyncio.run(Serving().ask(body))


def test_last_import_stays_active_while_alertmanager_is_down(with_redis):
    serving = Serving()

    async def importing(http, store):
        at = silencing.SilenceService(store, [("am", lambda: alertmanager.read_silences(http, "am"))])
        await at.import_all()
        down = workers.firing()
        labelled = type(down)("am", "f", "firing", 1, 0, labels={"alertname": "Down"})
        routed = workers.route(labelled)
        assert "u1 of bob: upgrade" in at(routed, NOW).by
        for failing in ((503, {}), (200, {"not": "a list"})):
            serving.answer = failing
            await at.import_all()
            assert at(routed, NOW) is not None
        serving.answer = (200, [])
        await at.import_all()
        assert at(routed, NOW) is None

    def body(store):
        return serving.ask(lambda http: importing(http, store))

    with_redis(body)


def test_unsupported_pattern_affects_only_its_silence(with_redis):
    odd = {**LISTED[0], "id": "odd", "matchers": [{"name": "a", "value": "(?=x)", "isRegex": True}]}
    serving = Serving()
    serving.answer = (200, [odd, LISTED[0]])

    async def importing(http, store):
        at = silencing.SilenceService(store, [("am", lambda: alertmanager.read_silences(http, "am"))])
        await at.import_all()
        labelled = type(workers.firing())("am", "f", "firing", 1, 0, labels={"alertname": "Down"})
        assert at(workers.route(labelled), NOW) is not None

    with_redis(lambda store: serving.ask(lambda http: importing(http, store)))


BROKEN = [
    {**LISTED[0], "id": "all", "matchers": []},
    {**LISTED[0], "id": "no-end", "endsAt": "soon"},
    {"id": "bare"},
    "text",
    {**LISTED[0], "id": "over", "matchers": [], "status": {"state": "expired"}},
]


def test_unreadable_silence_is_skipped_and_counted(with_redis):
    serving = Serving()
    serving.answer = (200, [*BROKEN, LISTED[0]])

    async def importing(http, store):
        imported = await alertmanager.read_silences(http, "am")
        assert [silence.id for silence in imported.silences] == ["u1"]
        assert list(imported.skipped) == ["all", "no-end", "bare", "[3]"]
        assert "length >= 1" in imported.skipped["all"]
        at = silencing.SilenceService(store, [("am", lambda: alertmanager.read_silences(http, "am"))])
        with structlog.testing.capture_logs() as logs:
            await at.import_all()
            await at.import_all()
        assert [line["event"] for line in logs] == ["silences_skipped"]
        labelled = type(workers.firing())("am", "f", "firing", 1, 0, labels={"alertname": "Down"})
        assert at(workers.route(labelled), NOW) is not None
        other = type(workers.firing())("am", "g", "firing", 1, 0, labels={"alertname": "Other"})
        assert at(workers.route(other), NOW) is None
        assert metrics.REGISTRY.get_sample_value("incident_router_skipped_silences", {"source": "am"}) == 4
        serving.answer = (200, [LISTED[0]])
        await at.import_all()
        assert metrics.REGISTRY.get_sample_value("incident_router_skipped_silences", {"source": "am"}) == 0

    with_redis(lambda store: serving.ask(lambda http: importing(http, store)))


def test_invalid_answer_fails_the_import():
    serving = Serving()
    serving.answer = (401, {"message": "no"})

    async def body(http):
        with pytest.raises(errors.Failure):
            await alertmanager.read_silences(http, "am")

    asyncio.run(serving.ask(body))


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    folder = tmp_path_factory.mktemp("silences")
    with harness.vendors() as at, harness.router(folder, harness.configure(folder, at)) as running:
        running.at = at
        yield running


def test_commands_create_list_and_end_silences(router):
    assert router.command("silences", "list").stdout == "there is no silence\n"
    result = router.command(
        "silences", "add", 'service="checkout"', "--reason", "upgrade", "--for", "2h", "--by", "ann"
    )
    assert result.returncode == 0, result.stderr
    identity = result.stdout.split()[0]
    output = router.command("silences", "list").stdout
    assert all(part in output for part in (identity, "active", "ann", 'service="checkout"', "upgrade"))
    harness.eventually("the silence is active", lambda: is_silence_active(router))
    assert "open" not in router.at.incidents()["on-call"]
    assert router.command("silences", "expire", identity).stdout == f"ended {identity}\n"
    assert router.command("silences", "expire", identity).returncode == 1
    assert router.command("silences", "list").stdout == "there is no silence\n"
    assert "expired" in router.command("silences", "list", "--all").stdout
    harness.eventually("the alert opens an incident", lambda: "open" in router.at.incidents()["on-call"])


def is_muted(router) -> bool:
    return "Muted by" in router.command("incidents", "show", 'checkout-down{labels.service="checkout"}').stdout


def is_silence_active(router) -> bool:
    """Return whether the worker has loaded the silence. Resolve the alert of the probe, which may have fired before."""
    router.send_alert()
    harness.eventually("the delivery is folded", lambda: is_muted(router) or "open" in router.at.incidents()["on-call"])
    if is_muted(router):
        return True
    router.send_alert(status="resolved")
    harness.eventually("the incident is resolved", lambda: "open" not in router.at.incidents()["on-call"])
    return False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["service"], "not a matcher"),
        (['service=~"("'], "not an RE2 pattern"),
        (['service=~".*"'], "match every alert"),
        (['service="a"', "--for", "soon"], "soon"),
        (['service="a"', "--for", "0s"], "--for must be from 1s to 366d"),
    ],
)
def test_invalid_silence_is_refused_with_reason(router, arguments, said):
    done = router.command("silences", "add", *arguments, "--reason", "x")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
