"""The console: pages that show the same data as the API, and forms that run its actions."""

import functools
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import jinja2
import pydantic
from starlette import requests, responses, routing

from router.api import app, auth, endpoints, params, request_parsing
from router.console import login, pages, sse, static_files
from router.domain import access, messages
from router.services import actions, incident_names, request_bodies
from router.store import errors
from router.web import problems
from router.worker import retractions

_TITLES = {401: "Sign in", 403: "Not allowed", 404: "Not found", 412: "Conflict", 422: "Invalid request"}


class Console:
    """The pages of the console. ``new_text`` generates the secrets of sessions."""

    def __init__(self, made: app.Dependencies, feed: sse.Feed) -> None:
        self._made = made
        self._feed = feed
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("router.console"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._assets = static_files.Assets()
        self._templates.globals["asset"] = self._assets.address
        self._templates.filters["link"] = functools.partial(urllib.parse.quote, safe="")
        self._templates.filters["edit"] = messages.describe_edit

    def routes(self) -> list[routing.BaseRoute]:
        """Return a route for each page and each action."""
        found: list[routing.BaseRoute] = [
            routing.Route(one.path, self._page(one), methods=["GET"]) for one in pages.PAGES
        ]
        found += [routing.Route(path, self._form(role, do), methods=["POST"]) for path, role, do in FORMS]
        found.append(routing.Route("/playground", self._playground, methods=["POST"]))
        found.append(routing.Route("/events", self._events, methods=["GET"]))
        found.append(self._assets.route())
        return found

    def _page(self, one: pages.Page) -> Callable[[requests.Request], Awaitable[responses.Response]]:
        async def show(request: requests.Request) -> responses.Response:
            try:
                asked = await self._made.authenticator.authorize(request, one.role)
                query = _read(one.query, request.query_params)
                found = await one.gather(self._made.queries, query)
                return await self.render(request, asked, one.template, query=query, title=one.title, **found)
            except endpoints.EXPECTED_ERRORS as error:
                return await self._refused(request, error)

        return show

    def _form(self, role: access.Role, do: "Do") -> Callable[[requests.Request], Awaitable[responses.Response]]:
        async def handle(request: requests.Request) -> responses.Response:
            try:
                asked, form = await self._posted(request, role)
                reason = request_bodies.ReasonBody(reason=form.get("reason", "")).reason
                act = actions.ActionContext(
                    actions.Caller(asked.person, asked.address), form.get("subject", ""), reason
                )
                return responses.RedirectResponse(await do(self._made.actions, act, form), 303)
            except pydantic.ValidationError as error:
                return await self._refused(request, actions.Invalid(request_parsing.describe_errors("the form", error)))
            except endpoints.EXPECTED_ERRORS as error:
                return await self._refused(request, error)

        return handle

    async def _posted(self, request: requests.Request, role: access.Role) -> tuple[auth.Principal, dict[str, str]]:
        """Return the caller and the form. Raises ``problems.Problem`` for a missing role or a form of another site."""
        asked = await self._made.authenticator.authorize(request, role)
        async with request.form(max_files=0, max_part_size=2 * 1024 * 1024) as found:
            form = {name: str(value) for name, value in found.items()}
        await self._made.authenticator.check_origin(request, asked, form)
        return asked, form

    async def _playground(self, request: requests.Request) -> responses.Response:
        try:
            asked, form = await self._posted(request, endpoints.VIEWER)
            if form.get("rules", "").strip():  # Rules from the form are a program that runs here.
                await self._made.authenticator.authorize(request, endpoints.RESPONDER)
            found = await pages.played(self._made.queries, form)
            query = params.Playground()
            return await self.render(request, asked, "playground.html", query=query, title="Playground", **found)
        except endpoints.EXPECTED_ERRORS as error:
            return await self._refused(request, error)

    async def _events(self, request: requests.Request) -> responses.Response:
        try:
            asked = await self._made.authenticator.authorize(request, endpoints.VIEWER)
            if self._feed.full:
                raise problems.unavailable("too many browsers look on", 30)
            if self._feed.is_full_for(asked.person.by):
                raise problems.unavailable("this token or session has too many event streams: close some pages", 30)
        except endpoints.EXPECTED_ERRORS as error:
            return await self._refused(request, error)
        headers = {"x-accel-buffering": "no"}
        events = self._feed.events(asked.person.by, lambda: self._may_listen(request))
        return responses.StreamingResponse(events, 200, headers, "text/event-stream")

    async def _may_listen(self, request: requests.Request) -> bool:
        """Return whether the caller of an event stream is still authorized; True while Redis can't be reached."""
        try:
            asked = await self._made.authenticator.identify(request)
        except errors.Unavailable:
            return True
        return asked is not None and asked.person.role >= endpoints.VIEWER

    async def render(
        self, request: requests.Request, asked: auth.Principal | None, template: str, status: int = 200, **found: Any
    ) -> responses.Response:
        """Render one page, with the data that all pages show."""
        waiting = len(await self._made.queries.reviews()) if asked is not None else 0
        body = self._templates.get_template(template).render(
            asked=asked,
            acts=asked is not None and asked.person.role >= endpoints.RESPONDER,
            rules_all=asked is not None and asked.person.role >= endpoints.ADMIN,
            path=request.url.path,
            here=_here(request),
            waiting=waiting,
            done=_DONE.get(request.query_params.get("done", ""), ""),
            sections=pages.SECTIONS,
            oidc=self._made.queries.settings.management.oidc is not None,
            **found,
        )
        return responses.HTMLResponse(body, status)

    async def _refused(self, request: requests.Request, error: Exception) -> responses.Response:
        problem = endpoints.problem(error)
        if problem.status == 401 and request.method == "GET" and not _is_part(request):
            back = urllib.parse.quote(_here(request), safe="")
            began = request.cookies.get(auth.COOKIE, "").startswith(auth.OF_PROVIDER)
            there = "/sign-in/oidc" if began and self._made.queries.settings.management.oidc is not None else "/sign-in"
            return responses.RedirectResponse(f"{there}?to={back}", 303)
        asked = await self._made.authenticator.identify(request) if problem.status != 503 else None
        title = _TITLES.get(problem.status, "Error")
        now = error.now if isinstance(error, actions.Conflict) else None
        candidates = error.candidates if isinstance(error, incident_names.Ambiguous) else []
        title = "Several incidents" if candidates else title
        told = {"title": title, "problem": problem.detail, "now": now, "candidates": candidates}
        return await self.render(request, asked, "problem.html", problem.status, **told)


Do = Callable[[actions.Actions, actions.ActionContext, Mapping[str, str]], Awaitable[str]]
"""Does what a form asks for, and returns the page to show next."""

_DONE = {
    "approved": "Approved. The post is being published.",
    "approved-with-warnings": "Approved. The post is being published. Check your text: it contains a host name, an "
    "address, a person's name, or a possible secret.",
    "dismissed": "Dismissed. The post is not published.",
    "retracted": "Retracted. The post is being taken down.",
    "retracted-again": "The post was retracted before but is still public. The retraction is being repeated.",
    "nothing-to-retract": "Nothing was retracted: the post is resolved, or was retracted before.",
    "corrected": "The update is being corrected. The timeline shows the result.",
    "corrected-with-warnings": "The update is being corrected. Check your text: it contains a host name, an address, a "
    "person's name, or a possible secret.",
    "acknowledged": "Acknowledged. Reminders stop.",
    "acknowledged-before": "The incident was acknowledged before. Nothing changed.",
    "unacknowledged": "Acknowledgement withdrawn.",
    "taken": "Taken. Other reviewers see that you are working on it.",
    "taken-before": "Another reviewer has taken this review. Nothing changed.",
    "released": "Released.",
    "lifted": "Pause lifted. Waiting operations are being retried.",
    "silenced": "The silence is active.",
    "expired": "The silence has ended.",
    "forgotten": "The heartbeat is no longer expected.",
    "frozen": "Publishing is frozen. Nothing is posted at public pages.",
    "unfrozen": "Publishing is active. Pending updates are posted.",
    "reset": "The publishing guard is reset. Rules publish automatically again.",
    "redriven": "The operation is retried.",
    "redriven-all": "All matching dead letters are retried.",
    "discarded": "Discarded.",
    "run": "The delivery is processed again.",
}


async def _decide(do: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    changed = {
        name.removeprefix("field-"): value
        for name, value in form.items()
        if name.startswith("field-") and value != form.get(name.replace("field-", "was-", 1))
    }
    decision = form.get("decision", "")
    body = request_bodies.Decide.model_validate(
        {
            "incident": form.get("incident", ""),
            "destination": form.get("destination", ""),
            "seen": form.get("seen", ""),
            "decision": decision,
            "reason": act.reason,
            "fields": changed if decision == "approve" else {},
        }
    )
    done = await do.decide(act._replace(subject=f"{body.incident} at {body.destination}"), body)
    if done.warnings:
        return "/reviews?done=approved-with-warnings"
    return f"/reviews?done={'approved' if decision == 'approve' else 'dismissed'}"


async def _retract(do: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    form_fields = {name: form.get(name, "") for name in ("incident", "destination", "message")}
    body = request_bodies.Retract.model_validate({**form_fields, "reason": act.reason})
    done = await do.retract(act._replace(subject=f"{body.incident} at {body.destination}"), body)
    outcomes = {one.outcome for one in done.items}
    said = "retracted" if outcomes & retractions.DONE else "nothing-to-retract"
    if "repeated" in outcomes:
        said = "retracted-again"
    key = urllib.parse.quote(body.incident, safe="")
    return f"/incident?key={key}&done={said}"


async def _correct(do: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    names = ("incident", "destination", "update", "seen", "body", "status")
    body = request_bodies.Correct.model_validate({**{name: form.get(name, "") for name in names}, "reason": act.reason})
    done = await do.correct(act._replace(subject=f"{body.incident} at {body.destination}"), body)
    code = "corrected-with-warnings" if done.warnings else "corrected"
    return f"/incident?key={urllib.parse.quote(body.incident, safe='')}&done={code}"


async def _acknowledge(do: actions.Actions, act: actions.ActionContext, _form: Mapping[str, str]) -> str:
    body = request_bodies.Acknowledge(incident=act.subject, reason=act.reason)
    done = await do.acknowledge(act, body)
    code = "acknowledged" if done.is_new else "acknowledged-before"
    return f"/incident?key={urllib.parse.quote(act.subject, safe='')}&done={code}"


async def _unacknowledge(do: actions.Actions, act: actions.ActionContext, _form: Mapping[str, str]) -> str:
    await do.unacknowledge(act, request_bodies.Acknowledge(incident=act.subject, reason=act.reason))
    return f"/incident?key={urllib.parse.quote(act.subject, safe='')}&done=unacknowledged"


async def _take(do: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    where = {name: form.get(name, "") for name in ("incident", "destination")}
    done = await do.take_review(act, request_bodies.TakeReview.model_validate(where))
    return f"/reviews?done={'taken' if done.is_new else 'taken-before'}"


async def _release(do: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    where = {name: form.get(name, "") for name in ("incident", "destination")}
    await do.release_review(act, request_bodies.ReleaseReview.model_validate(where))
    return "/reviews?done=released"


async def _silence(do: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    matchers = [line.strip() for line in form.get("matchers", "").splitlines() if line.strip()]
    during = [line.strip() for line in form.get("during", "").splitlines() if line.strip()]
    hours = form.get("hours", "").strip() or ("8760" if during else "1")
    seconds = round(float(hours) * 3600) if hours.replace(".", "", 1).isdigit() else 0
    body = request_bodies.AddSilence.model_validate(
        {"matchers": matchers, "comment": act.reason, "seconds": seconds, "during": during}
    )
    await do.add_silence(act._replace(subject=" ".join(matchers)[:200]), body)
    return "/silences?done=silenced"


async def _redrive_all(do: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    body = request_bodies.Redrive.model_validate(
        {name: form.get(name, "").strip() for name in request_bodies.Redrive.model_fields}
    )
    await do.redrive_all(act._replace(subject=body.subject), body)
    return "/dead-letters?done=redriven-all"


def _simply(do: Callable[[actions.Actions, actions.ActionContext], Awaitable[Any]], to: str) -> Do:
    async def handle(all_: actions.Actions, act: actions.ActionContext, _form: Mapping[str, str]) -> str:
        await do(all_, act)
        return to

    return handle


_RESPONDER, _ADMIN = endpoints.RESPONDER, endpoints.ADMIN
FORMS: tuple[tuple[str, access.Role, Do], ...] = (
    ("/review", _RESPONDER, _decide),
    ("/retract", _RESPONDER, _retract),
    ("/corrections", _RESPONDER, _correct),
    ("/acknowledge", _RESPONDER, _acknowledge),
    ("/unacknowledge", _RESPONDER, _unacknowledge),
    ("/review/take", _RESPONDER, _take),
    ("/review/release", _RESPONDER, _release),
    ("/silences", _RESPONDER, _silence),
    ("/silences/expire", _RESPONDER, _simply(lambda do, act: do.expire_silence(act), "/silences?done=expired")),
    ("/heartbeats/forget", _RESPONDER, _simply(lambda do, act: do.forget_heartbeat(act), "/heartbeats?done=forgotten")),
    (
        "/dead-letters/redrive",
        _RESPONDER,
        _simply(lambda do, act: do.redrive(act), "/dead-letters?done=redriven"),
    ),
    ("/dead-letters/redrive-all", _RESPONDER, _redrive_all),
    (
        "/dead-letters/discard",
        _RESPONDER,
        _simply(lambda do, act: do.discard_dead_letter(act), "/dead-letters?done=discarded"),
    ),
    ("/deliveries/run", _RESPONDER, _simply(lambda do, act: do.reingest_delivery(act), "/deliveries?done=run")),
    ("/quarantine/run", _RESPONDER, _simply(lambda do, act: do.retry_quarantined(act), "/quarantine?done=run")),
    (
        "/quarantine/discard",
        _RESPONDER,
        _simply(lambda do, act: do.discard_quarantined(act), "/quarantine?done=discarded"),
    ),
    ("/pauses/lift", _RESPONDER, _simply(lambda do, act: do.lift_pauses(act), "/?done=lifted")),
    ("/pages/freeze", _RESPONDER, _simply(lambda do, act: do.freeze(act), "/pages?done=frozen")),
    ("/pages/unfreeze", _RESPONDER, _simply(lambda do, act: do.unfreeze(act), "/pages?done=unfrozen")),
    ("/pages/reset", _ADMIN, _simply(lambda do, act: do.reset_guard(act), "/pages?done=reset")),
)


def routes(made: app.Dependencies, new_text: access.RandomText) -> tuple[list[routing.BaseRoute], sse.Feed]:
    """Return all routes of the console, and the feed to close before the server stops."""
    feed = sse.Feed(made.queries)
    console = Console(made, feed)
    return [*console.routes(), *login.Signing(made, console.render, new_text).routes()], feed


def _is_part(request: requests.Request) -> bool:
    """Return whether a script of a page sent the request, so that a redirect to the sign-in page is useless."""
    return "hx-request" in request.headers or "text/event-stream" in request.headers.get("accept", "")


def _here(request: requests.Request) -> str:
    """Return the requested path with its query."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _read(model: type[pydantic.BaseModel], found: Any) -> Any:
    """Parse the query of a page. Unknown and invalid parameters are ignored, because people edit URLs."""
    known = {name: value for name, value in found.items() if name in model.model_fields}
    try:
        return model.model_validate(known)
    except pydantic.ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors()}
        right = {name: value for name, value in known.items() if name not in wrong}
        if wrong & {name for name, field in model.model_fields.items() if field.is_required()}:
            raise actions.Invalid(request_parsing.describe_errors("the address", error)) from error
        return model.model_validate(right)
