"""Sign-in with working, unusual, and failing providers."""

import base64

import pytest

from router.api import auth
from tests import ports
from tests.integration import identity


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ((400, {"error": "invalid_grant"}), 403, "the identity provider rejected the sign-in"),
        ((401, {"error": "invalid_client", "error_description": "no"}), 403, "rejected the sign-in"),
        ((500, "<h1>Oh</h1>"), 502, identity.NOT_THERE),
        ((200, "<h1>Hello</h1>"), 502, identity.NOT_READABLE),
        ((200, "[]"), 502, identity.NOT_READABLE),
        ((200, {"access_token": "only"}), 502, identity.NOT_READABLE),
        ((200, {"id_token": 5}), 502, identity.NOT_READABLE),
        ((302, "elsewhere"), 502, identity.NOT_THERE),
    ],
    ids=str,
)
def test_provider_without_tokens_is_reported(with_lying_provider, answer, status, text):
    async def body(provider, found):
        provider.answer = answer
        await identity.expect_refusal(provider, found, status, text)

    with_lying_provider(body)


def test_provider_s_error_is_shown_as_text(with_lying_provider):
    async def body(provider, found):
        said = {"error": "access_denied", "error_description": "<script>alert(1)</script>" + "x" * 300}
        await identity.expect_refusal(
            provider, found, 403, "the provider says: &lt;script&gt;alert(1)&lt;/script&gt;xx", **said
        )
        answer = await identity.sign_in_at_provider(provider, found, **said)
        assert "x" * 200 not in answer.text
        await identity.expect_refusal(provider, found, 403, "the provider says: login_required", error="login_required")
        assert provider.exchanged == []

    with_lying_provider(body)


@pytest.mark.parametrize(
    ("metadata", "status", "text"),
    [
        ({"issuer": "https://another.example"}, 403, "differs from `issuer`"),
        ({"issuer": None}, 502, identity.NOT_READABLE),
        ({"token_endpoint": None}, 502, identity.NOT_READABLE),
        ({"jwks_uri": 5}, 502, identity.NOT_READABLE),
    ],
    ids=str,
)
def test_provider_with_wrong_metadata_is_not_used(with_lying_provider, metadata, status, text):
    async def body(provider, found):
        provider.metadata = metadata
        answer = await found.browser.get("/sign-in/oidc")
        assert (answer.status_code, text in answer.text) == (status, True), answer.text

    with_lying_provider(body)


def test_unreachable_provider_is_reported_and_tokens_work(with_redis, tmp_path):
    async def main(store):
        unreachable = f"http://127.0.0.1:{ports.reserve_closed()}"
        async with identity.serve_console(store, tmp_path, unreachable) as found:
            answer = await found.browser.get("/sign-in/oidc")
            assert (answer.status_code, identity.NOT_THERE in answer.text) == (502, True)
            _, text = await identity.create_token(found, "ada")
            await found.browser.post("/sign-in", data={"token": text})
            assert await found.may() == 200

    with_redis(main)


def test_provider_metadata_is_refreshed_every_ten_minutes(with_lying_provider):
    now = identity.microseconds()

    def clock():
        return now

    async def body(provider, found):
        nonlocal now
        await found.leave()
        await found.leave()
        assert provider.discoveries == 1
        now += 600_000_000
        await found.leave()
        assert provider.discoveries == 2

    with_lying_provider(body, clock=clock)


def test_client_secret_post_is_used_if_required(with_lying_provider):
    async def body(provider, found):
        assert (await identity.sign_in_at_provider(provider, found)).status_code == 303
        provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        sent = provider.exchanged[0]
        expected = base64.b64encode(f"console:{identity.SECRET}".encode()).decode()
        assert (sent["authorization"], "client_secret" in sent) == (f"Basic {expected}", False)

    async def by_form(provider, found):
        provider.metadata = {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}
        assert (await identity.sign_in_at_provider(provider, found)).status_code == 303
        sent = provider.exchanged[0]
        assert (sent["authorization"], sent["client_secret"]) == ("", identity.SECRET)

    with_lying_provider(body)
    with_lying_provider(by_form)


def test_groups_from_userinfo_decide_the_role(with_lying_provider):
    async def body(provider, found):
        provider.claims = {"groups": None}
        provider.metadata = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
        provider.userinfo = {"sub": "248289", "groups": ["platform"], "email": "mallory@example.com"}
        assert (await identity.sign_in_at_provider(provider, found)).status_code == 303
        session = await found.parts.sessions.find(found.browser.cookies[auth.COOKIE])
        assert (session.name, session.role.word) == ("ada@example.com", "admin")

    with_lying_provider(body)


def test_userinfo_of_another_subject_is_refused(with_lying_provider):
    async def body(provider, found):
        provider.claims = {"groups": None}
        provider.metadata = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
        provider.userinfo = {"sub": "another", "groups": ["platform"]}
        await identity.expect_refusal(provider, found, 403, "the userinfo subject does not match the ID token")

    with_lying_provider(body)


def test_userinfo_does_not_override_the_token_s_groups(with_lying_provider):
    async def body(provider, found):
        provider.metadata = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
        provider.userinfo = {"sub": "248289", "groups": ["platform"]}
        await identity.sign_in_at_provider(provider, found)
        session = await found.parts.sessions.find(found.browser.cookies[auth.COOKIE])
        assert session.role.word == "responder"

    with_lying_provider(body)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email_verified": True}, "ada@example.com"),
        ({"email_verified": False}, "248289"),
        ({"email_verified": "false", "preferred_username": "ada"}, "ada"),
        ({"email": None}, "248289"),
        ({"email": "a\n\u202eb" + "c" * 200}, "ab" + "c" * 98),
    ],
    ids=str,
)
def test_unverified_email_is_not_used_as_name(with_lying_provider, claims, name):
    async def body(provider, found):
        provider.claims = claims
        await identity.sign_in_at_provider(provider, found)
        session = await found.parts.sessions.find(found.browser.cookies[auth.COOKIE])
        assert (session.name, session.by) == (name, "oidc 248289")

    with_lying_provider(body)


@pytest.mark.parametrize("groups", [None, [], "", 5, {"on-call": True}, ["ON-CALL"], [["on-call"]], "on-call platform"])
def test_similar_group_names_give_no_role(with_lying_provider, groups):
    async def body(provider, found):
        provider.claims = {"groups": groups}
        await identity.expect_refusal(provider, found, 403, "is not in a group")

    with_lying_provider(body)


def test_other_claim_and_scopes_can_be_configured(with_lying_provider):
    async def body(provider, found):
        provider.claims = {"groups": ["platform"], "roles": ["everybody"]}
        await identity.sign_in_at_provider(provider, found)
        assert provider.asked["scope"] == "openid groups"
        session = await found.parts.sessions.find(found.browser.cookies[auth.COOKIE])
        assert session.role.word == "viewer"

    with_lying_provider(body, more="    groups_claim: roles\n    scopes: [openid, groups]\n")


def test_console_without_provider_offers_no_oidc(with_redis, tmp_path):
    async def main(store):
        async with identity.serve_console(store, tmp_path, None) as found:
            assert "/sign-in/oidc" not in (await found.browser.get("/sign-in")).text
            for path in ("/sign-in/oidc", "/sign-in/oidc/back?state=a&code=b"):
                answer = await found.browser.get(path)
                assert (answer.status_code, "not configured" in answer.text) == (404, True)

    with_redis(main)


def test_only_the_provider_s_hosts_are_called(with_lying_provider):
    """Redirects of the provider aren't followed, so codes and secrets reach configured hosts only."""

    async def body(provider, found):
        provider.metadata = {"jwks_uri": "file:///etc/passwd"}
        await identity.expect_refusal(provider, found, 502, identity.NOT_THERE)

    with_lying_provider(body)
