"""What is right as a rule file and probably not meant: warnings that ``check`` gives beside the errors."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from router.documents import nearest
from router.rules import fields, groups, implied, model
from router.rules.conditions import matches, starts_with

_BROAD = ("source", "severity")


class Doubt(NamedTuple):
    """One warning about a rule: what it says, and where in the rule."""

    rule: model.Rule
    message: str
    path: tuple[str | int, ...] = ()


class Known(NamedTuple):
    """What is known of the world outside the rules: sources' names, and labels with how often they were seen.

    No labels at all means that nothing is known of them.
    """

    sources: Collection[str] = ()
    labels: Collection[str] = ()


NOTHING = Known()
"""Nothing is known."""


def of(rules: Sequence[model.Rule], world: Known) -> Iterator[Doubt]:
    """Every doubt about these rules, which are given in the order in which they decide."""
    for rule, earlier in implied.unreachable(rules):
        yield Doubt(
            rule, f'can\'t be reached: rule "{earlier.name}" at {earlier.place} matches before it whenever it would'
        )
    for rule in rules:
        yield from _breadth(rule)
        yield from _empty_groups(rule)
        yield from _expressions(rule)
        yield from _sources(rule, world.sources)
        yield from _labels(rule, world.labels)


def _breadth(rule: model.Rule) -> Iterator[Doubt]:
    """A rule that takes nearly everything and does not group makes one incident of it all."""
    narrow = [field for field, _ in rule.conditions if field.name not in _BROAD]
    if rule.targets and not narrow and not rule.shared.group_by and rule.beside == groups.NOTHING:
        yield Doubt(
            rule,
            "makes one incident of everything that it matches: say with group_by what belongs together; "
            "fingerprint makes one incident for each alert",
        )


def _empty_groups(rule: model.Rule) -> Iterator[Doubt]:
    """A rule that takes nearly everything makes one incident of all alerts that have none of its group's fields."""
    narrow = [field for field, _ in rule.conditions if field.name not in _BROAD]
    told_apart = [field for field in rule.shared.group_by or () if field.name != "source"]
    if not rule.targets or narrow or rule.beside != groups.NOTHING or not told_apart:
        return
    if all(field.part and field.key not in rule.shared.labels for field in told_apart):
        names = ", ".join(field.name for field in told_apart)
        yield Doubt(
            rule,
            f"alerts that have none of {names} become one incident: ask for one of them with exists: true, and "
            "group by fingerprint in a rule for the others",
            ("group_by",),
        )


def _expressions(rule: model.Rule) -> Iterator[Doubt]:
    indexed = any(
        condition.values is not None or isinstance(condition, starts_with.StartsWith | matches.Matches)
        for _, condition in rule.conditions
    )
    if rule.beside.expressions and not indexed:
        yield Doubt(
            rule,
            "the expression is evaluated for every alert that comes so far: give the rule a condition, too",
            ("expr",),
        )


def _sources(rule: model.Rule, known: Collection[str]) -> Iterator[Doubt]:
    for field, condition in rule.conditions:
        if field.name == "source" and condition.values is not None and known:
            for name in sorted(condition.values - set(known)):
                yield Doubt(rule, f'there is no source "{name}"{nearest.hint(name, known)}', ("when", "source"))


def _labels(rule: model.Rule, seen: Collection[str]) -> Iterator[Doubt]:
    if not seen:
        return
    for field, path in _asked(rule).items():
        if field.part == "labels" and field.key not in seen and field.key not in rule.shared.labels:
            close = nearest.nearest(field.key, seen)
            hint = f'; did you mean "labels.{close}"?' if close else ""
            yield Doubt(rule, f"no recorded alert carries the label {field.key}{hint}", path)


def _asked(rule: model.Rule) -> Mapping[fields.Field, tuple[str | int, ...]]:
    """The fields that a rule names, and where."""
    found: dict[fields.Field, tuple[str | int, ...]] = {
        field: ("group_by", index) for index, field in enumerate(rule.shared.group_by or ())
    }
    found |= {
        source: ("labels", name) for name, source in rule.shared.labels.items() if isinstance(source, fields.Field)
    }
    return found | {field: ("when", field.name) for field, _ in rule.conditions}
