"""The simulator's endpoints for users' actions in the workspace, by a person or a test, and its page."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pydantic
from starlette import requests, responses, routing

from router.simulator.slack import connections, interactions, page, records, vendor

Action = TypeVar("Action", bound=pydantic.BaseModel)


class Workspace:
    """Endpoints below ``/workspace``, and the WebSocket of Socket Mode at ``/link/``."""

    def __init__(self, slack: vendor.Slack) -> None:
        self.interactions = interactions.Interactions(slack)
        self._slack = slack

    def routes(self) -> list[routing.BaseRoute]:
        """Return the routes of the endpoints."""
        act = self.interactions
        return [
            routing.Route("/workspace", self._page),
            routing.Route("/workspace/app", self._configure, methods=["PUT"]),
            routing.Route("/workspace/clicks", _make_endpoint(interactions.Click, act.click), methods=["POST"]),
            routing.Route(
                "/workspace/submissions", _make_endpoint(interactions.Submission, act.submit), methods=["POST"]
            ),
            routing.Route("/workspace/commands", _make_endpoint(interactions.Command, act.command), methods=["POST"]),
            routing.Route("/workspace/events", self._event, methods=["POST"]),
            routing.Route("/workspace/connections", self._inject_fault, methods=["POST"]),
            routing.Route("/workspace/messages/{ts}", self._delete, methods=["DELETE"]),
            routing.WebSocketRoute("/link/", self._slack.sockets.serve),
        ]

    async def _page(self, request: requests.Request) -> responses.Response:
        person = records.PEOPLE.get(request.query_params.get("as", ""), records.PEOPLE["U0ADA"])
        return responses.HTMLResponse(page.workspace(self._slack, person))

    async def _configure(self, request: requests.Request) -> responses.Response:
        try:
            self.interactions.app = interactions.App.model_validate_json(await request.body())
        except pydantic.ValidationError as error:
            return responses.JSONResponse({"error": str(error)}, 422)
        return responses.JSONResponse(self.interactions.app.model_dump())

    async def _event(self, request: requests.Request) -> responses.Response:
        outcome = await self.interactions.event(await request.json())
        return responses.JSONResponse(dataclasses.asdict(outcome))

    async def _inject_fault(self, request: requests.Request) -> responses.Response:
        try:
            fault = connections.Fault.model_validate_json(await request.body())
        except pydantic.ValidationError as error:
            return responses.JSONResponse({"error": str(error)}, 422)
        await self._slack.sockets.inject(fault)
        return responses.JSONResponse(fault.model_dump(), 201)

    async def _delete(self, request: requests.Request) -> responses.Response:
        self._slack.delete(request.path_params["ts"])
        return responses.Response(status_code=204)


def _make_endpoint(
    model: type[Action], act: Callable[[Action, str], Awaitable[connections.Outcome]]
) -> Callable[[requests.Request], Awaitable[responses.Response]]:
    """Create an endpoint for a user's action. It accepts JSON from tests and forms from the page."""

    async def endpoint(request: requests.Request) -> responses.Response:
        is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        fields: Any = _parse_form(dict(await request.form())) if is_form else await request.json()
        try:
            outcome = await act(model.model_validate(fields), str(request.base_url).rstrip("/"))
        except (pydantic.ValidationError, interactions.Impossible, IndexError) as error:
            return responses.JSONResponse({"error": str(error)}, 422)
        if is_form:
            return responses.RedirectResponse(request.headers.get("referer", "/workspace"), 303)
        return responses.JSONResponse(dataclasses.asdict(outcome))

    return endpoint


def _parse_form(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a form, with those of a modal's inputs in ``values``."""
    form_values = {name: text for name, text in fields.items() if not name.startswith("values.")}
    values = {name.removeprefix("values."): text for name, text in fields.items() if name.startswith("values.")}
    return {**form_values, "values": values} if values else form_values
