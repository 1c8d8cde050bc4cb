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
class Page:
    """One page. ``gather`` queries the data that its template shows."""

    path: str
    title: str
    template: str
    gather: Callable[[queries.Queries, Any], Awaitable[dict[str, Any]]]
    query: type[pydantic.BaseModel] = params.NoParams
    role: access.Role = endpoints.VIEWER


# Limit for dead letters and the quarantine. Each item is shown with its beginning, so that the page stays small.
_MOST_BODIES = 30
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


async def _now(ask: queries.Queries, _: Any) -> dict[str, Any]:
    return {
        "overview": await ask.overview(),
        "incidents": (await ask.incidents(limit=20)).items,
        "destinations": await ask.destinations(),
        "pauses": await ask.records.pauses(),
    }


async def _incidents(ask: queries.Queries, query: params.Incidents) -> dict[str, Any]:
    reference = identity.read_reference(query.text)
    status = "all" if reference else query.status  # A reference finds its incident, open or closed.
    text = reference or query.text
    found = await ask.incidents(
        status=status, severity=query.severity, text=text, cursor=query.cursor, limit=query.limit
    )
    return {"found": found}


async def _incident(ask: queries.Queries, query: params.Key) -> dict[str, Any]:
    found = await ask.incident(query.key)
    if found is None:
        raise actions.NotFound("no incident has this key or reference")
    waiting = [one for one in await ask.reviews() if one.incident == found.key]
    return {"one": found, "reviews": waiting}


async def _reviews(ask: queries.Queries, _: Any) -> dict[str, Any]:
    return {"reviews": await ask.reviews()}


async def _review(ask: queries.Queries, query: params.Review) -> dict[str, Any]:
    found = await ask.review(query.incident, query.destination)
    if found is None:
        raise actions.NotFound("no review of this incident is pending there")
    return {"one": found}


async def _deliveries(ask: queries.Queries, query: params.StreamPage) -> dict[str, Any]:
    return {"found": await ask.deliveries(cursor=query.cursor, limit=query.limit)}


async def _delivery(ask: queries.Queries, query: params.Identity) -> dict[str, Any]:
    found = await ask.delivery(query.id)
    if found is None:
        raise actions.NotFound("the delivery is not kept")
    return {"one": found}


async def _rules(ask: queries.Queries, _: Any) -> dict[str, Any]:
    found = await ask.rules()
    files = itertools.groupby(found.items, lambda one: one.place.rpartition(":")[0])
    return {"rules": found, "files": [(file, list(of_file)) for file, of_file in files]}


async def _playground(ask: queries.Queries, query: params.Playground) -> dict[str, Any]:
    if query.delivery:
        return await played(ask, {"delivery": query.delivery})
    return _board(ask, {})


async def played(ask: queries.Queries, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the decisions of the active rules for a payload, and those of other rules if the form has any."""
    try:
        asked = request_bodies.Explain.model_validate(
            {name: form.get(name, "") for name in request_bodies.Explain.model_fields}
        )
    except pydantic.ValidationError as error:
        raise actions.Invalid(request_parsing.describe_errors("the form", error)) from error
    board = _board(ask, form)
    try:
        alerts, at = await ask.alerts(asked)
    except KeyError as error:
        raise actions.NotFound(f"there is no source or delivery {error.args[0]!r}") from error
    public = {one.name for one in await ask.destinations() if one.public}
    board["now"] = [
        presenters.explanation(explain.explain_alert(ask.rule_set(), alert, at, public)) for alert in alerts
    ]
    if text := form.get("rules", "").strip():
        outcome = await ask.sandbox.explain(ask.settings.file, text, alerts, at)
        board["then"], board["wrong"] = outcome.explained, outcome.problems
    return board


def _board(ask: queries.Queries, form: Mapping[str, str]) -> dict[str, Any]:
    return {
        "sources": [one.name for one in ask.records.sources()],
        "form": {name: form.get(name, "") for name in ("source", "payload", "delivery", "rules")},
        "now": [],
        "then": [],
        "wrong": [],
    }


async def _silences(ask: queries.Queries, query: params.Silences) -> dict[str, Any]:
    return {"silences": await ask.records.silences(over=query.over), "muted": await ask.records.muted()}


async def _heartbeats(ask: queries.Queries, _: Any) -> dict[str, Any]:
    return {"heartbeats": await ask.records.heartbeats()}


async def _dead_letters(ask: queries.Queries, query: params.DeadLetters) -> dict[str, Any]:
    found = await ask.records.dead_letters(cursor=query.cursor, limit=min(query.limit, _MOST_BODIES))
    return {"letters": found.items, "next": found.next}


async def _quarantine(ask: queries.Queries, query: params.StreamPage) -> dict[str, Any]:
    found = await ask.records.quarantine(cursor=query.cursor, limit=min(query.limit, _MOST_BODIES))
    return {"bodies": found.items, "next": found.next}


async def _pages(ask: queries.Queries, _: Any) -> dict[str, Any]:
    """Return every public page as its customers see it, with its pending posts."""
    reviews = await ask.reviews()
    previews = []
    for destination in await ask.destinations():
        if destination.public:
            waiting = [one for one in reviews if one.destination == destination.name]
            previews.append({"page": destination, "posts": await ask.posts(destination.name), "waiting": waiting})
    return {
        "publishing": await ask.records.publishing(),
        "previews": previews,
        "destinations": await ask.destinations(),
    }


async def _audit(ask: queries.Queries, query: params.StreamPage) -> dict[str, Any]:
    found = await ask.records.audit(cursor=query.cursor, limit=query.limit)
    return {"actions": found.items, "next": found.next, "tokens": await ask.records.tokens()}


PAGES = (
    Page("/", "Now", "now.html", _now),
    Page("/incidents", "Incidents", "incidents.html", _incidents, params.Incidents),
    Page("/incident", "Incident", "incident.html", _incident, params.Key),
    Page("/reviews", "Reviews", "reviews.html", _reviews),
    Page("/review", "Review", "review.html", _review, params.Review),
    Page("/deliveries", "Deliveries", "deliveries.html", _deliveries, params.StreamPage),
    Page("/delivery", "Delivery", "delivery.html", _delivery, params.Identity),
    Page("/rules", "Rules", "rules.html", _rules),
    Page("/playground", "Playground", "playground.html", _playground, params.Playground),
    Page("/silences", "Silences", "silences.html", _silences, params.Silences),
    Page("/heartbeats", "Heartbeats", "heartbeats.html", _heartbeats),
    Page("/dead-letters", "Dead letters", "dead-letters.html", _dead_letters, params.DeadLetters),
    Page("/quarantine", "Quarantine", "quarantine.html", _quarantine, params.StreamPage),
    Page("/pages", "Pages", "pages.html", _pages),
    Page("/audit", "Audit", "audit.html", _audit, params.StreamPage, role=endpoints.ADMIN),
)
