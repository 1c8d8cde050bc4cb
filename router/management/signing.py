"""Signing in and out: with a token, or with an OpenID Connect provider; the session stands in Redis."""

import secrets
from collections.abc import Awaitable, Callable

from starlette import requests, responses, routing

from router.domain import access
from router.management import app, gatekeeper, oidc
from router.store import access as access_store
from router.telemetry import log

_log = log.get("management")
Render = Callable[..., Awaitable[responses.Response]]


class Signing:
    """The pages for coming and going."""

    def __init__(self, made: app.Parts, render: Render, new_text: access.RandomText) -> None:
        self._made = made
        self._render = render
        self._new_text = new_text
        self._provider = oidc.provider(made.ask.settings.management, made.sessions, made.ask.clock, new_text)

    def routes(self) -> list[routing.BaseRoute]:
        """All of their routes."""
        return [
            routing.Route("/sign-in", self._show, methods=["GET"]),
            routing.Route("/sign-in", self._by_token, methods=["POST"]),
            routing.Route("/sign-out", self._out, methods=["POST"]),
            routing.Route("/sign-in/oidc", self._leave, methods=["GET"]),
            routing.Route("/sign-in/oidc/back", self._come_back, methods=["GET"]),
        ]

    async def _show(self, request: requests.Request, problem: str = "", status: int = 200) -> responses.Response:
        to = _own_path(request.query_params.get("to", "/"))
        none = not await self._made.tokens.any() and self._provider is None
        return await self._render(
            request, None, "sign-in.html", status, title="Sign in", problem=problem, to=to, nobody=none
        )

    async def _by_token(self, request: requests.Request) -> responses.Response:
        address = self._made.keeper.address(request)
        if not await self._made.sessions.may_try(address or "unknown"):
            return await self._show(request, "too many tries: wait a minute", 429)
        async with request.form(max_files=0, max_part_size=4096) as form:
            text, to = str(form.get("token", "")), _own_path(str(form.get("to", "/")))
        person = await self._made.keeper.of_token(text)
        if person is None:
            _log.warning("sign_in_refused", address=address)
            return await self._show(request, "this is no token that holds", 401)
        return await self._signed_in(request, person, to)

    async def _signed_in(self, request: requests.Request, person: access.Person, to: str) -> responses.Response:
        secret = self._new_text(32)
        session = access.Session(person.name, person.role, person.by, self._new_text(24), self._made.ask.clock())
        await self._made.sessions.write(secret, session)
        _log.info("signed_in", person=person.name, by=person.by, role=person.role.word)
        answer = responses.RedirectResponse(to, 303)
        public = self._made.ask.settings.management.public_url
        answer.set_cookie(
            gatekeeper.COOKIE,
            secret,
            max_age=access_store.SESSION_SECONDS,
            secure=public.startswith("https:") or request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return answer

    async def _out(self, request: requests.Request) -> responses.Response:
        asked = await self._made.keeper.who(request)
        if asked is not None:
            async with request.form(max_files=0, max_part_size=4096) as form:
                offered = str(form.get(gatekeeper.CSRF_FIELD, ""))
            if secrets.compare_digest(offered.encode(), asked.csrf.encode()):
                await self._made.sessions.end(request.cookies.get(gatekeeper.COOKIE, ""))
        answer = responses.RedirectResponse("/sign-in", 303)
        answer.delete_cookie(gatekeeper.COOKIE)
        return answer

    async def _leave(self, request: requests.Request) -> responses.Response:
        if self._provider is None:
            return await self._show(request, "signing in with a provider is not configured", 404)
        try:
            to = _own_path(request.query_params.get("to", "/"))
            return responses.RedirectResponse(await self._provider.begin(self._back(request), to), 303)
        except oidc.RefusedError as error:
            return await self._show(request, str(error), 502)

    async def _come_back(self, request: requests.Request) -> responses.Response:
        if self._provider is None:
            return await self._show(request, "signing in with a provider is not configured", 404)
        try:
            person, to = await self._provider.end(str(request.url), self._back(request))
        except oidc.RefusedError as error:
            _log.warning("sign_in_refused", address=self._made.keeper.address(request), problem=str(error))
            return await self._show(request, str(error), 403)
        return await self._signed_in(request, person, to)

    def _back(self, request: requests.Request) -> str:
        """Where the provider sends people back to."""
        base = self._made.ask.settings.management.public_url or str(request.base_url).rstrip("/")
        return f"{base}/sign-in/oidc/back"


def _own_path(to: str) -> str:
    """A path of ours to go to; never somebody else's address."""
    ours = to.startswith("/") and not to.startswith("//") and "\\" not in to
    return to if ours and to.isprintable() else "/"
