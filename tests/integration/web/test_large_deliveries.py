"""Very large deliveries open their incidents, and report truncated alerts and labels."""

import gzip
import json

import httpx
import pytest

from router.domain import decisions, severities
from router.sources import registry
from router.web import app, request_limits, webhooks
from tests.integration import servers, workers

NOW = 1_772_450_000_000_000


def alert(number: int, **labels: str) -> dict:
    return {
        "status": "firing",
        "labels": {"alertname": "TargetDown", "instance": f"host-{number}:9100", **labels},
        "annotations": {"summary": "Target is down", "description": "x" * 300},
        "startsAt": "2026-03-02T12:00:00Z",
        "fingerprint": f"{number:016x}",
    }


def body(*alerts: dict) -> bytes:
    return json.dumps({"version": "4", "alerts": alerts}).encode()


def play(with_redis, story, *, one_incident=True, limits: request_limits.RequestLimits | None = None) -> None:
    """Serve the webhooks of a source, and call ``story`` with the URL and a worker."""

    def decide(one, _now):
        key = "all" if one_incident else one.fingerprint
        return decisions.Decision(key, severities.Severity.MAJOR, workers.rule())

    async def main(store) -> None:
        web_server = webhooks.WebhookHandler(
            {"am": registry.build("am", registry.KINDS["alertmanager"].config(auth="none"))},
            decide,
            inbox=store.inbox,
            quarantine=store.quarantine,
            clock=lambda: NOW,
            randomness=workers.NoJitter(),
            limits=limits,
        )
        web_server.labels_named = lambda: frozenset({"zz_team"})
        async with (
            servers.run_server(app.create_app(web_server, checks={})) as (port, _),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
        ):
            await story(http, workers.WorkerHarness(store))

    with_redis(main)


async def post(http: httpx.AsyncClient, content: bytes, **headers: str) -> dict:
    answer = await http.post("/v1/webhooks/am", content=content, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def list_notices(on: workers.WorkerHarness, key: str) -> list[str]:
    return [event.text for event in await on.incidents.timeline(key) if event.what == "notice"]


def test_oversized_delivery_opens_incident_with_a_notice(with_redis):
    async def story(http, on):
        answer = await post(http, body(*map(alert, range(1001))))
        assert len(answer["alerts"]) == 1000
        assert [(notice["code"], notice["count"]) for notice in answer["notices"]] == [("alerts_truncated", 1)]
        await on.fold()
        assert (await on.incident("all")).still_fires == 1000
        assert await list_notices(on, "all") == [
            "alerts_truncated: alerts: 1001 alerts arrived, and the first 1000 are read (web.max_alerts)."
        ]

    play(with_redis, story, limits=request_limits.RequestLimits(alerts=1000))


def test_excess_labels_are_dropped_unless_rules_use_them(with_redis):
    """The alert opens its incident."""

    async def story(http, on):
        many = {f"l{number:02}": "v" for number in range(70)}
        answer = await post(http, body(alert(1, zz_team="web", a_long="x" * 5000, **many)))
        assert [notice["code"] for notice in answer["notices"]] == ["labels_truncated", "value_truncated"]
        await on.fold()
        opened = (await on.incident("all")).opening_alert
        assert len(opened.labels) == 64
        assert (opened.labels["alertname"], opened.labels["zz_team"]) == ("TargetDown", "web")
        assert len(await list_notices(on, "all")) == 2

    play(with_redis, story)


def test_repeated_cut_delivery_adds_no_timeline_event(with_redis):
    async def story(http, on):
        for _ in range(3):
            await post(http, body(*map(alert, range(6))))
            await on.fold()
        assert len(await list_notices(on, "all")) == 1

    play(with_redis, story, limits=request_limits.RequestLimits(alerts=5))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_delivery_with_20000_alerts_is_accepted(with_redis, packed):
    """All alerts belong to one incident."""

    async def story(http, on):
        content = body(*map(alert, range(20_000)))
        assert len(content) > 8 * 1024 * 1024
        if packed:
            answer = await post(http, gzip.compress(content, 1), **{"content-encoding": "gzip"})
        else:
            answer = await post(http, content)
        assert len(answer["alerts"]) == 20_000
        assert "notices" not in answer
        await on.fold()
        incident = await on.incident("all")
        assert incident.still_fires + incident.overflow_count == 20_000

    play(with_redis, story)


def test_delivery_with_20000_incidents_opens_all(with_redis):
    async def story(http, on):
        await post(http, body(*map(alert, range(20_000))))
        await on.fold()
        names = [f"{number:016x}" for number in range(20_000)]
        held = await on.incidents.read(names)
        assert sum(one.incident.status == "open" for one in held.values()) == 20_000

    play(with_redis, story, one_incident=False)
