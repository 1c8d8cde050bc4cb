"""A provider that errs or lies: no id token that is not wholly right lets anybody in, and nothing breaks over it."""

import base64
import hashlib
import hmac
import json
import urllib.parse

import pytest
from joserfc import jwk, jwt

from router.management import gatekeeper
from tests.integration import identity

NOT_PROVEN = "the provider&#39;s proof of who you are is not accepted"
NOT_READABLE = "what the provider answers can&#39;t be understood"
NOT_THERE = "the provider can&#39;t be reached now"
OTHER_KEY = jwk.RSAKey.generate_key(2048, {"kid": "one"})
NOW = identity.microseconds() // 1_000_000


@pytest.fixture
def with_liar(with_redis, tmp_path):
    """Run a test with the console, and a provider behind it that says what it is told to say."""

    def run(body, **more):
        async def main(connection):
            async with identity.lying(connection, tmp_path, **more) as (provider, found):
                await body(provider, found)

        with_redis(main)

    return run


async def come_back(provider, found, **query):
    """Leave and come back: the console's answer."""
    back = provider.takes(await found.leave())
    if query:
        back = f"{provider.asked['redirect_uri']}?{urllib.parse.urlencode({'state': provider.asked['state'], **query})}"
    return await found.browser.get(back)


async def refused(provider, found, status, text, **query):
    """Nobody is signed in, and the page says why."""
    answer = await come_back(provider, found, **query)
    assert (answer.status_code, text in answer.text) == (status, True), answer.text
    assert gatekeeper.COOKIE not in found.browser.cookies
    assert await found.may() == 401


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def text64(part):
    return base64url(json.dumps(part).encode())


def without_signature(claims):
    """An id token of the algorithm ``none``."""
    return f"{text64({'alg': 'none'})}.{text64(claims)}."


def with_secret(claims):
    """An id token that whoever knows the client's secret could have signed."""
    return jwt.encode({"alg": "HS256"}, claims, jwk.OctKey.import_key(identity.SECRET))


def test_an_id_token_that_is_right_lets_in_and_its_verifier_was_sent(with_liar):
    """What is broken in the tests below is whole here."""

    async def body(provider, found):
        assert (await come_back(provider, found)).headers["location"] == "/"
        assert await found.may() == 200
        (sent,) = provider.exchanged
        assert provider.asked["code_challenge_method"] == "S256"
        assert len(sent["code_verifier"]) >= 43
        assert provider.proves(sent["code_verifier"])
        assert sent["code"] == "a-code"
        assert sent["redirect_uri"] == provider.asked["redirect_uri"] == f"{found.url}/sign-in/oidc/back"
        assert provider.asked["scope"] == "openid email profile"
        assert provider.asked["response_type"] == "code"

    with_liar(body)


def test_each_sign_in_has_its_own_state_nonce_and_challenge(with_liar):
    async def body(provider, found):
        asked = []
        for _ in range(2):
            provider.takes(await found.leave())
            asked.append(provider.asked)
        assert all(asked[0][name] != asked[1][name] for name in ("state", "nonce", "code_challenge"))

    with_liar(body)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": ["another-client"]},
        {"aud": None},
        {"aud": ["console", "another-client"]},
        {"aud": ["console", "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"iss": "https://another.example"},
        {"iss": None},
        {"exp": NOW - 120},
        {"exp": None},
        {"exp": "never"},
        {"nbf": NOW + 600},
        {"iat": NOW + 600},
        {"sub": None},
        {"sub": ""},
    ],
    ids=str,
)
def test_an_id_token_with_a_wrong_claim_lets_nobody_in(with_liar, claims):
    async def body(provider, found):
        provider.claims = claims
        await refused(provider, found, 403, NOT_PROVEN)

    with_liar(body)


@pytest.mark.parametrize(
    "claims", [{"exp": NOW - 30}, {"aud": ["console"]}, {"aud": ["console", "x"], "azp": "console"}]
)
def test_clocks_may_differ_by_a_little_and_audiences_be_several(with_liar, claims):
    async def body(provider, found):
        provider.claims = claims
        assert (await come_back(provider, found)).status_code == 303

    with_liar(body, clock=lambda: NOW * 1_000_000)


@pytest.mark.parametrize(
    "signed",
    [
        without_signature,
        with_secret,
        lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, OTHER_KEY),
        lambda _: "a.b.c",
        lambda _: "",
    ],
    ids=["unsigned", "the client's secret", "another key", "no token", "empty"],
)
def test_an_id_token_that_the_provider_did_not_sign_lets_nobody_in(with_liar, signed):
    async def body(provider, found):
        provider.signed = signed
        await refused(provider, found, 403, NOT_PROVEN)

    with_liar(body)


def test_an_id_token_is_not_believed_with_the_public_key_for_a_secret(with_liar):
    async def body(provider, found):
        public = provider.key.as_pem(private=False)

        def signed(claims):
            said = f"{text64({'alg': 'HS256', 'kid': 'one'})}.{text64(claims)}"
            return f"{said}.{base64url(hmac.new(public, said.encode(), hashlib.sha256).digest())}"

        provider.signed = signed
        await refused(provider, found, 403, NOT_PROVEN)

    with_liar(body)


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ((400, {"error": "invalid_grant"}), 403, "the provider does not stand by this sign-in"),
        ((401, {"error": "invalid_client", "error_description": "no"}), 403, "does not stand by this sign-in"),
        ((500, "<h1>Oh</h1>"), 502, NOT_THERE),
        ((200, "<h1>Hello</h1>"), 502, NOT_READABLE),
        ((200, "[]"), 502, NOT_READABLE),
        ((200, {"access_token": "only"}), 502, NOT_READABLE),
        ((200, {"id_token": 5}), 502, NOT_READABLE),
        ((302, "elsewhere"), 502, NOT_THERE),
    ],
    ids=str,
)
def test_a_provider_that_gives_no_tokens_is_told_of(with_liar, answer, status, text):
    async def body(provider, found):
        provider.answer = answer
        await refused(provider, found, status, text)

    with_liar(body)


@pytest.mark.parametrize(
    ("keys", "status", "text"),
    [
        ([], 502, NOT_READABLE),
        ({}, 502, NOT_READABLE),
        ({"keys": 5}, 502, NOT_READABLE),
        ({"keys": []}, 403, NOT_PROVEN),
        ({"keys": [{}]}, 403, NOT_PROVEN),
        ({"keys": [{"kty": "RSA", "n": "?", "e": 5}]}, 403, NOT_PROVEN),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0" * 4}]}, 403, NOT_PROVEN),
    ],
    ids=str,
)
def test_keys_that_are_none_let_nobody_in(with_liar, keys, status, text):
    async def body(provider, found):
        provider.published = keys
        await refused(provider, found, status, text)

    with_liar(body)


def test_what_the_provider_says_when_it_refuses_is_shown_as_text(with_liar):
    async def body(provider, found):
        said = {"error": "access_denied", "error_description": "<script>alert(1)</script>" + "x" * 300}
        await refused(provider, found, 403, "the provider says: &lt;script&gt;alert(1)&lt;/script&gt;xx", **said)
        answer = await come_back(provider, found, **said)
        assert "x" * 200 not in answer.text
        await refused(provider, found, 403, "the provider says: login_required", error="login_required")
        assert provider.exchanged == []

    with_liar(body)


@pytest.mark.parametrize("state", ["", "forged", "another"])
def test_a_state_that_was_not_given_out_leads_nowhere(with_liar, state):
    async def body(provider, found):
        await refused(provider, found, 403, "not begun in this browser", state=state, code="a-code")
        assert provider.exchanged == []

    with_liar(body)


def test_a_session_s_cookie_is_no_state_and_a_state_no_session(with_liar):
    async def body(provider, found):
        provider.takes(await found.leave())
        state = provider.asked["state"]
        for cookie in (state, f"oidc {state}"):
            answer = await found.browser.get("/api/v1/silences", headers={"cookie": f"{gatekeeper.COOKIE}={cookie}"})
            assert answer.status_code == 401
        assert (await come_back(provider, found)).status_code == 303
        secret = found.browser.cookies[gatekeeper.COOKIE]
        answer = await found.browser.get("/sign-in/oidc/back", params={"state": secret, "code": "a-code"})
        assert (answer.status_code, await found.may()) == (403, 200)

    with_liar(body)


@pytest.mark.parametrize(
    ("metadata", "status", "text"),
    [
        ({"issuer": "https://another.example"}, 403, "calls itself otherwise than `issuer` does"),
        ({"issuer": None}, 502, NOT_READABLE),
        ({"token_endpoint": None}, 502, NOT_READABLE),
        ({"jwks_uri": 5}, 502, NOT_READABLE),
    ],
    ids=str,
)
def test_a_provider_that_describes_itself_wrongly_is_not_gone_to(with_liar, metadata, status, text):
    async def body(provider, found):
        provider.metadata = metadata
        answer = await found.browser.get("/sign-in/oidc")
        assert (answer.status_code, text in answer.text) == (status, True), answer.text

    with_liar(body)


def test_a_provider_that_is_down_is_told_of_and_tokens_still_work(with_redis, tmp_path):
    async def main(connection):
        nobody = f"http://127.0.0.1:{identity.free_port()}"
        async with identity.console_of(connection, tmp_path, nobody) as found:
            answer = await found.browser.get("/sign-in/oidc")
            assert (answer.status_code, NOT_THERE in answer.text) == (502, True)
            _, text = await identity.token_of(found, "ada")
            await found.browser.post("/sign-in", data={"token": text})
            assert await found.may() == 200

    with_redis(main)


def test_a_provider_is_asked_what_it_is_every_ten_minutes(with_liar):
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

    with_liar(body, clock=clock)


def test_a_provider_that_takes_the_secret_in_the_form_only_gets_it_there(with_liar):
    async def body(provider, found):
        assert (await come_back(provider, found)).status_code == 303
        provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        sent = provider.exchanged[0]
        expected = base64.b64encode(f"console:{identity.SECRET}".encode()).decode()
        assert (sent["authorization"], "client_secret" in sent) == (f"Basic {expected}", False)

    async def by_form(provider, found):
        provider.metadata = {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}
        assert (await come_back(provider, found)).status_code == 303
        sent = provider.exchanged[0]
        assert (sent["authorization"], sent["client_secret"]) == ("", identity.SECRET)

    with_liar(body)
    with_liar(by_form)


def test_groups_that_only_userinfo_tells_count(with_liar):
    async def body(provider, found):
        provider.claims = {"groups": None}
        provider.metadata = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
        provider.userinfo = {"sub": "248289", "groups": ["platform"], "email": "mallory@example.com"}
        assert (await come_back(provider, found)).status_code == 303
        session = await found.parts.sessions.find(found.browser.cookies[gatekeeper.COOKIE])
        assert (session.name, session.role.word) == ("ada@example.com", "admin")

    with_liar(body)


def test_userinfo_of_somebody_else_gives_nobody_a_role(with_liar):
    async def body(provider, found):
        provider.claims = {"groups": None}
        provider.metadata = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
        provider.userinfo = {"sub": "another", "groups": ["platform"]}
        await refused(provider, found, 403, "the provider speaks of two people at once")

    with_liar(body)


def test_userinfo_cannot_take_groups_from_who_has_some_in_the_token(with_liar):
    async def body(provider, found):
        provider.metadata = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
        provider.userinfo = {"sub": "248289", "groups": ["platform"]}
        await come_back(provider, found)
        session = await found.parts.sessions.find(found.browser.cookies[gatekeeper.COOKIE])
        assert session.role.word == "responder"

    with_liar(body)


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
def test_nobody_is_called_by_an_address_they_have_not_proven(with_liar, claims, name):
    async def body(provider, found):
        provider.claims = claims
        await come_back(provider, found)
        session = await found.parts.sessions.find(found.browser.cookies[gatekeeper.COOKIE])
        assert (session.name, session.by) == (name, "oidc 248289")

    with_liar(body)


@pytest.mark.parametrize("groups", [None, [], "", 5, {"on-call": True}, ["ON-CALL"], [["on-call"]], "on-call platform"])
def test_groups_that_are_not_exactly_ours_give_no_role(with_liar, groups):
    async def body(provider, found):
        provider.claims = {"groups": groups}
        await refused(provider, found, 403, "is in none of the groups")

    with_liar(body)


def test_another_claim_and_further_scopes_can_be_asked_for(with_liar):
    async def body(provider, found):
        provider.claims = {"groups": ["platform"], "roles": ["everybody"]}
        await come_back(provider, found)
        assert provider.asked["scope"] == "openid groups"
        session = await found.parts.sessions.find(found.browser.cookies[gatekeeper.COOKIE])
        assert session.role.word == "viewer"

    with_liar(body, more="    claim: roles\n    scopes: [openid, groups]\n")


def test_the_log_says_why_and_no_secret(with_liar, capsys):
    async def body(provider, found):
        provider.claims = {"aud": "another-client"}
        await refused(provider, found, 403, NOT_PROVEN)
        verifier = provider.exchanged[0]["code_verifier"]
        told = capsys.readouterr()
        said = told.out + told.err
        assert "sign_in_refused" in said
        assert "InvalidClaimError: invalid_claim: Invalid claim: 'aud'" in said
        assert not [secret for secret in (identity.SECRET, verifier, provider.asked["state"]) if secret in said]

    with_liar(body)


def test_a_console_without_a_provider_offers_none(with_redis, tmp_path):
    async def main(connection):
        async with identity.console_of(connection, tmp_path, None) as found:
            assert "/sign-in/oidc" not in (await found.browser.get("/sign-in")).text
            for path in ("/sign-in/oidc", "/sign-in/oidc/back?state=a&code=b"):
                answer = await found.browser.get(path)
                assert (answer.status_code, "not configured" in answer.text) == (404, True)

    with_redis(main)


def test_no_other_address_is_ever_called_than_the_providers(with_liar):
    """A redirect of the provider's is not followed: codes and secrets go where the configuration sends them."""

    async def body(provider, found):
        provider.metadata = {"jwks_uri": "file:///etc/passwd"}
        await refused(provider, found, 502, NOT_THERE)

    with_liar(body)


def test_the_pages_keep_their_headers_on_the_way(with_liar):
    async def body(provider, found):
        answers = [await found.browser.get("/sign-in/oidc"), await come_back(provider, found)]
        async with found.another_browser() as other:
            answers.append(await other.get("/sign-in/oidc/back"))
        for answer in answers:
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]

    with_liar(body)
