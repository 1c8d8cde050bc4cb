"""A client of the management API, for commands that query and act on a router elsewhere.

Each method has the signature, the model, and the errors of the method with the same name in ``queries``, ``records``,
or ``actions``. The router knows the caller by the token and ignores the actor of the action's context.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pydantic

from router.api import endpoints
from router.domain.times import Timestamp
from router.outbound import client, errors
from router.services import actions, incident_names, models, request_bodies, resources

_TIMEOUT_SECONDS = 30.0
_MAX_BYTES = 64 * 1024 * 1024  # A list may contain the bodies of many deliveries.

_Shape = TypeVar("_Shape", bound=pydantic.BaseModel)
_Of = TypeVar("_Of")


class RequestRefused(Exception):
    """The router refused the request or could not be reached. The text is one sentence for the operator."""


class ApiClient:
    """The connection to one router. ``url`` is the address of its console, ``now`` returns epoch microseconds.

    Raises ``RequestRefused`` before anything is sent if the token contains invalid characters.
    """

    def __init__(self, url: str, token: str, now: Callable[[], Timestamp]) -> None:
        self._token = token
        # The HTTP library would refuse a line break or a non-ASCII character with an error that may show the token.
        if not (token.isascii() and token.isprintable()):
            raise RequestRefused("INCIDENT_ROUTER_TOKEN contains characters that are not allowed in a token")
        self._client = client.Client(
            name="the router",
            base_url=url.rstrip("/") + endpoints.PREFIX,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout_seconds=_TIMEOUT_SECONDS,
            now=now,
            # The client masks the token in errors, where a response may repeat it.
            secrets=[token],
            read_error=self._refuse,
            most_bytes=_MAX_BYTES,
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def get(self, path: str, shape: type[_Shape], query: Mapping[str, Any] | None = None) -> _Shape:
        """Return the resource at a path as a model."""
        return self._read(shape, await self._call("GET", path, query=query))

    async def find(self, path: str, shape: type[_Shape], query: Mapping[str, Any] | None = None) -> _Shape | None:
        """Return the resource at a path; None if there is none."""
        try:
            return await self.get(path, shape, query)
        # A query for an absent object isn't an error. Only actions need the object to exist.
        except actions.SubjectNotFound:
            return None

    async def get_items(self, path: str, item_type: type[_Of], query: Mapping[str, Any] | None = None) -> list[_Of]:
        """Return the items of a list without pages."""
        return (await self.get(path, models.Page[item_type], query)).items  # type: ignore[valid-type]

    async def post(
        self,
        path: str,
        shape: type[_Shape],
        body: pydantic.BaseModel | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> _Shape:
        """Send a POST request, and return the parsed response."""
        content = None if body is None else body.model_dump(mode="json")
        return self._read(shape, await self._call("POST", path, json=content, query=query))

    async def delete(self, path: str, shape: type[_Shape], query: Mapping[str, Any] | None = None) -> _Shape:
        """Send a DELETE request, and return the parsed response."""
        return self._read(shape, await self._call("DELETE", path, query=query))

    async def send(self, method: str, path: str, query: Mapping[str, Any] | None = None) -> None:
        """Send a request whose response has no body."""
        await self._call(method, path, query=query)

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            return (await self._client.call(method, path, **more)).body
        except errors.Failure as failure:
            raise RequestRefused(failure.message) from failure

    @staticmethod
    def _read(shape: type[_Shape], body: Any) -> _Shape:
        """Parse a response. Members that only a newer router knows are ignored."""
        try:
            # The models forbid unknown members, but a newer router may add some.
            return shape.model_validate(body, extra="ignore")
        except pydantic.ValidationError as problem:
            raise RequestRefused("unexpected response: the router may be of another version") from problem

    def _refuse(self, status: int, body: Any, _headers: Mapping[str, str]) -> client.VendorMessage:
        """Raise the error that the router's problem document represents. The client handles other error responses."""
        problem = body if isinstance(body, dict) else {}
        detail = str(problem.get("detail", ""))
        # The response can't say which variable of this machine has the token.
        if status == 401:
            raise RequestRefused(self._unauthorized_message())
        # The response isn't a problem document, for example from a proxy, so the client reports the status.
        if not detail:
            return client.VendorMessage()
        match status:
            case 404:
                raise actions.SubjectNotFound(detail)
            # A name may be ambiguous, while rules that can't be used have the same status without candidates.
            case 409 if "candidates" in problem:
                page = self._read(models.Page[models.IncidentRow], {"items": problem["candidates"]})
                raise incident_names.Ambiguous(detail, page.items, more=bool(problem.get("more")))
            # Only this status says that the caller acted on an earlier version, which commands report with a status of
            # their own.
            case 412:
                now = problem.get("now")
                raise actions.SubjectChanged(
                    self._read(models.Review, now) if now else None, str(problem.get("by", ""))
                )
            case 422:
                raise actions.InvalidRequest(detail)
            case _:
                raise RequestRefused(detail)

    def _unauthorized_message(self) -> str:
        if not self._token:
            return "the router requires a token: set INCIDENT_ROUTER_TOKEN (`incident-router tokens create`)"
        return "the token in INCIDENT_ROUTER_TOKEN is invalid or expired"


class Records:
    """The queries of ``records.Records``."""

    def __init__(self, line: ApiClient) -> None:
        self._line = line

    async def silences(self, *, over: bool = False) -> list[resources.Silence]:
        """Return silences, and expired silences if the caller asks for them."""
        return await self._line.get_items("/silences", resources.Silence, {"over": over})

    async def muted_alerts(self) -> list[resources.Muted]:
        """Return all muted alerts."""
        return await self._line.get_items("/muted", resources.Muted)

    async def heartbeats(self) -> list[resources.Heartbeat]:
        """Return all heartbeats."""
        return await self._line.get_items("/heartbeats", resources.Heartbeat)

    async def publishing(self) -> models.Publishing:
        """Return the states of the publishing freeze and the publishing guard."""
        return await self._line.get("/publishing", models.Publishing)

    async def dead_letters(self, *, cursor: str = "", limit: int = 50) -> models.Page[resources.DeadLetter]:
        """Return a page of dead letters."""
        query = {"cursor": cursor, "limit": limit}
        return await self._line.get("/dead-letters", models.Page[resources.DeadLetter], query)

    async def pauses(self) -> list[resources.Pause]:
        """Return rate limits, open circuit breakers, and used-up quotas, by destination."""
        return await self._line.get_items("/pauses", resources.Pause)

    async def orphans(self) -> list[resources.Orphan]:
        """Return the open items at vendors that belong to no known incident."""
        return await self._line.get_items("/orphans", resources.Orphan)

    async def quarantine(self, *, cursor: str = "", limit: int = 50) -> models.Page[resources.Quarantined]:
        """Return a page of quarantined bodies."""
        query = {"cursor": cursor, "limit": limit}
        return await self._line.get("/quarantine", models.Page[resources.Quarantined], query)

    async def quarantined_body(self, identity: str) -> resources.Quarantined | None:
        """Return a quarantined body; None if it is not stored."""
        return await self._line.find(f"/quarantine/{client.segment(identity)}", resources.Quarantined)


class Queries:
    """The queries of ``queries.Queries``."""

    def __init__(self, line: ApiClient) -> None:
        self._line = line
        self.records = Records(line)

    async def incidents(
        self, *, status: str = "open", severity: str = "", text: str = "", cursor: str = "", limit: int = 50
    ) -> models.Page[models.IncidentRow]:
        """Return a page of incidents."""
        query = {"status": status, "severity": severity, "text": text, "cursor": cursor, "limit": limit}
        return await self._line.get("/incidents", models.Page[models.IncidentRow], query)

    async def incident(self, key: str) -> models.Incident | None:
        """Return the details of one incident."""
        return await self._line.find(f"/incidents/{client.segment(key)}", models.Incident)

    async def story(self, key: str) -> models.Story | None:
        """Return one incident as it is stored."""
        return await self._line.find(f"/stories/{client.segment(key)}", models.Story)

    async def reviews(self) -> list[models.Review]:
        """Return the pending reviews."""
        return await self._line.get_items("/reviews", models.Review)

    async def review(self, incident: str, destination: str) -> models.Review | None:
        """Return the pending review of an incident at a destination."""
        return await self._line.find("/review", models.Review, {"incident": incident, "destination": destination})

    async def deliveries(self, *, cursor: str = "", limit: int = 50) -> models.Page[models.DeliveryRow]:
        """Return a page of deliveries."""
        query = {"cursor": cursor, "limit": limit}
        return await self._line.get("/deliveries", models.Page[models.DeliveryRow], query)

    async def delivery(self, identity: str) -> models.Delivery | None:
        """Return one delivery with its body."""
        return await self._line.find(f"/deliveries/{client.segment(identity)}", models.Delivery)

    async def recordings(
        self, *, since: Timestamp = Timestamp(0), cursor: str = "", limit: int = 50
    ) -> models.Page[resources.Recording]:
        """Return a page of deliveries since a time, for a replay elsewhere."""
        # The API has times in RFC 3339, and 0 means all deliveries.
        moment = models.at(since)
        query = {"cursor": cursor, "limit": limit} | ({"since": moment.isoformat()} if moment is not None else {})
        return await self._line.get("/recordings", models.Page[resources.Recording], query)

    async def outcomes(self) -> resources.Outcomes:
        """Return the outcomes of each rule's reviews."""
        return await self._line.get("/outcomes", resources.Outcomes)

    async def explain(self, query: request_bodies.Explain) -> models.Explained:
        """Return the decisions of the rules. Raises ``actions.SubjectNotFound`` or ``actions.InvalidRequest``."""
        return await self._line.post("/explain", models.Explained, query)


class Actions:
    """The actions of ``actions.Actions``."""

    def __init__(self, line: ApiClient) -> None:
        self._line = line

    async def decide(self, act: actions.ActionContext, body: request_bodies.Decide) -> models.Decided:
        """Decide on a review."""
        return await self._line.post("/review", models.Decided, body.model_copy(update={"reason": act.reason}))

    async def retract(self, act: actions.ActionContext, body: request_bodies.Retract) -> models.Retracted:
        """Retract an incident's posts."""
        return await self._line.post("/retractions", models.Retracted, body.model_copy(update={"reason": act.reason}))

    async def correct(self, act: actions.ActionContext, body: request_bodies.Correct) -> models.Corrected:
        """Request a correction of a posted update."""
        return await self._line.post("/corrections", models.Corrected, body.model_copy(update={"reason": act.reason}))

    async def acknowledge(self, act: actions.ActionContext, body: request_bodies.Acknowledge) -> models.Acknowledged:
        """Acknowledge an open incident."""
        acknowledge = body.model_copy(update={"reason": act.reason})
        return await self._line.post("/acknowledgements", models.Acknowledged, acknowledge)

    async def unacknowledge(
        self, act: actions.ActionContext, body: request_bodies.Acknowledge
    ) -> models.Acknowledgement:
        """Withdraw the acknowledgement of an incident."""
        query = {"incident": body.incident, "reason": act.reason}
        return await self._line.delete("/acknowledgements", models.Acknowledgement, query)

    async def take_review(self, act: actions.ActionContext, body: request_bodies.TakeReview) -> models.Taken:
        """Take a pending review for a time."""
        return await self._line.post("/review/take", models.Taken, body.model_copy(update={"reason": act.reason}))

    async def release_review(self, act: actions.ActionContext, body: request_bodies.ReleaseReview) -> models.Released:
        """End the take of a pending review."""
        query = {**body.model_dump(), "reason": act.reason}
        return await self._line.delete("/review/take", models.Released, query)

    async def add_silence(self, _: actions.ActionContext, body: request_bodies.AddSilence) -> resources.Silence:
        """Create a silence."""
        return await self._line.post("/silences", resources.Silence, body)

    async def expire_silence(self, act: actions.ActionContext) -> None:
        """Expire a silence."""
        await self._line.send("DELETE", f"/silences/{client.segment(act.subject)}", _reason(act))

    async def forget_heartbeat(self, act: actions.ActionContext) -> None:
        """Stop expecting a heartbeat until it is received again."""
        await self._line.send("DELETE", f"/heartbeats/{client.segment(act.subject)}", _reason(act))

    async def freeze(self, act: actions.ActionContext) -> None:
        """Freeze publishing. The router posts nothing on any public page."""
        await self._line.post("/publishing/freeze", models.Publishing, request_bodies.ReasonBody(reason=act.reason))

    async def unfreeze(self, act: actions.ActionContext) -> resources.Requeued:
        """Unfreeze publishing. Pending updates are posted."""
        return await self._line.delete("/publishing/freeze", resources.Requeued, _reason(act))

    async def reset_guard(self, act: actions.ActionContext) -> resources.Requeued:
        """Reset the publishing guard. Rules publish automatically again."""
        return await self._line.delete("/publishing/guard", resources.Requeued, _reason(act))

    async def redrive(self, act: actions.ActionContext) -> None:
        """Retry a dead letter."""
        await self._line.send("POST", f"/dead-letters/{client.segment(act.subject)}/redrive", _reason(act))

    async def redrive_all(self, act: actions.ActionContext, body: request_bodies.Redrive) -> resources.Redriven:
        """Retry all dead letters that match."""
        return await self._line.post(
            "/dead-letters/redrive", resources.Redriven, body.model_copy(update={"reason": act.reason})
        )

    async def lift_pauses(self, act: actions.ActionContext) -> resources.Lifted:
        """End the pauses that a destination's vendor asked for."""
        return await self._line.delete(f"/pauses/{client.segment(act.subject)}", resources.Lifted, _reason(act))

    async def resolve_orphan(self, act: actions.ActionContext) -> resources.Orphan:
        """Resolve an open item that belongs to no known incident at its vendor."""
        return await self._line.post(
            f"/orphans/{client.segment(act.subject)}/resolve", resources.Orphan, query=_reason(act)
        )

    async def discard_dead_letter(self, act: actions.ActionContext) -> None:
        """Discard a dead letter."""
        await self._line.send("DELETE", f"/dead-letters/{client.segment(act.subject)}", _reason(act))

    async def retry_quarantined(self, act: actions.ActionContext) -> resources.Reprocessed:
        """Process a quarantined body again."""
        return await self._line.post(
            f"/quarantine/{client.segment(act.subject)}/retry", resources.Reprocessed, query=_reason(act)
        )

    async def discard_quarantined(self, act: actions.ActionContext) -> None:
        """Discard a quarantined body."""
        await self._line.send("DELETE", f"/quarantine/{client.segment(act.subject)}", _reason(act))


def _reason(act: actions.ActionContext) -> dict[str, str]:
    """Return the query of a request that has no body."""
    return {"reason": act.reason} if act.reason else {}
