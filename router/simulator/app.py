"""The simulator's application: the vendors' APIs, their public pages, injected faults, and the log of calls."""

from collections.abc import Mapping
from typing import Any

import pydantic
from starlette import applications, requests, responses, routing, types

from router.simulator import calls, faults, pages, vendor, webhooks
from router.simulator.devhelm.vendor import DevHelm
from router.simulator.incident_io.vendor import IncidentIo
from router.simulator.options import Options
from router.simulator.slack import workspace
from router.simulator.slack.vendor import Slack


def create_app(
    options: Options | None = None, saved_vendors: dict[str, vendor.Vendor] | None = None
) -> applications.Starlette:
    """Create the application. ``app.state`` has its ``vendors``, ``calls``, and ``faults`` for in-process use.

    ``saved_vendors`` are the vendors of an earlier run, as loaded by ``snapshot``.
    """
    chosen = options or Options()
    simulated = (IncidentIo(chosen), DevHelm(chosen), Slack(chosen))
    # A snapshot by an earlier version lacks vendors that were added since.
    vendors: dict[str, vendor.Vendor] = {simulator.name: simulator for simulator in simulated} | (saved_vendors or {})
    # All vendors share one log and one list of faults, so that the order of calls to different vendors is visible.
    log = calls.Calls()
    fault_request: list[faults.Fault] = []
    hooks = webhooks.Webhooks(chosen)
    gates = {
        name: faults.Gate(routing.Router(simulator.routes()), simulator, chosen, log, fault_request)
        for name, simulator in vendors.items()
    }
    control = ControlEndpoints(vendors, log, fault_request, hooks, gates)
    # The workspace must use the restored Slack, whose messages a user may still click after a restart.
    simulated_vendor = vendors["slack"]
    assert isinstance(simulated_vendor, Slack)  # noqa: S101 - a snapshot has each vendor under its own name
    app = Simulator([*control.routes(), *workspace.Workspace(simulated_vendor).routes()], gates, vendors, hooks)
    app.state.vendors = vendors
    app.state.calls = log
    app.state.faults = fault_request
    return app


class Simulator(applications.Starlette):
    """An application in which calls to vendors bypass the framework's middleware: faults need the connection."""

    def __init__(
        self,
        routes: list[routing.BaseRoute],
        gates: Mapping[str, faults.Gate],
        vendors: Mapping[str, vendor.Vendor],
        hooks: webhooks.Webhooks,
    ) -> None:
        super().__init__(routes=routes)
        self._gates = gates
        self._vendors = vendors
        self._hooks = hooks

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Respond to one request."""
        # Vendors live below their own prefix, as a destination's `base_url` names it. All other paths are the
        # simulator's own.
        name = scope["path"].split("/", 2)[1] if scope["type"] == "http" else ""
        gate = self._gates.get(name)
        if scope["type"] == "websocket":
            # Faults of connections need the transport, which only the server's own ``send`` knows.
            scope = {**scope, "transport": getattr(getattr(send, "__self__", None), "transport", None)}
        if gate is None:
            await super().__call__(scope, receive, send)
        else:
            # Reads change nothing, and copying the whole state before each of them would slow down every poll of the
            # router.
            before = self._hooks.snapshot(self._vendors[name]) if scope["method"] != "GET" else None
            try:
                await gate({**scope, "root_path": f"/{name}"}, receive, send)
            finally:
                # A fault may cut the connection after the write. The vendor reports the change nevertheless.
                self._hooks.send_events(self._vendors[name], before)


class ControlEndpoints:
    """The simulator's own endpoints, besides the vendors' endpoints."""

    def __init__(
        self,
        vendors: dict[str, vendor.Vendor],
        log: calls.Calls,
        fault_request: list[faults.Fault],
        hooks: webhooks.Webhooks,
        gates: Mapping[str, faults.Gate],
    ) -> None:
        self._gates = gates
        self._hooks = hooks
        self._vendors = vendors
        self._log = log
        self._faults = fault_request

    def routes(self) -> list[routing.BaseRoute]:
        """Return the routes of the endpoints."""
        return [
            routing.Route("/", self._index),
            routing.Route("/pages/{vendor}/{slug}", self._page),
            routing.Route("/faults", self._add_fault, methods=["POST"]),
            routing.Route("/faults", self._list_faults, methods=["GET"]),
            routing.Route("/faults", self._clear_faults, methods=["DELETE"]),
            routing.Route("/webhooks", self._subscribe, methods=["POST"]),
            routing.Route("/webhooks", self._unsubscribe, methods=["DELETE"]),
            routing.Route("/calls", self._calls),
            routing.Route("/state", self._state),
            routing.Route("/reset", self._reset, methods=["POST"]),
        ]

    async def _index(self, _request: requests.Request) -> responses.Response:
        return responses.HTMLResponse(
            pages.index({name: simulated_vendor.pages() for name, simulated_vendor in self._vendors.items()})
        )

    async def _page(self, request: requests.Request) -> responses.Response:
        name = request.path_params["vendor"]
        pages_of_vendors = self._vendors[name].pages() if name in self._vendors else []
        for page in pages_of_vendors:
            if page.slug == request.path_params["slug"]:
                return responses.HTMLResponse(pages.page(page, name))
        return responses.PlainTextResponse("there is no such status page", 404)

    async def _add_fault(self, request: requests.Request) -> responses.Response:
        try:
            fault = faults.Fault.model_validate_json(await request.body())
        except pydantic.ValidationError as error:
            return responses.JSONResponse({"error": str(error)}, 422)
        self._faults.append(fault)
        return responses.JSONResponse(fault.model_dump(), 201)

    async def _list_faults(self, _request: requests.Request) -> responses.Response:
        # A test waits until `pending` is 0 before it counts the objects at the vendor.
        pending = sum(gate.pending for gate in self._gates.values())
        # Used faults stay in the list, because a window or a lag may still depend on them. They no longer count as
        # remaining.
        ordered = [fault.model_dump() for fault in self._faults if fault.count]
        return responses.JSONResponse({"faults": ordered, "pending": pending})

    async def _clear_faults(self, _request: requests.Request) -> responses.Response:
        self._faults.clear()
        return responses.Response(status_code=204)

    async def _subscribe(self, request: requests.Request) -> responses.Response:
        try:
            endpoint = webhooks.Endpoint.model_validate_json(await request.body())
        except pydantic.ValidationError as error:
            return responses.JSONResponse({"error": str(error)}, 422)
        if endpoint.vendor not in self._vendors:
            return responses.JSONResponse({"error": f"vendor is one of {', '.join(self._vendors)}"}, 422)
        self._hooks.endpoints.append(endpoint)
        return responses.JSONResponse({"vendor": endpoint.vendor, "url": endpoint.url}, 201)

    async def _unsubscribe(self, _request: requests.Request) -> responses.Response:
        self._hooks.endpoints.clear()
        return responses.Response(status_code=204)

    async def _calls(self, request: requests.Request) -> responses.Response:
        query = request.query_params
        matching_calls = self._log.find(query.get("vendor", ""), query.get("method", ""), query.get("path", ""))
        return responses.JSONResponse({"calls": matching_calls})

    async def _state(self, _request: requests.Request) -> responses.Response:
        state: dict[str, Any] = {name: simulated_vendor.state() for name, simulated_vendor in self._vendors.items()}
        return responses.JSONResponse(state)

    async def _reset(self, _request: requests.Request) -> responses.Response:
        for simulated_vendor in self._vendors.values():
            simulated_vendor.reset()
        self._log.all.clear()
        self._faults.clear()
        return responses.Response(status_code=204)
