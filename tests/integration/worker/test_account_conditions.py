"""Account conditions aren't refusals: operations wait, and resume with the first successful response."""

import functools

import pytest

from router.destinations import registry
from router.domain import incidents, publications
from router.outbound import errors
from router.store.incidents import Change
from router.worker import circuit_breaker
from tests.end_to_end import harness
from tests.integration import vendors, workers

each_kind = pytest.mark.parametrize("kind", registry.KINDS)
MICROS = 1_000_000


@pytest.fixture
def play(with_redis):
    """Run a coroutine function with a scene of a kind."""
    return functools.partial(vendors.run, with_redis)


@each_kind
@pytest.mark.parametrize("status", [401, 403, 404, 409, 500])
def test_account_condition_is_no_dead_letter(play, kind, status):
    async def body(scene):
        scene.fault("status", status=status, count=2)
        await scene.fire()
        await scene.eventually(lambda: scene.states() == ["open"])
        assert (await scene.get_publication()).rejection is None
        scene.faults("status", status=500 if status == 404 else status, count=2)
        await scene.end_alert()
        await scene.eventually(lambda: scene.states() == ["resolved"])
        publication = await scene.get_publication()
        assert (publication.rejection, publication.state, publication.condition) == (None, "resolved", "")

    play(kind, body)


@each_kind
def test_operations_resume_with_the_first_good_answer(play, kind):
    """The vendor had refused the API key."""

    async def body(scene):
        await scene.fire("a")
        # The state right after the refusal of the key: no incident exists, and the next attempt is much later.
        harness.ask(f"{scene.at.url}/reset", {})
        now = await scene.on.redis_now()
        nothing = {"state": "absent", "vendor_id": "", "digest": "", "content": None, "number": 0}
        waits = {"retry_at": now + 55 * MICROS, "failed_at": now, "condition": "denied", "attempts": 9}
        await scene.changed("a", **nothing, **waits)
        await scene.on.turn()
        assert scene.states() == []
        scene.on.performer.breakers.record("there", errors.Denied("401", status=401), now, "open")
        await scene.fire("b")
        await scene.eventually(lambda: scene.states() == ["open", "open"])

    play(kind, body)


@each_kind
def test_new_worker_resumes_waiting_operations(play, kind):
    """The key was renewed during a restart, so the new worker has no memory of the refusal."""

    async def body(scene):
        await scene.fire("a")
        harness.ask(f"{scene.at.url}/reset", {})
        now = await scene.on.redis_now()
        nothing = {"state": "absent", "vendor_id": "", "digest": "", "content": None, "number": 0}
        await scene.changed("a", **nothing, retry_at=now + 55 * MICROS, failed_at=now, condition="denied")
        await scene.on.turn()
        scene.on.performer.breakers = circuit_breaker.CircuitBreakers(workers.NoJitter())
        await scene.fire("b")
        await scene.eventually(lambda: scene.states() == ["open", "open"])

    play(kind, body)


@each_kind
def test_already_resolved_conflict_counts_as_success(play, kind):
    async def body(scene):
        await scene.fire()
        scene.faults("act-then-conflict")
        await scene.end_alert()
        publication = await scene.get_publication()
        assert (scene.states(), publication.state, publication.rejection) == (["resolved"], "resolved", None)

    play(kind, body)


@each_kind
@pytest.mark.parametrize("status", [409, 422])
def test_refusal_does_not_end_an_unanswered_open(play, kind, status):
    """The first call succeeds, its response is lost, and the repeated key is "in progress" or "used before"."""

    async def body(scene):
        scene.fault("act-then-drop" if kind.startswith("devhelm") else "act-then-busy", status=status)
        await scene.fire()
        if kind.startswith("devhelm"):  # This vendor has no idempotency keys, so it refuses the search.
            assert (await scene.get_publication()).intent
            scene.fault("status", "GET", status=status)
        await scene.on.wait_until_async(scene.is_open)
        publication = await scene.get_publication()
        assert (scene.states(), publication.rejection) == (["open"], None)
        assert len({call["idempotency_key"] for call in scene.list_creates()}) == 1
        await scene.end_alert()
        await scene.eventually(lambda: scene.states() == ["resolved"])

    play(kind, body)


@pytest.mark.parametrize("kind", ["incident-io", "incident-io-status-page"])
def test_open_with_expired_key_is_searched_first(play, kind):
    async def body(scene):
        await scene.fire()
        publication = await scene.get_publication()
        # The state an hour after the response was lost.
        old = await scene.on.redis_now() - 3600 * MICROS
        intent = publications.Intent("open", publication.number, old, publication.content)
        await scene.changed(state="absent", vendor_id="", digest="", content=None, intent=intent)
        await scene.on.turn()
        assert (await scene.get_publication()).vendor_id == publication.vendor_id
        assert len(scene.list_creates()) == 1

    play(kind, body)


@each_kind
def test_proxy_redirect_is_not_a_vendor_response(play, kind):
    async def body(scene):
        scene.fault("redirect", count=2)
        await scene.fire()
        await scene.eventually(lambda: scene.states() == ["open"])
        assert (await scene.get_publication()).rejection is None

    play(kind, body)


@pytest.mark.parametrize("kind", ["incident-io", "incident-io-status-page"])
def test_redriven_open_keeps_its_idempotency_key(play, kind):
    async def body(scene):
        scene.fault("refuse-field", field="name")
        await scene.fire()
        publication = await scene.get_publication()
        assert publication.rejection is not None
        now = await scene.on.redis_now() + MICROS

        def pardon(held):
            after = incidents.with_interventions(held.incident, redriven_at={publication.name: now})
            return Change(after, held.version, wake=True)

        await scene.on.incidents.update("down", pardon)
        await scene.eventually(lambda: scene.states() == ["open"])
        keys = [call["idempotency_key"] for call in scene.list_creates()]
        assert len(keys) == 2
        assert len(set(keys)) == 1

    play(kind, body)


@pytest.mark.parametrize("kind", ["devhelm", "devhelm-status-page"])
@pytest.mark.parametrize("is_over", [False, True], ids=["still firing", "over meanwhile"])
def test_late_open_leaves_no_duplicate(play, kind, is_over):
    """DevHelm has no idempotency key: calls that it handles after twice the timeout are found by the reference."""

    async def body(scene):
        scene.fault("act-late", hang_seconds=2)
        await scene.fire()
        await scene.eventually(lambda: len(scene.states()) == 2)
        assert (await scene.get_publication()).unanswered_at
        if is_over:
            await scene.end_alert()
            assert (await scene.get_publication()).state == "resolved"
        else:
            old = await scene.on.redis_now() - 181 * MICROS
            await scene.changed(unanswered_at=old)
        await scene.eventually(lambda: sorted(scene.states()) == ["resolved" if is_over else "open", "resolved"])

    play(kind, body)


@pytest.mark.parametrize("kind", ["devhelm", "devhelm-status-page"])
def test_ended_duplicate_is_in_timeline_and_metric(play, kind):
    async def body(scene):
        await scene.fire()
        [create] = scene.list_creates()
        harness.ask(f"{scene.at.url}/devhelm{create['path']}", create["body"], "any key")
        assert scene.states() == ["open", "open"]
        before = vendors.metric_value("incident_router_duplicates_ended_total", destination="there")
        await scene.changed(unanswered_at=await scene.on.redis_now() - 181 * MICROS)
        await scene.on.turn()
        assert sorted(scene.states()) == ["open", "resolved"]
        assert vendors.metric_value("incident_router_duplicates_ended_total", destination="there") == before + 1
        events = await scene.on.incidents.timeline("down")
        assert any("At there a duplicate was ended" in event.text for event in events)

    play(kind, body)


@pytest.mark.parametrize("kind", ["devhelm", "devhelm-status-page"])
def test_late_open_after_resolution_is_ended(play, kind):
    async def body(scene):
        scene.fault("act-late", hang_seconds=2)
        await scene.fire()
        await scene.end_alert()
        await scene.eventually(lambda: len(scene.states()) == 2 or scene.states().count("open") == 1)
        old = await scene.on.redis_now() - 181 * MICROS
        await scene.changed(unanswered_at=old, searched_at=0)
        await scene.eventually(lambda: "open" not in scene.states())

        async def searched() -> bool:
            return bool((await scene.get_publication()).searched_at)

        await scene.on.wait_until_async(searched)  # The vendor may have taken longer than half a second.
        await scene.changed(unanswered_at=old - 900 * MICROS)
        assert (await scene.get_publication()).search_at == 0

    play(kind, body)


def count_omitted(**labels):
    return vendors.metric_value("incident_router_omitted_fields_total", destination="there", **labels)


@each_kind
def test_omitted_fields_are_in_timeline_and_metric(play, kind):
    field = {
        "incident-io": "severity_id",
        "incident-io-alert": "description",
        "devhelm": "body",
        "devhelm-status-page": "affectedComponents",
    }
    named = field.get(kind, "component_statuses")

    async def body(scene):
        counted = {"field": named.replace("C", "_c"), "code": "refused"}
        before = count_omitted(**counted)
        scene.fault("refuse-field", field=named, count=10)
        await scene.fire()
        assert scene.states() == ["open"]
        assert count_omitted(**counted) == before + 1
        events = await scene.on.incidents.timeline("down")
        [opened] = [event.text for event in events if event.text.startswith("Opened at there")]
        assert f"{counted['field']}: omitted, because the vendor refused it" in opened

    play(kind, body)


@pytest.mark.parametrize(
    ("kind", "updates"),
    [("incident-io-status-page", "/v2/status_page_incident_updates"), ("devhelm-status-page", "/api/v1/status-pages/")],
)
def test_refused_resolution_is_never_sent_without_status(play, kind, updates):
    """The page would show the text of a resolution with the status of an outage."""

    async def body(scene):
        await scene.fire(resolve_message="Everything works.")
        scene.fault("status", "POST", updates, status=422)
        await scene.end_alert()
        publication = await scene.get_publication()
        if publication.rejection is None:  # At DevHelm, another field could be omitted.
            assert scene.states() == ["resolved"]
            return
        assert scene.states() == ["open"]
        said = [call["body"] for call in scene.at.calls("POST", "update") if "Everything works." in str(call["body"])]
        assert said
        assert all("resolved" in str(each).lower() for each in said)

    play(kind, body)
