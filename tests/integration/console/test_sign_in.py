"""Sign-in and sign-out with a token: cookies, rate limit, cross-site forms, and redirects."""

import pytest

from router.api import endpoints
from router.console import views
from router.store import keys

FORMS = [*(path for path, _, _ in views.FORMS), "/playground"]


def test_session_cookie_is_http_only_and_same_site(play):
    async def body(at):
        answer = await (await at.client()).post("/sign-in", data={"token": await at.token("viewer")})
        flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/", "max-age=43200"} <= flags
        assert "secure" not in flags

    play(body)


def test_cookie_is_secure_behind_tls(play):
    async def body(at):
        answer = await (await at.client()).post("/sign-in", data={"token": await at.token("viewer")})
        assert "; secure" in answer.headers["set-cookie"].lower()

    play(body, public_url="https://router.example")


def test_unavailable_redis_is_shown_on_sign_in_page(play):
    async def body(at):
        client = await at.client()
        await at.store.redis.set(keys.TOKENS, "of another type")
        for answer in (await client.get("/sign-in"), await client.post("/sign-in", data={"token": "irt_a_b"})):
            assert answer.status_code == 503
            assert "Redis refused the command" in answer.text

    play(body)


def test_wrong_token_does_not_sign_in(play):
    async def body(at):
        await at.token("viewer")
        client = await at.client()
        answer = await client.post("/sign-in", data={"token": "irt_a_b"})
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
        assert "Invalid or expired token" in answer.text

    play(body)


def test_eleventh_attempt_within_a_minute_is_refused(play):
    async def body(at):
        client, text = await at.client(), await at.token("viewer")
        for _ in range(10):
            assert (await client.post("/sign-in", data={"token": "irt_a_b"})).status_code == 401
        answer = await client.post("/sign-in", data={"token": text})
        assert (answer.status_code, "set-cookie" in answer.headers) == (429, False)
        assert 0 < await at.store.redis.ttl("ir:{access}:sign-ins:127.0.0.1") <= 60
        await at.store.redis.delete("ir:{access}:sign-ins:127.0.0.1")  # avoids a wait of a minute
        assert (await client.post("/sign-in", data={"token": text})).status_code == 303

    play(body)


@pytest.mark.parametrize("kind", ["missing", "wrong", "of another session"])
def test_request_without_its_csrf_token_changes_nothing(play, kind):
    async def body(at):
        client, csrf = await at.browser("admin")
        _, other = await at.browser("admin")
        offered = {"missing": {}, "wrong": {"csrf": csrf[:-1] + "é"}, "of another session": {"csrf": other}}[kind]
        for path in FORMS:
            answer = await client.post(path, data={**offered, "subject": "none", "reason": "x"})
            assert answer.status_code == 403, path
            assert "belongs to another session" in answer.text
        headers = {"x-csrf-token": other} if kind == "of another session" else {}
        assert (await client.post(f"{endpoints.PREFIX}/publishing/freeze", json={}, headers=headers)).status_code == 403
        assert (await client.get(f"{endpoints.PREFIX}/publishing")).json()["freeze"] == "active"
        done = await client.post(f"{endpoints.PREFIX}/publishing/freeze", json={}, headers={"x-csrf-token": csrf})
        assert done.status_code == 200

    play(body)


def test_sign_out_requires_the_session_s_csrf_token(play):
    async def body(at):
        client, csrf = await at.browser("viewer")
        cookie = client.cookies["incident-router-session"]
        again = await at.client(cookie=f"incident-router-session={cookie}")
        await again.post("/sign-out", data={"csrf": "another session's"})
        assert (await again.get("/")).status_code == 200
        answer = await client.post("/sign-out", data={"csrf": csrf})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert "incident-router-session" not in client.cookies
        assert (await again.get("/")).status_code == 303

    play(body)


@pytest.mark.parametrize(
    ("to", "goes"),
    [
        ("/incidents?status=all", "/incidents?status=all"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nset-cookie: a=b", "/"),
        ("///evil.example", "/"),
        ("http://[", "/"),
        ("/[", "/["),
        ("", "/"),
    ],
)
def test_sign_in_redirects_only_within_the_console(play, to, goes):
    async def body(at):
        client = await at.client()
        assert (await client.get("/sign-in", params={"to": to})).status_code == 200
        answer = await client.post("/sign-in", data={"token": await at.token("viewer"), "to": to})
        assert (answer.status_code, answer.headers["location"]) == (303, goes)

    play(body)
