"""Inhibition by labels: while one alert fires, other alerts with the same values in some fields are muted."""

from dataclasses import dataclass

from router.rules import fields, groups


@dataclass(frozen=True, slots=True)
class Inhibition:
    """One entry of ``inhibit_rules``; ``place`` is ``file:line``.

    While an alert that matches ``source`` fires, alerts that match ``target`` are muted if both have the same values in
    all fields of ``equal``.
    """

    name: str
    place: str
    source: groups.When
    target: groups.When
    equal: tuple[fields.Field, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleInhibition:
    """An entry of ``inhibited_by`` with ``equal``: the alerts of ``rule`` inhibit alerts with the same values."""

    rule: str
    equal: tuple[fields.Field, ...] = ()
