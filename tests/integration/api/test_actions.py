"""Operator actions through the API: each one works or is refused, and is recorded in the audit log."""

import pytest

from router.bootstrap import factories
from router.domain import operations
from router.domain.access import AuditEntry
from router.outbound import call_policy, errors
from router.store import access, dataset, keys, quotas
from tests.integration import consoles, vendor

API = "/api/v1"
WELL = b'{"title": "t", "status": "firing", "labels": {"service": "late"}}'


async def list_items(client, path, **query):
    answer = await client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def list_newest_audit_entries(at, most=1):
    """Return the newest audit log entries as (actor, action, subject, outcome), newest first."""
    lines, _ = await at.store.audit.page("", most)
    return [(line.who, line.what, line.subject, line.outcome) for line in lines]


def test_silence_is_active_until_its_deletion(play):
    async def body(at):
        client = await at.client_for("responder", name="ann")
        wanted = {"matchers": ['service="checkout"'], "comment": "upgrade", "seconds": 3600}
        made = await client.post(f"{API}/silences", json=wanted)
        assert made.status_code == 201, made.text
        one = made.json()
        assert (one["state"], one["author"], one["matchers"]) == ("active", "ann", ['service="checkout"'])
        assert await list_newest_audit_entries(at) == [("ann", "silence", 'service="checkout"', "done")]
        await at.on.mutes.refresh()
        await at.deliver(consoles.firing(), consoles.firing("cart"))
        assert [row["key"] for row in await list_items(client, "/incidents")] == [consoles.key("cart")]
        assert (await client.delete(f"{API}/silences/{one['id']}")).status_code == 204
        at.clock.offset = 1_000_000
        assert await list_items(client, "/silences") == []
        assert [old["state"] for old in await list_items(client, "/silences", over="true")] == ["expired"]

    play(body)


@pytest.mark.parametrize(
    "wanted",
    [
        {"matchers": [], "comment": "c"},
        {"matchers": ["service"], "comment": "c"},
        {"matchers": ['service=~"("'], "comment": "c"},
        {"matchers": ['service=""'], "comment": "c"},
        {"matchers": ['service=~".*"'], "comment": "c"},
        {"matchers": ['service="x"'], "comment": ""},
        {"matchers": ['service="x"'], "comment": "c", "seconds": 0},
        {"matchers": ['service="x"'], "comment": "c", "seconds": 10**12},
        {"matchers": ['service="x"'], "comment": "c", "author": "somebody else"},
    ],
)
def test_contradictory_silence_is_refused(play, wanted):
    async def body(at):
        client = await at.client_for("responder")
        answer = await client.post(f"{API}/silences", json=wanted)
        assert answer.status_code == 422, answer.text
        assert await list_items(client, "/silences") == []

    play(body)


def test_frozen_posts_are_published_after_unfreezing(play):
    async def body(at):
        client = await at.client_for("responder", name="ann")
        frozen = await client.post(f"{API}/publishing/freeze", json={"reason": "all hands"})
        assert (frozen.status_code, frozen.json()["freeze_reason"]) == (200, "all hands (ann)")
        again = await client.post(f"{API}/publishing/freeze", json={"reason": "mine"})
        assert (again.status_code, again.json()["detail"]) == (422, "publishing is already frozen")
        assert (await list_newest_audit_entries(at))[0] == (
            "ann",
            "freeze",
            "public pages",
            "refused: publishing is already frozen",
        )
        await at.deliver(consoles.firing())
        seen = {"incident": consoles.key(), "destination": "page", "decision": "approve"}
        [waiting] = await list_items(client, "/reviews")
        assert (await client.post(f"{API}/review", json={**seen, "seen": waiting["digest"]})).is_success
        await at.on.turn()
        assert at.page.calls == []
        shown = (await client.get(f"{API}/incidents/{consoles.key()}")).json()["publications"]
        [page] = [publication for publication in shown if publication["destination"] == "page"]
        assert (page["next_reason"], page["next_at"]) == ("frozen", None)
        assert page["next"] == "public posts are frozen: all hands (ann)"
        assert (await client.delete(f"{API}/publishing/freeze")).status_code == 200
        await at.on.turn()
        assert at.page.kinds == ["open"]
        assert (await client.delete(f"{API}/publishing/freeze")).status_code == 422

    play(body)


def test_guard_is_reset_by_an_admin(play):
    async def body(at):
        await at.parts.queries.store.redis.hset(keys.GATE, "breaker", b"\x93\xa7breaker\x00\xa8too many")
        responder, admin = await at.client_for("responder"), await at.client_for("admin", name="eve")
        assert (await responder.get(f"{API}/publishing")).json()["guard_reason"] == "too many"
        assert (await responder.delete(f"{API}/publishing/guard")).status_code == 403
        assert (await admin.delete(f"{API}/publishing/guard")).status_code == 200
        assert (await responder.get(f"{API}/publishing")).json()["guard"] == "ok"
        assert await list_newest_audit_entries(at) == [("eve", "reset publishing guard", "guard", "done")]

    play(body)


def test_deleted_heartbeat_is_not_listed(play):
    async def body(at):
        await at.deliver(consoles.firing(beat="yes"))
        client = await at.client_for("responder")
        [one] = await list_items(client, "/heartbeats")
        assert (one["every_seconds"], one["silent"]) == (3600.0, False)
        assert one["last_heard_at"].startswith("20")
        assert (await client.delete(f"{API}/heartbeats/{one['incident']}")).status_code == 204
        at.clock.offset = 2_000_000
        assert await list_items(client, "/heartbeats") == []
        assert (await client.delete(f"{API}/heartbeats/{one['incident']}")).status_code == 404

    play(body)


def test_rejected_operation_is_redriven_or_discarded(play):
    async def body(at):
        at.on_call.before += [vendor.make_permanent(), vendor.make_permanent()]
        await at.deliver(consoles.firing())
        client = await at.client_for("responder", name="ann")
        [letter] = await list_items(client, "/dead-letters")
        assert (letter["incident"], "no such component" in letter["problem"]) == (consoles.key(), True)
        assert (await client.post(f"{API}/dead-letters/{letter['id']}/redrive")).status_code == 204
        await at.on.turn()
        [letter] = await list_items(client, "/dead-letters")
        assert at.on_call.kinds == ["open", "open"]
        assert (await client.delete(f"{API}/dead-letters/{letter['id']}")).status_code == 204
        assert await list_items(client, "/dead-letters") == []
        for method, path in (("DELETE", ""), ("POST", "/redrive")):
            assert (await client.request(method, f"{API}/dead-letters/none{path}")).status_code == 404
        assert [what for _, what, *_ in await list_newest_audit_entries(at, 2)] == ["redrive", "discard dead letter"]

    play(body)


def test_all_matching_dead_letters_are_redriven_together(play):
    async def body(at):
        at.on_call.before += [vendor.make_permanent(), vendor.make_permanent()]
        await at.deliver(consoles.firing("a"))
        await at.deliver(consoles.firing("b"))
        await at.store.redis.xadd(keys.DEAD, {"reason": "odd", "b": "a body"})
        client = await at.client_for("responder", name="ann")
        for unfit in ({"destination": "page"}, {"operation": "resolve"}, {"problem": "another"}):
            answer = await client.post(f"{API}/dead-letters/redrive", json=unfit)
            assert (answer.status_code, answer.json()) == (200, {"redriven": 0})
        fit = {"destination": "on-call", "operation": "open", "problem": "NO SUCH component"}
        assert (await client.post(f"{API}/dead-letters/redrive", json=fit)).json() == {"redriven": 2}
        await at.on.turn()
        assert at.on_call.kinds == ["open"] * 4
        assert at.on_call.states() == ["open"] * 2
        assert (await list_newest_audit_entries(at))[0][:3] == (
            "ann",
            "redrive all",
            "destination=on-call operation=open problem=NO SUCH component",
        )
        assert (await client.post(f"{API}/dead-letters/redrive", json={})).json() == {"redriven": 1}

    play(body)


def test_pause_is_listed_and_lifted_with_waiting_incidents(play):
    async def body(at):
        client = await at.client_for("responder", name="ann")
        config = at.settings.destinations["on-call"]
        await factories.quota(at.store, config).pause(600.0, "POST /v1/incidents")
        at.on_call.before.append(errors.Throttled("429", 600.0, is_account_wide=False))
        await at.deliver(consoles.firing())
        await at.on.turn()
        assert at.on_call.states() == []
        paused = [item for item in await list_items(client, "/pauses") if item["destination"] == "on-call"]
        assert [one["endpoint"] for one in paused] == ["POST /v1/incidents"]
        assert (await client.delete(f"{API}/pauses/none")).status_code == 404
        answer = await client.delete(f"{API}/pauses/on-call")
        assert answer.json() == {"lifted": 1, "looked_at": 1}
        await at.on.turn()
        assert at.on_call.states() == ["open"]
        assert [item for item in await list_items(client, "/pauses") if item["destination"] == "on-call"] == []

    play(body)


def test_orphan_is_listed_and_resolved_by_a_worker(play):
    async def body(at):
        client = await at.client_for("responder", name="ann")
        orphan = dataset.Orphan("on-call", operations.OpenItem("v1", "IR-4R3YMT7A-A1B4T9", "Down", url="https://v/1"))
        await at.store.data_set.change_owner(orphan, "")
        (item,) = await list_items(client, "/orphans")
        assert (item["id"], item["title"], item["url"]) == (orphan.id, "Down", "https://v/1")
        assert "1 open item of no known incident" in (await client.get(f"{API}/overview")).json()["data_set"]
        console, _ = await at.browser("viewer")
        assert "1 open item of no known incident" in (await console.get("/")).text
        assert (await client.post(f"{API}/orphans/none/resolve")).status_code == 404
        answer = await client.post(f"{API}/orphans/{orphan.id}/resolve")
        assert answer.json()["vendor_id"] == "v1"
        key = f'incident-router{{orphan="{orphan.id}"}}'
        timeline = (await client.get(f"{API}/stories/{key}")).json()["timeline"]
        assert "ann resolves an item at on-call" in str(timeline)

    play(body)


def test_console_shows_and_lifts_an_open_circuit(play):
    async def body(at):
        now = await at.on.redis_now()
        breakers = at.on.performer.breakers
        for _ in range(5):
            breakers.record("on-call", errors.Unanswered("no answer"), now)
        assert breakers.open_until("on-call", now)
        await at.deliver(consoles.firing())
        await at.on.turn()
        assert at.on_call.states() == []
        client = await at.client_for("viewer")
        (paused,) = [item for item in await list_items(client, "/pauses") if item["destination"] == "on-call"]
        assert (paused["kind"], paused["waiting"]) == ("circuit_breaker", 1)
        browser, csrf = await at.browser("responder", name="ann")
        text = (await browser.get("/")).text
        assert "the circuit breaker is open" in text
        assert "incident-router pauses lift on-call" in text
        done = await browser.post("/pauses/lift", data={"csrf": csrf, "subject": "on-call"})
        assert (done.status_code, done.headers["location"]) == (303, "/?done=lifted")
        assert (await list_newest_audit_entries(at))[0] == ("ann", "lift pauses", "on-call", "done")
        await at.on.turn()
        assert at.on_call.states() == ["open"]
        assert "the circuit breaker is open" not in (await browser.get("/")).text

    play(body)


def test_exhausted_quota_is_shown_without_a_button(play):
    async def body(at):
        config = at.settings.destinations["on-call"]
        quota = factories.quota(at.store, config)
        while (await quota.admit(call_policy.Turn(quotas.OPENS, "POST /v1/incidents"))).wait == 0:
            pass
        later = await at.on.redis_now() + 60_000_000  # The quota doesn't fill up before this time.
        await at.store.redis.hset(keys.quota(factories.account(config)), "at", later)
        browser, _ = await at.browser("responder")
        (paused, *_) = await list_items(browser, "/pauses")
        assert paused["kind"] == "quota"
        text = (await browser.get("/")).text
        assert "the configured quota is used up" in text
        assert 'action="/pauses/lift"' not in text

    play(body)


def test_cursors_visit_each_dead_letter_once_despite_removals(play):
    async def body(at):
        for identity in ("1700000000000-1", "1700000000000-2", "1700000000000-10"):
            await at.store.redis.xadd(keys.DEAD, {"reason": "odd", "b": "a body"}, id=identity)
        at.on_call.before += [vendor.make_permanent(), vendor.make_permanent()]
        await at.deliver(consoles.firing("a"))
        await at.deliver(consoles.firing("b"))
        await at.store.redis.xadd(keys.DEAD, {"reason": "odd", "b": "a body"})
        client = await at.client_for("responder")
        whole = [item["id"] for item in await list_items(client, "/dead-letters")]
        assert [one.partition("-")[2] for one in whole[:3]] == ["1", "2", "10"]
        assert [one[:3] for one in whole[3:5]] == ["IR-", "IR-"]
        assert len(whole) == 6
        seen, cursor = [], ""
        while not seen or cursor:
            answer = (await client.get(f"{API}/dead-letters", params={"limit": 1, "cursor": cursor})).json()
            seen += [item["id"] for item in answer["items"]]
            cursor = answer["next"]
            await client.delete(f"{API}/dead-letters/{seen[-1]}")  # must not shift the cursor
        assert seen == whole
        assert (await client.get(f"{API}/overview")).json()["dead_letters"] == 0

    play(body)


def test_quarantined_body_is_retried_once_readable(play):
    async def body(at):
        good = await at.store.quarantine.add("json", WELL, {}, "was not to be read", 1)
        bad = await at.store.quarantine.add("json", b"{", {}, "cut off", 1)
        gone = await at.store.quarantine.add("other", b"{}", {}, "source gone", 1)
        client = await at.client_for("responder")
        assert [item["id"] for item in await list_items(client, "/quarantine")] == [gone, bad, good]
        done = await client.post(f"{API}/quarantine/{good}/retry")
        assert (done.status_code, done.json()["alerts"]) == (200, 1)
        await at.on.turn()
        assert [row["key"] for row in await list_items(client, "/incidents")] == [consoles.key("late")]
        still = await client.post(f"{API}/quarantine/{bad}/retry")
        assert (still.status_code, "still can't be read" in still.json()["detail"]) == (422, True)
        assert (await client.post(f"{API}/quarantine/{gone}/retry")).status_code == 422
        assert (await client.delete(f"{API}/quarantine/{gone}")).status_code == 204
        for identity in (gone, "1-1", "none"):
            assert (await client.delete(f"{API}/quarantine/{identity}")).status_code == 404
        assert [item["id"] for item in await list_items(client, "/quarantine")] == [bad]

    play(body)


async def list_field(client, path, name):
    """Page through the list two items at a time, and return one field of every item."""
    seen, cursor = [], ""
    while True:
        answer = (await client.get(f"{API}{path}", params={"limit": 2, "cursor": cursor})).json()
        assert len(answer["items"]) <= 2
        seen += [item[name] for item in answer["items"]]
        cursor = answer["next"]
        if not cursor:
            return seen


def test_quarantine_and_audit_log_are_paged(play):
    async def body(at):
        kept = [await at.store.quarantine.add("json", b"{", {}, "cut off", number) for number in range(5)]
        client = await at.client_for("admin")
        assert await list_field(client, "/quarantine", "id") == kept[::-1]
        for identity in kept[:4]:
            await client.delete(f"{API}/quarantine/{identity}")
        assert await list_field(client, "/audit", "subject") == [*kept[3::-1], "admin"]

    play(body)


def test_admin_manages_tokens_and_sees_each_secret_once(play):
    async def body(at):
        admin = await at.client_for("admin", name="eve")
        made = await admin.post(f"{API}/tokens", json={"name": "bot", "role": "viewer", "seconds": 60})
        assert made.status_code == 201
        text, identity = made.json()["token"], made.json()["id"]
        bot = await at.client(authorization=f"Bearer {text}")
        assert (await bot.get(f"{API}/overview")).status_code == 200
        listed = await admin.get(f"{API}/tokens")
        assert [item["name"] for item in listed.json()["items"]] == ["eve", "bot"]
        assert text.split("_", 2)[2] not in listed.text
        assert (await admin.delete(f"{API}/tokens/{identity}")).status_code == 204
        assert (await bot.get(f"{API}/overview")).status_code == 401
        assert await list_newest_audit_entries(at, 2) == [
            ("eve", "revoke token", identity, "done"),
            ("eve", "make token", "bot", "done"),
        ]
        assert (await admin.post(f"{API}/tokens", json={"name": "bot", "role": "root"})).status_code == 422
        log = await admin.get(f"{API}/audit")
        assert text.split("_", 2)[2] not in log.text

    play(body)


def test_audit_log_names_actor_credential_address_and_outcome(play):
    async def body(at):
        admin = await at.client_for("admin", name="eve")
        [held] = await at.store.tokens.read()
        await admin.delete(f"{API}/silences/none")
        [line, *_] = await list_items(admin, "/audit")
        assert line["at"].startswith("20")
        assert (line["who"], line["by"], line["address"]) == ("eve", f"token {held.id}", "127.0.0.1")
        assert (line["what"], line["subject"]) == ("expire silence", "none")
        assert line["outcome"] == "refused: no silence has this ID"

    play(body)


def test_audit_log_keeps_a_limited_number_of_lines(with_redis, monkeypatch):
    monkeypatch.setattr(access, "MAX_ACTIONS", 100)

    async def body(store):
        for number in range(400):
            await store.audit.append(AuditEntry(number, "a", "b", "c", "d"))
        lines, more = await store.audit.page("", 1000)
        assert (lines[0].at, more) == (399, "")
        assert 100 <= len(lines) < 300

    with_redis(body)


def test_configuration_is_listed_without_secrets(play):
    async def body(at):
        client = await at.client_for("viewer")
        assert await list_items(client, "/sources") == [
            {
                "name": "json",
                "kind": "json",
                "path": "/v1/webhooks/json",
                "proofs": ["bearer token (1)"],
                "allow_from": [],
                "warnings": [],
            }
        ]
        found = await client.get(f"{API}/destinations")
        assert [(item["name"], item["public"]) for item in found.json()["items"]] == [
            ("on-call", False),
            ("page", True),
        ]
        assert "secret" not in found.text
        rules = (await client.get(f"{API}/rules")).json()
        assert [item["name"] for item in rules["items"]] == ["ignored", "beating", "calm", "down"]

    play(body)


def test_overview_counts_incidents_reviews_and_queues(play):
    async def body(at):
        await at.store.quarantine.add("json", b"{", {}, "cut off", 1)
        await at.deliver(consoles.firing("a", severity="critical"), consoles.firing("b"))
        await at.put(consoles.firing("c"))
        document = (await (await at.client_for("viewer")).get(f"{API}/overview")).json()
        assert document["incidents"] == {"critical": 1, "major": 1, "minor": 0, "info": 0}
        names = ("reviews", "dead_letters", "quarantined", "waiting_deliveries", "kept_deliveries")
        assert [document[name] for name in names] == [2, 0, 1, 1, 1]

    play(body)


def test_retraction_is_recorded_with_its_outcomes(play):
    async def body(at):
        await at.deliver(consoles.firing())
        wanted = {"incident": consoles.key(), "destination": "page", "reason": "a false alarm"}
        viewer = await at.client_for("viewer")
        assert (await viewer.post(f"{API}/retractions", json=wanted)).status_code == 403
        client = await at.client_for("responder", name="ann")
        assert (await client.post(f"{API}/retractions", json={**wanted, "reason": ""})).status_code == 422
        done = await client.post(f"{API}/retractions", json={**wanted, "message": "Mail ann@acme.example."})
        assert [item["outcome"] for item in done.json()["items"]] == ["dismissed"]
        assert done.json()["warnings"] != []
        assert (await list_newest_audit_entries(at))[0] == ("ann", "retract", f"{consoles.key()} at page", "done")
        await at.on.turn()
        (known,) = [
            publication
            for publication in (await client.get(f"{API}/incidents/{consoles.key()}")).json()["publications"]
            if publication["destination"] == "page"
        ]
        assert (known["retracted_by"], known["can_retract"], known["can_publish_again"]) == ("ann", False, True)
        query = {"incident": consoles.key(), "destination": "page"}
        again = (await client.get(f"{API}/review", params=query)).json()
        assert (again["what"], again["reason"]) == ("opening", "retracted")
        assert await list_items(client, "/reviews") == []
        decision = {**query, "decision": "approve", "seen": again["digest"]}
        assert (await client.post(f"{API}/review", json=decision)).status_code == 200
        await at.on.turn()
        assert at.page.kinds == ["open"]

    play(body)


def test_impossible_retraction_is_refused(play):
    async def body(at):
        await at.deliver(consoles.firing(calm="yes"))
        client = await at.client_for("responder")
        key = 'calm{labels.service="checkout"}'
        for destination, status in (("on-call", 422), ("pgae", 404), ("page", 422), ("", 422)):
            wanted = {"incident": key, "destination": destination, "reason": "r"}
            answer = await client.post(f"{API}/retractions", json=wanted)
            assert answer.status_code == status, answer.text
        answer = await client.post(f"{API}/retractions", json={"incident": "no such key", "reason": "r"})
        assert answer.status_code == 404

    play(body)


def test_console_retracts_with_a_confirmation(play):
    async def body(at):
        await at.deliver(consoles.firing())
        browser, csrf = await at.browser("responder", name="ann")
        text = (await browser.get("/incident", params={"key": consoles.key()})).text
        assert 'action="/retract"' in text
        assert "I confirm that the post at page is false." in text
        form = {"csrf": csrf, "incident": consoles.key(), "destination": "page", "reason": "a false alarm"}
        done = await browser.post("/retract", data=form)
        assert (done.status_code, "done=retracted" in done.headers["location"]) == (303, True)
        after = (await browser.get(done.headers["location"])).text
        assert "Retracted by ann." in after
        assert "Publish it again" in after
        assert 'action="/retract"' not in after
        viewer, _ = await at.browser("viewer")
        assert "Publish it again" not in (await viewer.get("/incident", params={"key": consoles.key()})).text

    play(body)
