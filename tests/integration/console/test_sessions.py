"""Sessions of tokens: a session expires with its token at the latest, and each browser has its own session."""

import msgspec
import pytest

from router.api import auth
from router.domain import access
from router.services import actions
from router.store import keys
from router.store.access import SESSION_SECONDS
from tests.integration import identity

START = 1_772_450_000_000_000


class Clock:
    """A clock that advances only when a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def with_console(with_redis, tmp_path):
    """Run a test with a console without a provider and a clock that the test controls."""

    def run(body):
        async def main(store):
            clock = Clock()
            async with identity.serve_console(store, tmp_path, None, clock=clock) as found:
                await body(found, clock)

        with_redis(main)

    return run


async def sign_in(found, text, to="/"):
    return await found.browser.post("/sign-in", data={"token": text, "to": to})


def test_revoking_a_token_ends_every_session_immediately(with_console):
    async def body(found, _):
        token, text = await identity.create_token(found, "ada")
        await sign_in(found, text)
        async with found.another_browser() as phone:
            await phone.post("/sign-in", data={"token": text})
            assert (await found.may(), (await phone.get("/api/v1/silences")).status_code) == (200, 200)
            me = actions.Caller(access.Person("admin", access.Role.ADMIN, "test"))
            await found.parts.actions.revoke_token(actions.ActionContext(me, token.id))
            assert (await found.may(), (await phone.get("/api/v1/silences")).status_code) == (401, 401)
        page = await found.browser.get("/incidents")
        assert page.headers["location"] == "/sign-in?to=%2Fincidents"

    with_console(body)


def test_session_ends_when_its_token_expires(with_console):
    async def body(found, clock):
        _, text = await identity.create_token(found, "ada", seconds=60)
        await sign_in(found, text)
        clock.now += 59_999_999
        assert await found.may() == 200
        clock.now += 1
        assert await found.may() == 401
        assert (await found.browser.get("/", headers={"hx-request": "true"})).status_code == 401
        assert (await sign_in(found, text)).status_code == 401

    with_console(body)


def test_revoking_one_token_does_not_affect_others(with_console):
    async def body(found, _):
        token, _text = await identity.create_token(found, "ada")
        _, other = await identity.create_token(found, "ben")
        await sign_in(found, other)
        await found.parts.tokens.revoke(token.id)
        assert await found.may() == 200

    with_console(body)


def test_provider_session_needs_no_token(with_console):
    async def body(found, clock):
        session = access.Session("ada", access.Role.VIEWER, "oidc 1", "csrf", clock())
        await found.parts.sessions.save("secret", session)
        found.browser.cookies.set(auth.COOKIE, "secret")
        assert await found.may() == 200

    with_console(body)


def test_session_lasts_twelve_hours_despite_activity(with_console):
    async def body(found, _):
        _, text = await identity.create_token(found, "ada")
        answer = await sign_in(found, text)
        assert f"Max-Age={SESSION_SECONDS}" in answer.headers["set-cookie"]
        name = keys.session(access.digest(found.browser.cookies[auth.COOKIE]))
        redis = found.parts.queries.store.redis
        assert 0 < await redis.ttl(name) <= SESSION_SECONDS == 12 * 3600
        await redis.expire(name, 100)
        assert await found.may() == 200
        assert await redis.ttl(name) <= 100

    with_console(body)


def test_store_contains_neither_cookie_nor_token(with_console):
    async def body(found, _):
        _, text = await identity.create_token(found, "ada")
        await sign_in(found, text)
        redis, secrets = found.parts.queries.store.redis, [found.browser.cookies[auth.COOKIE], text.split("_", 2)[2]]
        async for name in redis.scan_iter("*"):
            held = await redis.dump(name)
            assert not [secret for secret in secrets if secret.encode() in name + held]

    with_console(body)


def test_another_sign_in_ends_the_previous_session(with_console):
    async def body(found, _):
        for name in ("ada", "ben"):
            _, text = await identity.create_token(found, name)
            await sign_in(found, text)
            if name == "ada":
                first = found.browser.cookies[auth.COOKIE]
        assert await found.parts.sessions.find(first) is None
        assert (await found.parts.sessions.find(found.browser.cookies[auth.COOKIE])).name == "ben"

    with_console(body)


def test_planted_cookie_is_not_adopted(with_console):
    async def body(found, _):
        found.browser.cookies.set(auth.COOKIE, "planted", domain="127.0.0.1")
        _, text = await identity.create_token(found, "ada")
        answer = await sign_in(found, text)
        assert "planted" not in answer.headers["set-cookie"]
        assert await found.parts.sessions.find("planted") is None

    with_console(body)


@pytest.mark.parametrize("text", ["", "irt", "irt_a_b", "irt__", "irt_a_", "Bearer irt_a_b", "x" * 3000])
def test_invalid_token_does_not_sign_in(with_console, text):
    async def body(found, _):
        answer = await sign_in(found, text)
        assert (answer.status_code, auth.COOKIE in found.browser.cookies) == (401, False)
        assert "Invalid or expired token." in answer.text
        assert text not in answer.text or not text

    with_console(body)


def test_secret_of_another_token_is_refused(with_console):
    async def body(found, _):
        ada, _text = await identity.create_token(found, "ada")
        _, other = await identity.create_token(found, "ben")
        assert (await sign_in(found, f"irt_{ada.id}_{other.split('_', 2)[2]}")).status_code == 401

    with_console(body)


def test_sign_in_attempts_are_limited_per_minute(with_console):
    async def body(found, _):
        _, text = await identity.create_token(found, "ada")
        assert [(await sign_in(found, "wrong")).status_code for _ in range(10)] == [401] * 10
        answer = await sign_in(found, text)
        assert (answer.status_code, "Too many attempts" in answer.text) == (429, True)
        assert (await found.browser.get("/sign-in")).status_code == 200

    with_console(body)


@pytest.mark.parametrize(("to", "goes"), [("/reviews", "/reviews"), ("//evil.example", "/"), ("http://[", "/")])
def test_token_sign_in_returns_to_the_requested_page(with_console, to, goes):
    async def body(found, _):
        _, text = await identity.create_token(found, "ada")
        assert (await sign_in(found, text, to)).headers["location"] == goes

    with_console(body)


def test_signing_out_keeps_the_token_valid(with_console):
    async def body(found, _):
        _, text = await identity.create_token(found, "ada")
        await sign_in(found, text)
        cookie = found.browser.cookies[auth.COOKIE]
        session = await found.parts.sessions.find(cookie)
        await found.browser.post("/sign-out", data={"csrf": session.csrf})
        assert await found.parts.sessions.find(cookie) is None
        assert auth.COOKIE not in found.browser.cookies
        by_token = await found.browser.get("/api/v1/silences", headers={"authorization": f"Bearer {text}"})
        assert (await found.may(), by_token.status_code) == (401, 200)

    with_console(body)


def test_session_of_an_earlier_version_is_read(with_redis):
    async def body(store):
        encoded = msgspec.msgpack.encode(["ada", 1, "token abc", "csrf", START])
        await store.redis.set(keys.session(access.digest("secret")), encoded)
        session = await store.sessions.find("secret")
        assert (session.name, session.role, session.token) == ("ada", access.Role.VIEWER, "")

    with_redis(body)
