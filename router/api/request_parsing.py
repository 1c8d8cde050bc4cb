"""Parses the query and the body of API requests by models, and reports every invalid field."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

import pydantic
from starlette import requests

from router.services import actions, request_bodies, review_fields
from router.web import problems
from router.yaml_source import phrases

Shape = TypeVar("Shape", bound=pydantic.BaseModel)


def parse_query(model: type[Shape], parameters: Mapping[str, str]) -> Shape:
    """Parse the parameters of a query. Raises ``actions.InvalidRequest`` with every unknown or invalid parameter."""
    try:
        return model.model_validate(parameters)
    except pydantic.ValidationError as error:
        raise actions.InvalidRequest(
            describe_errors("the query", error), _field_errors(error), is_query=True
        ) from error


async def parse_body(model: type[Shape] | None, request: requests.Request) -> pydantic.BaseModel | None:
    """Parse a request body. Raises ``actions.InvalidRequest``, or a 428 if a decision doesn't name the version seen."""
    if model is None:
        return None
    raw = await request.body()
    try:
        # All members of some bodies are optional, so an empty body is valid for them.
        shape = model.model_validate_json(raw or b"{}")
    except pydantic.ValidationError as error:
        raise actions.InvalidRequest(describe_errors("the body", error), _field_errors(error)) from error
    return _with_if_match(shape, request) if isinstance(shape, request_bodies.Decide) and not shape.seen else shape


def _with_if_match(decide: request_bodies.Decide, request: requests.Request) -> request_bodies.Decide:
    # Without a version, a reviewer could approve a text that changed after it was shown.
    tag = request.headers.get("if-match", "").strip().strip('"')
    if not tag:
        raise problems.Problem(
            428, "precondition", "name the version that you reviewed: If-Match with the ETag of GET /review, or `seen`"
        )
    return decide.model_copy(update={"seen": tag})


def _field_errors(error: pydantic.ValidationError) -> list[review_fields.InvalidField]:
    """Return every invalid field with its error."""
    return [
        review_fields.InvalidField(detail["loc"], phrases.phrase(detail)) for detail in error.errors(include_url=False)
    ]


def describe_errors(
    where: str, error: pydantic.ValidationError, names: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Describe every invalid field of a query, a body, or a form in one sentence.

    ``names`` maps fields to the caller's names for them, such as the options of a command.
    """
    descriptions = []
    for detail in error.errors(include_url=False):
        path = ".".join(names.get(str(part), str(part)) for part in detail["loc"])
        descriptions.append(f"{path or where}: {phrases.phrase(detail)}")
    return f"{where} can't be read: {'; '.join(descriptions)}"
