"""The webhook server's API as an OpenAPI 3.1 document, served at ``/openapi.json``.

A test compares it to the responses.
"""

from typing import Any

import router

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RETRY = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds to wait before the retry."}}
_REFUSALS = {
    "400": "The body doesn't match its content encoding, or the origin isn't a DNS name.",
    "401": "A credential or a signature is missing or wrong.",
    "403": "The sender's address or topic isn't allowed.",
    "404": "No source has this name, or its kind doesn't serve this path.",
    "405": "The method isn't POST.",
    "408": "The request wasn't complete within the time limit.",
    "413": "The body is too large.",
    "415": "The content encoding isn't supported.",
    "422": "The body can't be parsed. It is in the quarantine, with the ID in `quarantined`.",
    "500": "The router failed to process the delivery.",
}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "quarantined": {"type": "string", "description": "The ID of the body in the quarantine."},
    },
}
_TEST = {
    "name": "Incident-Router-Test",
    "in": "header",
    "description": "Treat the delivery as a test. With `dry-run`, only return what would happen.",
    "schema": {"enum": ["true", "dry-run", "false"]},
}
_SCHEMAS: dict[str, Any] = {
    "Problem": PROBLEM,
    "Accepted": {
        "type": "object",
        "description": "The decisions. Kinds whose clients parse the response have their own format.",
        "properties": {
            "delivery": {"type": "string"},
            "dry_run": {"type": "boolean", "description": "Nothing was stored, and `delivery` is empty."},
            "duplicate": {"type": "boolean", "description": "The sender repeated a delivery from the last 24 hours."},
            "alerts": {"type": "array", "items": {"type": "object"}},
            "truncated": {"type": "integer", "minimum": 0},
            "quarantined": {"type": "string", "description": "The ID of the unreadable part in the quarantine."},
            "where": {"type": "string"},
            "problem": {"type": "string"},
            "notices": {
                "type": "array",
                "description": "Values of the alerts that were truncated, replaced, or ignored.",
                "items": {
                    "type": "object",
                    "properties": {
                        **{name: {"type": "string"} for name in ("code", "where", "detail", "fingerprint")},
                        "count": {"type": "integer", "minimum": 1},
                    },
                },
            },
        },
    },
}


def document() -> dict[str, Any]:
    """Return the whole document."""
    source_parameter = {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}
    explain = {"name": "explain", "in": "query", "schema": {"enum": ["true"]}, "description": "Return the decisions."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "incident-router", "version": router.__version__},
        "paths": {
            "/v1/webhooks/{source}": {
                "post": _webhook("Send a delivery", [source_parameter, explain]),
                "options": _handshake(source_parameter),
            },
            "/v1/webhooks/{source}/api/v2/alerts": {
                "post": _webhook("Send alerts with Alertmanager's API", [source_parameter])
            },
            "/v1/webhooks/{source}/v2/enqueue": {
                "post": _webhook("Send an event with PagerDuty's API", [source_parameter])
            },
            **_opsgenie(source_parameter, explain),
            "/v1/vendor-webhooks/{destination}": {"post": _of_a_vendor()},
            "/api/v2/alerts": {"post": _webhook("Send alerts to the only source of kind prometheus", [])},
            "/-/healthy": {"get": _page("Health check of Alertmanager's API", "text/plain")},
            "/healthz": {"get": _page("Liveness check", "application/json")},
            "/readyz": {
                "get": {
                    **_page("Readiness check", "application/json"),
                    "responses": {
                        "200": _answer("The process is ready.", "application/json"),
                        "503": {
                            "description": "The process isn't ready; `checks` has the reasons.",
                            "content": _PROBLEM,
                        },
                    },
                }
            },
            "/openapi.json": {"get": _page("This document", "application/json")},
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _of_a_vendor() -> dict[str, Any]:
    """Return the path of vendors' webhooks."""
    outcomes = ["looked_at", "unrelated", "duplicate", "unreadable"]
    properties = {"outcome": {"enum": outcomes}, "incidents": {"type": "integer"}}
    schema = {"type": "object", "required": ["outcome", "incidents"], "properties": properties}
    refusal_statuses = ("405", "408", "413")
    return {
        "summary": "Report a change at a destination",
        "description": "A signed webhook of the destination's vendor. The worker then reads the changed object.",
        "parameters": [{"name": "destination", "in": "path", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {
            "202": {
                "description": "The signature is valid. The worker reads the object if the router opened it.",
                "content": {"application/json": {"schema": schema}},
            },
            "401": {"description": "The signature is missing or wrong.", "content": _PROBLEM},
            "404": {"description": "No destination of this name takes webhooks.", "content": _PROBLEM},
            **{status: {"description": _REFUSALS[status], "content": _PROBLEM} for status in refusal_statuses},
            "503": {"description": "Nothing was stored. Retry the request.", "headers": _RETRY, "content": _PROBLEM},
        },
    }


def _opsgenie(source_parameter: dict[str, Any], explain: dict[str, Any]) -> dict[str, Any]:
    """Return the paths of sources of the kind opsgenie-api."""
    identifier, action, request_id, heartbeat = (
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in ("identifier", "action", "requestId", "name")
    )
    kinds = {"name": "identifierType", "in": "query", "schema": {"enum": ["id", "alias"]}}
    below = "/v1/webhooks/{source}/v2/alerts"
    status = {
        "summary": "Get the status of a request to Opsgenie's Alert API",
        "parameters": [source_parameter, request_id],
        "security": [{"bearer": []}, {"basic": []}, {}],
        "responses": {
            "200": _answer("The status of the request.", "application/json"),
            "401": {"description": _REFUSALS["401"], "content": _PROBLEM},
            "404": {"description": "No such source or request.", "content": {"application/json": {}, **_PROBLEM}},
        },
    }
    return {
        below: {"post": _webhook("Create an alert with Opsgenie's API", [source_parameter, explain])},
        f"{below}/{{identifier}}": {
            "delete": _webhook(
                "Resolve an alert by deleting it with Opsgenie's API", [source_parameter, identifier, kinds]
            )
        },
        f"{below}/{{identifier}}/{{action}}": {
            "post": _webhook(
                "Take an action on an alert with Opsgenie's API", [source_parameter, identifier, action, kinds, explain]
            )
        },
        f"{below}/requests/{{requestId}}": {"get": status},
        "/v1/webhooks/{source}/v2/heartbeats/{name}/ping": {
            "post": _webhook("Ping a heartbeat with Opsgenie's API", [source_parameter, heartbeat])
        },
    }


def _webhook(summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    accepted = {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}}
    refusals = {status: {"description": description, "content": _PROBLEM} for status, description in _REFUSALS.items()}
    return {
        "summary": summary,
        "description": "The source's kind defines the body: the format of its monitoring system.",
        "parameters": [*parameters, _TEST],
        "security": [{"bearer": []}, {"basic": []}, {}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {
            "200": {"description": "The result of a dry run, which stores nothing.", "content": accepted},
            "202": {"description": "The delivery is stored and will be processed.", "content": accepted},
            **refusals,
            "503": {"description": "Nothing was stored. Retry the request.", "headers": _RETRY, "content": _PROBLEM},
        },
    }


def _handshake(source_parameter: dict[str, Any]) -> dict[str, Any]:
    asker = {"name": "WebHook-Request-Origin", "in": "header", "required": True, "schema": {"type": "string"}}
    refusals = ("400", "401", "403", "404", "405", "500")
    headers = {
        name: {"schema": {"type": "string"}} for name in ("Allow", "WebHook-Allowed-Origin", "WebHook-Allowed-Rate")
    }
    return {
        "summary": "Request permission to deliver CloudEvents",
        "description": "The validation handshake of CloudEvents webhooks, for sources that accept CloudEvents.",
        "parameters": [source_parameter, asker],
        "security": [{"bearer": []}, {"basic": []}, {}],
        "responses": {
            "200": {"description": "Delivery is permitted.", "headers": headers},
            **{status: {"description": _REFUSALS[status], "content": _PROBLEM} for status in refusals},
            "503": {
                "description": "Too many requests are in flight. Retry the request.",
                "headers": _RETRY,
                "content": _PROBLEM,
            },
        },
    }


def _page(summary: str, content_type: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _answer(summary + ".", content_type)}}


def _answer(description: str, content_type: str) -> dict[str, Any]:
    return {"description": description, "content": {content_type: {}}}
