"""Parses the settings that a file defines for all of its rules: lists, time intervals, inhibitions, and defaults."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from router.rules import (
    common_fields,
    defaults,
    destination_info,
    fields,
    groups,
    inhibitions,
    model,
    parse_context,
    parse_schedules,
    parse_targets,
    parse_when,
)
from router.rules.conditions import condition


def read(
    at: parse_context.Context, data: Any, destinations: destination_info.Destinations, outer: defaults.Defaults
) -> defaults.Defaults:
    """Return the settings that the rules of the file inherit. The file's settings override those of its folder."""
    if not isinstance(data, dict):
        return outer
    lists = _lists(at.child("lists"), data.get("lists"))
    named = parse_schedules.names(at.child("time_intervals"), data.get("time_intervals"))
    known_lists = {**outer.lists, **lists}
    read = tuple(_inhibitions(at, data.get("inhibit_rules"), known_lists))
    outer = dataclasses.replace(
        outer,
        lists=known_lists,
        times={**outer.times, **named},
        label_inhibitions=(*outer.label_inhibitions, *read),
    )
    return _defaults(at.child("defaults").with_prefix("defaults: "), data.get("defaults"), destinations, outer)


def _inhibitions(at: parse_context.Context, listed: Any, lists: parse_when.Lists) -> Iterator[inhibitions.Inhibition]:
    for index, data in enumerate(listed if isinstance(listed, list) else ()):
        inside = at.child("inhibit_rules", index)
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            inside = inside.with_prefix(f'inhibit rule "{data["name"]}": ')
        before = len(inside.problems)
        shape = inside.validate(model.InhibitShape, data)
        if not isinstance(data, dict):
            continue
        source, target = (
            parse_when.when(inside.child(key), lists) if key in data else groups.When()
            for key in ("source_match", "target_match")
        )
        equal = equal_fields(inside, data.get("equal"), "equal")
        _check_sides(inside, source, target, equal)
        if shape is not None and len(inside.problems) == before:
            place = f"{inside.document.name}:{inside.document.position(inside.path)[0]}"
            yield inhibitions.Inhibition(shape.name, place, source, target, equal)


def _check_sides(
    at: parse_context.Context, source: groups.When, target: groups.When, equal: tuple[fields.Field, ...]
) -> None:
    """Report an inhibition whose sides have no common value in a field that must be equal."""
    for field in equal:
        theirs, ours = groups.texts_of(field, source.asked), groups.texts_of(field, target.asked)
        if theirs is not None and ours is not None and not theirs & ours:
            sides = " and ".join(
                f"{' or '.join(sorted(texts))} in {key}"
                for key, texts in (("source_match", theirs), ("target_match", ours))
            )
            at.report(f"can never hold: {field.name} is {sides}; leave it out of equal", "equal")


def equal_fields(at: parse_context.Context, names: Any, *path: str | int) -> tuple[fields.Field, ...]:
    """Parse the fields in which two alerts must have the same values."""
    found = [
        parse_when.field(at, name, *path, index)
        for index, name in enumerate(names if isinstance(names, list) else ())
        if isinstance(name, str)
    ]
    return tuple(dict.fromkeys(field for field in found if field is not None))


def _lists(at: parse_context.Context, data: Any) -> dict[str, frozenset[str]]:
    if data is None:
        return {}
    if not isinstance(data, dict):
        at.report('"lists": a mapping of names to lists of texts is needed here')
        return {}
    written = at.raw_text()
    return {
        name: frozenset(_texts(at.child(name).with_prefix(f'list "{name}": '), value))
        for name, value in written.items()
    }


def _texts(at: parse_context.Context, value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        at.report("a list of texts is needed here")
        return []
    found = []
    for index, item in enumerate(value):
        try:
            found.append(condition.text(item))
        except condition.Unreadable as error:
            at.report(error.problem, index)
    return found


def _defaults(
    at: parse_context.Context, data: Any, destinations: destination_info.Destinations, outer: defaults.Defaults
) -> defaults.Defaults:
    if data is None:
        return outer
    shape = at.validate(model.DefaultsShape, data)
    if not isinstance(data, dict):
        return outer
    shared = common_fields.read(at, data, shape, outer.lists).with_defaults(outer.shared)
    parse_context.check_notifiers(at, data, "notify", destination_info.notifiers_of(destinations))
    opens = parse_targets.parse_defaults(at, data.get("open"), destinations, shared.public)
    publish = (shape.publish if shape is not None else None) or outer.publish
    return dataclasses.replace(outer, shared=shared, publish=publish, fields=_merged(outer.fields, opens))


def _merged(outer: Mapping[str, Mapping[str, Any]], inner: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: {**outer.get(name, {}), **inner.get(name, {})} for name in outer.keys() | inner.keys()}
