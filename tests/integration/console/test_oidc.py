"""Sign-in with a real OpenID Connect provider: authorization, redirects, and cookies."""

import urllib.parse

import pytest

from router.api import auth
from router.console import login, oidc
from tests.integration import identity

PEOPLE = {
    "ada": {"email": "ada@example.com", "groups": ["platform", "everybody"]},
    "ben": {"email": "ben@example.com", "groups": ["on-call"]},
    "cleo": {"preferred_username": "cleo", "groups": "everybody"},
    "dora": {"email": "dora@example.com", "groups": ["sales", "plat"]},
    "eve": {"email": "eve@example.com"},
}


@pytest.fixture(scope="module")
def issuer():
    with identity.real_provider(**PEOPLE) as found:
        yield found


@pytest.fixture
def signed_in_by(with_redis, tmp_path, issuer):
    """Run a test with the console and a real provider."""

    def run(body, **more):
        async def main(store):
            async with identity.serve_console(store, tmp_path, issuer, **more) as found:
                await body(found)

        with_redis(main)

    return run


async def agree(found, who, to="/", **form):
    """Sign in at the provider, follow the redirect, and return the console's response."""
    there = await found.leave(to)
    async with identity.browser() as at_provider:
        page = await at_provider.get(there)
        assert page.status_code == 200, page.text
        answer = await at_provider.post(there, data={"sub": who, **form})
    assert answer.status_code in {302, 303}, answer.text
    back = answer.headers["location"]
    assert back.startswith(f"{found.url}/sign-in/oidc/back?")
    return await found.browser.get(back)


@pytest.mark.parametrize(
    ("who", "name", "role"),
    [("ada", "ada@example.com", "admin"), ("ben", "ben@example.com", "responder"), ("cleo", "cleo", "viewer")],
)
def test_highest_group_decides_the_role(signed_in_by, who, name, role):
    async def body(found):
        answer = await agree(found, who)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        page = (await found.browser.get("/")).text
        assert name in page
        session = await found.parts.sessions.find(found.browser.cookies[auth.COOKIE])
        assert (session.name, session.role.word, session.by) == (name, role, f"oidc {who}")
        (line,) = (await found.parts.queries.records.audit()).items
        assert (line.what, line.who, line.by, line.address) == ("sign in", name, f"oidc {who}", "127.0.0.1")
        assert (line.subject, line.outcome) == (role, "done")

    signed_in_by(body)


@pytest.mark.parametrize("who", ["dora", "eve"])
def test_person_without_a_matching_group_is_refused(signed_in_by, who):
    async def body(found):
        answer = await agree(found, who)
        assert answer.status_code == 403
        assert f"{who}@example.com is not in a group that has access" in answer.text
        assert auth.COOKIE not in found.browser.cookies
        assert await found.may() == 401
        assert (await found.parts.queries.records.audit()).items == []

    signed_in_by(body)


def test_declined_authorization_does_not_sign_in(signed_in_by):
    async def body(found):
        answer = await agree(found, "ada", action="deny")
        assert (answer.status_code, await found.may()) == (403, 401)

    signed_in_by(body)


def test_sign_in_returns_to_the_requested_page(signed_in_by):
    async def body(found):
        refused = await found.browser.get("/incidents")
        assert refused.headers["location"] == "/sign-in?to=%2Fincidents"
        link = "/sign-in/oidc?to=%2Fincidents"
        assert f'href="{link}"' in (await found.browser.get(refused.headers["location"])).text
        answer = await agree(found, "ada", to="/incidents?status=open&text=a%20b")
        assert answer.headers["location"] == "/incidents?status=open&text=a%20b"
        assert await found.may("/incidents") == 200

    signed_in_by(body)


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "/\tevil.example",
        "javascript:alert(1)",
        "http://[",
        "incidents",
        "",
        "/" + "a" * 2000,
    ],
)
def test_sign_in_redirects_to_no_other_site(signed_in_by, to):
    async def body(found):
        assert (await agree(found, "ada", to=to)).headers["location"] == "/"
        page = await found.browser.get("/sign-in", params={"to": to})
        assert page.status_code == 200
        assert 'name="to" value="/"' in page.text

    signed_in_by(body)


def test_callback_url_works_once(signed_in_by):
    async def body(found):
        there = await found.leave()
        async with identity.browser() as at_provider:
            back = (await at_provider.post(there, data={"sub": "ada"})).headers["location"]
        assert (await found.browser.get(back)).status_code == 303
        again = await found.browser.get(back)
        assert again.status_code == 403
        assert "not started in this browser, or has expired" in again.text

    signed_in_by(body)


def test_several_tabs_may_sign_in_concurrently(signed_in_by):
    async def body(found):
        ways = [await found.leave("/incidents"), await found.leave("/reviews")]
        async with identity.browser() as at_provider:
            backs = [(await at_provider.post(one, data={"sub": "ada"})).headers["location"] for one in ways]
        answers = [await found.browser.get(back) for back in backs]
        assert [answer.headers["location"] for answer in answers] == ["/incidents", "/reviews"]

    signed_in_by(body)


def test_callback_in_another_browser_does_not_sign_in(signed_in_by):
    """Otherwise an attacker could sign a user in under the attacker's name (login CSRF)."""

    async def body(found):
        there = await found.leave()
        async with identity.browser() as at_provider:
            back = (await at_provider.post(there, data={"sub": "ada"})).headers["location"]
        async with found.another_browser() as other:
            await other.get("/sign-in/oidc")
            answer = await other.get(back)
            assert answer.status_code == 403
            assert "not started in this browser" in answer.text
            assert auth.COOKIE not in other.cookies

    signed_in_by(body)


@pytest.mark.parametrize("secure", [True, False])
def test_cookies_are_hidden_from_scripts_and_other_sites(signed_in_by, secure):
    public_url = "https://console.example.com" if secure else "http://console.example.com"

    async def body(found):
        left = await found.browser.get("/sign-in/oidc")
        there = left.headers["location"]
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(there).query))
        assert asked["redirect_uri"] == f"{public_url}/sign-in/oidc/back"
        async with identity.browser() as at_provider:
            back = (await at_provider.post(there, data={"sub": "ada"})).headers["location"]
        path = back.removeprefix(public_url)
        begun = left.headers["set-cookie"]
        # Behind a proxy that terminates TLS, a browser would send this cookie automatically.
        kept = {"cookie": begun.split(";")[0]}
        session = (await found.browser.get(path, headers=kept)).headers["set-cookie"]
        assert begun.startswith(f"{login.BEGUN}=")
        assert session.startswith(f"{auth.COOKIE}=")
        for cookie in (begun, session):
            flags = {flag.strip().lower() for flag in cookie.split(";")[1:]}
            assert {"httponly", "samesite=lax"} <= flags
            assert ("secure" in flags) is secure
        assert "Path=/sign-in/oidc;" in begun
        assert f"Max-Age={oidc.UNDER_WAY_SECONDS}" in begun

    signed_in_by(body, public_url=public_url)


def test_pending_sign_in_expires_after_ten_minutes(signed_in_by):
    async def body(found):
        there = await found.leave()
        redis = found.parts.queries.store.redis
        (name,) = [one async for one in redis.scan_iter("ir:{access}:sign-in:*")]
        assert 0 < await redis.ttl(name) <= 600
        await redis.delete(name)
        async with identity.browser() as at_provider:
            back = (await at_provider.post(there, data={"sub": "ada"})).headers["location"]
        answer = await found.browser.get(back)
        assert (answer.status_code, "has expired" in answer.text) == (403, True)

    signed_in_by(body)


def test_another_sign_in_ends_the_previous_session(signed_in_by):
    async def body(found):
        await agree(found, "ada")
        first = found.browser.cookies[auth.COOKIE]
        await agree(found, "ben")
        assert found.browser.cookies[auth.COOKIE] != first
        assert await found.parts.sessions.find(first) is None
        assert (await found.parts.sessions.find(found.browser.cookies[auth.COOKIE])).name == "ben@example.com"

    signed_in_by(body)


def test_sign_out_requires_the_session_s_csrf_token(signed_in_by):
    """Other sites can't sign a user out. After sign-out, the session is invalid even if the cookie is still sent."""

    async def body(found):
        await agree(found, "ada")
        cookie = found.browser.cookies[auth.COOKIE]
        forged = await found.browser.post("/sign-out", data={"csrf": "guessed"})
        assert forged.status_code == 403
        assert await found.may() == 200
        left = await found.browser.post("/sign-out", data={"csrf": await found.csrf()})
        assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
        async with found.another_browser() as thief:
            thief.cookies.set(auth.COOKIE, cookie)
            assert (await thief.get("/api/v1/silences")).status_code == 401

    signed_in_by(body)


def test_sign_ins_of_address_are_limited_per_minute(signed_in_by):
    async def body(found):
        for _ in range(60):
            await found.leave()
        answer = await found.browser.get("/sign-in/oidc")
        assert (answer.status_code, "Too many attempts" in answer.text) == (429, True)

    signed_in_by(body)


def test_sign_in_during_store_outage_gets_503(signed_in_by):
    async def body(found):
        await agree(found, "ada")
        redis = found.parts.queries.store.redis
        await redis.config_set("maxmemory", "1")
        try:
            answer = await found.browser.get("/sign-in/oidc")
        finally:
            await redis.config_set("maxmemory", "0")
        assert (answer.status_code, "internal" in answer.text) == (503, False)

    signed_in_by(body)
