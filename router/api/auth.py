"""Authenticates each request by a token or a session cookie, and checks the role of its caller."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette import requests

from router.domain import access
from router.domain.times import Timestamp
from router.store.access import Audit, Sessions, Tokens
from router.web import client_addresses, problems

COOKIE = "incident-router-session"
OF_PROVIDER = "p."
"""Prefix of session cookies from an OpenID provider. After such a session ends, the browser signs in there again."""
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_PATH_LENGTH = 200  # Length of a path in the audit log, in characters.


@dataclass(frozen=True)
class Principal:
    """The caller of one request. ``csrf`` is the token that forms of the session must have; empty with an API token."""

    person: access.Person
    address: str
    csrf: str = ""


class Authenticator:
    """Authenticates and authorizes requests. A refused request of a known caller is written to the audit log."""

    def __init__(
        self,
        tokens: Tokens,
        sessions: Sessions,
        clock: Callable[[], Timestamp],
        *,
        addresses: client_addresses.ClientAddresses,
        audit: Audit,
    ) -> None:
        self._audit = audit
        self._tokens = tokens
        self._sessions = sessions
        self._clock = clock
        self._senders = addresses

    def address(self, request: requests.HTTPConnection) -> str:
        """Return the client address of a request, behind trusted proxies."""
        return self._senders.address(request.scope, dict(request.scope["headers"]))

    async def person_of_token(self, text: str) -> access.Person | None:
        """Return the person of a token; None if the token is invalid or expired."""
        # The token contains its ID, so the secret is compared with one hash instead of with all.
        identity, secret = access.split_token(text)
        token = await self._tokens.find(identity) if identity else None
        if token is None or not token.is_valid(secret, self._clock()):
            return None
        return access.Person(token.name, token.role, f"token {token.id}")

    async def identify(self, request: requests.HTTPConnection) -> Principal | None:
        """Return the caller of a request; None if it has no valid token or session."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        # A token decides alone: a browser's cookie must not add rights to a script's request.
        if scheme.lower() == "bearer":
            person = await self.person_of_token(text)
            return Principal(person, self.address(request)) if person is not None else None
        cookie = request.cookies.get(COOKIE, "")
        session = await self._sessions.find(cookie) if cookie else None
        # Revoking a token also ends the sessions that it began.
        if session is None or not await self._is_valid(session):
            return None
        person = access.Person(session.name, session.role, session.by)
        return Principal(person, self.address(request), session.csrf)

    async def _is_valid(self, session: access.Session) -> bool:
        """Return whether the token that began the session is still valid."""
        # A provider's session has no token. Its lifetime limits it.
        if not session.token:
            return True
        token = await self._tokens.find(session.token)
        return token is not None and not token.is_expired(self._clock())

    async def authorize(self, request: requests.HTTPConnection, role: access.Role) -> Principal:
        """Return the caller if it has at least this role. Raises ``problems.Problem`` (401, 403) otherwise."""
        principal = await self.identify(request)
        if principal is None:
            # A fresh installation has no token, so the usual advice would not help.
            if not await self._tokens.has_any():
                detail = "no token exists yet: create one with `incident-router tokens create`"
            else:
                detail = "send Authorization: Bearer with a token from `incident-router tokens create`"
            raise problems.Problem(401, "unauthorized", detail, headers=[(b"www-authenticate", b"Bearer")])
        # The caller is known, so the refusal is recorded under its name.
        if principal.person.role < role:
            raise await self._refuse(
                request, principal, f"this needs the role {role.word}, and yours is {principal.person.role.word}"
            )
        return principal

    async def _refuse(self, request: requests.HTTPConnection, principal: Principal, why: str) -> problems.Problem:
        """Write the refusal to the audit log, and return the problem to raise."""
        # A path of any length would fill the audit log.
        person, endpoint = principal.person, f"{request.scope['method']} {request.url.path[:_MAX_PATH_LENGTH]}"
        await self._audit.append_refusal(
            access.AuditEntry(
                self._clock(), person.name, person.by, principal.address, "request", endpoint, f"refused: {why}"
            )
        )
        return problems.Problem(403, "forbidden", why)

    async def check_origin(self, request: requests.Request, principal: Principal, form: Mapping[str, object]) -> None:
        """Check the CSRF token of a change by a session. Raises ``problems.Problem`` (403)."""
        # A request that changes nothing needs no protection. A token is sent by a script, never by another site's form.
        if request.method in _SAFE or not principal.csrf:
            return
        offered = request.headers.get(CSRF_HEADER) or str(form.get(CSRF_FIELD, ""))
        # A comparison in constant time doesn't reveal how many characters of a guess are right.
        if not secrets.compare_digest(offered.encode(), principal.csrf.encode()):
            raise await self._refuse(request, principal, "the form belongs to another session: reload the page")
