"""A faulty or malicious provider: every invalid ID token is refused without an internal error."""

import base64
import datetime as dt
import hashlib
import hmac
import json

import pytest
from joserfc import jwk, jwt

from router.api import auth
from router.console import oidc
from tests.integration import identity

OTHER_KEY = jwk.RSAKey.generate_key(2048, {"kid": "one"})


def resolve_times(claims):
    """Return the claims with relative times resolved now, because tests may run long after their collection."""
    now = identity.microseconds() // 1_000_000
    return {
        name: now + int(said.total_seconds()) if isinstance(said, dt.timedelta) else said
        for name, said in claims.items()
    }


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def text64(part):
    return base64url(json.dumps(part).encode())


def sign_with_none(claims):
    """Create an ID token with the algorithm ``none``."""
    return f"{text64({'alg': 'none'})}.{text64(claims)}."


def sign_with_secret(claims):
    """Create an ID token that is signed with the client secret."""
    return jwt.encode({"alg": "HS256"}, claims, jwk.OctKey.import_key(identity.SECRET))


def test_valid_id_token_signs_in_with_pkce(with_lying_provider):
    """Prove that the token is valid without the defects of the tests below."""

    async def body(provider, found):
        assert (await identity.sign_in_at_provider(provider, found)).headers["location"] == "/"
        assert await found.may() == 200
        (sent,) = provider.exchanged
        assert provider.asked["code_challenge_method"] == "S256"
        assert len(sent["code_verifier"]) >= 43
        assert provider.is_verifier(sent["code_verifier"])
        assert sent["code"] == "a-code"
        assert sent["redirect_uri"] == provider.asked["redirect_uri"] == f"{found.url}/sign-in/oidc/back"
        assert provider.asked["scope"] == "openid email profile"
        assert provider.asked["response_type"] == "code"

    with_lying_provider(body)


@pytest.mark.parametrize("algorithm", oidc.ALGORITHMS)
def test_every_supported_algorithm_is_accepted(with_lying_provider, algorithm):
    made = {
        "ES256": lambda: jwk.ECKey.generate_key("P-256"),
        "ES384": lambda: jwk.ECKey.generate_key("P-384"),
        "Ed25519": lambda: jwk.OKPKey.generate_key("Ed25519"),
    }
    key = made.get(algorithm, lambda: OTHER_KEY)()

    async def body(provider, found):
        provider.published = {"keys": [key.as_dict(private=False)]}
        provider.signed = lambda claims: jwt.encode({"alg": algorithm}, claims, key, [algorithm])
        assert (await identity.sign_in_at_provider(provider, found)).status_code == 303

    with_lying_provider(body)


def test_each_sign_in_has_own_state_and_nonce(with_lying_provider):
    async def body(provider, found):
        asked = []
        for _ in range(2):
            provider.sign_in(await found.leave())
            asked.append(provider.asked)
        assert all(asked[0][name] != asked[1][name] for name in ("state", "nonce", "code_challenge"))

    with_lying_provider(body)


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
        {"exp": dt.timedelta(seconds=-120)},
        {"exp": None},
        {"exp": "never"},
        {"nbf": dt.timedelta(seconds=600)},
        {"iat": dt.timedelta(seconds=600)},
        {"sub": None},
        {"sub": ""},
    ],
    ids=lambda claims: "-".join(f"{name}:{type(value).__name__}" for name, value in claims.items()),
)
def test_id_token_with_a_wrong_claim_is_refused(with_lying_provider, claims):
    async def body(provider, found):
        provider.claims = resolve_times(claims)
        await identity.expect_refusal(provider, found, 403, identity.NOT_PROVEN)

    with_lying_provider(body)


@pytest.mark.parametrize(
    "claims", [{"exp": dt.timedelta(seconds=-30)}, {"aud": ["console"]}, {"aud": ["console", "x"], "azp": "console"}]
)
def test_small_clock_differences_and_several_audiences_are_accepted(with_lying_provider, claims):
    async def body(provider, found):
        provider.claims = resolve_times(claims)
        assert (await identity.sign_in_at_provider(provider, found)).status_code == 303

    with_lying_provider(body)


@pytest.mark.parametrize(
    "signed",
    [
        sign_with_none,
        sign_with_secret,
        lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, OTHER_KEY),
        lambda _: "a.b.c",
        lambda _: "",
    ],
    ids=["unsigned", "the client's secret", "another key", "no token", "empty"],
)
def test_id_token_with_a_foreign_signature_is_refused(with_lying_provider, signed):
    async def body(provider, found):
        provider.signed = signed
        await identity.expect_refusal(provider, found, 403, identity.NOT_PROVEN)

    with_lying_provider(body)


def test_public_key_is_not_accepted_as_hmac_secret(with_lying_provider):
    async def body(provider, found):
        public = provider.key.as_pem(private=False)

        def signed(claims):
            said = f"{text64({'alg': 'HS256', 'kid': 'one'})}.{text64(claims)}"
            return f"{said}.{base64url(hmac.new(public, said.encode(), hashlib.sha256).digest())}"

        provider.signed = signed
        await identity.expect_refusal(provider, found, 403, identity.NOT_PROVEN)

    with_lying_provider(body)


@pytest.mark.parametrize(
    ("keys", "status", "text"),
    [
        ([], 502, identity.NOT_READABLE),
        ({}, 502, identity.NOT_READABLE),
        ({"keys": 5}, 502, identity.NOT_READABLE),
        ({"keys": []}, 403, identity.NOT_PROVEN),
        ({"keys": [{}]}, 403, identity.NOT_PROVEN),
        ({"keys": [{"kty": "RSA", "n": "?", "e": 5}]}, 403, identity.NOT_PROVEN),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0" * 4}]}, 403, identity.NOT_PROVEN),
    ],
    ids=str,
)
def test_invalid_provider_keys_are_refused(with_lying_provider, keys, status, text):
    async def body(provider, found):
        provider.published = keys
        await identity.expect_refusal(provider, found, status, text)

    with_lying_provider(body)


@pytest.mark.parametrize("state", ["", "forged", "another"])
def test_unknown_state_is_refused(with_lying_provider, state):
    async def body(provider, found):
        await identity.expect_refusal(provider, found, 403, "not started in this browser", state=state, code="a-code")
        assert provider.exchanged == []

    with_lying_provider(body)


def test_session_cookies_and_states_are_not_interchangeable(with_lying_provider):
    async def body(provider, found):
        provider.sign_in(await found.leave())
        state = provider.asked["state"]
        for cookie in (state, f"oidc {state}"):
            answer = await found.browser.get("/api/v1/silences", headers={"cookie": f"{auth.COOKIE}={cookie}"})
            assert answer.status_code == 401
        assert (await identity.sign_in_at_provider(provider, found)).status_code == 303
        secret = found.browser.cookies[auth.COOKIE]
        answer = await found.browser.get("/sign-in/oidc/back", params={"state": secret, "code": "a-code"})
        assert (answer.status_code, await found.may()) == (403, 200)

    with_lying_provider(body)


def test_refusal_is_logged_with_its_reason_without_secrets(with_lying_provider, capsys):
    async def body(provider, found):
        provider.claims = {"aud": "another-client"}
        await identity.expect_refusal(provider, found, 403, identity.NOT_PROVEN)
        verifier = provider.exchanged[0]["code_verifier"]
        told = capsys.readouterr()
        said = told.out + told.err
        assert "sign_in_refused" in said
        assert "InvalidClaimError: invalid_claim: Invalid claim: 'aud'" in said
        assert not [secret for secret in (identity.SECRET, verifier, provider.asked["state"]) if secret in said]

    with_lying_provider(body)


def test_sign_in_responses_have_the_security_headers(with_lying_provider):
    async def body(provider, found):
        answers = [await found.browser.get("/sign-in/oidc"), await identity.sign_in_at_provider(provider, found)]
        async with found.another_browser() as other:
            answers.append(await other.get("/sign-in/oidc/back"))
        for answer in answers:
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]

    with_lying_provider(body)
