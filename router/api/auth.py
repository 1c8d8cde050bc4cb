"""Who asks: found out for every request, by a token or by the cookie of a session, before anything else is done."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette import requests

from router.domain import access
from router.store import access as access_store
from router.web import client_addresses, problems

COOKIE = "incident-router-session"
OF_PROVIDER = "p."
"""What the cookie of a session begins with that a provider has begun: once it is over, the provider is asked again."""
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_OF_PATH = 200  # Characters of a path in the audit log.


@dataclass(frozen=True)
class Principal:
    """One request of somebody known; ``csrf`` is what their forms have to carry, empty with a token."""

    person: access.Person
    address: str
    csrf: str = ""


class Authenticator:
    """Knows who asks, and whether they may. Who is known and may not leaves a line in the audit log."""

    def __init__(
        self,
        tokens: access_store.Tokens,
        sessions: access_store.Sessions,
        clock: Callable[[], int],
        *,
        known: client_addresses.ClientAddresses,
        audit: access_store.Audit,
    ) -> None:
        self._audit = audit
        self._tokens = tokens
        self._sessions = sessions
        self._clock = clock
        self._senders = known

    def address(self, request: requests.HTTPConnection) -> str:
        """Where a request comes from."""
        return self._senders.address(request.scope, dict(request.scope["headers"]))

    async def person_of_token(self, text: str) -> access.Person | None:
        """Whose token this is; None where it is nobody's (any more)."""
        identity, secret = access.split_token(text)
        token = await self._tokens.find(identity) if identity else None
        if token is None or not token.valid(secret, self._clock()):
            return None
        return access.Person(token.name, token.role, f"token {token.id}")

    async def identify(self, request: requests.HTTPConnection) -> Principal | None:
        """Who asks; None where nobody is known."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            person = await self.person_of_token(text)
            return Principal(person, self.address(request)) if person is not None else None
        cookie = request.cookies.get(COOKIE, "")
        session = await self._sessions.find(cookie) if cookie else None
        if session is None or not await self._is_valid(session):
            return None
        person = access.Person(session.name, session.role, session.by)
        return Principal(person, self.address(request), session.csrf)

    async def _is_valid(self, session: access.Session) -> bool:
        """Whether what somebody signed in with would still let them in."""
        if not session.token:
            return True
        token = await self._tokens.find(session.token)
        return token is not None and not token.over(self._clock())

    async def authorize(self, request: requests.HTTPConnection, role: access.Role) -> Principal:
        """Let somebody in who has at least this role; a ``problems.Problem`` (401, 403) where they have not."""
        asked = await self.identify(request)
        if asked is None:
            if not await self._tokens.has_any():
                detail = "nobody may look yet: make a token with `incident-router tokens create`"
            else:
                detail = "send Authorization: Bearer with a token of `incident-router tokens create`"
            raise problems.Problem(401, "unauthorized", detail, headers=[(b"www-authenticate", b"Bearer")])
        if asked.person.role < role:
            raise await self._refused(
                request, asked, f"this takes the role {role.word}, and yours is {asked.person.role.word}"
            )
        return asked

    async def _refused(self, request: requests.HTTPConnection, asked: Principal, why: str) -> problems.Problem:
        """What somebody is told who may not, once it is written down."""
        person, called = asked.person, f"{request.scope['method']} {request.url.path[:_MOST_OF_PATH]}"
        await self._audit.append_refusal(
            access.Action(self._clock(), person.name, person.by, asked.address, "request", called, f"refused: {why}")
        )
        return problems.Problem(403, "forbidden", why)

    async def check_origin(self, request: requests.Request, asked: Principal, form: Mapping[str, object]) -> None:
        """Ask that a change by a session comes from one of our own pages; a ``problems.Problem`` (403)."""
        if request.method in _SAFE or not asked.csrf:
            return
        offered = request.headers.get(CSRF_HEADER) or str(form.get(CSRF_FIELD, ""))
        if not secrets.compare_digest(offered.encode(), asked.csrf.encode()):
            raise await self._refused(request, asked, "the form is not one of this session: load the page again")
