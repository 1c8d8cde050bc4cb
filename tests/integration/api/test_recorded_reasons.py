"""The audit log records the reason of every action, including refused ones, through the API and the commands."""

import contextlib
import inspect

import pytest

from router.api import api_client, endpoints
from router.bootstrap import factories
from router.domain import access
from router.services import actions, request_bodies

ON_PAGE = {"incident": "none", "destination": "page"}
BODIES = {
    "decide": request_bodies.Decide(**ON_PAGE, decision="dismiss", seen="s"),
    "retract": request_bodies.Retract(**ON_PAGE, reason="not used"),
    "correct": request_bodies.Correct(**ON_PAGE, update="u", seen="s", body="b"),
    "acknowledge": request_bodies.Acknowledge(incident="none"),
    "unacknowledge": request_bodies.Acknowledge(incident="none"),
    "take_review": request_bodies.TakeReview(**ON_PAGE),
    "release_review": request_bodies.ReleaseReview(**ON_PAGE),
    "add_silence": request_bodies.AddSilence(matchers=['a="b"'], comment="upgrade of Redis"),
    "redrive_all": request_bodies.Redrive(problem="none"),
}
ACTIONS = [name for name, _ in inspect.getmembers(api_client.Actions, inspect.iscoroutinefunction)]
REASON = "upgrade of Redis"


async def get_last_audit_entry(at) -> access.AuditEntry:
    lines, _ = await at.store.audit.page("", 1)
    return lines[0]


async def act(do, name):
    """Perform an action on something that may not exist."""
    me = actions.Caller(access.Person("ann", access.Role.ADMIN, "test"))
    context = actions.ActionContext(me, "none", REASON)
    body = [BODIES[name]] if name in BODIES else []
    with contextlib.suppress(actions.SubjectNotFound, actions.InvalidRequest, actions.SubjectChanged):
        await getattr(do, name)(context, *body)


@pytest.mark.parametrize("name", ACTIONS)
def test_reason_of_every_action_is_recorded(play, name):
    async def body(at):
        client = api_client.ApiClient(at.url, await at.token("admin", name="bob"), factories.clock)
        try:
            await act(api_client.Actions(client), name)
        finally:
            await client.aclose()
        beyond = await get_last_audit_entry(at)
        assert (beyond.who, beyond.reason) == ("bob", REASON)
        await act(at.parts.actions, name)
        beside = await get_last_audit_entry(at)
        assert (beside.who, beside.reason, beside.what) == ("ann", REASON, beyond.what)

    play(body)


def test_every_changing_endpoint_accepts_a_reason():
    for endpoint in endpoints.ENDPOINTS:
        if endpoint.method == "GET" or endpoint.path == "/explain":
            continue
        fields = set((endpoint.body or endpoint.query).model_fields)
        assert fields & {"reason", "comment"}, endpoint.path


def test_token_is_made_and_revoked_with_a_reason(play):
    async def body(at):
        client = await at.client_for("admin", name="bob")
        made = await client.post("/api/v1/tokens", json={"name": "ci", "role": "viewer", "reason": REASON})
        assert made.status_code == 201
        assert ((await get_last_audit_entry(at)).what, (await get_last_audit_entry(at)).reason) == (
            "make token",
            REASON,
        )
        gone = await client.delete(f"/api/v1/tokens/{made.json()['id']}", params={"reason": REASON})
        assert gone.status_code == 204
        assert ((await get_last_audit_entry(at)).what, (await get_last_audit_entry(at)).reason) == (
            "revoke token",
            REASON,
        )

    play(body)


def test_redriving_many_records_the_filters_without_the_reason(play):
    async def body(at):
        browser, csrf = await at.browser("responder", name="ann")
        form = {"csrf": csrf, "problem": "422", "reason": REASON}
        assert (await browser.post("/dead-letters/redrive-all", data=form)).status_code == 303
        line = await get_last_audit_entry(at)
        assert (line.subject, line.reason) == ("problem=422", REASON)

    play(body)
