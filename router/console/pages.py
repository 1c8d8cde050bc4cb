"""The pages of the console: their paths, the roles that may see them, and the data that they show."""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from router.api import endpoints, params, request_parsing
from router.domain import access, identity
from router.rules import explain
from router.services import actions, presenters, queries, request_bodies


@dataclass(frozen=True)
class ConsolePage:
    """One page. ``gather`` queries the data that its template shows."""

    path: str
    title: str
    template: str
    gather: Callable[[queries.Queries, Any], Awaitable[dict[str, Any]]]
    query: type[pydantic.BaseModel] = params.NoParams
    role: access.Role = endpoints.VIEWER


# Limit for dead letters and the quarantine. Each item is shown with its beginning, so that the page stays small.
_MAX_BODIES = 30
SECTIONS = (
    ("/", "Now"),
    ("/incidents", "Incidents"),
    ("/reviews", "Reviews"),
    ("/deliveries", "Deliveries"),
    ("/rules", "Rules"),
    ("/silences", "Silences"),
    ("/heartbeats", "Heartbeats"),
    ("/dead-letters", "Dead letters"),
    ("/quarantine", "Quarantine"),
    ("/pages", "Pages"),
    ("/audit", "Audit"),
)


async def _now(query_service: queries.Queries, _: Any) -> dict[str, Any]:
    return {
        "overview": await query_service.overview(),
        "incidents": (await query_service.incidents(limit=20)).items,
        "destinations": await query_service.destinations(),
        "pauses": await query_service.records.pauses(),
    }


async def _incidents(query_service: queries.Queries, query: params.Incidents) -> dict[str, Any]:
    reference = identity.read_reference(query.text)
    status = "all" if reference else query.status  # A reference finds its incident, open or closed.
    text = reference or query.text
    page = await query_service.incidents(
        status=status, severity=query.severity, text=text, cursor=query.cursor, limit=query.limit
    )
    return {"found": page}


async def _incident(query_service: queries.Queries, query: params.Key) -> dict[str, Any]:
    incident = await query_service.incident(query.key)
    if incident is None:
        raise actions.SubjectNotFound("no incident has this key or reference")
    waiting = [review for review in await query_service.reviews() if review.incident == incident.key]
    return {"one": incident, "reviews": waiting}


async def _reviews(query_service: queries.Queries, _: Any) -> dict[str, Any]:
    return {"reviews": await query_service.reviews()}


async def _review(query_service: queries.Queries, query: params.Review) -> dict[str, Any]:
    review = await query_service.review(query.incident, query.destination)
    if review is None:
        raise actions.SubjectNotFound("no review of this incident is pending there")
    return {"one": review}


async def _deliveries(query_service: queries.Queries, query: params.StreamPage) -> dict[str, Any]:
    return {"found": await query_service.deliveries(cursor=query.cursor, limit=query.limit)}


async def _delivery(query_service: queries.Queries, query: params.Identity) -> dict[str, Any]:
    delivery = await query_service.delivery(query.id)
    if delivery is None:
        raise actions.SubjectNotFound("the delivery is not kept")
    return {"one": delivery}


async def _rules(query_service: queries.Queries, _: Any) -> dict[str, Any]:
    rules = await query_service.rules()
    # Rules are in the order of files, so those of one file are adjacent.
    files = itertools.groupby(rules.items, lambda rule: rule.place.rpartition(":")[0])
    return {"rules": rules, "files": [(file, list(of_file)) for file, of_file in files]}


async def _playground(query_service: queries.Queries, query: params.Playground) -> dict[str, Any]:
    if query.delivery:
        return await play(query_service, {"delivery": query.delivery})
    return _board(query_service, {})


async def play(query_service: queries.Queries, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the decisions of the active rules for a payload, and those of other rules if the form has any."""
    try:
        request_query = request_bodies.Explain.model_validate(
            {name: form.get(name, "") for name in request_bodies.Explain.model_fields}
        )
    except pydantic.ValidationError as error:
        raise actions.InvalidRequest(request_parsing.describe_errors("the form", error)) from error
    board = _board(query_service, form)
    try:
        alerts, at = await query_service.alerts(request_query)
    except KeyError as error:
        raise actions.SubjectNotFound(f"there is no source or delivery {error.args[0]!r}") from error
    public = {destination.name for destination in await query_service.destinations() if destination.public}
    board["now"] = [
        presenters.explanation(explain.explain_alert(query_service.rule_set(), alert, at, public)) for alert in alerts
    ]
    if text := form.get("rules", "").strip():
        outcome = await query_service.sandbox.explain(query_service.settings.file, text, alerts, at)
        board["then"], board["wrong"] = outcome.explained, outcome.problems
    return board


def _board(query_service: queries.Queries, form: Mapping[str, str]) -> dict[str, Any]:
    return {
        "sources": [source.name for source in query_service.records.sources()],
        "form": {name: form.get(name, "") for name in ("source", "payload", "delivery", "rules")},
        "now": [],
        "then": [],
        "wrong": [],
    }


async def _silences(query_service: queries.Queries, query: params.Silences) -> dict[str, Any]:
    return {
        "silences": await query_service.records.silences(over=query.over),
        "muted": await query_service.records.muted_alerts(),
    }


async def _heartbeats(query_service: queries.Queries, _: Any) -> dict[str, Any]:
    return {"heartbeats": await query_service.records.heartbeats()}


async def _dead_letters(query_service: queries.Queries, query: params.DeadLetters) -> dict[str, Any]:
    page = await query_service.records.dead_letters(cursor=query.cursor, limit=min(query.limit, _MAX_BODIES))
    return {"letters": page.items, "next": page.next}


async def _quarantine(query_service: queries.Queries, query: params.StreamPage) -> dict[str, Any]:
    page = await query_service.records.quarantine(cursor=query.cursor, limit=min(query.limit, _MAX_BODIES))
    return {"bodies": page.items, "next": page.next}


async def _pages(query_service: queries.Queries, _: Any) -> dict[str, Any]:
    """Return every public page as its customers see it, with its pending posts."""
    reviews = await query_service.reviews()
    previews = []
    for destination in await query_service.destinations():
        if destination.public:
            waiting = [review for review in reviews if review.destination == destination.name]
            previews.append(
                {"page": destination, "posts": await query_service.posts(destination.name), "waiting": waiting}
            )
    return {
        "publishing": await query_service.records.publishing(),
        "previews": previews,
        "destinations": await query_service.destinations(),
    }


async def _audit(query_service: queries.Queries, query: params.StreamPage) -> dict[str, Any]:
    page = await query_service.records.audit(cursor=query.cursor, limit=query.limit)
    return {"actions": page.items, "next": page.next, "tokens": await query_service.records.tokens()}


PAGES = (
    ConsolePage("/", "Now", "now.html", _now),
    ConsolePage("/incidents", "Incidents", "incidents.html", _incidents, params.Incidents),
    ConsolePage("/incident", "Incident", "incident.html", _incident, params.Key),
    ConsolePage("/reviews", "Reviews", "reviews.html", _reviews),
    ConsolePage("/review", "Review", "review.html", _review, params.Review),
    ConsolePage("/deliveries", "Deliveries", "deliveries.html", _deliveries, params.StreamPage),
    ConsolePage("/delivery", "Delivery", "delivery.html", _delivery, params.Identity),
    ConsolePage("/rules", "Rules", "rules.html", _rules),
    ConsolePage("/playground", "Playground", "playground.html", _playground, params.Playground),
    ConsolePage("/silences", "Silences", "silences.html", _silences, params.Silences),
    ConsolePage("/heartbeats", "Heartbeats", "heartbeats.html", _heartbeats),
    ConsolePage("/dead-letters", "Dead letters", "dead-letters.html", _dead_letters, params.DeadLetters),
    ConsolePage("/quarantine", "Quarantine", "quarantine.html", _quarantine, params.StreamPage),
    ConsolePage("/pages", "Pages", "pages.html", _pages),
    ConsolePage("/audit", "Audit", "audit.html", _audit, params.StreamPage, role=endpoints.ADMIN),
)
