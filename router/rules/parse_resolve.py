"""Parses ``resolve`` of an entry of ``open``: how a rule ends its posts."""

from collections.abc import Collection, Mapping
from typing import Any

import pydantic

from router.domain import decisions
from router.rules import destination_info, model, parse_context, templates
from router.yaml_source import phrases

AT_ONCE = decisions.Ending()
TEXT, STATUS, FIRST_STATUS = "update_message", "update_status", "status"
"""The fields of a page's updates that say that a post is monitored, and the field of its first status."""


def read(
    context: parse_context.Context,
    data: Any,
    merged: Mapping[str, Any],
    name: str,
    destination: destination_info.DestinationInfo,
) -> decisions.Ending | None:
    """Parse ``resolve``. Report invalid data and return None.

    ``merged`` are the target's fields with its defaults.
    """
    if data is None:
        return AT_ONCE
    # Monitoring and reviews are about what customers read. Other destinations resolve with the incident.
    if not destination.public:
        context.report(
            f'customers don\'t see what is at "{name}" (kind {destination.kind}), which is resolved with its incident: '
            "leave out resolve; timing.resolve_after keeps incidents open",
            "resolve",
        )
        return None
    try:
        shape = _shape(data)
    except pydantic.ValidationError:  # Already reported with the rule's shape.
        return None
    if not shape.monitor_for:
        return decisions.Ending(review=shape.review)
    if not destination.monitoring:
        context.report(
            f'"{name}" (kind {destination.kind}) has no status for a monitored post: remove monitor_for',
            *("resolve", "monitor_for"),
        )
        return None
    monitoring = {STATUS: destination.monitoring, TEXT: shape.message}
    if not _fits(context, {**merged, **monitoring}, destination):
        return None
    field = destination.opening.model_fields[FIRST_STATUS]
    fields = {FIRST_STATUS: field.default, **destination.defaults, **merged}
    # If alerts fire again, the post must lose the monitoring status.
    firing = {STATUS: fields.get(STATUS) or fields[FIRST_STATUS]}
    return decisions.Ending(shape.monitor_for, monitoring, firing, shape.review)


def _shape(data: Any) -> model.ResolveShape:
    return model.ResolveShape(review=True) if data == "review" else model.ResolveShape.model_validate(data)


def _fits(
    context: parse_context.Context, fields: Mapping[str, Any], destination: destination_info.DestinationInfo
) -> bool:
    """Validate the message as the page validates the text of an update. Return whether it is valid."""
    try:
        destination.opening.model_validate({**destination.defaults, **fields}, context=destination.context)
    except pydantic.ValidationError as error:
        if templates.is_template(fields[TEXT]):  # The rendered text isn't known before there is an alert.
            return True
        wrong = [phrases.phrase(detail) for detail in error.errors(include_input=False) if detail["loc"][:1] == (TEXT,)]
        for message in wrong:
            context.report(message, "resolve", "message")
        return not wrong
    return True


def texts(target: decisions.Target) -> Mapping[str, Any]:
    """Return the texts of a target's ending, by their keys under ``resolve``."""
    text = target.ending.monitoring.get(TEXT)
    return {"message": text} if text else {}


def check_heartbeat(
    context: parse_context.Context, timing: Mapping[str, int], targets: Collection[decisions.Target]
) -> None:
    """Report ``monitor_for`` with a heartbeat, whose incident ends as soon as the heartbeat is received."""
    if not timing.get("heartbeat"):
        return
    for index, target in enumerate(targets):
        if target.ending.monitor_for:
            context.report(
                "a received heartbeat ends its incident immediately: remove monitor_for",
                *("open", index, "resolve"),
            )
