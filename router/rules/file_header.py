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
    context: parse_context.Context, data: Any, destinations: destination_info.Destinations, outer: defaults.Defaults
) -> defaults.Defaults:
    """Return the settings that the rules of the file inherit. The file's settings override those of its folder."""
    if not isinstance(data, dict):
        return outer
    # Lists and intervals come first, because inhibitions and defaults may name them.
    lists = _lists(context.child("lists"), data.get("lists"))
    named_intervals = parse_schedules.names(context.child("time_intervals"), data.get("time_intervals"))
    known_lists = {**outer.lists, **lists}
    read = tuple(_inhibitions(context, data.get("inhibit_rules"), known_lists))
    outer = dataclasses.replace(
        outer,
        lists=known_lists,
        times={**outer.times, **named_intervals},
        # Inhibitions add to those of the folder. Lists and times replace those of the same name.
        label_inhibitions=(*outer.label_inhibitions, *read),
    )
    return _defaults(context.child("defaults").with_prefix("defaults: "), data.get("defaults"), destinations, outer)


def _inhibitions(
    context: parse_context.Context, entries: Any, lists: parse_when.Lists
) -> Iterator[inhibitions.Inhibition]:
    for index, data in enumerate(entries if isinstance(entries, list) else ()):
        inside = context.child("inhibit_rules", index)
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
    context: parse_context.Context, source: groups.When, target: groups.When, equal: tuple[fields.Field, ...]
) -> None:
    """Report an inhibition whose sides have no common value in a field that must be equal."""
    for field in equal:
        source_texts, target_texts = groups.texts_of(field, source.asked), groups.texts_of(field, target.asked)
        if source_texts is not None and target_texts is not None and not source_texts & target_texts:
            sides = " and ".join(
                f"{' or '.join(sorted(texts))} in {key}"
                for key, texts in (("source_match", source_texts), ("target_match", target_texts))
            )
            context.report(f"can never match: {field.name} is {sides}; remove it from equal", "equal")


def equal_fields(context: parse_context.Context, names: Any, *path: str | int) -> tuple[fields.Field, ...]:
    """Parse the fields in which two alerts must have the same values."""
    parsed = [
        parse_when.field(context, name, *path, index)
        for index, name in enumerate(names if isinstance(names, list) else ())
        if isinstance(name, str)
    ]
    return tuple(dict.fromkeys(field for field in parsed if field is not None))


def _lists(context: parse_context.Context, data: Any) -> dict[str, frozenset[str]]:
    if data is None:
        return {}
    if not isinstance(data, dict):
        context.report('"lists": expected a mapping of names to lists of texts')
        return {}
    # Texts are compared as written: 007 in a list is not the number 7.
    data_text = context.raw_text()
    return {
        name: frozenset(_texts(context.child(name).with_prefix(f'list "{name}": '), value))
        for name, value in data_text.items()
    }


def _texts(context: parse_context.Context, value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        context.report("expected a list of texts")
        return []
    texts = []
    for index, item in enumerate(value):
        try:
            texts.append(condition.text(item))
        except condition.InvalidCondition as error:
            context.report(error.problem, index)
    return texts


def _defaults(
    context: parse_context.Context, data: Any, destinations: destination_info.Destinations, outer: defaults.Defaults
) -> defaults.Defaults:
    if data is None:
        return outer
    shape = context.validate(model.DefaultsShape, data)
    if not isinstance(data, dict):
        return outer
    shared = common_fields.read(context, data, shape, outer.lists).with_defaults(outer.shared)
    parse_context.check_notifiers(context, data, "notify", destination_info.notifiers_of(destinations))
    opens = parse_targets.parse_defaults(context, data.get("open"), destinations, shared.public)
    publish = (shape.publish if shape is not None else None) or outer.publish
    return dataclasses.replace(outer, shared=shared, publish=publish, fields=_merge(outer.fields, opens))


def _merge(outer: Mapping[str, Mapping[str, Any]], inner: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: {**outer.get(name, {}), **inner.get(name, {})} for name in outer.keys() | inner.keys()}
