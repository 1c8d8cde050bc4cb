"""The management API: one table of queries and actions, the source of the routes and the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pydantic
from starlette import requests, responses, routing

from router.api import auth, params, request_parsing
from router.domain import access, times
from router.domain.times import Timestamp
from router.rules import load
from router.services import actions, incident_names, models, queries, request_bodies, resources, review_fields
from router.sources import base
from router.store import errors
from router.web import health, problems
from router.yaml_source import suggestions

PREFIX = "/api/v1"
EXPECTED_ERRORS = (
    problems.Problem,
    actions.SubjectNotFound,
    actions.SubjectChanged,
    actions.InvalidRequest,
    incident_names.Ambiguous,
    load.RulesRefused,
    errors.Unavailable,
    errors.UnreadableDocument,
    base.Unparsable,
)
VIEWER, RESPONDER, ADMIN = access.Role.VIEWER, access.Role.RESPONDER, access.Role.ADMIN


ActionContext = actions.ActionContext  # The field ``actions`` hides the module in the class below.


_Query = TypeVar("_Query", bound=params.NoParams)
_Body = TypeVar("_Body", bound=pydantic.BaseModel | None)
_Model = TypeVar("_Model", bound=pydantic.BaseModel)
_Answer = TypeVar("_Answer", bound=pydantic.BaseModel)
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class ApiRequest(Generic[_Query, _Body]):
    """One request to a handler: its caller, path, query, and body."""

    queries: queries.Queries
    actions: actions.Actions
    principal: auth.Principal
    path: Mapping[str, str]
    query: _Query
    body: _Body

    def act(self, subject: str, reason: str = "") -> ActionContext:
        """Return the context of an action on ``subject``. The request's query or body has the reason."""
        reason = reason or getattr(self.query, "reason", "") or getattr(self.body, "reason", "")
        return actions.ActionContext(actions.Caller(self.principal.person, self.principal.address), subject, reason)


_Plain = ApiRequest[params.NoParams, None]
"""A call without query parameters and body."""
_Action = ApiRequest[params.WithReason, None]
"""A call of an action without a body."""
Handle = Callable[[ApiRequest[Any, Any]], Awaitable[pydantic.BaseModel | None]]
"""A handler of any query and body. The functions that make endpoints check that they fit."""


@dataclass(frozen=True)
class Endpoint:
    """One line of the table. An ``answer`` of None is an empty 204; ``etag`` computes the response's entity tag."""

    method: str
    path: str
    role: access.Role
    summary: str
    handle: Handle
    answer: type[pydantic.BaseModel] | None = None
    query: type[params.NoParams] = params.NoParams
    body: type[pydantic.BaseModel] | None = None
    status: int = 200
    etag: Callable[[Any], str] | None = None


_NO_INCIDENT = "no incident has this key or reference, or a key or reference with this beginning"


async def _incidents(call: ApiRequest[params.Incidents, None]) -> models.Page[models.IncidentRow]:
    query = call.query
    return await call.queries.incidents(
        status=query.status, severity=query.severity, text=query.text, cursor=query.cursor, limit=query.limit
    )


async def _incident(call: _Plain) -> models.Incident:
    return _require(await call.queries.incident(call.path["name"]), _NO_INCIDENT)


async def _story(call: _Plain) -> models.Story:
    return _require(await call.queries.story(call.path["name"]), _NO_INCIDENT)


async def _quarantined_body(call: _Plain) -> resources.Quarantined:
    return _require(await call.queries.records.quarantined_body(call.path["id"]), "no quarantined body has this ID")


async def _reviews(call: _Plain) -> models.Page[models.Review]:
    return models.Page(items=await call.queries.reviews())


async def _review(call: ApiRequest[params.Review, None]) -> models.Review:
    return _require(
        await call.queries.review(call.query.incident, call.query.destination),
        "no review of this incident is pending there",
    )


async def _decide(call: ApiRequest[params.NoParams, request_bodies.Decide]) -> models.Decided:
    body = call.body
    return await call.actions.decide(call.act(f"{body.incident} at {body.destination}"), body)


async def _retract(call: ApiRequest[params.NoParams, request_bodies.Retract]) -> models.Retracted:
    body = call.body
    at = f" at {body.destination}" if body.destination else ""
    return await call.actions.retract(call.act(f"{body.incident}{at}"), body)


async def _correct(call: ApiRequest[params.NoParams, request_bodies.Correct]) -> models.Corrected:
    body = call.body
    return await call.actions.correct(call.act(f"{body.incident} at {body.destination}"), body)


async def _acknowledge(call: ApiRequest[params.NoParams, request_bodies.Acknowledge]) -> models.Acknowledged:
    return await call.actions.acknowledge(call.act(call.body.incident), call.body)


async def _unacknowledge(call: ApiRequest[params.Acknowledgement, None]) -> models.Acknowledgement:
    body = request_bodies.Acknowledge(incident=call.query.incident, reason=call.query.reason)
    return await call.actions.unacknowledge(call.act(body.incident), body)


async def _take(call: ApiRequest[params.NoParams, request_bodies.TakeReview]) -> models.Taken:
    body = call.body
    return await call.actions.take_review(call.act(f"{body.incident} at {body.destination}"), body)


async def _release(call: ApiRequest[params.Take, None]) -> models.Released:
    query = call.query
    body = request_bodies.ReleaseReview(incident=query.incident, destination=query.destination, reason=query.reason)
    return await call.actions.release_review(call.act(f"{body.incident} at {body.destination}"), body)


async def _deliveries(call: ApiRequest[params.StreamPage, None]) -> models.Page[models.DeliveryRow]:
    return await call.queries.deliveries(cursor=call.query.cursor, limit=call.query.limit)


async def _delivery(call: _Plain) -> models.Delivery:
    return _require(await call.queries.delivery(call.path["id"]), "the delivery is not kept")


async def _recordings(call: ApiRequest[params.Recordings, None]) -> models.Page[resources.Recording]:
    query = call.query
    since = times.from_datetime(query.since) if query.since is not None else Timestamp(0)
    return await call.queries.recordings(since=since, cursor=query.cursor, limit=query.limit)


async def _explain(call: ApiRequest[params.NoParams, request_bodies.Explain]) -> models.Explained:
    try:
        return await call.queries.explain(call.body)
    except KeyError as error:
        name = str(error.args[0])
        hint = suggestions.hint(name, call.queries.settings.sources) if not call.body.delivery else ""
        raise actions.SubjectNotFound(f'there is no source or delivery "{name}"{hint}') from error


async def _add_silence(call: ApiRequest[params.NoParams, request_bodies.AddSilence]) -> resources.Silence:
    return await call.actions.add_silence(call.act(" ".join(call.body.matchers)[:200], call.body.comment), call.body)


async def _freeze(call: ApiRequest[params.NoParams, request_bodies.ReasonBody]) -> models.Publishing:
    await call.actions.freeze(call.act("public pages"))
    return await call.queries.records.publishing()


async def _retry_quarantined(call: _Action) -> resources.Reprocessed:
    return await call.actions.retry_quarantined(call.act(call.path["id"]))


async def _reprocess_delivery(call: _Action) -> resources.Reprocessed:
    return await call.actions.reprocess_delivery(call.act(call.path["id"]))


async def _redrive(call: _Action) -> None:
    await call.actions.redrive(call.act(call.path["id"]))


async def _redrive_all(call: ApiRequest[params.NoParams, request_bodies.Redrive]) -> resources.Redriven:
    return await call.actions.redrive_all(call.act(call.body.subject), call.body)


async def _pauses(call: _Plain) -> list[resources.Pause]:
    return await call.queries.records.pauses()


async def _orphans(call: _Plain) -> list[resources.Orphan]:
    return await call.queries.records.orphans()


async def _resolve_orphan(call: _Action) -> resources.Orphan:
    return await call.actions.resolve_orphan(call.act(call.path["id"]))


async def _lift(call: _Action) -> resources.Lifted:
    return await call.actions.lift_pauses(call.act(call.path["destination"]))


async def _discard(call: _Action) -> None:
    await call.actions.discard_dead_letter(call.act(call.path["id"]))


async def _make_token(call: ApiRequest[params.NoParams, request_bodies.NewToken]) -> resources.MadeToken:
    return await call.actions.make_token(call.act(call.body.name), call.body)


def _as_page(
    read: Callable[[ApiRequest[_Query, _Body]], Awaitable[list[_Item]]],
) -> Callable[[ApiRequest[_Query, _Body]], Awaitable[models.Page[_Item]]]:
    async def handle(call: ApiRequest[_Query, _Body]) -> models.Page[_Item]:
        return models.Page[_Item](items=await read(call))

    return handle


async def _silences(call: ApiRequest[params.Silences, None]) -> list[resources.Silence]:
    return await call.queries.records.silences(over=call.query.over)


async def _dead_letters(call: ApiRequest[params.DeadLetters, None]) -> models.Page[resources.DeadLetter]:
    return await call.queries.records.dead_letters(cursor=call.query.cursor, limit=call.query.limit)


async def _quarantine(call: ApiRequest[params.StreamPage, None]) -> models.Page[resources.Quarantined]:
    return await call.queries.records.quarantine(cursor=call.query.cursor, limit=call.query.limit)


async def _audit(call: ApiRequest[params.StreamPage, None]) -> models.Page[resources.Action]:
    return await call.queries.records.audit(cursor=call.query.cursor, limit=call.query.limit)


async def _sources(call: _Plain) -> list[resources.Source]:
    return call.queries.records.sources()


def _require(item: _Item | None, otherwise: str) -> _Item:
    if item is None:
        raise actions.SubjectNotFound(otherwise)
    return item


def _etag(review: models.Review) -> str:
    return f'"{review.digest}"'


def _get(
    path: str,
    summary: str,
    handle: Callable[[_Plain], Awaitable[_Answer]],
    answer: type[_Answer],
    role: access.Role = VIEWER,
) -> Endpoint:
    return Endpoint("GET", path, role, summary, handle, answer)


def _search(
    path: str,
    summary: str,
    handle: Callable[[ApiRequest[_Query, None]], Awaitable[_Answer]],
    answer: type[_Answer],
    query: type[_Query],
    *,
    role: access.Role = VIEWER,
    etag: Callable[[_Answer], str] | None = None,
) -> Endpoint:
    return Endpoint("GET", path, role, summary, handle, answer, query, etag=etag)


def _act(path: str, summary: str, handle: Callable[[_Action], Awaitable[_Answer]], answer: type[_Answer]) -> Endpoint:
    return Endpoint("POST", path, RESPONDER, summary, handle, answer, params.WithReason)


def _post(
    path: str,
    summary: str,
    handle: Callable[[ApiRequest[params.NoParams, _Model]], Awaitable[_Answer]],
    answer: type[_Answer],
    body: type[_Model],
    *,
    role: access.Role = RESPONDER,
    status: int = 200,
) -> Endpoint:
    return Endpoint("POST", path, role, summary, handle, answer, params.NoParams, body, status)


def _delete(
    path: str, summary: str, handle: Callable[[_Action], Awaitable[None]], role: access.Role = RESPONDER
) -> Endpoint:
    return Endpoint("DELETE", path, role, summary, handle, query=params.WithReason, status=204)


def _end(
    path: str,
    summary: str,
    handle: Callable[[_Action], Awaitable[_Answer]],
    answer: type[_Answer],
    role: access.Role = RESPONDER,
) -> Endpoint:
    return Endpoint("DELETE", path, role, summary, handle, answer, params.WithReason)


def _end_one(
    path: str,
    summary: str,
    handle: Callable[[ApiRequest[_Query, None]], Awaitable[_Answer]],
    answer: type[_Answer],
    query: type[_Query],
) -> Endpoint:
    return Endpoint("DELETE", path, RESPONDER, summary, handle, answer, query)


_PUBLISHING = models.Publishing
_MUTED = models.Page[resources.Muted]
_TOKENS = models.Page[resources.TokenRow]
_LETTERS = models.Page[resources.DeadLetter]
ENDPOINTS = (
    _get("/overview", "Current state", lambda call: call.queries.overview(), models.Overview),
    _search("/incidents", "Incidents", _incidents, models.Page[models.IncidentRow], params.Incidents),
    _get("/incidents/{name:path}", "One incident", _incident, models.Incident),
    _get("/stories/{name:path}", "The stored data of an incident", _story, models.Story),
    _get("/reviews", "Pending reviews", _reviews, models.Page[models.Review]),
    _search("/review", "One review, with its entity tag", _review, models.Review, params.Review, etag=_etag),
    _post("/review/take", "Take a review", _take, models.Taken, request_bodies.TakeReview),
    _end_one("/review/take", "Release a review", _release, models.Released, params.Take),
    _post("/review", "Approve, edit, or dismiss a post", _decide, models.Decided, request_bodies.Decide),
    _post(
        "/acknowledgements", "Acknowledge an incident", _acknowledge, models.Acknowledged, request_bodies.Acknowledge
    ),
    _end_one(
        "/acknowledgements",
        "Withdraw an acknowledgement",
        _unacknowledge,
        models.Acknowledgement,
        params.Acknowledgement,
    ),
    _post("/retractions", "Retract false posts", _retract, models.Retracted, request_bodies.Retract),
    _post("/corrections", "Correct a posted update", _correct, models.Corrected, request_bodies.Correct),
    _search("/deliveries", "Deliveries", _deliveries, models.Page[models.DeliveryRow], params.StreamPage),
    _get("/deliveries/{id}", "One delivery", _delivery, models.Delivery),
    _act("/deliveries/{id}/reprocess", "Process a delivery again", _reprocess_delivery, resources.Reprocessed),
    _search("/recordings", "Deliveries for a replay", _recordings, models.Page[resources.Recording], params.Recordings),
    _get("/rules", "The active rules", lambda call: call.queries.rules(), resources.Rules),
    _get("/outcomes", "The outcomes of reviews", lambda call: call.queries.outcomes(), resources.Outcomes),
    _post("/explain", "Explain a payload", _explain, models.Explained, request_bodies.Explain, role=VIEWER),
    _search("/silences", "Silences", _as_page(_silences), models.Page[resources.Silence], params.Silences),
    _post("/silences", "Silence alerts", _add_silence, resources.Silence, request_bodies.AddSilence, status=201),
    _delete("/silences/{id}", "End a silence", lambda call: call.actions.expire_silence(call.act(call.path["id"]))),
    _get("/muted", "Muted alerts", _as_page(lambda call: call.queries.records.muted_alerts()), _MUTED),
    _get(
        "/heartbeats",
        "Heartbeats",
        _as_page(lambda call: call.queries.records.heartbeats()),
        models.Page[resources.Heartbeat],
    ),
    _delete(
        "/heartbeats/{name:path}",
        "Stop expecting a heartbeat",
        lambda call: call.actions.forget_heartbeat(call.act(call.path["name"])),
    ),
    _get("/publishing", "The publishing freeze and guard", lambda call: call.queries.records.publishing(), _PUBLISHING),
    _post("/publishing/freeze", "Freeze publishing", _freeze, _PUBLISHING, request_bodies.ReasonBody),
    _end(
        "/publishing/freeze",
        "Unfreeze publishing",
        lambda call: call.actions.unfreeze(call.act("public pages")),
        resources.Requeued,
    ),
    _end(
        "/publishing/guard",
        "Reset the publishing guard",
        lambda call: call.actions.reset_guard(call.act("guard")),
        resources.Requeued,
        ADMIN,
    ),
    _search("/dead-letters", "Dead letters", _dead_letters, _LETTERS, params.DeadLetters),
    _post("/dead-letters/redrive", "Redrive dead letters", _redrive_all, resources.Redriven, request_bodies.Redrive),
    _get(
        "/pauses",
        "Rate limits, open circuit breakers, and used-up quotas",
        _as_page(_pauses),
        models.Page[resources.Pause],
    ),
    _end("/pauses/{destination}", "Lift a destination's pauses", _lift, resources.Lifted),
    _get("/orphans", "Orphans: open items without a known incident", _as_page(_orphans), models.Page[resources.Orphan]),
    _act("/orphans/{id}/resolve", "Resolve an orphan at its vendor", _resolve_orphan, resources.Orphan),
    Endpoint("POST", "/dead-letters/{id}/redrive", RESPONDER, "Redrive", _redrive, query=params.WithReason, status=204),
    _delete("/dead-letters/{id}", "Discard a dead letter", _discard),
    _search("/quarantine", "The quarantine", _quarantine, models.Page[resources.Quarantined], params.StreamPage),
    _get("/quarantine/{id}", "One quarantined body", _quarantined_body, resources.Quarantined),
    _act("/quarantine/{id}/retry", "Process a body again", _retry_quarantined, resources.Reprocessed),
    _delete(
        "/quarantine/{id}", "Discard a body", lambda call: call.actions.discard_quarantined(call.act(call.path["id"]))
    ),
    _get(
        "/destinations",
        "Destinations",
        _as_page(lambda call: call.queries.destinations()),
        models.Page[models.Destination],
    ),
    _get("/sources", "Sources", _as_page(_sources), models.Page[resources.Source]),
    _search("/audit", "Audit log", _audit, models.Page[resources.Action], params.StreamPage, role=ADMIN),
    _get("/tokens", "Tokens", _as_page(lambda call: call.queries.records.tokens()), _TOKENS, ADMIN),
    _post(
        "/tokens",
        "Create a token",
        _make_token,
        resources.MadeToken,
        request_bodies.NewToken,
        role=ADMIN,
        status=201,
    ),
    _delete("/tokens/{id}", "Revoke a token", lambda call: call.actions.revoke_token(call.act(call.path["id"])), ADMIN),
)


def routes(reader: queries.Queries, writer: actions.Actions, keeper: auth.Authenticator) -> list[routing.BaseRoute]:
    """Return the routes of the whole table."""
    return [
        routing.Route(PREFIX + row.path, _handler(row, reader, writer, keeper), methods=[row.method], name=row.summary)
        for row in ENDPOINTS
    ]


def _handler(
    endpoint: Endpoint, reader: queries.Queries, writer: actions.Actions, keeper: auth.Authenticator
) -> Callable[[requests.Request], Awaitable[responses.Response]]:
    async def handle(request: requests.Request) -> responses.Response:
        try:
            principal = await keeper.authorize(request, endpoint.role)
            await keeper.check_origin(request, principal, {})
            query = request_parsing.parse_query(endpoint.query, dict(request.query_params))
            body = await request_parsing.parse_body(endpoint.body, request)
            call = ApiRequest(reader, writer, principal, request.path_params, query, body)
            return _make_response(endpoint, await endpoint.handle(call))
        except EXPECTED_ERRORS as error:
            return health.problem_response(problem(error), request.url.path)

    return handle


def _make_response(endpoint: Endpoint, result: Any) -> responses.Response:
    if endpoint.answer is None:
        return responses.Response(status_code=204)
    headers = {"etag": endpoint.etag(result)} if endpoint.etag is not None else {}
    return responses.Response(result.model_dump_json(), endpoint.status, headers, "application/json")


def problem(error: Exception) -> problems.Problem:
    """Return the problem document for one of ``EXPECTED_ERRORS``."""
    match error:
        case problems.Problem():
            return error
        case actions.SubjectNotFound():
            return problems.Problem(404, "not-found", str(error))
        case actions.SubjectChanged():
            now = error.now.model_dump(mode="json") if error.now is not None else None
            return problems.Problem(412, "changed", str(error), now=now, by=error.by)
        case incident_names.Ambiguous():
            candidates = [candidate.model_dump(mode="json") for candidate in error.candidates]
            return problems.Problem(409, "ambiguous", str(error), candidates=candidates, more=error.more)
        case load.RulesRefused():
            return problems.Problem(409, "rules-refused", "the rules can't be used: run `incident-router check`")
        case errors.UnreadableDocument():
            return problems.Problem(500, "damaged", f"{error}; see the log for the repair")
        case errors.Unavailable():
            return problems.unavailable(error.reason, error.retry_after_seconds)
        case actions.InvalidRequest() if error.errors:
            field_errors = [_field_error(item, is_query=error.is_query) for item in error.errors]
            return problems.Problem(422, "unfit", str(error), errors=field_errors)
        case _:
            return problems.Problem(422, "unfit", str(error))


def _field_error(error: review_fields.InvalidField, *, is_query: bool) -> dict[str, str]:
    """Return a query parameter's name, or the JSON pointer to a member of the body as a URI fragment (RFC 9457)."""
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in error.path]
    place = (
        {"parameter": parts[0]} if is_query and parts else {"pointer": "".join(["#", *(f"/{part}" for part in parts)])}
    )
    return {**place, "detail": error.detail}
