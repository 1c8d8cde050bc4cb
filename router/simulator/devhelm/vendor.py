"""The simulated DevHelm's API: each documented path that the router uses, and its error envelope."""

import contextlib
import copy
import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pydantic
from starlette import requests as http
from starlette import responses, routing

from router.simulator import vendor
from router.simulator.devhelm import answers, channels, maintenance, refusals, requests
from router.simulator.devhelm.state import Incident, Page, Post, State
from router.simulator.options import Options

Shape = TypeVar("Shape", bound=requests.Request)
Record = TypeVar("Record")
Answer = tuple[int, Any]
Handler = Callable[[http.Request], Awaitable[Answer]]
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NO_ID = "00000000-0000-0000-0000-000000000000"
_ONE_PAGE = "/api/v1/status-pages/{page}"
_ONE_POST = "/api/v1/status-pages/{page}/incidents/{post}"


class DevHelm:
    """One simulated organization."""

    name = "devhelm"
    refuses_with = 400

    def __init__(self, options: Options) -> None:
        self._options = options
        self._state = State(options)
        self._windows = maintenance.Windows()
        self.channels = channels.Channels()

    def routes(self) -> list[routing.BaseRoute]:
        """Return the routes of the API."""
        return [
            self._route("GET", "/api/v1/incidents", self._list_incidents),
            self._route("POST", "/api/v1/incidents", self._open_incident),
            self._route("GET", "/api/v1/incidents/{incident}", self._show_incident),
            self._route("PATCH", "/api/v1/incidents/{incident}", self._patch_incident),
            self._route("POST", "/api/v1/incidents/{incident}/updates", self._update_incident),
            self._route("POST", "/api/v1/incidents/{incident}/resolve", self._resolve_incident),
            self._route("GET", "/api/v1/alert-channels", self._list_channels),
            self._route("POST", "/api/v1/alert-channels", self._create_channel),
            self._route("GET", "/api/v1/maintenance-windows", self._list_windows),
            self._route("POST", "/api/v1/maintenance-windows", self._plan_window),
            self._route("GET", "/api/v1/status-pages", self._list_pages),
            self._route("GET", _ONE_PAGE, self._show_page),
            self._route("GET", _ONE_PAGE + "/components", self._list_components),
            self._route("GET", _ONE_PAGE + "/incidents", self._list_posts),
            self._route("POST", _ONE_PAGE + "/incidents", self._create_post),
            self._route("GET", _ONE_POST, self._show_post),
            self._route("PUT", _ONE_POST, self._put_post),
            self._route("DELETE", _ONE_POST, self._delete_post),
            self._route("POST", _ONE_POST + "/publish", self._publish_post),
            self._route("POST", _ONE_POST + "/updates", self._update_post),
            self._route("PATCH", _ONE_POST + "/updates/{update}", self._patch_update),
            self._route("POST", _ONE_POST + "/dismiss", self._dismiss_post),
            # The framework's own 404 and 405 pages aren't in DevHelm's error format, and need no key.
            self._route(None, "/{rest:path}", self._reject_unknown_path),
        ]

    def pages(self) -> list[vendor.Page]:
        """Return the status pages as customers see them."""
        return [self._page(page) for page in self._state.pages.values()]

    def state(self) -> dict[str, Any]:
        """Return the whole state as plain data."""
        return {
            "incidents": [answers.detail(incident, []) for incident in self._state.incidents.values()],
            "pages": [
                {
                    **answers.page(page),
                    "components": {component.name: component.status for component in page.components},
                    "incidents": [answers.post(post, page) for post in page.posts.values()],
                }
                for page in self._state.pages.values()
            ],
        }

    def maintain(self, component: str, status: str = "UNDER_MAINTENANCE") -> None:
        """Set the status of the components with this name, as a user does in DevHelm's application."""
        self._state.maintain(component, status)

    def reset(self) -> None:
        """Delete incidents, posts, maintenance windows, and alert channels."""
        self._state.reset()
        self._windows.known.clear()
        self.channels.known.clear()

    def copy_state(self) -> State:
        """Return a copy of the vendor's current state."""
        # It must be a copy, because calls change the current state in place.
        return copy.deepcopy(self._state)

    @contextlib.contextmanager
    def as_of(self, past_state: State) -> Iterator[None]:
        """Respond from an earlier state during the block."""
        now, self._state = self._state, past_state
        try:
            yield
        finally:
            self._state = now

    def failure(self, failure: vendor.Failure) -> tuple[dict[str, Any], dict[str, str]]:
        """Return an error in DevHelm's envelope."""
        now = self._options.clock()
        request_id = str(uuid.uuid4())
        limits = refusals.rate_limit(now, failure.retry_after_seconds or 0.0) if failure.status == 429 else {}
        # Some refusals name no field. The router then omits all optional fields at once.
        entries = [{"code": "INVALID", "field": failure.field, "message": failure.message}] if failure.field else None
        refusal = refusals.Refusal(failure.status, failure.message, entries)
        return refusals.envelope(refusal, now, request_id), {"x-request-id": request_id, **limits}

    def _route(self, method: str | None, path: str, handler: Handler) -> routing.BaseRoute:
        async def answer(request: http.Request) -> responses.Response:
            request_id = str(uuid.uuid4())
            try:
                status, body = await self._answer(request, handler)
            except refusals.Refusal as refusal:
                status, body = refusal.status, refusals.envelope(refusal, self._options.clock(), request_id)
            headers = {"x-request-id": request_id}
            # A 204 has no body, not even `null`. The router must not try to parse one.
            if status == 204:
                return responses.Response(status_code=status, headers=headers)
            return responses.JSONResponse(body, status, headers)

        return routing.Route(path, answer, methods=[method] if method else _METHODS)

    async def _answer(self, request: http.Request, handler: Handler) -> Answer:
        if not self._options.allows(request.headers.get("authorization", "")):
            raise refusals.Refusal(401, "API key is missing or not valid")
        # DevHelm checks the format of an ID before it looks for the object: 400 for no UUID, 404 for an unknown one.
        for name in ("incident", "page", "post", "update"):
            _check_id(name, request.path_params.get(name))
        try:
            return await handler(request)
        except pydantic.ValidationError as error:
            raise refusals.from_validation_error(error) from error

    async def _reject_unknown_path(self, request: http.Request) -> Answer:
        raise refusals.Refusal(404, f"No such endpoint: {request.method} /{request.path_params['rest']}")

    def _incident(self, request: http.Request) -> Incident:
        return _find(self._state.incidents, request.path_params["incident"], "incident not found")

    def _of(self, request: http.Request) -> Page:
        return _find(self._state.pages, request.path_params["page"], "status page not found")

    def _post(self, request: http.Request) -> tuple[Page, Post]:
        page = self._of(request)
        return page, _find(page.posts, request.path_params["post"], "status page incident not found")

    async def _list_incidents(self, request: http.Request) -> Answer:
        query = _parse_query(request, requests.ListIncidents)
        rows = [incident for incident in reversed(self._state.incidents.values()) if _matches(incident, query)]
        return 200, answers.list_page([answers.incident(incident) for incident in rows], query.page, query.size)

    async def _open_incident(self, request: http.Request) -> Answer:
        incident = self._state.open_incident(await _body(request, requests.CreateIncident))
        return 201, self._detail(incident)

    async def _show_incident(self, request: http.Request) -> Answer:
        return 200, self._detail(self._incident(request))

    async def _patch_incident(self, request: http.Request) -> Answer:
        incident = self._incident(request)
        patch_incident = await _body(request, requests.PatchIncident)
        incident.title = patch_incident.title or incident.title
        incident.severity = patch_incident.severity or incident.severity
        return 200, self._detail(incident)

    async def _update_incident(self, request: http.Request) -> Answer:
        incident = self._incident(request)
        self._state.update_incident(incident, await _body(request, requests.AddUpdate))
        return 201, self._detail(incident)

    async def _resolve_incident(self, request: http.Request) -> Answer:
        incident = self._incident(request)
        self._state.resolve_incident(incident, (await _body(request, requests.Resolve)).body)
        return 200, self._detail(incident)

    def _detail(self, incident: Incident) -> dict[str, Any]:
        return {"data": answers.detail(incident, list(self._state.pages.values()))}

    async def _list_channels(self, request: http.Request) -> Answer:
        query = _parse_query(request, channels.ListChannels)
        rows = [channel.answer() for channel in self.channels.known]
        return 200, answers.list_page(rows, query.page, query.size)

    async def _create_channel(self, request: http.Request) -> Answer:
        create_channel = await _body(request, channels.CreateChannel)
        return 201, {"data": self.channels.create(self._state.new_id(), create_channel, self._state.now()).answer()}

    async def _list_windows(self, request: http.Request) -> Answer:
        query = _parse_query(request, maintenance.ListWindows)
        rows = self._windows.find(query, self._state.now())
        return 200, answers.list_page([window.answer() for window in rows], query.page, query.size)

    async def _plan_window(self, request: http.Request) -> Answer:
        create_window = await _body(request, maintenance.CreateWindow)
        return 201, {"data": self._windows.create(self._state.new_id(), create_window, self._state.now()).answer()}

    async def _list_pages(self, request: http.Request) -> Answer:
        query = _parse_query(request, requests.ListPosts)
        rows = [answers.page(page) for page in self._state.pages.values()]
        return 200, answers.list_page(rows, query.page, query.size)

    async def _show_page(self, request: http.Request) -> Answer:
        return 200, {"data": answers.page(self._of(request))}

    async def _list_components(self, request: http.Request) -> Answer:
        page = self._of(request)
        query = _parse_query(request, requests.ListPosts)
        rows = [answers.component(component, order, page.id) for order, component in enumerate(page.components)]
        return 200, answers.list_page(rows, query.page, query.size)

    async def _list_posts(self, request: http.Request) -> Answer:
        page = self._of(request)
        query = _parse_query(request, requests.ListPosts)
        # The newest post comes first. In a sorted list, the router stops at the first post that is too old to be its
        # own.
        rows = [p for p in reversed(page.posts.values()) if not query.status or p.status in query.status]
        return 200, answers.list_page([answers.post(post, page) for post in rows], query.page, query.size)

    async def _create_post(self, request: http.Request) -> Answer:
        page = self._of(request)
        post = self._state.create_post(page, await _body(request, requests.CreatePost))
        return 201, {"data": answers.post(post, page)}

    async def _show_post(self, request: http.Request) -> Answer:
        page, post = self._post(request)
        return 200, {"data": answers.post(post, page)}

    async def _put_post(self, request: http.Request) -> Answer:
        page, post = self._post(request)
        self._state.put_post(page, post, await _body(request, requests.PutPost))
        return 200, {"data": answers.post(post, page)}

    async def _publish_post(self, request: http.Request) -> Answer:
        page, post = self._post(request)
        self._state.publish(page, post, await _body(request, requests.PublishPost))
        return 200, {"data": answers.post(post, page)}

    async def _update_post(self, request: http.Request) -> Answer:
        page, post = self._post(request)
        post_update = await _body(request, requests.PostUpdate)
        affected = self._state.parse_affected(page, post_update.affected_components)
        # An absent flag notifies.
        notify = post_update.notify_subscribers is not False
        self._state.update_post(page, post, post_update.status, post_update.body, notify=notify, affected=affected)
        return 201, {"data": answers.post(post, page)}

    async def _patch_update(self, request: http.Request) -> Answer:
        page, post = self._post(request)
        updates = {update.id: update for update in post.updates}
        update = _find(updates, request.path_params["update"], "status page incident update not found")
        patch_update = await _body(request, requests.PatchUpdate)
        update.body, update.status = patch_update.body, patch_update.status or update.status
        # A corrected text changes the post's time, which the router compares in order to recognize stale reads.
        post.changed_at = self._state.now()
        return 200, {"data": answers.post(post, page)}

    async def _dismiss_post(self, request: http.Request) -> Answer:
        self._state.dismiss(*self._post(request))
        return 204, None

    async def _delete_post(self, request: http.Request) -> Answer:
        page, post = self._post(request)
        del page.posts[post.id]
        # Deleting an active post also removes its effect on components.
        self._state.update_components(page)
        return 204, None

    def _page(self, page: Page) -> vendor.Page:
        # Customers never see drafts.
        posts = [post for post in reversed(page.posts.values()) if post.published_at]
        return vendor.Page(
            page.slug,
            page.name,
            tuple(("", component.name, words(component.status)) for component in page.components),
            tuple(self._render_post(page, post) for post in posts),
        )

    def _render_post(self, page: Page, post: Post) -> vendor.Post:
        names = {component.id: component.name for component in page.components}
        return vendor.Post(
            post.id,
            post.title,
            words(post.status),
            words(post.impact),
            bool(post.resolved_at),
            tuple((names[identity], words(status)) for identity, status in post.affected.items()),
            tuple(vendor.Update(u.at, words(u.status), u.body or "") for u in reversed(post.updates)),
        )


def words(constant: str) -> str:
    """Return a constant of the API as words."""
    return constant.replace("_", " ").lower()


def _find(records: dict[str, Record], identity: str, message: str) -> Record:
    if identity not in records:
        raise refusals.Refusal(404, message)
    return records[identity]


def _check_id(name: str, value: str | None) -> None:
    try:
        uuid.UUID(value or _NO_ID)
    except ValueError as error:
        # DevHelm names path parameters as its API description does, and not as the routes here do.
        raise refusals.invalid("incidentId" if name == "post" else "id", "must be a UUID") from error


async def _body(request: http.Request, shape: type[Shape]) -> Shape:
    raw = await request.body()
    return shape.model_validate_json(raw or b"{}")


def _parse_query(request: http.Request, shape: type[Shape]) -> Shape:
    """Parse the query. A list may be separated by commas, or be given as a repeated parameter."""
    parameters: dict[str, Any] = dict(request.query_params)
    if "status" in parameters and shape is requests.ListPosts:
        statuses = request.query_params.getlist("status")
        parameters["status"] = [status for each in statuses for status in each.split(",") if status]
    return shape.model_validate(parameters)


def _matches(incident: Incident, query: requests.ListIncidents) -> bool:
    search = (query.search or "").lower()
    return (
        query.status in {None, incident.status}
        and query.severity in {None, incident.severity}
        # All incidents here were created by calls. The API description has other sources for DevHelm's own monitors.
        and query.source in {None, "MANUAL"}
        and (query.monitor_id is None or str(query.monitor_id) == incident.monitor_id)
        and (query.exclude_id is None or str(query.exclude_id) != incident.id)
        and (query.started_from is None or _micros(query.started_from) <= incident.created_at)
        and (query.started_to is None or incident.created_at <= _micros(query.started_to))
        # The router's reference is in the title, so a search for the reference finds the incident.
        and (search in incident.title.lower() or search in incident.id)
    )


def _micros(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)
