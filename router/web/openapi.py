"""The webhook server's API as an OpenAPI 3.1 document, served at ``/openapi.json``.

A test compares it to the responses.
"""

from typing import Any

import router

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RETRY = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds after which to send it again."}}
_REFUSALS = {
    "400": "The body is not what its content encoding says, or the origin is no DNS name.",
    "401": "A credential or a signature is missing or wrong.",
    "403": "The sender's address, or its topic, is not allowed.",
    "404": "No source of this name is configured, or its kind does not serve this path.",
    "405": "Another method than POST.",
    "408": "The request was not whole in time.",
    "413": "The body is too long.",
    "415": "The content encoding is not known.",
    "422": "The body could not be read. It is kept in the quarantine, whose id is in `quarantined`.",
    "500": "The router failed on this delivery.",
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
        "quarantined": {"type": "string", "description": "What the body is called in the quarantine."},
    },
}
_TEST = {
    "name": "Incident-Router-Test",
    "in": "header",
    "description": "Treat the delivery as a test, or with `dry-run` only say what would happen.",
    "schema": {"enum": ["true", "dry-run", "false"]},
}
_SCHEMAS: dict[str, Any] = {
    "Problem": PROBLEM,
    "Accepted": {
        "type": "object",
        "description": "What was decided; a kind whose clients look into the answer has one of its own.",
        "properties": {
            "delivery": {"type": "string"},
            "dry_run": {"type": "boolean", "description": "Nothing was kept, and `delivery` is empty."},
            "duplicate": {"type": "boolean", "description": "The sender repeated a delivery of the last day."},
            "alerts": {"type": "array", "items": {"type": "object"}},
            "truncated": {"type": "integer", "minimum": 0},
            "quarantined": {"type": "string", "description": "What could not be read is kept under this id."},
            "where": {"type": "string"},
            "problem": {"type": "string"},
            "notices": {
                "type": "array",
                "description": "What was cut, replaced, or ignored in the alerts.",
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
    named = {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}
    explain = {"name": "explain", "in": "query", "schema": {"enum": ["true"]}, "description": "Say what was decided."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "incident-router", "version": router.__version__},
        "paths": {
            "/v1/webhooks/{source}": {
                "post": _webhook("Hand in a delivery", [named, explain]),
                "options": _handshake(named),
            },
            "/v1/webhooks/{source}/api/v2/alerts": {"post": _webhook("Hand in alerts as to an Alertmanager", [named])},
            "/v1/webhooks/{source}/v2/enqueue": {"post": _webhook("Hand in an event as to PagerDuty", [named])},
            **_opsgenie(named, explain),
            "/v1/vendor-webhooks/{destination}": {"post": _of_a_vendor()},
            "/api/v2/alerts": {"post": _webhook("The same, where there is one source of kind prometheus", [])},
            "/-/healthy": {"get": _page("As Alertmanager answers it", "text/plain")},
            "/healthz": {"get": _page("Whether the process lives", "application/json")},
            "/readyz": {
                "get": {
                    **_page("Whether it is of use", "application/json"),
                    "responses": {
                        "200": _answer("It is.", "application/json"),
                        "503": {"description": "It is not; `checks` say why.", "content": _PROBLEM},
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
    told = {"outcome": {"enum": outcomes}, "incidents": {"type": "integer"}}
    schema = {"type": "object", "required": ["outcome", "incidents"], "properties": told}
    refused = ("405", "408", "413")
    return {
        "summary": "Tell of a change at a destination",
        "description": "A webhook of the destination's vendor, signed by it. The worker looks at what has changed.",
        "parameters": [{"name": "destination", "in": "path", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {
            "202": {
                "description": "It is the vendor's. What it tells of will be looked at, if the router opened it.",
                "content": {"application/json": {"schema": schema}},
            },
            "401": {"description": "The signature is missing or wrong.", "content": _PROBLEM},
            "404": {"description": "No destination of this name takes webhooks.", "content": _PROBLEM},
            **{status: {"description": _REFUSALS[status], "content": _PROBLEM} for status in refused},
            "503": {"description": "Nothing was kept: send it again.", "headers": _RETRY, "content": _PROBLEM},
        },
    }


def _opsgenie(named: dict[str, Any], explain: dict[str, Any]) -> dict[str, Any]:
    """Return the paths of sources of the kind opsgenie-api."""
    identifier, action, request_id, heartbeat = (
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in ("identifier", "action", "requestId", "name")
    )
    kinds = {"name": "identifierType", "in": "query", "schema": {"enum": ["id", "alias"]}}
    below = "/v1/webhooks/{source}/v2/alerts"
    status = {
        "summary": "Ask for the status of a request to Opsgenie's Alert API",
        "parameters": [named, request_id],
        "security": [{"bearer": []}, {"basic": []}, {}],
        "responses": {
            "200": _answer("Its status.", "application/json"),
            "401": {"description": _REFUSALS["401"], "content": _PROBLEM},
            "404": {"description": "No such source or request.", "content": {"application/json": {}, **_PROBLEM}},
        },
    }
    return {
        below: {"post": _webhook("Create an alert as at Opsgenie", [named, explain])},
        f"{below}/{{identifier}}": {
            "delete": _webhook("Resolve an alert as by deleting it at Opsgenie", [named, identifier, kinds])
        },
        f"{below}/{{identifier}}/{{action}}": {
            "post": _webhook("Take an action on an alert as at Opsgenie", [named, identifier, action, kinds, explain])
        },
        f"{below}/requests/{{requestId}}": {"get": status},
        "/v1/webhooks/{source}/v2/heartbeats/{name}/ping": {
            "post": _webhook("Ping a heartbeat as at Opsgenie", [named, heartbeat])
        },
    }


def _webhook(summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    accepted = {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}}
    refusals = {status: {"description": said, "content": _PROBLEM} for status, said in _REFUSALS.items()}
    return {
        "summary": summary,
        "description": "The kind of the source says what a body is: whatever its monitoring system sends.",
        "parameters": [*parameters, _TEST],
        "security": [{"bearer": []}, {"basic": []}, {}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {
            "200": {"description": "What would happen; nothing is kept of a dry run.", "content": accepted},
            "202": {"description": "It is kept, and will be processed.", "content": accepted},
            **refusals,
            "503": {"description": "Nothing was kept: send it again.", "headers": _RETRY, "content": _PROBLEM},
        },
    }


def _handshake(named: dict[str, Any]) -> dict[str, Any]:
    asker = {"name": "WebHook-Request-Origin", "in": "header", "required": True, "schema": {"type": "string"}}
    refusals = ("400", "401", "403", "404", "405", "500")
    told = {
        name: {"schema": {"type": "string"}} for name in ("Allow", "WebHook-Allowed-Origin", "WebHook-Allowed-Rate")
    }
    return {
        "summary": "Ask whether CloudEvents may be delivered",
        "description": "The handshake of CloudEvents' web hooks, at sources that take such events.",
        "parameters": [named, asker],
        "security": [{"bearer": []}, {"basic": []}, {}],
        "responses": {
            "200": {"description": "They may.", "headers": told},
            **{status: {"description": _REFUSALS[status], "content": _PROBLEM} for status in refusals},
            "503": {"description": "Too much is under way: ask again.", "headers": _RETRY, "content": _PROBLEM},
        },
    }


def _page(summary: str, content_type: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _answer(summary + ".", content_type)}}


def _answer(said: str, content_type: str) -> dict[str, Any]:
    return {"description": said, "content": {content_type: {}}}
