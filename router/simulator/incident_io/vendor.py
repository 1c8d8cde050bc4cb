"""The simulated incident.io's API: each documented path that the router uses, and its error envelope."""

import contextlib
import copy
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from email import utils as email
from typing import Any, TypeVar

import pydantic
from starlette import requests as http
from starlette import responses, routing

from router.simulator import vendor
from router.simulator.incident_io import answers, maintenance, paging, requests
from router.simulator.incident_io.state import Incident, Post, Refusal, State
from router.simulator.options import Options

Shape = TypeVar("Shape", bound=requests.Request)
Record = TypeVar("Record", Incident, Post)
Answer = tuple[int, Any]
_TYPES = {401: "authentication_error", 404: "not_found", 422: "validation_error", 429: "too_many_requests"}


class IncidentIo:
    """One simulated organization."""

    name = "incident-io"
    refuses_with = 422

    def __init__(self, options: Options) -> None:
        self._options = options
        self._state = State(options)
        self.windows = maintenance.Windows()
        self.paging = paging.Paging()

    @property
    def subscribers(self) -> int:
        """Return the number of subscribers of the status page."""
        return self._state.subscribers

    @subscribers.setter
    def subscribers(self, count: int) -> None:
        self._state.subscribers = count

    def routes(self) -> list[routing.BaseRoute]:
        """Return the routes of the API."""
        return [
            self._route("GET", "/v1/severities", self._severities),
            self._route("GET", "/v1/incident_types", self._types),
            self._route("GET", "/v1/incident_statuses", self._statuses),
            self._route("GET", "/v2/custom_fields", self._custom_fields),
            self._route("GET", "/v1/custom_field_options", self._options_of_field),
            self._route("GET", "/v2/incident_roles", self._roles),
            self._route("GET", "/v2/incident_timestamps", self._timestamps),
            self._route("GET", "/v1/maintenance_windows", self._list_windows),
            self._route("GET", "/v1/incidents", self._list_v1),
            self._route("POST", "/v1/incidents", self._create_v1),
            self._route("GET", "/v1/incidents/{incident}", self._show_v1),
            self._route("GET", "/v2/incidents", self._list_v2),
            self._route("POST", "/v2/incidents", self._create_v2),
            self._route("GET", "/v2/incidents/{incident}", self._show_v2),
            self._route("POST", "/v2/incidents/{incident}/actions/edit", self._edit),
            self._route("GET", "/v2/status_pages", self._pages),
            self._route("GET", "/v2/status_page_structures/{page}", self._structure),
            self._route("GET", "/v2/status_page_incidents", self._list_posts),
            self._route("POST", "/v2/status_page_incidents", self._create_post),
            self._route("POST", "/v2/status_page_retrospective_incidents", self._create_retrospective),
            self._route("GET", "/v2/status_page_incidents/{post}", self._show_post),
            self._route("PUT", "/v2/status_page_incidents/{post}", self._rename_post),
            self._route("POST", "/v2/status_page_incident_updates", self._update_post),
            *(self._route(*endpoint) for endpoint in paging.endpoints(lambda: (self.paging, self._state))),
        ]

    def pages(self) -> list[vendor.Page]:
        """Return the status page as customers see it."""
        state = self._state
        components = tuple((c.group, c.name, _words(state.component_status(c))) for c in state.components)
        posts = tuple(self._render_post(post) for post in reversed(state.posts.values()))
        return [vendor.Page("acme-status", state.page.name, components, posts)]

    def state(self) -> dict[str, Any]:
        """Return the whole state as plain data."""
        state = self._state
        return {
            "incidents": [answers.incident_v2(incident, state) for incident in state.incidents.values()],
            "components": {c.name: state.component_status(c) for c in state.components},
            "status_page_incidents": [answers.post(post) for post in state.posts.values()],
            **self.paging.state(state),
        }

    def reset(self) -> None:
        """Delete incidents, posts, maintenance windows, alerts, and escalations."""
        self._state.reset()
        self.paging.reset()
        self.windows.known.clear()

    def copy_state(self) -> tuple[State, paging.Paging]:
        """Return a copy of the vendor's current state."""
        return copy.deepcopy((self._state, self.paging))

    @contextlib.contextmanager
    def as_of(self, past_state: tuple[State, paging.Paging]) -> Iterator[None]:
        """Respond from an earlier state during the block."""
        now = self._state, self.paging
        # Alerts and escalations lag together with incidents, as they refer to each other by ID.
        self._state, self.paging = past_state
        try:
            yield
        finally:
            self._state, self.paging = now

    def failure(self, failure: vendor.Failure) -> tuple[dict[str, Any], dict[str, str]]:
        """Return an error in incident.io's envelope."""
        body = self._envelope(Refusal(failure.status, "simulated", failure.message, failure.field))
        if failure.status == 429:
            at = self._options.clock() / 1_000_000 + (failure.retry_after_seconds or 0.0)
            # incident.io gives the delay as an HTTP date in the body and sends no `Retry-After` header.
            body["rate_limit"] = {
                "name": failure.limit,
                # This is the account's limit of calls per minute, or the lower limit of one endpoint.
                "limit": 1200 if failure.limit == "api_key_name" else 20,
                "remaining": 0,
                "retry_after": email.formatdate(at, usegmt=True),
            }
        return body, {}

    def _route(self, method: str, path: str, handler: Callable[[http.Request], Awaitable[Answer]]) -> routing.BaseRoute:
        async def answer(request: http.Request) -> responses.Response:
            try:
                # The key is checked before the body, so an unauthorized request learns nothing about its errors.
                self._authenticate(request)
                status, body = await handler(request)
            except pydantic.ValidationError as error:
                return self._invalid(error)
            except Refusal as refusal:
                return responses.JSONResponse(self._envelope(refusal), refusal.status)
            return responses.JSONResponse(body, status)

        return routing.Route(path, answer, methods=[method])

    def _authenticate(self, request: http.Request) -> None:
        header = request.headers.get("authorization", "")
        # Each alert source has a separate secret. The account's API keys aren't valid there.
        if "/alert_events/" in request.url.path and self.paging.alerts.token:
            if header != f"Bearer {self.paging.alerts.token}":
                raise Refusal(401, "unauthorized", "the token is not that of the alert source")
        elif not self._options.allows(header):
            raise Refusal(401, "unauthorized", "API key is missing or not valid")

    def _envelope(self, refusal: Refusal) -> dict[str, Any]:
        entry: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
        if refusal.field_name:
            entry["source"] = _source(refusal.field_name)
        kind = _TYPES.get(refusal.status, "internal_server_error")
        return {"type": kind, "status": refusal.status, "request_id": str(uuid.uuid4()), "errors": [entry]}

    def _invalid(self, error: pydantic.ValidationError) -> responses.Response:
        body = self._envelope(Refusal(422, "invalid", "invalid"))
        body["errors"] = [
            {
                "code": "is_required" if detail["type"] == "missing" else "invalid_value",
                "message": detail["msg"],
                "source": _source(".".join(str(part) for part in detail["loc"])),
            }
            for detail in error.errors(include_url=False)
        ]
        return responses.JSONResponse(body, 422)

    async def _severities(self, _request: http.Request) -> Answer:
        return 200, {"severities": [answers.ranked_option(option) for option in self._state.severities]}

    async def _types(self, _request: http.Request) -> Answer:
        return 200, {"incident_types": [answers.incident_type(entry) for entry in self._state.types]}

    async def _statuses(self, _request: http.Request) -> Answer:
        return 200, {"incident_statuses": [answers.status(option) for option in self._state.statuses]}

    async def _custom_fields(self, _request: http.Request) -> Answer:
        state = self._state
        return 200, {
            "custom_fields": [
                answers.custom_field(option, state) for option in (state.custom_field, state.select_field)
            ]
        }

    async def _options_of_field(self, request: http.Request) -> Answer:
        field = request.query_params.get("custom_field_id")
        if field not in {self._state.custom_field.id, self._state.select_field.id}:
            raise Refusal(422, "invalid_value", "no such custom field", "custom_field_id")
        options = self._state.options if field == self._state.select_field.id else []
        rows = [
            {"id": option.id, "custom_field_id": field, "value": option.name, "sort_key": option.rank}
            for option in options
        ]
        return 200, {"custom_field_options": rows, "pagination_meta": {"page_size": 250}}

    async def _roles(self, _request: http.Request) -> Answer:
        return 200, {"incident_roles": [answers.role(self._state)]}

    async def _timestamps(self, _request: http.Request) -> Answer:
        return 200, {"incident_timestamps": [answers.timestamp(option) for option in self._state.timestamps]}

    async def _list_v1(self, request: http.Request) -> Answer:
        rows, meta = _paginate(request, list(reversed(self._state.incidents.values())))
        return 200, {
            "incidents": [answers.incident_v1(incident, self._state) for incident in rows],
            "pagination_meta": meta,
        }

    async def _list_v2(self, request: http.Request) -> Answer:
        query_params = request.query_params
        # incident.io omits test incidents unless the query asks for them.
        modes = query_params.getlist("mode[one_of]") or ["standard", "retrospective"]
        left_out = query_params.getlist("status_category[not_in]")
        rows, meta = _paginate(
            request,
            [
                incident
                for incident in reversed(self._state.incidents.values())
                if incident.mode.replace("real", "standard") in modes and incident.status.category not in left_out
            ],
        )
        return 200, {
            "incidents": [answers.incident_v2(incident, self._state) for incident in rows],
            "pagination_meta": meta,
        }

    async def _create_v1(self, request: http.Request) -> Answer:
        incident = self._state.create(await _body(request, requests.CreateV1))
        return 200, {"incident": answers.incident_v1(incident, self._state)}

    async def _create_v2(self, request: http.Request) -> Answer:
        incident = self._state.create(await _body(request, requests.CreateV2))
        return 200, {"incident": answers.incident_v2(incident, self._state)}

    async def _show_v1(self, request: http.Request) -> Answer:
        return 200, {"incident": answers.incident_v1(self._incident(request), self._state)}

    async def _show_v2(self, request: http.Request) -> Answer:
        return 200, {"incident": answers.incident_v2(self._incident(request), self._state)}

    async def _edit(self, request: http.Request) -> Answer:
        incident = self._incident(request)
        self._state.edit(incident, (await _body(request, requests.EditEnvelope)).incident)
        return 200, {"incident": answers.incident_v2(incident, self._state)}

    async def _pages(self, request: http.Request) -> Answer:
        size = requests.Paging.model_validate(dict(request.query_params)).page_size
        return 200, {"status_pages": [answers.page(self._state)], "pagination_meta": {"page_size": size}}

    async def _structure(self, request: http.Request) -> Answer:
        if request.path_params["page"] != self._state.page.id:
            raise Refusal(404, "not_found", "status page not found")
        return 200, answers.structure(self._state)

    async def _list_posts(self, request: http.Request) -> Answer:
        # The page is a required parameter of this list, so the router can't read the posts of all pages at once.
        if request.query_params.get("status_page_id") != self._state.page.id:
            raise Refusal(422, "invalid_value", "no such status page", "status_page_id")
        rows, meta = _paginate(request, list(reversed(self._state.posts.values())))
        return 200, {"status_page_incidents": [answers.post(post) for post in rows], "pagination_meta": meta}

    async def _create_post(self, request: http.Request) -> Answer:
        post = self._state.create_post(await _body(request, requests.CreatePost))
        return 201, {"status_page_incident": answers.post(post)}

    async def _create_retrospective(self, request: http.Request) -> Answer:
        post = self._state.create_retrospective(await _body(request, requests.CreateRetrospective))
        return 201, {"status_page_incident": answers.post(post)}

    async def _list_windows(self, request: http.Request) -> Answer:
        query = maintenance.ListWindows.model_validate(dict(request.query_params))
        rows = self.windows.find(query, self._options.clock())
        return 200, {"maintenance_windows": rows, "pagination_meta": {"page_size": query.page_size}}

    async def _show_post(self, request: http.Request) -> Answer:
        return 200, {"status_page_incident": answers.post(self._post(request.path_params["post"]))}

    async def _rename_post(self, request: http.Request) -> Answer:
        post = self._post(request.path_params["post"])
        # Renaming adds no update and notifies no subscriber.
        post.name = (await _body(request, requests.RenamePost)).name
        return 200, {"status_page_incident": answers.post(post)}

    async def _update_post(self, request: http.Request) -> Answer:
        update_post = await _body(request, requests.UpdatePost)
        update = self._state.update_post(self._post(update_post.status_page_incident_id), update_post)
        return 201, {"status_page_incident_update": answers.update(update, update_post.status_page_incident_id)}

    def _incident(self, request: http.Request) -> Incident:
        identifier = request.path_params["incident"]
        for incident in self._state.incidents.values():
            # incident.io also finds an incident by the number of its reference.
            if identifier in {incident.id, str(incident.number)}:
                return incident
        raise Refusal(404, "not_found", "incident not found")

    def _post(self, identity: str) -> Post:
        if identity not in self._state.posts:
            raise Refusal(404, "not_found", "status page incident not found")
        return self._state.posts[identity]

    def _render_post(self, post: Post) -> vendor.Post:
        names = {component.id: component.name for component in self._state.components}
        # A resolved post shows no components, because its impacts have ended.
        going_on = [impact for impact in post.impacts if impact["end_at"] is None]
        return vendor.Post(
            post.id,
            post.name,
            post.status,
            "",
            post.status == "resolved",
            tuple((names[i["component_id"]], _words(i["component_status"])) for i in going_on),
            tuple(vendor.Update(u.at, u.status, u.message) for u in reversed(post.updates)),
        )


def _paginate(request: http.Request, rows: Sequence[Record]) -> tuple[Sequence[Record], dict[str, Any]]:
    page_request = requests.Paging.model_validate(dict(request.query_params))
    # A cursor is the ID of the last row that was read, so rows that are added in front don't shift the pages.
    begin = next((at for at, row in enumerate(rows, 1) if row.id == page_request.after), 0)
    page = rows[begin : begin + page_request.page_size]
    meta: dict[str, Any] = {"page_size": page_request.page_size, "total_record_count": len(rows)}
    if begin + page_request.page_size < len(rows):
        meta["after"] = page[-1].id
    return page, meta


async def _body(request: http.Request, shape: type[Shape]) -> Shape:
    return shape.model_validate_json(await request.body() or b"{}")


def _source(field: str) -> dict[str, str]:
    """Return the field at fault in both of the vendor's notations."""
    # The router reads the field, and the vendor's own client requires the pointer.
    return {"field": field, "pointer": f"/{field.replace('.', '/')}"}


def _words(constant: str) -> str:
    return constant.replace("_", " ")
