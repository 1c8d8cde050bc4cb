"""A role from a provider expires after the configured time. Then the console asks the provider again."""

import pytest

from router.api import auth
from router.domain import access
from router.store import keys
from tests.integration import identity


@pytest.fixture
def run_scene(with_redis, tmp_path):
    """Run a test with the console, its provider, and the connection to the store."""

    def run(body, **more):
        async def main(store):
            async with identity.serve_with_lying_provider(store, tmp_path, **more) as (provider, found):
                await body(provider, found, store)

        with_redis(main)

    return run


async def signed_in(provider, found, to="/"):
    answer = await found.browser.get(provider.sign_in(await found.leave(to)))
    assert answer.status_code == 303, answer.text
    return answer


def get_session_key(found) -> str:
    return keys.session(access.digest(found.browser.cookies[auth.COOKIE]))


@pytest.mark.parametrize(("more", "seconds"), [("", 3600), ("    session_lifetime: 20m\n", 1200)])
def test_session_lifetime_is_configured_or_an_hour(run_scene, more, seconds):
    async def body(provider, found, store):
        await signed_in(provider, found)
        assert seconds - 60 < await store.redis.ttl(get_session_key(found)) <= seconds

    run_scene(body, more=more)


def test_expired_session_returns_through_the_provider(run_scene):
    async def body(provider, found, store):
        await signed_in(provider, found)
        await store.redis.delete(get_session_key(found))
        answer = await found.browser.get("/incident", params={"key": "a b", "x": "1"})
        assert (answer.status_code, answer.headers["location"][:18]) == (303, "/sign-in/oidc?to=%")
        there = (await found.browser.get(answer.headers["location"])).headers["location"]
        back = await found.browser.get(provider.sign_in(there))
        assert back.headers["location"] == "/incident?key=a+b&x=1"
        assert await found.may() == 200

    run_scene(body)


def test_person_removed_from_the_group_loses_the_role(run_scene):
    async def body(provider, found, store):
        await signed_in(provider, found)
        await store.redis.delete(get_session_key(found))
        provider.claims["groups"] = ["elsewhere"]
        there = (await found.browser.get("/sign-in/oidc")).headers["location"]
        answer = await found.browser.get(provider.sign_in(there))
        assert (answer.status_code, "is not in a group" in answer.text) == (403, True)
        assert await found.may() == 401

    run_scene(body)


def test_signed_out_person_chooses_how_to_sign_in(run_scene):
    async def body(provider, found, _connection):
        await signed_in(provider, found)
        await found.browser.post("/sign-out", data={"csrf": await found.csrf()})
        assert (await found.browser.get("/rules")).headers["location"] == "/sign-in?to=%2Frules"

    run_scene(body)


def test_token_user_is_not_sent_to_the_provider(run_scene):
    async def body(_provider, found, store):
        found.browser.cookies.set(auth.COOKIE, "of-a-token-that-is-over")
        assert (await found.browser.get("/")).headers["location"] == "/sign-in?to=%2F"
        assert await store.redis.exists(keys.session(access.digest("of-a-token-that-is-over"))) == 0

    run_scene(body)


def test_background_requests_are_refused_without_a_redirect(run_scene):
    async def body(provider, found, store):
        await signed_in(provider, found)
        await store.redis.delete(get_session_key(found))
        for path, headers in (("/events", {"accept": "text/event-stream"}), ("/", {"hx-request": "true"})):
            assert (await found.browser.get(path, headers=headers)).status_code == 401

    run_scene(body)
