"""Reads what a file says for all of its rules, before they are read: lists, times, inhibitions and defaults."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from router.rules import asking, fields, groups, inherited, inhibition, known, model, openings, part, schedules, sharing
from router.rules.conditions import condition


def read(at: part.Part, data: Any, destinations: known.Destinations, outer: inherited.Inherited) -> inherited.Inherited:
    """Return what the rules of the file inherit: what the file says over what its folder says."""
    if not isinstance(data, dict):
        return outer
    lists = _lists(at.inside("lists"), data.get("lists"))
    named = schedules.names(at.inside("time_intervals"), data.get("time_intervals"))
    known_lists = {**outer.lists, **lists}
    inhibitions = tuple(_inhibitions(at, data.get("inhibit_rules"), known_lists))
    outer = dataclasses.replace(
        outer,
        lists=known_lists,
        times={**outer.times, **named},
        inhibitions=(*outer.inhibitions, *inhibitions),
    )
    return _defaults(at.inside("defaults").named("defaults: "), data.get("defaults"), destinations, outer)


def _inhibitions(at: part.Part, listed: Any, lists: asking.Lists) -> Iterator[inhibition.Inhibition]:
    for index, data in enumerate(listed if isinstance(listed, list) else ()):
        inside = at.inside("inhibit_rules", index)
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            inside = inside.named(f'inhibit rule "{data["name"]}": ')
        before = len(inside.found)
        shape = inside.shaped(model.InhibitShape, data)
        if not isinstance(data, dict):
            continue
        source, target = (
            asking.when(inside.inside(key), lists) if key in data else groups.When()
            for key in ("source_match", "target_match")
        )
        equal = equal_fields(inside, data.get("equal"), "equal")
        _check_sides(inside, source, target, equal)
        if shape is not None and len(inside.found) == before:
            place = f"{inside.document.name}:{inside.document.place(inside.at)[0]}"
            yield inhibition.Inhibition(shape.name, place, source, target, equal)


def _check_sides(at: part.Part, source: groups.When, target: groups.When, equal: tuple[fields.Field, ...]) -> None:
    """Refuse an inhibition whose sides allow no common value in a field that has to be equal."""
    for field in equal:
        theirs, ours = groups.texts_of(field, source.asked), groups.texts_of(field, target.asked)
        if theirs is not None and ours is not None and not theirs & ours:
            sides = " and ".join(
                f"{' or '.join(sorted(texts))} in {key}"
                for key, texts in (("source_match", theirs), ("target_match", ours))
            )
            at.say(f"can never hold: {field.name} is {sides}; leave it out of equal", "equal")


def equal_fields(at: part.Part, names: Any, *path: str | int) -> tuple[fields.Field, ...]:
    """Read the fields in which two alerts must have the same values."""
    found = [
        asking.field(at, name, *path, index)
        for index, name in enumerate(names if isinstance(names, list) else ())
        if isinstance(name, str)
    ]
    return tuple(dict.fromkeys(field for field in found if field is not None))


def _lists(at: part.Part, data: Any) -> dict[str, frozenset[str]]:
    if data is None:
        return {}
    if not isinstance(data, dict):
        at.say('"lists": a mapping of names to lists of texts is needed here')
        return {}
    written = at.written()
    return {
        name: frozenset(_texts(at.inside(name).named(f'list "{name}": '), value)) for name, value in written.items()
    }


def _texts(at: part.Part, value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        at.say("a list of texts is needed here")
        return []
    found = []
    for index, item in enumerate(value):
        try:
            found.append(condition.text(item))
        except condition.Unreadable as error:
            at.say(error.problem, index)
    return found


def _defaults(
    at: part.Part, data: Any, destinations: known.Destinations, outer: inherited.Inherited
) -> inherited.Inherited:
    if data is None:
        return outer
    shape = at.shaped(model.DefaultsShape, data)
    if not isinstance(data, dict):
        return outer
    shared = sharing.read(at, data, shape, outer.lists).over(outer.shared)
    part.check_notifiers(at, data, "notify", known.notifiers_of(destinations))
    opens = openings.defaults(at, data.get("open"), destinations, shared.public)
    publish = (shape.publish if shape is not None else None) or outer.publish
    return dataclasses.replace(outer, shared=shared, publish=publish, fields=_merged(outer.fields, opens))


def _merged(outer: Mapping[str, Mapping[str, Any]], inner: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: {**outer.get(name, {}), **inner.get(name, {})} for name in outer.keys() | inner.keys()}
