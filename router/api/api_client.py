"""The same questions and actions, asked of a router elsewhere: a client of the management API, for the commands.

Each method is called as its namesake of ``queries``, ``ledgers`` and ``actions``, returns the same model and raises the
same errors; who acts is known to the router by the token, and not taken from the act.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pydantic

from router.api import endpoints
from router.outbound import client, errors
from router.services import actions, incident_names, models, request_bodies, resources

_TIMEOUT_SECONDS = 30.0
_MOST_BYTES = 64 * 1024 * 1024  # A list may hold the bodies of many deliveries.

_Shape = TypeVar("_Shape", bound=pydantic.BaseModel)
_Of = TypeVar("_Of")


class Refused(Exception):
    """The router refused the request or could not be reached. The text is one sentence for the operator."""


class ApiClient:
    """The connection to one router: ``url`` is where its console is, ``now`` gives epoch microseconds.

    A token of the wrong letters raises ``Refused`` before anything is sent.
    """

    def __init__(self, url: str, token: str, now: Callable[[], int]) -> None:
        self._token = token
        if not (token.isascii() and token.isprintable()):
            raise Refused("INCIDENT_ROUTER_TOKEN has characters that no token has")
        self._client = client.Client(
            name="the router",
            base_url=url.rstrip("/") + endpoints.PREFIX,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout_seconds=_TIMEOUT_SECONDS,
            now=now,
            secrets=[token],
            read_error=self._refuse,
            most_bytes=_MOST_BYTES,
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def get(self, path: str, shape: type[_Shape], query: Mapping[str, Any] | None = None) -> _Shape:
        """What is at a path, as a model."""
        return self._read(shape, await self._call("GET", path, query=query))

    async def find(self, path: str, shape: type[_Shape], query: Mapping[str, Any] | None = None) -> _Shape | None:
        """What is at a path; None where there is nothing."""
        try:
            return await self.get(path, shape, query)
        except actions.NotFound:
            return None

    async def get_items(self, path: str, of: type[_Of], query: Mapping[str, Any] | None = None) -> list[_Of]:
        """The items of a list that has no pages."""
        return (await self.get(path, models.Page[of], query)).items  # type: ignore[valid-type]

    async def post(self, path: str, shape: type[_Shape], body: pydantic.BaseModel | None = None) -> _Shape:
        """Do something, and read what came of it."""
        said = None if body is None else body.model_dump(mode="json")
        return self._read(shape, await self._call("POST", path, json=said))

    async def delete(self, path: str, shape: type[_Shape], query: Mapping[str, Any] | None = None) -> _Shape:
        """End something, and read what came of it."""
        return self._read(shape, await self._call("DELETE", path, query=query))

    async def send(self, method: str, path: str, query: Mapping[str, Any] | None = None) -> None:
        """Send a request whose response has no body."""
        await self._call(method, path, query=query)

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            return (await self._client.call(method, path, **more)).body
        except errors.Failure as failure:
            raise Refused(failure.message) from failure

    @staticmethod
    def _read(shape: type[_Shape], body: Any) -> _Shape:
        """Members that a newer router knows are passed over."""
        try:
            return shape.model_validate(body, extra="ignore")
        except pydantic.ValidationError as problem:
            raise Refused("unexpected response: the router may have another version") from problem

    def _refuse(self, status: int, body: Any, _headers: Mapping[str, str]) -> client.VendorMessage:
        """Raise what the router's problem means here; what is no problem document is left to the client to tell."""
        told = body if isinstance(body, dict) else {}
        detail = str(told.get("detail", ""))
        if status == 401:
            raise Refused(self._unauthorized_message())
        if not detail:
            return client.VendorMessage()
        match status:
            case 404:
                raise actions.NotFound(detail)
            case 409 if "candidates" in told:
                listed = self._read(models.Page[models.IncidentRow], {"items": told["candidates"]})
                raise incident_names.Ambiguous(detail, listed.items, more=bool(told.get("more")))
            case 412:
                now = told.get("now")
                raise actions.Conflict(self._read(models.Review, now) if now else None, str(told.get("by", "")))
            case 422:
                raise actions.Invalid(detail)
            case _:
                raise Refused(detail)

    def _unauthorized_message(self) -> str:
        if not self._token:
            return "the router asks for a token: set INCIDENT_ROUTER_TOKEN to one of `incident-router tokens create`"
        return "the token in INCIDENT_ROUTER_TOKEN is invalid or expired"


class Records:
    """What is kept beside the incidents; see ``ledgers.Ledgers``."""

    def __init__(self, line: ApiClient) -> None:
        self._line = line

    async def silences(self, *, over: bool = False) -> list[resources.Silence]:
        """Silences, also those that are over where they are asked for."""
        return await self._line.get_items("/silences", resources.Silence, {"over": over})

    async def muted(self) -> list[resources.Muted]:
        """All muted alerts."""
        return await self._line.get_items("/muted", resources.Muted)

    async def heartbeats(self) -> list[resources.Heartbeat]:
        """All heartbeats."""
        return await self._line.get_items("/heartbeats", resources.Heartbeat)

    async def publishing(self) -> models.Publishing:
        """What holds for all public pages."""
        return await self._line.get("/publishing", models.Publishing)

    async def dead_letters(self, *, cursor: str = "", limit: int = 50) -> models.Page[resources.DeadLetter]:
        """What can't succeed without a person, a page of it."""
        asked = {"cursor": cursor, "limit": limit}
        return await self._line.get("/dead-letters", models.Page[resources.DeadLetter], asked)

    async def pauses(self) -> list[resources.Pause]:
        """Rate limits, open circuit breakers, and used-up quotas, by destination."""
        return await self._line.get_items("/pauses", resources.Pause)

    async def orphans(self) -> list[resources.Orphan]:
        """Open items at vendors that belong to no known incident."""
        return await self._line.get_items("/orphans", resources.Orphan)

    async def quarantine(self, *, cursor: str = "", limit: int = 50) -> models.Page[resources.Quarantined]:
        """Bodies that could not be read, a page of them."""
        asked = {"cursor": cursor, "limit": limit}
        return await self._line.get("/quarantine", models.Page[resources.Quarantined], asked)

    async def quarantined(self, identity: str) -> resources.Quarantined | None:
        """One of these bodies."""
        return await self._line.find(f"/quarantine/{client.segment(identity)}", resources.Quarantined)


class Queries:
    """Questions about one router; see ``queries.Queries``."""

    def __init__(self, line: ApiClient) -> None:
        self._line = line
        self.records = Records(line)

    async def incidents(
        self, *, status: str = "open", severity: str = "", text: str = "", cursor: str = "", limit: int = 50
    ) -> models.Page[models.IncidentRow]:
        """Incidents, a page of them."""
        asked = {"status": status, "severity": severity, "text": text, "cursor": cursor, "limit": limit}
        return await self._line.get("/incidents", models.Page[models.IncidentRow], asked)

    async def incident(self, key: str) -> models.Incident | None:
        """One incident whole."""
        return await self._line.find(f"/incidents/{client.segment(key)}", models.Incident)

    async def story(self, key: str) -> models.Story | None:
        """One incident as it is kept."""
        return await self._line.find(f"/stories/{client.segment(key)}", models.Story)

    async def reviews(self) -> list[models.Review]:
        """Return the pending reviews."""
        return await self._line.get_items("/reviews", models.Review)

    async def review(self, incident: str, destination: str) -> models.Review | None:
        """What waits of an incident at a destination."""
        return await self._line.find("/review", models.Review, {"incident": incident, "destination": destination})

    async def deliveries(self, *, cursor: str = "", limit: int = 50) -> models.Page[models.DeliveryRow]:
        """Deliveries, a page of them."""
        asked = {"cursor": cursor, "limit": limit}
        return await self._line.get("/deliveries", models.Page[models.DeliveryRow], asked)

    async def delivery(self, identity: str) -> models.Delivery | None:
        """One delivery whole."""
        return await self._line.find(f"/deliveries/{client.segment(identity)}", models.Delivery)

    async def recordings(
        self, *, since: int = 0, cursor: str = "", limit: int = 50
    ) -> models.Page[resources.Recording]:
        """Deliveries since a moment for a replay elsewhere, a page of them."""
        moment = models.at(since)
        asked = {"cursor": cursor, "limit": limit} | ({"since": moment.isoformat()} if moment is not None else {})
        return await self._line.get("/recordings", models.Page[resources.Recording], asked)

    async def outcomes(self) -> resources.Outcomes:
        """How the reviews of each rule ended."""
        return await self._line.get("/outcomes", resources.Outcomes)

    async def explain(self, asked: request_bodies.Explain) -> models.Explained:
        """Return what the rules decide; raises ``actions.NotFound`` or ``actions.Invalid``."""
        return await self._line.post("/explain", models.Explained, asked)


class Actions:
    """What may be done to one router; see ``actions.Actions``."""

    def __init__(self, line: ApiClient) -> None:
        self._line = line

    async def decide(self, act: actions.ActionContext, body: request_bodies.Decide) -> models.Decided:
        """Decide on a review."""
        return await self._line.post("/review", models.Decided, body.model_copy(update={"reason": act.reason}))

    async def retract(self, act: actions.ActionContext, body: request_bodies.Retract) -> models.Retracted:
        """Take an incident's posts down."""
        return await self._line.post("/retractions", models.Retracted, body.model_copy(update={"reason": act.reason}))

    async def correct(self, act: actions.ActionContext, body: request_bodies.Correct) -> models.Corrected:
        """Have a posted update corrected."""
        return await self._line.post("/corrections", models.Corrected, body.model_copy(update={"reason": act.reason}))

    async def add_silence(self, _: actions.ActionContext, body: request_bodies.AddSilence) -> resources.Silence:
        """Make a silence."""
        return await self._line.post("/silences", resources.Silence, body)

    async def expire_silence(self, act: actions.ActionContext) -> None:
        """End a silence now."""
        await self._line.send("DELETE", f"/silences/{client.segment(act.subject)}")

    async def forget_heartbeat(self, act: actions.ActionContext) -> None:
        """Wait for a heartbeat no more."""
        await self._line.send("DELETE", f"/heartbeats/{client.segment(act.subject)}")

    async def freeze(self, act: actions.ActionContext) -> None:
        """Post nothing at any public page."""
        await self._line.post("/publishing/freeze", models.Publishing, request_bodies.ReasonBody(reason=act.reason))

    async def unfreeze(self, _: actions.ActionContext) -> resources.Requeued:
        """Unfreeze publishing. Pending updates are posted."""
        return await self._line.delete("/publishing/freeze", resources.Requeued)

    async def reset_guard(self, _: actions.ActionContext) -> resources.Requeued:
        """Reset the publishing guard. Rules publish automatically again."""
        return await self._line.delete("/publishing/guard", resources.Requeued)

    async def redrive(self, act: actions.ActionContext) -> None:
        """Have a dead letter tried again."""
        await self._line.send("POST", f"/dead-letters/{client.segment(act.subject)}/redrive")

    async def redrive_all(self, _: actions.ActionContext, body: request_bodies.Redrive) -> resources.Redriven:
        """Have all dead letters that fit tried again."""
        return await self._line.post("/dead-letters/redrive", resources.Redriven, body)

    async def lift_pauses(self, act: actions.ActionContext) -> resources.Lifted:
        """End the pauses that a destination's vendor asked for."""
        return await self._line.delete(f"/pauses/{client.segment(act.subject)}", resources.Lifted)

    async def resolve_orphan(self, act: actions.ActionContext) -> resources.Orphan:
        """Have an open item that belongs to no known incident resolved at its vendor."""
        return await self._line.post(f"/orphans/{client.segment(act.subject)}/resolve", resources.Orphan)

    async def discard_dead_letter(self, act: actions.ActionContext) -> None:
        """Let a dead letter go for good."""
        await self._line.send("DELETE", f"/dead-letters/{client.segment(act.subject)}", {"reason": act.reason})

    async def retry_quarantined(self, act: actions.ActionContext) -> resources.Reingested:
        """Hand in a body of the quarantine again."""
        return await self._line.post(f"/quarantine/{client.segment(act.subject)}/run", resources.Reingested)

    async def discard_quarantined(self, act: actions.ActionContext) -> None:
        """Let a body of the quarantine go for good."""
        await self._line.send("DELETE", f"/quarantine/{client.segment(act.subject)}")
