"""The response bodies of the simulated DevHelm, in camel case, with every field that its clients require."""

import datetime as dt
from typing import Any

from router.simulator.devhelm import state

ORGANISATION = 4711


def moment(at: int) -> str | None:
    """Return microseconds since the epoch as RFC 3339; None for 0."""
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).isoformat().replace("+00:00", "Z") if at else None


def incident(record: state.Incident) -> dict[str, Any]:
    """Return an incident as ``IncidentDto``."""
    return {
        "id": record.id,
        "monitorId": record.monitor_id,
        "organizationId": ORGANISATION,
        "source": "MANUAL",
        "status": record.status,
        "severity": record.severity,
        "title": record.title,
        "triggeredByRule": None,
        "affectedRegions": [],
        "reopenCount": record.reopened,
        "createdByUserId": 1,
        "statusPageVisible": True,
        "suppressDispatch": False,
        "shortlink": f"https://devhelm.example/i/{record.id[:8]}",
        "resolutionReason": "MANUAL" if record.resolved_at else None,
        "resolutionNote": _note(record) if record.resolved_at else None,
        "startedAt": moment(record.created_at),
        "confirmedAt": moment(record.created_at),
        "resolvedAt": moment(record.resolved_at),
        "createdAt": moment(record.created_at),
        "updatedAt": moment(record.updates[-1].at),
    }


def _note(record: state.Incident) -> str | None:
    # An incident that was reopened has several resolutions. The last one counts.
    notes = [update.body for update in record.updates if update.status == "RESOLVED" != update.old_status]
    return notes[-1]


def detail(record: state.Incident, pages: list[state.Page]) -> dict[str, Any]:
    """Return an incident as ``IncidentDetailDto``."""
    return {
        "incident": incident(record),
        "updates": [
            {
                "id": update.id,
                "incidentId": record.id,
                "oldStatus": update.old_status,
                "newStatus": update.status,
                "body": update.body,
                "createdBy": "USER",
                "notifySubscribers": update.notify,
                "createdAt": moment(update.at),
            }
            for update in record.updates
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
                # `MANUAL` is a post that a person or the router has linked. The router never changes a person's post.
                "connectionMode": "AUTO" if linked.by_itself else "MANUAL",
                "pageIncidentMode": page.mode,
            }
            for page in pages
            for linked in page.posts.values()
            if linked.incident_id == record.id
        ],
    }


def page(record: state.Page) -> dict[str, Any]:
    """Return a status page as ``StatusPageDto``."""
    return {
        "id": record.id,
        "organizationId": ORGANISATION,
        "workspaceId": 1,
        "name": record.name,
        "slug": record.slug,
        "description": None,
        "branding": {"hidePoweredBy": False},
        "visibility": "PUBLIC",
        "enabled": True,
        "incidentMode": record.mode,
        "componentCount": len(record.components),
        "subscriberCount": 12,
        "overallStatus": state.worst(component.status for component in record.components),
        "managedBy": "DASHBOARD",
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
    }


def component(record: state.Component, order: int, page_id: str) -> dict[str, Any]:
    """Return a component as ``StatusPageComponentDto``."""
    return {
        "id": record.id,
        "statusPageId": page_id,
        "groupId": None,
        "name": record.name,
        "description": None,
        "type": "STATIC",
        "monitorId": None,
        "resourceGroupId": None,
        "currentStatus": record.status,
        "showUptime": True,
        "displayOrder": order,
        "pageOrder": order,
        "excludeFromOverall": False,
        "startDate": None,
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
    }


def post(record: state.Post, on: state.Page) -> dict[str, Any]:
    """Return a post as ``StatusPageIncidentDto`` with its timeline."""
    names = {component.id: component.name for component in on.components}
    return {
        "id": record.id,
        "statusPageId": record.page_id,
        "title": record.title,
        "status": record.status,
        "impact": record.impact,
        "scheduled": False,
        "scheduledFor": None,
        "scheduledUntil": None,
        "autoResolve": False,
        "incidentId": record.incident_id,
        "startedAt": moment(record.created_at),
        "publishedAt": moment(record.published_at),
        "resolvedAt": moment(record.resolved_at),
        "createdByUserId": None if record.by_itself else 1,
        "postmortemBody": record.postmortem_body,
        "postmortemUrl": record.postmortem_url,
        "affectedComponents": [
            {"statusPageComponentId": identity, "componentStatus": status, "componentName": names[identity]}
            for identity, status in record.affected.items()
        ],
        "updates": [
            {
                "id": update.id,
                "status": update.status,
                "body": update.body or "",
                # If `connectionMode` is absent, the router recognizes the page's own draft by the author of its first
                # text.
                "createdBy": "SYSTEM" if update.by_itself else "USER",
                "createdByUserId": None if update.by_itself else 1,
                "notifySubscribers": update.notify,
                "createdAt": moment(update.at),
            }
            for update in record.updates
        ],
        "createdAt": moment(record.created_at),
        "updatedAt": moment(max(record.changed_at, record.updates[-1].at)),
    }


def list_page(rows: list[dict[str, Any]], number: int, size: int) -> dict[str, Any]:
    """Return one page of a list."""
    # DevHelm counts pages from 0.
    begin = number * size
    return {
        "data": rows[begin : begin + size],
        "hasNext": begin + size < len(rows),
        "hasPrev": number > 0,
        "totalElements": len(rows),
        # The division rounds up, because the last page may be incomplete.
        "totalPages": -(-len(rows) // size),
    }
