"""The response bodies of the simulated DevHelm, in camel case, with every field that its clients require."""

import datetime as dt
from typing import Any

from router.simulator.devhelm import state

ORGANISATION = 4711


def moment(at: int) -> str | None:
    """Return microseconds since the epoch as RFC 3339; None for 0."""
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).isoformat().replace("+00:00", "Z") if at else None


def incident(one: state.Incident) -> dict[str, Any]:
    """Return an incident as ``IncidentDto``."""
    return {
        "id": one.id,
        "monitorId": one.monitor_id,
        "organizationId": ORGANISATION,
        "source": "MANUAL",
        "status": one.status,
        "severity": one.severity,
        "title": one.title,
        "triggeredByRule": None,
        "affectedRegions": [],
        "reopenCount": one.reopened,
        "createdByUserId": 1,
        "statusPageVisible": True,
        "suppressDispatch": False,
        "shortlink": f"https://devhelm.example/i/{one.id[:8]}",
        "resolutionReason": "MANUAL" if one.resolved_at else None,
        "resolutionNote": _note(one) if one.resolved_at else None,
        "startedAt": moment(one.created_at),
        "confirmedAt": moment(one.created_at),
        "resolvedAt": moment(one.resolved_at),
        "createdAt": moment(one.created_at),
        "updatedAt": moment(one.updates[-1].at),
    }


def _note(one: state.Incident) -> str | None:
    said = [update.body for update in one.updates if update.status == "RESOLVED" != update.old_status]
    return said[-1]


def detail(one: state.Incident, pages: list[state.Page]) -> dict[str, Any]:
    """Return an incident as ``IncidentDetailDto``."""
    return {
        "incident": incident(one),
        "updates": [
            {
                "id": update.id,
                "incidentId": one.id,
                "oldStatus": update.old_status,
                "newStatus": update.status,
                "body": update.body,
                "createdBy": "USER",
                "notifySubscribers": update.notify,
                "createdAt": moment(update.at),
            }
            for update in one.updates
        ],
        "statusPageIncidents": [
            {
                "id": linked.id,
                "spIncidentId": linked.id,
                "statusPageId": page.id,
                "statusPageName": page.name,
                "statusPageSlug": page.slug,
                "title": linked.title,
                "status": linked.status,
                "impact": linked.impact,
                "scheduled": False,
                "publishedAt": moment(linked.published_at),
                "connectionMode": "AUTO" if linked.by_itself else "MANUAL",
                "pageIncidentMode": page.mode,
            }
            for page in pages
            for linked in page.posts.values()
            if linked.incident_id == one.id
        ],
    }


def page(one: state.Page) -> dict[str, Any]:
    """Return a status page as ``StatusPageDto``."""
    return {
        "id": one.id,
        "organizationId": ORGANISATION,
        "workspaceId": 1,
        "name": one.name,
        "slug": one.slug,
        "description": None,
        "branding": {"hidePoweredBy": False},
        "visibility": "PUBLIC",
        "enabled": True,
        "incidentMode": one.mode,
        "componentCount": len(one.components),
        "subscriberCount": 12,
        "overallStatus": state.worst(component.status for component in one.components),
        "managedBy": "DASHBOARD",
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
    }


def component(one: state.Component, order: int, page_id: str) -> dict[str, Any]:
    """Return a component as ``StatusPageComponentDto``."""
    return {
        "id": one.id,
        "statusPageId": page_id,
        "groupId": None,
        "name": one.name,
        "description": None,
        "type": "STATIC",
        "monitorId": None,
        "resourceGroupId": None,
        "currentStatus": one.status,
        "showUptime": True,
        "displayOrder": order,
        "pageOrder": order,
        "excludeFromOverall": False,
        "startDate": None,
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
    }


def post(one: state.Post, on: state.Page) -> dict[str, Any]:
    """Return a post as ``StatusPageIncidentDto`` with its timeline."""
    names = {component.id: component.name for component in on.components}
    return {
        "id": one.id,
        "statusPageId": one.page_id,
        "title": one.title,
        "status": one.status,
        "impact": one.impact,
        "scheduled": False,
        "scheduledFor": None,
        "scheduledUntil": None,
        "autoResolve": False,
        "incidentId": one.incident_id,
        "startedAt": moment(one.created_at),
        "publishedAt": moment(one.published_at),
        "resolvedAt": moment(one.resolved_at),
        "createdByUserId": None if one.by_itself else 1,
        "postmortemBody": one.postmortem_body,
        "postmortemUrl": one.postmortem_url,
        "affectedComponents": [
            {"statusPageComponentId": identity, "componentStatus": status, "componentName": names[identity]}
            for identity, status in one.affected.items()
        ],
        "updates": [
            {
                "id": update.id,
                "status": update.status,
                "body": update.body or "",
                "createdBy": "SYSTEM" if update.by_itself else "USER",
                "createdByUserId": None if update.by_itself else 1,
                "notifySubscribers": update.notify,
                "createdAt": moment(update.at),
            }
            for update in one.updates
        ],
        "createdAt": moment(one.created_at),
        "updatedAt": moment(max(one.changed_at, one.updates[-1].at)),
    }


def listed(found: list[dict[str, Any]], number: int, size: int) -> dict[str, Any]:
    """Return one page of a list."""
    begin = number * size
    return {
        "data": found[begin : begin + size],
        "hasNext": begin + size < len(found),
        "hasPrev": number > 0,
        "totalElements": len(found),
        "totalPages": -(-len(found) // size),
    }
