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

    def __init__(self, dependencies: app.Dependencies, feed: sse.Feed) -> None:
        self._dependencies = dependencies
        self._feed = feed
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("router.console"),
            # Texts of senders are on most pages, so escaping is not left to each template.
            autoescape=True,
            # A missing value fails in the tests of the page, instead of showing an empty place to a reviewer.
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
        all_routes: list[routing.BaseRoute] = [
            routing.Route(page.path, self._page(page), methods=["GET"]) for page in pages.PAGES
        ]
        all_routes += [routing.Route(path, self._form(role, act_on), methods=["POST"]) for path, role, act_on in FORMS]
        all_routes.append(routing.Route("/playground", self._playground, methods=["POST"]))
        all_routes.append(routing.Route("/events", self._events, methods=["GET"]))
        all_routes.append(self._assets.route())
        return all_routes

    def _page(self, page: pages.ConsolePage) -> Callable[[requests.Request], Awaitable[responses.Response]]:
        async def show(request: requests.Request) -> responses.Response:
            try:
                principal = await self._dependencies.authenticator.authorize(request, page.role)
                query = _read(page.query, request.query_params)
                context = await page.gather(self._dependencies.queries, query)
                return await self.render(request, principal, page.template, query=query, title=page.title, **context)
            except endpoints.EXPECTED_ERRORS as error:
                return await self._render_error(request, error)

        return show

    def _form(self, role: access.Role, act_on: "Do") -> Callable[[requests.Request], Awaitable[responses.Response]]:
        async def handle(request: requests.Request) -> responses.Response:
            try:
                principal, form = await self._read_form(request, role)
                reason = request_bodies.ReasonBody(reason=form.get("reason", "")).reason
                act = actions.ActionContext(
                    actions.Caller(principal.person, principal.address), form.get("subject", ""), reason
                )
                return responses.RedirectResponse(await act_on(self._dependencies.actions, act, form), 303)
            except pydantic.ValidationError as error:
                return await self._render_error(
                    request, actions.InvalidRequest(request_parsing.describe_errors("the form", error))
                )
            except endpoints.EXPECTED_ERRORS as error:
                return await self._render_error(request, error)

        return handle

    async def _read_form(self, request: requests.Request, role: access.Role) -> tuple[auth.Principal, dict[str, str]]:
        """Return the caller and the form. Raises ``problems.Problem`` for a missing role or a form of another site."""
        principal = await self._dependencies.authenticator.authorize(request, role)
        async with request.form(max_files=0, max_part_size=2 * 1024 * 1024) as form_data:
            form = {name: str(value) for name, value in form_data.items()}
        await self._dependencies.authenticator.check_origin(request, principal, form)
        return principal, form

    async def _playground(self, request: requests.Request) -> responses.Response:
        try:
            principal, form = await self._read_form(request, endpoints.VIEWER)
            if form.get("rules", "").strip():  # Rules from the form are a program that runs here.
                await self._dependencies.authenticator.authorize(request, endpoints.RESPONDER)
            context = await pages.play(self._dependencies.queries, form)
            query = params.Playground()
            return await self.render(request, principal, "playground.html", query=query, title="Playground", **context)
        except endpoints.EXPECTED_ERRORS as error:
            return await self._render_error(request, error)

    async def _events(self, request: requests.Request) -> responses.Response:
        try:
            principal = await self._dependencies.authenticator.authorize(request, endpoints.VIEWER)
            if self._feed.full:
                raise problems.unavailable("too many open event streams", 30)
            if self._feed.is_full_for(principal.person.by):
                raise problems.unavailable("this token or session has too many event streams: close some pages", 30)
        except endpoints.EXPECTED_ERRORS as error:
            return await self._render_error(request, error)
        # Nginx would otherwise hold events back until its buffer is full.
        headers = {"x-accel-buffering": "no"}
        events = self._feed.events(principal.person.by, lambda: self._may_listen(request))
        return responses.StreamingResponse(events, 200, headers, "text/event-stream")

    async def _may_listen(self, request: requests.Request) -> bool:
        """Return whether the caller of an event stream is still authorized; True while Redis can't be reached."""
        try:
            principal = await self._dependencies.authenticator.identify(request)
        except errors.Unavailable:
            # An outage of Redis must not end all streams: browsers would reconnect at once when it is over.
            return True
        return principal is not None and principal.person.role >= endpoints.VIEWER

    async def render(
        self,
        request: requests.Request,
        principal: auth.Principal | None,
        template: str,
        status: int = 200,
        **context: Any,
    ) -> responses.Response:
        """Render one page, with the data that all pages show."""
        waiting = len(await self._dependencies.queries.reviews()) if principal is not None else 0
        body = self._templates.get_template(template).render(
            asked=principal,
            acts=principal is not None and principal.person.role >= endpoints.RESPONDER,
            rules_all=principal is not None and principal.person.role >= endpoints.ADMIN,
            path=request.url.path,
            here=_here(request),
            waiting=waiting,
            done=_DONE.get(request.query_params.get("done", ""), ""),
            sections=pages.SECTIONS,
            oidc=self._dependencies.queries.settings.management.oidc is not None,
            **context,
        )
        return responses.HTMLResponse(body, status)

    async def _render_error(self, request: requests.Request, error: Exception) -> responses.Response:
        problem = endpoints.problem(error)
        if problem.status == 401 and request.method == "GET" and not _is_part(request):
            return_path = urllib.parse.quote(_here(request), safe="")
            began = request.cookies.get(auth.COOKIE, "").startswith(auth.OF_PROVIDER)
            sign_in_path = (
                "/sign-in/oidc"
                if began and self._dependencies.queries.settings.management.oidc is not None
                else "/sign-in"
            )
            return responses.RedirectResponse(f"{sign_in_path}?to={return_path}", 303)
        # While Redis can't be reached, the caller can't be identified, and the page is shown without the menu.
        principal = await self._dependencies.authenticator.identify(request) if problem.status != 503 else None
        title = _TITLES.get(problem.status, "Error")
        now = error.now if isinstance(error, actions.SubjectChanged) else None
        candidates = error.candidates if isinstance(error, incident_names.Ambiguous) else []
        title = "Several incidents" if candidates else title
        context = {"title": title, "problem": problem.detail, "now": now, "candidates": candidates}
        return await self.render(request, principal, "problem.html", problem.status, **context)


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
    "frozen": "Publishing is frozen. Nothing is posted on public pages.",
    "unfrozen": "Publishing is active. Pending updates are posted.",
    "reset": "The publishing guard is reset. Rules publish automatically again.",
    "redriven": "The operation is retried.",
    "redriven-all": "All matching dead letters are retried.",
    "discarded": "Discarded.",
    "reprocessed": "The delivery is processed again.",
}


async def _decide(act_on: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    # Only fields that the reviewer changed override the rule's, so later changes of the rule still apply to the rest.
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
    decided = await act_on.decide(act._replace(subject=f"{body.incident} at {body.destination}"), body)
    if decided.warnings:
        return "/reviews?done=approved-with-warnings"
    return f"/reviews?done={'approved' if decision == 'approve' else 'dismissed'}"


async def _retract(act_on: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    form_fields = {name: form.get(name, "") for name in ("incident", "destination", "message")}
    body = request_bodies.Retract.model_validate({**form_fields, "reason": act.reason})
    retracted = await act_on.retract(act._replace(subject=f"{body.incident} at {body.destination}"), body)
    outcomes = {item.outcome for item in retracted.items}
    notice = "retracted" if outcomes & retractions.DONE else "nothing-to-retract"
    if "repeated" in outcomes:
        notice = "retracted-again"
    key = urllib.parse.quote(body.incident, safe="")
    return f"/incident?key={key}&done={notice}"


async def _correct(act_on: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    names = ("incident", "destination", "update", "seen", "body", "status")
    body = request_bodies.Correct.model_validate({**{name: form.get(name, "") for name in names}, "reason": act.reason})
    corrected = await act_on.correct(act._replace(subject=f"{body.incident} at {body.destination}"), body)
    code = "corrected-with-warnings" if corrected.warnings else "corrected"
    return f"/incident?key={urllib.parse.quote(body.incident, safe='')}&done={code}"


async def _acknowledge(act_on: actions.Actions, act: actions.ActionContext, _form: Mapping[str, str]) -> str:
    body = request_bodies.Acknowledge(incident=act.subject, reason=act.reason)
    acknowledged = await act_on.acknowledge(act, body)
    code = "acknowledged" if acknowledged.is_new else "acknowledged-before"
    return f"/incident?key={urllib.parse.quote(act.subject, safe='')}&done={code}"


async def _unacknowledge(act_on: actions.Actions, act: actions.ActionContext, _form: Mapping[str, str]) -> str:
    await act_on.unacknowledge(act, request_bodies.Acknowledge(incident=act.subject, reason=act.reason))
    return f"/incident?key={urllib.parse.quote(act.subject, safe='')}&done=unacknowledged"


async def _take(act_on: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    where = {name: form.get(name, "") for name in ("incident", "destination")}
    claim = await act_on.take_review(act, request_bodies.TakeReview.model_validate(where))
    return f"/reviews?done={'taken' if claim.is_new else 'taken-before'}"


async def _release(act_on: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    where = {name: form.get(name, "") for name in ("incident", "destination")}
    await act_on.release_review(act, request_bodies.ReleaseReview.model_validate(where))
    return "/reviews?done=released"


async def _silence(act_on: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    matchers = [line.strip() for line in form.get("matchers", "").splitlines() if line.strip()]
    during = [line.strip() for line in form.get("during", "").splitlines() if line.strip()]
    # A silence with weekly windows usually lasts for long, so its default is a year.
    hours = form.get("hours", "").strip() or ("8760" if during else "1")
    # An invalid number becomes 0, which the model refuses with a message about the field.
    seconds = round(float(hours) * 3600) if hours.replace(".", "", 1).isdigit() else 0
    body = request_bodies.AddSilence.model_validate(
        {"matchers": matchers, "comment": act.reason, "seconds": seconds, "during": during}
    )
    await act_on.add_silence(act._replace(subject=" ".join(matchers)[:200]), body)
    return "/silences?done=silenced"


async def _redrive_all(act_on: actions.Actions, act: actions.ActionContext, form: Mapping[str, str]) -> str:
    body = request_bodies.Redrive.model_validate(
        {name: form.get(name, "").strip() for name in request_bodies.Redrive.model_fields}
    )
    await act_on.redrive_all(act._replace(subject=body.subject), body)
    return "/dead-letters?done=redriven-all"


def _simply(act_on: Callable[[actions.Actions, actions.ActionContext], Awaitable[Any]], to: str) -> Do:
    async def handle(all_: actions.Actions, act: actions.ActionContext, _form: Mapping[str, str]) -> str:
        await act_on(all_, act)
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
    (
        "/deliveries/reprocess",
        _RESPONDER,
        _simply(lambda do, act: do.reprocess_delivery(act), "/deliveries?done=reprocessed"),
    ),
    (
        "/quarantine/retry",
        _RESPONDER,
        _simply(lambda do, act: do.retry_quarantined(act), "/quarantine?done=reprocessed"),
    ),
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


def routes(dependencies: app.Dependencies, new_text: access.RandomText) -> tuple[list[routing.BaseRoute], sse.Feed]:
    """Return all routes of the console, and the feed to close before the server stops."""
    feed = sse.Feed(dependencies.queries)
    console = Console(dependencies, feed)
    return [*console.routes(), *login.Signing(dependencies, console.render, new_text).routes()], feed


def _is_part(request: requests.Request) -> bool:
    """Return whether a script of a page sent the request, so that a redirect to the sign-in page is useless."""
    return "hx-request" in request.headers or "text/event-stream" in request.headers.get("accept", "")


def _here(request: requests.Request) -> str:
    """Return the requested path with its query."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _read(model: type[pydantic.BaseModel], values: Any) -> Any:
    """Parse the query of a page. Unknown and invalid parameters are ignored, because people edit URLs."""
    fields = {name: value for name, value in values.items() if name in model.model_fields}
    try:
        return model.model_validate(fields)
    except pydantic.ValidationError as error:
        wrong = {str(field_error["loc"][0]) for field_error in error.errors()}
        right = {name: value for name, value in fields.items() if name not in wrong}
        if wrong & {name for name, field in model.model_fields.items() if field.is_required()}:
            raise actions.InvalidRequest(request_parsing.describe_errors("the address", error)) from error
        return model.model_validate(right)
