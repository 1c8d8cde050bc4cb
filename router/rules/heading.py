"""Reads what a file says for all of its rules, before they are read: lists, time intervals and defaults."""

from collections.abc import Mapping
from typing import Any

from router.rules import inherited, known, model, openings, part, schedules, sharing
from router.rules.conditions import condition


def read(at: part.Part, data: Any, destinations: known.Destinations, outer: inherited.Inherited) -> inherited.Inherited:
    """Return what the rules of the file inherit: what the file says over what its folder says."""
    if not isinstance(data, dict):
        return outer
    lists = _lists(at.inside("lists"), data.get("lists"))
    named = schedules.names(at.inside("time_intervals"), data.get("time_intervals"))
    made = _defaults(at.inside("defaults").named("defaults: "), data.get("defaults"), destinations, outer)
    return inherited.Inherited(
        made.shared, made.publish, made.fields, {**outer.lists, **lists}, {**outer.times, **named}
    )


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
    shared = sharing.read(at, data, shape).over(outer.shared)
    fields = openings.defaults(at, data.get("open"), destinations, shared.public)
    publish = (shape.publish if shape is not None else None) or outer.publish
    return inherited.Inherited(shared, publish, _merged(outer.fields, fields))


def _merged(outer: Mapping[str, Mapping[str, Any]], inner: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: {**outer.get(name, {}), **inner.get(name, {})} for name in outer.keys() | inner.keys()}
