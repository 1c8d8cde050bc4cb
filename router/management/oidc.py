"""People who sign in with an OpenID Connect provider: the authorization code flow with PKCE, done by Authlib."""

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
from authlib.integrations import httpx_client
from authlib.integrations.base_client import OAuthError
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import errors as jose_errors
from joserfc import jwk, jwt

from router.domain import access
from router.settings import sections
from router.store import access as access_store

_UNDER_WAY_SECONDS = 600
_TIMEOUT_SECONDS = 10.0
_LEEWAY_SECONDS = 60
_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "EdDSA"]  # Signed by the provider's own key.


class RefusedError(Exception):
    """Somebody can't be signed in; the text says why and is fit to be shown to them."""


class _Begun(msgspec.Struct, array_like=True):
    """What has to be the same when somebody comes back."""

    verifier: str
    nonce: str
    to: str


class Provider:
    """One configured provider."""

    def __init__(
        self,
        config: sections.Oidc,
        sessions: access_store.Sessions,
        clock: Callable[[], int],
        new_text: access.RandomText,
    ) -> None:
        self._config = config
        self._clock = clock
        self._sessions = sessions
        self._new_text = new_text
        self._found: dict[str, Any] = {}

    async def begin(self, back: str, to: str) -> str:
        """The address at the provider where somebody signs in; afterwards they go to ``to`` here."""
        metadata = await self._metadata()
        state, verifier, nonce = self._new_text(24), self._new_text(48), self._new_text(24)
        kept = msgspec.msgpack.encode(_Begun(verifier, nonce, to))
        await self._sessions.put_away(f"oidc {state}", kept, _UNDER_WAY_SECONDS)
        async with self._client(back) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        return str(url)

    async def end(self, url: str, back: str) -> tuple[access.Person, str]:
        """Who came back from the provider, and where they go; ``RefusedError`` where it is nobody with a role."""
        query = httpx.URL(url).params
        kept = await self._sessions.take_out(f"oidc {query.get('state', '')}")
        if kept is None:
            raise RefusedError("this sign-in was not begun here, or too long ago: try again")
        begun = msgspec.msgpack.decode(kept, type=_Begun)
        if "error" in query:
            raise RefusedError(f"the provider says: {query.get('error_description') or query['error']}")
        metadata = await self._metadata()
        try:
            async with self._client(back) as client:
                token = await client.fetch_token(
                    metadata["token_endpoint"], code=query.get("code", ""), code_verifier=begun.verifier
                )
                keys = (await client.get(metadata["jwks_uri"], withhold_token=True)).json()
            claims = self._claims(token.get("id_token", ""), keys, metadata["issuer"], begun.nonce)
        except (OAuthError, httpx.HTTPError, jose_errors.JoseError, ValueError) as error:
            raise RefusedError(f"the provider's answer is not accepted: {type(error).__name__}") from error
        return self._person(claims), begun.to

    def _claims(self, token: str, keys: Any, issuer: str, nonce: str) -> dict[str, Any]:
        found = jwt.decode(token, jwk.KeySet.import_key_set(keys), _ALGORITHMS)
        wanted = jwt.JWTClaimsRegistry(
            now=self._clock() // 1_000_000,
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": self._config.client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        wanted.validate(found.claims)
        return dict(found.claims)

    def _person(self, claims: dict[str, Any]) -> access.Person:
        groups = claims.get(self._config.claim, [])
        held = {groups} if isinstance(groups, str) else set(map(str, groups)) if isinstance(groups, list) else set()
        name = str(claims.get("email") or claims.get("preferred_username") or claims.get("sub", ""))[:100]
        config = self._config
        for role, wanted in (
            (access.Role.ADMIN, config.admins),
            (access.Role.RESPONDER, config.responders),
            (access.Role.VIEWER, config.viewers),
        ):
            if held & set(wanted):
                return access.Person(name, role, "oidc")
        raise RefusedError(f"{name} is in none of the groups that may look here")

    async def _metadata(self) -> dict[str, Any]:
        if not self._found:
            url = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
                    answer = await client.get(url)
                    answer.raise_for_status()
                    found = answer.json()
            except (httpx.HTTPError, ValueError) as error:
                raise RefusedError("the provider can't be reached now") from error
            if found.get("issuer", "").rstrip("/") != self._config.issuer.rstrip("/"):
                raise RefusedError("the provider calls itself otherwise than `issuer` does")
            self._found = found
        return self._found

    def _client(self, back: str) -> Any:
        return httpx_client.AsyncOAuth2Client(
            client_id=self._config.client_id,
            client_secret=self._config.client_secret.get_secret_value(),
            scope="openid email profile",
            redirect_uri=back,
            timeout=_TIMEOUT_SECONDS,
        )


def provider(
    config: sections.Management,
    sessions: access_store.Sessions,
    clock: Callable[[], int],
    new_text: access.RandomText,
) -> Provider | None:
    """The configured provider; None where there is none."""
    return Provider(config.oidc, sessions, clock, new_text) if config.oidc is not None else None
