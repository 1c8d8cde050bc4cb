"""Unauthorized requests are refused and audited, at a limited rate, so that they can't fill the audit log."""

from router.domain import access
from router.store import keys
from router.store.access import MAX_REFUSALS

API = "/api/v1"


async def list_refusals(at) -> list[access.AuditEntry]:
    """Return the audit log entries about unauthorized requests, newest first."""
    lines, _ = await at.store.audit.page("", 1000)
    return [line for line in lines if line.what == "request"]


def test_insufficient_role_leaves_an_audit_line(play):
    async def body(at):
        client = await at.client_for("viewer", name="ann")
        [held] = await at.store.tokens.read()
        assert (await client.post(f"{API}/publishing/freeze", json={"reason": "no"})).status_code == 403
        assert (await client.get("/audit?cursor=secret")).status_code == 403
        second, first = await list_refusals(at)
        assert (first.who, first.by, first.address) == ("ann", f"token {held.id}", "127.0.0.1")
        assert (first.subject, second.subject) == (f"POST {API}/publishing/freeze", "GET /audit")
        assert first.outcome == "refused: this needs the role responder, and yours is viewer"

    play(body)


def test_form_of_another_session_leaves_an_audit_line(play):
    async def body(at):
        client, csrf = await at.browser("responder", name="bob")
        assert (await client.post("/silences", data={"csrf": "forged"})).status_code == 403
        [line] = await list_refusals(at)
        assert (line.who, line.subject) == ("bob", "POST /silences")
        assert csrf not in line.outcome
        assert "belongs to another session" in line.outcome

    play(body)


def test_allowed_and_anonymous_requests_leave_no_refusal(play):
    async def body(at):
        admin, anonymous = await at.client_for("admin"), await at.client_for("")
        assert (await admin.get(f"{API}/audit")).status_code == 200
        assert (await anonymous.get(f"{API}/audit")).status_code == 401
        assert await list_refusals(at) == []

    play(body)


def test_refusals_of_one_person_are_limited_per_hour(play):
    async def body(at):
        eager, other = await at.client_for("viewer", name="ann"), await at.client_for("viewer", name="bob")
        for _ in range(MAX_REFUSALS + 5):
            assert (await eager.get(f"{API}/audit")).status_code == 403
        assert len(await list_refusals(at)) == MAX_REFUSALS
        assert (await other.get(f"{API}/audit")).status_code == 403
        assert (await list_refusals(at))[0].who == "bob"
        [counted, _] = [key async for key in at.store.redis.scan_iter(keys.refusals("*"))]
        assert 0 < await at.store.redis.ttl(counted) <= 3600

    play(body)


def test_long_path_makes_a_bounded_audit_line(play):
    async def body(at):
        client = await at.client_for("viewer")
        assert (await client.delete(f"{API}/tokens/{'x' * 5000}")).status_code == 403
        [line] = await list_refusals(at)
        assert len(line.subject) < 250

    play(body)
