"""The management API as an OpenAPI 3.1 document, generated from the table and the models of the routes."""

import re
from typing import Any

import pydantic
from pydantic import json_schema

import router
from router.api import endpoints
from router.services import request_bodies
from router.web import openapi

_REFERENCE = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"{(\w+)(?::path)?}")
_REFUSALS = {
    "401": "Invalid or expired token or session.",
    "403": "The role is not sufficient, or the CSRF token is missing.",
    "404": "Not found.",
    "409": "The rules can't be used, or the name of an incident is ambiguous: `candidates` lists the incidents.",
    "413": "The body is too large.",
    "412": "The resource has changed: `by` is the first reviewer, `now` the review that is pending instead.",
    "422": "A parameter or the body is invalid; `errors` lists the fields at fault.",
    "428": "`If-Match` or `seen` is required.",
    "503": "Redis can't be reached.",
}


def document() -> dict[str, Any]:
    """Return the whole document."""
    models = [endpoint.answer for endpoint in endpoints.ENDPOINTS if endpoint.answer is not None]
    inputs = [endpoint.body for endpoint in endpoints.ENDPOINTS if endpoint.body is not None]
    # A model with defaults differs by direction: its members are optional in a request and always in a response.
    models_and_modes = [(model, "serialization") for model in models] + [(model, "validation") for model in inputs]
    schemas_of_models, shared = json_schema.models_json_schema(
        # Several endpoints share a model, which is described once.
        list(dict.fromkeys(models_and_modes)),  # type: ignore[arg-type]
        ref_template=_REFERENCE,
    )
    schemas = shared.get("$defs", {}) | {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for endpoint in endpoints.ENDPOINTS:
        # One path has several methods. OpenAPI doesn't know Starlette's converters, such as `:path`, so they are
        # removed.
        path = paths.setdefault(_PARAMETER.sub(r"{\1}", endpoints.PREFIX + endpoint.path), {})
        path[endpoint.method.lower()] = _operation(endpoint, schemas_of_models)
    return {
        "openapi": "3.1.0",
        "info": {"title": "incident-router, management", "version": router.__version__},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: endpoints.Endpoint, schemas: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "description": f"Requires the role {endpoint.role.word}.",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _PARAMETER.findall(endpoint.path)
        ]
        + _query(endpoint.query)
        + ([_IF_MATCH] if endpoint.body is request_bodies.Decide else []),
        "responses": {
            str(endpoint.status if endpoint.answer is not None else 204): _success(endpoint, schemas),
            **{status: _refusal(description) for status, description in _REFUSALS.items()},
        },
    }
    if endpoint.body is not None:
        schema = schemas[(endpoint.body, "validation")]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _query(model: type[pydantic.BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": property_schema}
        for name, property_schema in schema.get("properties", {}).items()
    ]


def _success(endpoint: endpoints.Endpoint, schemas: Any) -> dict[str, Any]:
    if endpoint.answer is None:
        return {"description": "Success, without a body."}
    schema = schemas[(endpoint.answer, "serialization")]
    response = {"description": "The requested data.", "content": {"application/json": {"schema": schema}}}
    return response | ({"headers": {"ETag": {"schema": {"type": "string"}}}} if endpoint.etag is not None else {})


def _refusal(description: str) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(model="Problem")}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The entity tag of the version that you reviewed.",
    "schema": {"type": "string"},
}
_CANDIDATES = {
    "candidates": {"type": "array", "items": {"$ref": _REFERENCE.format(model="IncidentRow")}},
    "more": {"type": "boolean", "description": "Whether there are further candidates."},
}
_ERRORS = {
    "errors": {
        "type": "array",
        "description": "The invalid fields: each a member of the body (`pointer`) or a query parameter.",
        "items": {
            "type": "object",
            "required": ["detail"],
            "properties": {
                "pointer": {"type": "string", "description": "A JSON pointer as a URI fragment."},
                "parameter": {"type": "string"},
                "detail": {"type": "string"},
            },
        },
    },
}
_PROBLEM = {
    **openapi.PROBLEM,
    "properties": {**openapi.PROBLEM["properties"], "by": {"type": "string"}, "now": {}, **_CANDIDATES, **_ERRORS},
}
