"""Parses the fields that rules and ``defaults`` have in common: severity, timing, labels, owner, and so on."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.domain import severities
from router.rules import fields, model, parse_context, parse_public, parse_when, severity_mapping


def read(
    context: parse_context.Context, data: Any, shape: model.SharedShape | None, lists: Mapping[str, frozenset[str]]
) -> model.CommonFields:
    """Parse the common fields of ``data``. ``shape`` is the validated data, or None if ``data`` is invalid."""
    if not isinstance(data, dict):
        return model.CommonFields()
    # These parts are parsed even if the shape is invalid, so that all problems are reported together.
    labels = dict(_labels(context, data.get("labels")))
    group_by = tuple(_group_by(context, data.get("group_by")))
    public = dict(parse_public.read(context.child("public"), data.get("public"), lists))
    severity = _severity(context, data, shape)
    if shape is None:
        return model.CommonFields(labels=labels, public=public)
    return model.CommonFields(
        severity,
        # An empty list differs from an absent one: it overrides the `group_by` of the defaults.
        None if shape.group_by is None else group_by,
        shape.timing.durations() if shape.timing is not None else {},
        labels,
        public,
        shape.owner,
        shape.runbook,
        shape.follow_severity,
        tuple(shape.allow_text),
        None if shape.notify is None else tuple(shape.notify),
        shape.acknowledgement.durations() if shape.acknowledgement is not None else {},
    )


def _severity(
    context: parse_context.Context, data: dict[str, Any], shape: model.SharedShape | None
) -> severities.Severity | severity_mapping.SeverityMapping | None:
    value = data.get("severity")
    name = value.get("from") if isinstance(value, dict) else None
    source = parse_when.field(context, name, "severity", "from") if isinstance(name, str) else None
    if shape is None or shape.severity is None:
        return None
    if isinstance(shape.severity, str):
        return severities.parse(shape.severity)
    if source is None:
        return None
    ladder = {text: severities.parse(word) for text, word in shape.severity.map.items()}
    default = shape.severity.default
    return severity_mapping.SeverityMapping(source, ladder, severities.parse(default) if default else None)


def _group_by(context: parse_context.Context, names: Any) -> Iterator[fields.Field]:
    seen = set()
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if not isinstance(name, str):
            continue
        if name in seen:
            context.report(f'group_by names "{name}" twice', "group_by", index)
        seen.add(name)
        field = parse_when.field(context, name, "group_by", index)
        if field is not None:
            yield field


def _labels(context: parse_context.Context, labels: Any) -> Iterator[tuple[str, str | fields.Field]]:
    for name, value in labels.items() if isinstance(labels, dict) else ():
        # A label that a rule sets must have a name that other rules can use in conditions.
        if parse_when.field(context, f"labels.{name}", "labels", name, key=True) is None:
            continue
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict) and isinstance(value.get("from"), str):
            source = parse_when.field(context, value["from"], "labels", name, "from")
            if source is not None:
                yield name, source
