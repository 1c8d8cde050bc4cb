"""A vendor's webhook makes the worker read the changed item. The worker doesn't trust the webhook's content."""

import asyncio
import contextlib
import json
import uuid

import httpx
import pytest

from router.domain import plan
from router.domain.reasons import Edit
from router.sources import signatures
from router.store import keys
from router.store.store import Store
from router.telemetry import metrics
from router.web import app, vendor_webhooks
from tests.integration import servers, vendor, workers

STANDARD = {"scheme": "standard-webhooks", "secrets": ["whsec_c2VjcmV0LW9mLWEtdGVzdA=="]}
SVIX = {**STANDARD, "scheme": "svix"}
DEVHELM = {"scheme": "devhelm", "secrets": ["before", "shared-secret"]}
ID = "v01HZY7A4WQ0V2R3T5M8N9K6C1D"


@pytest.fixture
def no_read_interval(monkeypatch):
    """Disable the minimum interval between reads."""
    monkeypatch.setattr(plan, "RECHECK_DELAY", 0)


def make_signature(said):
    return signatures.Signature(signatures.Config.model_validate(said))


def make_event(vendor_id, event="public_incident.incident_updated_v2"):
    return {"event_type": event, event: {"id": vendor_id, "name": "Edited"}}


class WebhookScene:
    """The webhook server on loopback, and a worker."""

    def __init__(self, on, at, http):
        self.on, self.at, self.http = on, at, http

    async def post(self, body, *, said=STANDARD, name="", to="on-call", now=0, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if headers is None:
            headers = make_signature(said).sign(raw, now or workers.factories.clock(), name or str(uuid.uuid4()))
        return await self.http.post(f"/v1/vendor-webhooks/{to}", content=raw, headers=headers)

    async def get_publication(self):
        (publication,) = await self.on.publications.look("down")
        return publication

    async def texts(self):
        return [event.text for event in await self.on.incidents.timeline("down")]


def run_scene(with_redis, play):
    """Run a test with an open incident at a vendor that the worker never polls, but whose webhooks are accepted."""
    at = vendor.Vendor()
    at._ids = iter([ID[1:]])

    async def body(store):
        on = workers.WorkerHarness(store, vendor.on_call(at), watched=["on-call"])
        receivers = {
            "on-call": vendor_webhooks.Receiver(
                "on-call", (make_signature(STANDARD), make_signature(SVIX)), ("on-call",)
            ),
            "devhelm": vendor_webhooks.Receiver("devhelm", (make_signature(DEVHELM),), ("devhelm", "on-call")),
        }
        handler = vendor_webhooks.VendorWebhooks(
            receivers, store.vendor_ids.recheck, store.delivery_ids, workers.factories.clock
        )
        async with serve(handler) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
            await on.deliver(workers.firing())
            await on.turn()
            await play(WebhookScene(on, at, http))

    with_redis(body)


@contextlib.asynccontextmanager
async def serve(handler):
    async with servers.run_server(app.create_app(None, checks={}, vendors=handler)) as (port, _):
        yield f"http://127.0.0.1:{port}"


def count_webhooks(outcome, destination="on-call"):
    return metrics.vendor_webhooks.labels(destination, outcome)._value.get()


@pytest.mark.parametrize("said", [STANDARD, SVIX], ids=["standard-webhooks", "svix"])
def test_timeline_names_an_edit_without_a_poll(with_redis, no_read_interval, said):
    async def play(told):
        told.at.incidents[ID]["edited"] = Edit.TITLE_CHANGED
        await told.on.turn()
        assert told.at.looks == 0
        answer = await told.post(make_event(ID), said=said)
        assert (answer.status_code, answer.json()) == (202, {"outcome": "looked_at", "incidents": 1})
        await told.on.turn()
        assert told.at.looks == 1
        assert "At on-call a person has changed the title" in (await told.texts())[-1]

    run_scene(with_redis, play)


BODIES = [
    make_event(ID),
    {"event_type": "t", "t": {"incident": {"id": ID}, "new_status": {"id": "01FCNDV6P870EA6S7TK1DSYDG0"}}},
    {"event_type": "t", "t": {"id": "01FCNDV6P870EA6S7TK1DSYDG0", "status_page_incident_id": ID}},
    {"event": "incident.updated", "data": {"incidentId": ID}},
    {"updates": [{"id": "01FCNDV6P870EA6S7TK1DSYDG0"}], "incident": {"id": ID}},
]


@pytest.mark.parametrize("body", BODIES)
def test_webhook_finds_incident_by_any_id_field(with_redis, no_read_interval, body):
    async def play(told):
        await told.post(body)
        await told.on.turn()
        assert told.at.looks == 1

    run_scene(with_redis, play)


def test_webhook_covers_all_destinations_of_its_vendor(with_redis, no_read_interval):
    """The second of two secrets signs, as during a rotation."""

    async def play(told):
        newest = {**DEVHELM, "secrets": DEVHELM["secrets"][1:]}
        assert (await told.post(make_event(ID), said=newest, to="devhelm")).json()["outcome"] == "looked_at"
        await told.on.turn()
        assert told.at.looks == 1

    run_scene(with_redis, play)


@pytest.mark.parametrize(
    "how",
    [
        {"headers": {}},
        {"said": {**STANDARD, "secrets": ["whsec_b3RoZXI="]}},
        {"said": DEVHELM},
        {"now": 1_700_000_000_000_000},
    ],
    ids=["unsigned", "another secret", "another scheme", "long ago"],
)
def test_webhook_with_wrong_signature_is_refused(with_redis, no_read_interval, how):
    async def play(told):
        before = count_webhooks("unauthorized")
        answer = await told.post(make_event(ID), **how)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert count_webhooks("unauthorized") == before + 1
        await told.on.turn()
        assert told.at.looks == 0

    run_scene(with_redis, play)


def test_repeated_webhook_causes_one_read(with_redis, no_read_interval):
    async def play(told):
        for outcome in ("looked_at", "duplicate"):
            assert (await told.post(make_event(ID), name="msg_1")).json()["outcome"] == outcome
            await told.on.turn()
        assert told.at.looks == 1
        assert (await told.post(make_event(ID), name="msg_2")).json()["outcome"] == "looked_at"

    run_scene(with_redis, play)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (make_event("01FCNDV6P870EA6S7TK1DSYDG0"), "unrelated"),
        ({"event_type": "t", "t": {"name": ID}}, "unrelated"),
        (b"{", "unreadable"),
        (b"[" * 200, "unreadable"),
        (b"[" + b"{}," * 70_000 + b"{}]", "unreadable"),
        (b"", "unreadable"),
    ],
    ids=["another incident", "an ID elsewhere", "cut off", "deep", "many values", "empty"],
)
def test_unrelated_webhook_is_accepted_and_ignored(with_redis, no_read_interval, body, outcome):
    async def play(told):
        answer = await told.post(body)
        assert (answer.status_code, answer.json()) == (202, {"outcome": outcome, "incidents": 0})
        await told.on.turn()
        assert told.at.looks == 0

    run_scene(with_redis, play)


def test_webhook_about_resolved_incident_reads_nothing(with_redis, no_read_interval):
    async def play(told):
        await told.on.deliver(workers.resolved())
        await told.on.turn()
        assert (await told.post(make_event(ID))).json()["outcome"] == "unrelated"

    run_scene(with_redis, play)


def test_webhook_refusals_have_their_status_and_reason(with_redis):
    async def play(told):
        long = await told.post(b"[" + b"1," * 200_000 + b"1]")
        assert (long.status_code, "limit_bytes" in long.json()) == (413, True)
        assert (await told.post(make_event(ID), to="elsewhere")).status_code == 404
        read = await told.http.get("/v1/vendor-webhooks/on-call")
        assert (read.status_code, read.headers["allow"]) == (405, "POST")

    run_scene(with_redis, play)


def test_webhook_reads_are_delayed_after_own_calls(with_redis):
    """Vendors also send webhooks for the router's own changes, several per change."""

    async def play(told):
        for _ in range(3):
            await told.post(make_event(ID))
            await told.on.turn()
        assert told.at.looks == 0
        due = await told.on.store.redis.zscore(keys.timers(keys.shard("down")), "down")
        assert due == (await told.get_publication()).acted_at + plan.RECHECK_DELAY

    run_scene(with_redis, play)


def test_webhook_during_a_read_causes_another_read(with_redis, no_read_interval):
    async def play(told):
        observe = told.at.observe

        async def edited_meanwhile(call):
            state = await observe(call)
            if told.at.looks == 1:
                told.at.incidents[ID]["edited"] = Edit.TITLE_CHANGED
                await told.post(make_event(ID))
            return state

        told.at.observe = edited_meanwhile
        told.on.reconciler._ticks = workers.factories.ticks  # Measure the real duration of the read.
        await told.post(make_event(ID))
        await told.on.turn()
        assert told.at.looks == 2
        assert (await told.get_publication()).taken_over == Edit.TITLE_CHANGED

    run_scene(with_redis, play)


def test_recheck_with_a_future_time_is_not_due(with_redis, no_read_interval):
    async def play(told):
        await told.post(make_event(ID))
        ahead = await told.on.redis_now() + workers.HOUR
        await told.on.store.redis.hset(keys.publications("down"), "recheck:on-call", ahead)
        await told.on.turn()
        assert told.at.looks == 0

    run_scene(with_redis, play)


def test_unstored_webhook_is_answered_for_retry():
    async def main():
        store = Store.connect("redis://127.0.0.1:1")
        receivers = {"on-call": vendor_webhooks.Receiver("on-call", (make_signature(STANDARD),), ("on-call",))}
        handler = vendor_webhooks.VendorWebhooks(
            receivers, store.vendor_ids.recheck, store.delivery_ids, workers.factories.clock
        )
        async with serve(handler) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
            answer = await WebhookScene(None, None, http).post(make_event(ID))
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
        await store.aclose()

    asyncio.run(main())
