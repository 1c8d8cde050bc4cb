"""Signs people in and out, with a token or an OpenID Connect provider. Sessions are stored in Redis."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette import requests, responses, routing

from router.api import app, auth, endpoints
from router.console import oidc
from router.domain import access
from router.services import actions
from router.store.access import SESSION_SECONDS
from router.telemetry import log

BACK = "/sign-in/oidc/back"
"""The redirect URI for identity providers."""
BEGUN = "incident-router-sign-in"
"""The cookie by which a browser that comes back from the provider is known to be the one that left."""

_log = log.get("management")
_DEPARTURES = 60  # Per minute and address. An address may belong to a whole office.
_MAX_PATH_LENGTH = 2000
Handle = Callable[[requests.Request], Awaitable[responses.Response]]
Render = Callable[..., Awaitable[responses.Response]]


class Signing:
    """The pages for signing in and out."""

    def __init__(self, dependencies: app.Dependencies, render: Render, new_text: access.RandomText) -> None:
        self._dependencies = dependencies
        self._render = render
        self._new_text = new_text
        self._provider = oidc.provider(
            dependencies.queries.settings.management, dependencies.sessions, dependencies.queries.clock, new_text
        )

    def routes(self) -> list[routing.BaseRoute]:
        """Return the routes of these pages."""
        return [
            routing.Route("/sign-in", self._with_error_page(self._show), methods=["GET"]),
            routing.Route("/sign-in", self._with_error_page(self._by_token), methods=["POST"]),
            routing.Route("/sign-out", self._with_error_page(self._out), methods=["POST"]),
            routing.Route("/sign-in/oidc", self._with_error_page(self._leave), methods=["GET"]),
            routing.Route(BACK, self._with_error_page(self._come_back), methods=["GET"]),
        ]

    def _with_error_page(self, handle: Handle) -> Handle:
        """Report errors on a page of the console, also if Redis can't be reached."""

        async def answer(request: requests.Request) -> responses.Response:
            try:
                return await handle(request)
            except oidc.SignInRefusedError as error:
                cause = error.__cause__
                _log.warning(
                    "sign_in_refused",
                    address=self._dependencies.authenticator.address(request),
                    problem=str(error),
                    cause=f"{type(cause).__name__}: {cause}"[:300] if cause is not None else None,
                )
                # The person sees the reason. The log also has the provider's own error, for an operator.
                return await self._show(request, str(error), error.status)
            except endpoints.EXPECTED_ERRORS as error:
                wrong = endpoints.problem(error)
                context: dict[str, Any] = {"title": "Sign in", "problem": wrong.detail, "now": None, "candidates": []}
                return await self._render(request, None, "problem.html", wrong.status, **context)

        return answer

    async def _show(self, request: requests.Request, problem: str = "", status: int = 200) -> responses.Response:
        to = _own_path(request.query_params.get("to", "/"))
        # Without a token or a provider, the page says how to create the first token.
        has_none = not await self._dependencies.tokens.has_any() and self._provider is None
        return await self._render(
            request, None, "sign-in.html", status, title="Sign in", problem=problem, to=to, has_no_credential=has_none
        )

    async def _by_token(self, request: requests.Request) -> responses.Response:
        address = self._dependencies.authenticator.address(request)
        # Before the token is read, so that guesses are limited however the form looks.
        if not await self._dependencies.sessions.count_attempt(address or "unknown"):
            return await self._show(request, "Too many attempts. Try again in a minute.", 429)
        async with request.form(max_files=0, max_part_size=4096) as form:
            text, to = str(form.get("token", "")), _own_path(str(form.get("to", "/")))
        person = await self._dependencies.authenticator.person_of_token(text)
        # One message for all invalid tokens: it must not reveal whether an ID exists.
        if person is None:
            _log.warning("sign_in_refused", address=address)
            return await self._show(request, "Invalid or expired token.", 401)
        return await self._start_session(request, person, to, access.split_token(text)[0])

    async def _start_session(
        self, request: requests.Request, person: access.Person, to: str, token: str = ""
    ) -> responses.Response:
        """Start a session, and end the previous session of the browser."""
        secret, csrf = self._new_text(32), self._new_text(24)
        session = access.Session(person.name, person.role, person.by, csrf, self._dependencies.queries.clock(), token)
        provider, lasts = self._dependencies.queries.settings.management.oidc, SESSION_SECONDS
        # The role comes from the provider's groups, which may change, so such a session is shorter.
        if provider is not None and not token:
            secret, lasts = auth.OF_PROVIDER + secret, provider.session_lifetime // 1_000_000
        await self._dependencies.sessions.save(secret, session, lasts)
        # A new session for each sign-in, so that a planted cookie never becomes a signed-in one.
        await self._dependencies.sessions.delete(request.cookies.get(auth.COOKIE, ""))
        actor = actions.Caller(person, self._dependencies.authenticator.address(request))
        await self._dependencies.actions.record(actions.ActionContext(actor, person.role.word), "sign in")
        _log.info("signed_in", person=person.name, by=person.by, role=person.role.word)
        answer = responses.RedirectResponse(to, 303)
        flags = self._flags(request)
        # The cookie may outlive a provider's session: its prefix then sends the browser to the provider again.
        answer.set_cookie(auth.COOKIE, secret, max_age=SESSION_SECONDS, **flags)
        return answer

    def _flags(self, request: requests.Request) -> dict[str, Any]:
        """Return the cookie flags against scripts, other sites' forms and, if browsers use TLS, plain HTTP."""
        public = self._dependencies.queries.settings.management.public_url
        secure = public.startswith("https:") or request.url.scheme == "https"
        return {"secure": secure, "httponly": True, "samesite": "lax"}

    async def _out(self, request: requests.Request) -> responses.Response:
        principal = await self._dependencies.authenticator.identify(request)
        # A foreign form must not sign a person out. Without a session, there is nothing to protect.
        if principal is not None:
            async with request.form(max_files=0, max_part_size=4096) as form:
                await self._dependencies.authenticator.check_origin(request, principal, form)
            await self._dependencies.sessions.delete(request.cookies.get(auth.COOKIE, ""))
        answer = responses.RedirectResponse("/sign-in", 303)
        answer.delete_cookie(auth.COOKIE)
        return answer

    async def _leave(self, request: requests.Request) -> responses.Response:
        if self._provider is None:
            return await self._show(request, "Sign-in with an identity provider is not configured.", 404)
        if not await self._dependencies.sessions.count_attempt(
            f"oidc {self._dependencies.authenticator.address(request)}", _DEPARTURES
        ):
            return await self._show(request, "Too many attempts. Try again in a minute.", 429)
        # All tabs of a browser share this secret, so that several tabs can sign in at the same time.
        browser = request.cookies.get(BEGUN) or self._new_text(24)
        to = _own_path(request.query_params.get("to", "/"))
        answer = responses.RedirectResponse(await self._provider.begin(self._back(), to, browser), 303)
        flags = self._flags(request)
        answer.set_cookie(BEGUN, browser, max_age=oidc.UNDER_WAY_SECONDS, path="/sign-in/oidc", **flags)
        return answer

    async def _come_back(self, request: requests.Request) -> responses.Response:
        if self._provider is None:
            return await self._show(request, "Sign-in with an identity provider is not configured.", 404)
        browser = request.cookies.get(BEGUN, "")
        person, to = await self._provider.end(request.query_params, self._back(), browser)
        return await self._start_session(request, person, to)

    def _back(self) -> str:
        """Return the address to which the provider redirects the browser."""
        return f"{self._dependencies.queries.settings.management.public_url}{BACK}"


def _own_path(to: str) -> str:
    """Return a path of the console to redirect to, never another site's address."""
    # Browsers read `//host` and `/\host` as the address of another host.
    fine = to.startswith("/") and not to.startswith("//") and "\\" not in to
    return to if fine and to.isprintable() and len(to) <= _MAX_PATH_LENGTH else "/"
