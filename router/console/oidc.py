"""Signs people in with an OpenID Connect provider: the authorization code flow with PKCE, implemented with Authlib.

The module only decides who the person is and which role their groups have. It handles no alert data.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx2
import msgspec
from authlib.integrations import httpx_client
from authlib.integrations.base_client import OAuthError
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import errors as jose_errors
from joserfc import jwk, jwt

from router.configuration import sections
from router.domain import access
from router.domain.times import Timestamp
from router.outbound import loopback
from router.store.access import Sessions

UNDER_WAY_SECONDS = 600  # The time limit for signing in at the provider.
_METADATA_LIFE = 600_000_000  # Microseconds. A provider may change its endpoints while the router runs.
_TIMEOUT_SECONDS = 10.0
_LEEWAY_SECONDS = 60
_MAX_NAME_LENGTH = 100
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "Ed25519"]  # Signed with the provider's own key.


class SignInRefusedError(Exception):
    """The person can't be signed in.

    The text is the reason, for the person to read. ``status`` is the response's status.
    """

    status = 403


class UnansweredError(SignInRefusedError):
    """The provider can't be reached, or its response is invalid. A later attempt may succeed."""

    status = 502


class _Begun(msgspec.Struct, array_like=True):
    """The values that must match when the browser returns. ``browser`` is the hash of its cookie."""

    verifier: str
    nonce: str
    to: str
    browser: str


class _Metadata(msgspec.Struct, frozen=True):
    """The provider's metadata that the router uses (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(msgspec.Struct):
    id_token: str


class _Keys(msgspec.Struct):
    keys: list[dict[str, Any]]


class Provider:
    """One configured provider."""

    def __init__(
        self,
        config: sections.Oidc,
        sessions: Sessions,
        clock: Callable[[], Timestamp],
        new_text: access.RandomText,
    ) -> None:
        self._config = config
        self._clock = clock
        self._sessions = sessions
        self._new_text = new_text
        self._tls = httpx2.create_ssl_context()  # Created once, because the creation blocks other requests noticeably.
        self._metadata: _Metadata | None = None
        self._metadata_until = 0

    async def begin(self, redirect_uri: str, to: str, browser: str) -> str:
        """Return the provider's address for signing in. Afterwards the console redirects the browser to ``to``.

        The provider redirects the browser to ``redirect_uri``. ``browser`` is the secret that identifies the browser on
        return.
        """
        metadata = await self._get_metadata()
        state, verifier, nonce = self._new_text(24), self._new_text(48), self._new_text(24)
        # Only a digest of the browser's secret is stored, so that Redis doesn't hold a usable one.
        sign_in = msgspec.msgpack.encode(_Begun(verifier, nonce, to, access.digest(browser)))
        await self._sessions.save_sign_in(state, sign_in, UNDER_WAY_SECONDS)
        async with self._client(redirect_uri, metadata) as client:
            url, _ = client.create_authorization_url(
                metadata.authorization_endpoint,
                state=state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        return str(url)

    async def end(self, query: Mapping[str, str], redirect_uri: str, browser: str) -> tuple[access.Person, str]:
        """Return the person who signed in, and the path to redirect to.

        Raises ``SignInRefusedError`` if the person has no role.
        """
        sign_in = await self._sessions.take_sign_in(query.get("state", ""))
        attempt = msgspec.msgpack.decode(sign_in, type=_Begun) if sign_in is not None else None
        # Without this check, an attacker could make a victim's browser complete the attacker's sign-in, and the victim
        # would act in the attacker's name.
        if attempt is None or attempt.browser != access.digest(browser):
            raise SignInRefusedError("this sign-in was not started in this browser, or has expired: try again")
        # The state is checked first, so that a forged link can't show its own text on this page.
        if "error" in query:
            raise SignInRefusedError(f"the provider says: {(query.get('error_description') or query['error'])[:200]}")
        # The metadata may have changed since the sign-in began.
        metadata = await self._get_metadata()
        with _translate_errors():
            async with asyncio.timeout(_TIMEOUT_SECONDS), self._client(redirect_uri, metadata) as client:
                claims = await self._claims(client, metadata, query.get("code", ""), attempt)
        return self._person(claims), attempt.to

    async def _claims(self, client: Any, metadata: _Metadata, code: str, attempt: _Begun) -> dict[str, Any]:
        answer = await client.fetch_token(
            metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=attempt.verifier
        )
        token = msgspec.convert(dict(answer), _Tokens).id_token
        keys = await client.request("GET", metadata.jwks_uri, withhold_token=True)
        keys.raise_for_status()
        claims = self._verify_token(
            token, msgspec.json.decode(keys.content, type=_Keys), metadata.issuer, attempt.nonce
        )
        # The ID token suffices, which saves a request.
        if self._config.groups_claim in claims or not metadata.userinfo_endpoint:
            return claims
        # Some providers keep the ID token small and return groups only from the userinfo endpoint.
        more = await client.get(metadata.userinfo_endpoint)
        more.raise_for_status()
        userinfo = msgspec.json.decode(more.content, type=dict[str, Any])
        if userinfo.get("sub") != claims["sub"]:
            raise SignInRefusedError("the userinfo subject does not match the ID token")
        # The ID token's claims are signed, so they come last and prevail.
        return userinfo | claims

    def _verify_token(self, token: str, keys: _Keys, issuer: str, nonce: str) -> dict[str, Any]:
        id_token = jwt.decode(token, jwk.KeySet.import_key_set({"keys": keys.keys}), ALGORITHMS)
        audience, client = id_token.claims.get("aud"), self._config.client_id
        registry = jwt.JWTClaimsRegistry(
            now=self._clock() // 1_000_000,
            # The provider's clock may differ from this machine's.
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client},
            # Several audiences: the token must name this client as the one that it was issued to.
            azp={"essential": isinstance(audience, list) and len(audience) > 1, "value": client},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        registry.validate(id_token.claims)
        return dict(id_token.claims)

    def _person(self, claims: Mapping[str, Any]) -> access.Person:
        groups = claims.get(self._config.groups_claim, [])
        group_names = (
            {groups} if isinstance(groups, str) else set(map(str, groups)) if isinstance(groups, list) else set()
        )
        name, config = _name(claims), self._config
        # The highest role comes first, because a person may be in several groups.
        for role, role_groups in (
            (access.Role.ADMIN, config.admins),
            (access.Role.RESPONDER, config.responders),
            (access.Role.VIEWER, config.viewers),
        ):
            if group_names & set(role_groups):
                return access.Person(name, role, f"oidc {_plain(claims['sub'])}")
        raise SignInRefusedError(f"{name} is not in a group that has access")

    async def _get_metadata(self) -> _Metadata:
        """Return the provider's metadata, which is fetched again after ``_METADATA_LIFE``."""
        # Keys and endpoints may move, so the metadata isn't kept forever.
        if self._metadata is None or self._clock() >= self._metadata_until:
            base = self._config.issuer.rstrip("/")
            with _translate_errors():
                http = httpx2.AsyncClient(verify=self._tls, trust_env=self._proxied)
                async with asyncio.timeout(_TIMEOUT_SECONDS), http as client:
                    answer = await client.get(f"{base}/.well-known/openid-configuration")
                    answer.raise_for_status()
                    metadata = msgspec.json.decode(answer.content, type=_Metadata)
            # Another issuer's document would let that issuer's tokens in.
            if metadata.issuer.rstrip("/") != base:
                raise SignInRefusedError("the issuer in the provider's discovery document differs from `issuer`")
            self._metadata, self._metadata_until = metadata, self._clock() + _METADATA_LIFE
        return self._metadata

    @property
    def _proxied(self) -> bool:
        """Whether requests use a proxy from the environment: for other hosts, never for this machine."""
        return not loopback.is_loopback(self._config.issuer)

    def _client(self, redirect_uri: str, metadata: _Metadata) -> Any:
        basic = "client_secret_basic" in metadata.token_endpoint_auth_methods_supported
        return httpx_client.AsyncOAuth2Client(
            client_id=self._config.client_id,
            client_secret=self._config.client_secret.get_secret_value(),
            token_endpoint_auth_method="client_secret_basic" if basic else "client_secret_post",
            scope=" ".join(self._config.scopes),
            redirect_uri=redirect_uri,
            timeout=_TIMEOUT_SECONDS,
            verify=self._tls,
            trust_env=self._proxied,
        )


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate errors of the provider into the console's own messages. The log has the cause."""
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
        raise UnansweredError("the identity provider can't be reached") from error
    except OAuthError as error:
        raise SignInRefusedError("the identity provider rejected the sign-in: try again") from error
    except jose_errors.JoseError as error:
        raise SignInRefusedError("the identity provider's token is not valid") from error
    except (msgspec.MsgspecError, ValueError) as error:
        # The response isn't JSON, or required fields are missing.
        raise UnansweredError("the identity provider's response can't be read") from error


def _name(claims: Mapping[str, Any]) -> str:
    """Return the person's name. An unverified email address isn't used, because it could belong to another person."""
    email = claims.get("email") if claims.get("email_verified", True) in (True, "true") else None
    return _plain(email or claims.get("preferred_username") or claims["sub"])


def _plain(text: Any) -> str:
    # The name is shown in terminals, logs, and pages, and a person may choose it freely at the provider.
    return "".join(char for char in str(text) if char.isprintable())[:_MAX_NAME_LENGTH]


def provider(
    config: sections.Management,
    sessions: Sessions,
    clock: Callable[[], Timestamp],
    new_text: access.RandomText,
) -> Provider | None:
    """Return the configured provider; None if there is none."""
    return Provider(config.oidc, sessions, clock, new_text) if config.oidc is not None else None
