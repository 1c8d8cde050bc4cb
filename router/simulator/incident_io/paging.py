"""The endpoints of the simulated incident.io for alerts and escalations, which page responders."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from starlette import requests as http

from router.simulator.incident_io import alerts, escalations, requests
from router.simulator.incident_io.state import Refusal, State

Answer = tuple[int, Any]
Handler = Callable[[http.Request], Awaitable[Answer]]


class Paging:
    """The alerts and the escalations of an account."""

    def __init__(self) -> None:
        self.alerts = alerts.Alerts()
        self.escalations = escalations.Escalations()

    def reset(self) -> None:
        """Delete all alerts and escalations."""
        self.alerts.reset()
        self.escalations.known.clear()

    def state(self, of: State) -> dict[str, Any]:
        """Return all alerts, their incidents, and all escalations as plain data.

        An alert also has its ``metadata``, and ``pages``: how often it began to fire.
        """
        return {
            "alerts": [
                {**alert.answer(), "metadata": alert.metadata, "pages": alert.pages}
                for alert in self.alerts.known.values()
            ],
            "incident_alerts": [list(pair) for pair in self.alerts.attached],
            "escalations": [self.escalations.answer(escalation, of) for escalation in self.escalations.known.values()],
        }


Of = Callable[[], tuple[Paging, State]]
"""Returns the state to respond from, which is an earlier one while reads lag behind."""


def endpoints(of: Of) -> Iterator[tuple[str, str, Handler]]:
    """Yield the method, the path, and the handler of each endpoint."""
    yield from _alerts(of)
    yield from _escalations(of)


def _alerts(of: Of) -> Iterator[tuple[str, str, Handler]]:
    async def event(request: http.Request) -> Answer:
        paging, state = of()
        # A source of another type accepts no HTTP events, so it is unknown here, too.
        if request.path_params["source"] != alerts.SOURCE:
            raise Refusal(404, "not_found", "alert source config not found")
        create_event = alerts.CreateEvent.model_validate_json(await request.body() or b"{}")
        # The status is 202 and not 200, because the vendor accepts events before it processes them.
        return 202, paging.alerts.accept(create_event, state)

    async def list_alerts(request: http.Request) -> Answer:
        return _page(request, "alerts", [alert.answer() for alert in of()[0].alerts.find(request.query_params)])

    async def show_alert(request: http.Request) -> Answer:
        alert = of()[0].alerts.known.get(request.path_params["alert"])
        if alert is None:
            raise Refusal(404, "not_found", "alert not found")
        return 200, {"alert": alert.answer()}

    async def attach(request: http.Request) -> Answer:
        paging, state = of()
        attach_alert = alerts.AttachAlert.model_validate_json(await request.body() or b"{}")
        return 201, {"incident_alert": paging.alerts.attach(attach_alert, state)}

    async def list_attachments(request: http.Request) -> Answer:
        paging, state = of()
        return _page(request, "incident_alerts", paging.alerts.connections(request.query_params, state))

    async def source(request: http.Request) -> Answer:
        return 200, {"alert_source": alerts.source(request.path_params["source"], of()[0].alerts.token)}

    yield "POST", "/v2/alert_events/http/{source}", event
    yield "GET", "/v2/alerts", list_alerts
    yield "GET", "/v2/alerts/{alert}", show_alert
    yield "POST", "/v2/incident_alerts", attach
    yield "GET", "/v2/incident_alerts", list_attachments
    yield "GET", "/v2/alert_sources/{source}", source


def _escalations(of: Of) -> Iterator[tuple[str, str, Handler]]:
    async def create(request: http.Request) -> Answer:
        paging, state = of()
        create_escalation = escalations.CreateEscalation.model_validate_json(await request.body() or b"{}")
        return 201, {
            "escalation": paging.escalations.answer(paging.escalations.create(create_escalation, state), state)
        }

    async def list_escalations(request: http.Request) -> Answer:
        paging, state = of()
        rows = paging.escalations.find(request.query_params)
        return _page(request, "escalations", [paging.escalations.answer(escalation, state) for escalation in rows])

    async def show_escalation(request: http.Request) -> Answer:
        paging, state = of()
        escalation = paging.escalations.find_by_id(request.path_params["escalation"])
        return 200, {"escalation": paging.escalations.answer(escalation, state)}

    async def cancel(request: http.Request) -> Answer:
        of()[0].escalations.cancel(request.path_params["escalation"])
        return 200, None

    async def list_paths(request: http.Request) -> Answer:
        return _page(
            request, "escalation_paths", [escalations.path(path_of_state) for path_of_state in escalations.PATHS]
        )

    yield "POST", "/v2/escalations", create
    yield "GET", "/v2/escalations", list_escalations
    yield "GET", "/v2/escalations/{escalation}", show_escalation
    yield "POST", "/v2/escalations/{escalation}/actions/cancel", cancel
    yield "GET", "/v2/escalation_paths", list_paths


def _page(request: http.Request, name: str, rows: Sequence[dict[str, Any]]) -> Answer:
    """Return one page of a list. An entry's ID is the cursor of the page after it."""
    paging = requests.Paging.model_validate(dict(request.query_params))
    # An unknown cursor begins at the first row again, so a client that doesn't stop at a known cursor reads forever.
    begin = next((at for at, row in enumerate(rows, 1) if row["id"] == paging.after), 0)
    page = rows[begin : begin + paging.page_size]
    meta: dict[str, Any] = {"page_size": paging.page_size, "total_record_count": len(rows)}
    # An absent cursor marks the last page.
    if begin + paging.page_size < len(rows):
        meta["after"] = page[-1]["id"]
    return 200, {name: list(page), "pagination_meta": meta}
