"""Authorization of every route of the API and the console, without a credential and with each role."""

import pytest
import starlette.routing

from router.api import app, endpoints
from router.console import pages, views
from router.domain import access
from router.store.access import Tokens
from router.store.store import Store
from tests.integration import consoles

RANK = {**access.ROLES, "": 0}
OPEN_TO_ALL = {"/sign-in", "/sign-out", "/sign-in/oidc", "/sign-in/oidc/back", "/static/{name}"}
FORMS = {path: role for path, role, _ in views.FORMS} | {"/playground": endpoints.VIEWER}
VIEWED = {page.path: page.role for page in pages.PAGES} | {"/events": endpoints.VIEWER}
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def fill_path(path):
    return path.replace("{key:path}", "none").replace("{id}", "none")


def is_allowed(answer):
    """Return whether a request was authorized. Ignore other errors: the requested object doesn't exist."""
    return answer.status_code not in {401, 403}


def test_every_route_is_tested_for_authorization(play):
    async def body(at):
        routes, _ = views.routes(at.parts, lambda size: "x" * size)
        made = app.create_app(at.parts, routes)
        there = {(route.path, method) for route in made._app.routes for method in getattr(route, "methods", ["GET"])}
        there = {(path, method) for path, method in there if method != "HEAD"}
        walked = {(endpoints.PREFIX + endpoint.path, endpoint.method) for endpoint in endpoints.ENDPOINTS}
        walked |= {(path, "POST") for path in FORMS} | {(path, "GET") for path in VIEWED}
        rest = {path for path, _ in there - walked}
        assert rest == OPEN_TO_ALL | {f"{endpoints.PREFIX}/openapi.json"}
        assert isinstance(made._app.routes[0], starlette.routing.Route)

    play(body)


@pytest.mark.parametrize("role", ["", *consoles.ROLES])
def test_endpoint_admits_its_role_and_higher_ones(play, role):
    async def body(at):
        await at.token("viewer")
        client = await at.client_for(role)
        for endpoint in endpoints.ENDPOINTS:
            answer = await client.request(endpoint.method, endpoints.PREFIX + fill_path(endpoint.path))
            told = f"{endpoint.method} {endpoint.path} as {role or 'no role'}: {answer.status_code} {answer.text}"
            if not role:
                assert answer.status_code == 401, told
                assert answer.headers["www-authenticate"] == "Bearer"
            elif RANK[role] < endpoint.role:
                assert answer.status_code == 403, told
                assert f"needs the role {endpoint.role.word}" in answer.json()["detail"]
            else:
                assert is_allowed(answer), told
                assert answer.status_code < 500, told
        described = await client.get(f"{endpoints.PREFIX}/openapi.json")
        assert described.status_code == (200 if role else 401)

    play(body)


@pytest.mark.parametrize("role", ["", *consoles.ROLES])
def test_page_admits_its_role_and_redirects_unauthenticated_visitors(play, role):
    async def body(at):
        client = (await at.browser(role))[0] if role else await at.client()
        for path, needed in VIEWED.items():
            if path == "/events" and role:
                continue  # The stream never ends. Its authorization is that of every page.
            answer = await client.get(path)
            told = f"{path} as {role or 'no role'}: {answer.status_code}"
            if not role:
                assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sign-in?"), told
            elif RANK[role] < needed:
                assert answer.status_code == 403, told
            else:
                assert answer.status_code in {200, 404, 422}, told

    play(body)


@pytest.mark.parametrize("role", ["", *consoles.ROLES])
def test_form_admits_only_its_role(play, role):
    async def body(at):
        client, csrf = await at.browser(role) if role else (await at.client(), "")
        for path, needed in FORMS.items():
            answer = await client.post(path, data={"csrf": csrf, "subject": "none"})
            told = f"{path} as {role or 'no role'}: {answer.status_code}"
            if not role:
                assert answer.status_code == 401, told
            elif RANK[role] < needed:
                assert answer.status_code == 403, told
                assert "needs the role" in answer.text
            else:
                assert is_allowed(answer), told
                assert answer.status_code < 500, told

    play(body)


def test_expired_revoked_or_malformed_token_is_refused(play):
    async def body(at):
        short, revoked = await at.token("admin", seconds=60), await at.token("admin")
        admin = await at.client_for("admin")
        identity = revoked.split("_")[1]
        assert (await admin.delete(f"{endpoints.PREFIX}/tokens/{identity}")).status_code == 204
        assert (await admin.delete(f"{endpoints.PREFIX}/tokens/{identity}")).status_code == 404
        at.clock.offset = 61_000_000
        wrong = [short, revoked, short[:-1], "irt_", "irt_x_y", "", "x", f"irt_{identity}_{'a' * 43}", "Ä"]
        for text in wrong:
            for scheme in ("Bearer", "bearer", "Basic", ""):
                credential = f"{scheme} {text}".strip().encode("latin-1")
                for endpoint in endpoints.ENDPOINTS:
                    if endpoint.method == "GET":
                        headers = {"authorization": credential}
                        answer = await admin.get(endpoints.PREFIX + fill_path(endpoint.path), headers=headers)
                        assert answer.status_code == 401, (endpoint.path, credential)
                    if scheme != "Bearer":
                        break  # One endpoint is enough, because all endpoints share the authorization code.

    play(body)


def test_unauthenticated_response_names_the_command_to_create_tokens(play):
    async def body(at):
        client = await at.client()
        answer = await client.get(f"{endpoints.PREFIX}/overview")
        assert answer.status_code == 401
        assert "incident-router tokens create" in answer.json()["detail"]
        assert "incident-router tokens create" in (await client.get("/sign-in")).text

    play(body)


def test_store_contains_no_secret_of_tokens_and_sessions(play):
    async def body(at):
        text = await at.token("admin")
        client = await at.client()
        assert (await client.post("/sign-in", data={"token": text})).status_code == 303
        cookie = client.cookies["incident-router-session"]
        await at.deliver(consoles.firing())
        secret = text.split("_", 2)[2].encode()
        assert len(secret) >= 40
        kept = [name async for name in at.store.redis.scan_iter()]
        assert len(kept) > 3
        for name in kept:
            dumped = name + (await at.store.redis.dump(name))
            assert secret not in dumped
            assert cookie.encode() not in dumped
            assert b"vendor-secret" not in dumped

    play(body)


def test_revoking_a_token_ends_its_sessions(play):
    async def body(at):
        client, _ = await at.browser("responder")
        assert (await client.get("/")).status_code == 200
        [held] = await at.store.tokens.read()
        await at.store.tokens.revoke(held.id)
        assert (await client.get("/")).status_code == 303

    play(body)


def test_expiry_of_a_token_ends_its_sessions(play):
    async def body(at):
        client = await at.client()
        await client.post("/sign-in", data={"token": await at.token("viewer", seconds=60)})
        assert (await client.get("/")).status_code == 200
        at.clock.offset = 60_000_000
        assert (await client.get("/")).status_code == 303

    play(body)


def test_every_response_has_the_security_headers(play):
    async def body(at):
        client, csrf = await at.browser("viewer")
        unauthenticated = await at.client()
        answers = [
            await client.get("/"),
            await client.get(f"{endpoints.PREFIX}/overview"),
            await client.get(f"{endpoints.PREFIX}/incidents/none"),
            await client.get("/no/such/page"),
            await client.put("/"),
            await client.post("/pages/freeze", data={"csrf": csrf}),
            await unauthenticated.get("/"),
            await unauthenticated.get("/sign-in"),
            await unauthenticated.get(f"{endpoints.PREFIX}/overview"),
            await unauthenticated.post("/sign-in", data={"token": "x"}),
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 404, 404, 405, 403, 303, 200, 401, 401]
        for answer in answers:
            told = f"{answer.request.method} {answer.request.url}"
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS, told
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self';"), told
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy

    play(body)


def test_failure_response_has_headers_and_reveals_nothing(play, monkeypatch):
    async def body(at):
        client = await at.client_for("viewer")
        await at.store.redis.set("ir:{silences}:all", "of another type")
        monkeypatch.setattr(Tokens, "read", lambda _: 1 / 0)
        admin = await at.client_for("admin")
        broken = await admin.get(f"{endpoints.PREFIX}/tokens")
        assert broken.status_code == 500
        assert broken.json()["detail"] == "the router failed; see its log"
        assert broken.headers["x-frame-options"] == "DENY"
        gone = await client.get(f"{endpoints.PREFIX}/silences")
        assert gone.status_code == 503
        assert int(gone.headers["retry-after"]) >= 1

    play(body)


def test_oversize_body_is_refused_while_being_sent(play):
    async def body(at):
        client, unauthenticated = await at.client_for("viewer"), await at.client()

        async def endless():
            for _ in range(200):
                yield b"x" * 65_536

        refused = await client.post(f"{endpoints.PREFIX}/explain", content=endless())
        assert (refused.status_code, refused.json()["type"]) == (413, "urn:incident-router:problem:too-large")
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert (await unauthenticated.post("/sign-in", content=endless(), headers=form)).status_code == 400

    play(body)


def test_path_with_trailing_slash_is_not_redirected(play):
    async def body(at):
        client = await at.client_for("viewer")
        assert (await client.get(f"{endpoints.PREFIX}/overview/")).status_code == 404

    play(body)


def test_authenticated_request_during_store_outage_gets_503(tmp_path, play):
    async def body(at):
        text = await at.token("admin")
        lost = Store.connect("redis://127.0.0.1:1/0")
        async with consoles.serve_console(at.settings, lost) as other:
            client = await other.client(authorization=f"Bearer {text}")
            answer = await client.get(f"{endpoints.PREFIX}/overview")
            assert answer.status_code == 503
            page = await client.get("/")
            assert page.status_code == 503
        await lost.aclose()

    play(body)


def test_unsaved_rules_require_the_responder_role(play):
    async def body(at):
        form = {"source": "json", "payload": "{}", "rules": "rules: []"}
        viewer = await at.client_for("viewer")
        assert (await viewer.post("/playground", data=form)).status_code == 403
        assert 'id="rules"' not in (await viewer.get("/playground")).text
        responder = await at.client_for("responder")
        assert 'id="rules"' in (await responder.get("/playground")).text

    play(body)


def test_unsaved_rules_are_explained_beside_the_active_rules(play):
    async def body(at):
        await at.deliver(consoles.firing())
        rules = "rules: [{name: edited-rule, when: {labels.service: checkout}, open: [{at: on-call, name: Edited}]}]"
        viewer = await at.client_for("viewer")
        delivery, *_ = (await viewer.get(f"{endpoints.PREFIX}/deliveries")).json()["items"]
        responder = await at.client_for("responder")
        shown = await responder.post("/playground", data={"delivery": delivery["id"], "rules": rules})
        assert shown.status_code == 200
        assert "With the rules above" in shown.text
        assert "edited-rule" in shown.text
        wrong = await responder.post("/playground", data={"delivery": delivery["id"], "rules": "rules: [{nme: x}]"})
        assert "line 1, column" in wrong.text

    play(body)
