"""Reads what rules and ``defaults`` have in common: severity, timing, labels, owner, notifiers, and so on."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.domain import severities
from router.rules import asking, declared, fields, model, part, rating


def read(
    at: part.Part, data: Any, shape: model.SharedShape | None, lists: Mapping[str, frozenset[str]]
) -> model.Shared:
    """Read all of it from ``data``, which stands at ``at``; ``shape`` is the same, or None where it is wrong."""
    if not isinstance(data, dict):
        return model.Shared()
    labels = dict(_labels(at, data.get("labels")))
    group_by = tuple(_group_by(at, data.get("group_by")))
    public = dict(declared.read(at.inside("public"), data.get("public"), lists))
    severity = _severity(at, data, shape)
    if shape is None:
        return model.Shared(labels=labels, public=public)
    return model.Shared(
        severity,
        None if shape.group_by is None else group_by,
        shape.timing.durations() if shape.timing is not None else {},
        labels,
        public,
        shape.owner,
        shape.runbook,
        shape.follow,
        tuple(shape.allow_text),
        None if shape.notify is None else tuple(shape.notify),
    )


def _severity(
    at: part.Part, data: dict[str, Any], shape: model.SharedShape | None
) -> severities.Severity | rating.Mapped | None:
    written = data.get("severity")
    name = written.get("from") if isinstance(written, dict) else None
    source = asking.field(at, name, "severity", "from") if isinstance(name, str) else None
    if shape is None or shape.severity is None:
        return None
    if isinstance(shape.severity, str):
        return severities.parse(shape.severity)
    if source is None:
        return None
    ladder = {text: severities.parse(word) for text, word in shape.severity.map.items()}
    default = shape.severity.default
    return rating.Mapped(source, ladder, severities.parse(default) if default else None)


def _group_by(at: part.Part, names: Any) -> Iterator[fields.Field]:
    seen = set()
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if not isinstance(name, str):
            continue
        if name in seen:
            at.say(f'group_by names "{name}" twice', "group_by", index)
        seen.add(name)
        field = asking.field(at, name, "group_by", index)
        if field is not None:
            yield field


def _labels(at: part.Part, labels: Any) -> Iterator[tuple[str, str | fields.Field]]:
    for name, value in labels.items() if isinstance(labels, dict) else ():
        if asking.field(at, f"labels.{name}", "labels", name, key=True) is None:
            continue
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict) and isinstance(value.get("from"), str):
            source = asking.field(at, value["from"], "labels", name, "from")
            if source is not None:
                yield name, source
