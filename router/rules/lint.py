"""Lint warnings: rules that are valid but probably not what the author meant."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from router.rules import fields, groups, lint_muting, lint_texts, lint_warnings, model, reachability
from router.rules.conditions import regex, substring
from router.yaml_source import suggestions

_BROAD = ("source", "severity")
_ENTITIES = frozenset(
    {"service", "app", "application", "component", "job", "namespace", "cluster", "region", "zone", "host", "hostname"}
    | {"instance", "server", "device", "node", "pod", "container", "deployment", "database", "db", "queue", "topic"}
    | {"tenant", "customer", "site", "project", "team"}
)
"""Labels whose values are usually things that fail on their own."""


def lint(rules: Sequence[model.Rule], world: lint_warnings.LintContext) -> Iterator[lint_warnings.LintWarning]:
    """Yield every warning about these rules, which are in the order in which they decide."""
    for rule, earlier in reachability.unreachable_rules(rules):
        order = (
            "; files and folders are read in the order of their names" if _are_in_different_files(rule, earlier) else ""
        )
        yield lint_warnings.LintWarning(
            rule,
            f'can\'t be reached: rule "{earlier.name}" at {earlier.place} matches all its alerts{order}',
        )
    for rule in rules:
        unknown = list(_check_sources(rule, world.sources))
        # A rule for a source that doesn't exist matches nothing, however broad it looks.
        yield from unknown or _check_breadth(rule)
        yield from _check_entities(rule)
        yield from _check_empty_groups(rule)
        yield from _check_hold(rule)
        yield from _check_expressions(rule)
        yield from _check_labels(rule, world.labels)
        yield from lint_texts.lint_texts(rule)
        yield from lint_texts.lint_limits(rule, world.limits)
    yield from lint_muting.lint_muting(rules, world)


def _are_in_different_files(rule: model.Rule, earlier: model.Rule) -> bool:
    """Return whether two rules are in different files."""
    return rule.place.rpartition(":")[0] != earlier.place.rpartition(":")[0]


def _check_breadth(rule: model.Rule) -> Iterator[lint_warnings.LintWarning]:
    """Warn of a rule that matches nearly every alert and doesn't group: all alerts join one incident."""
    narrow = [field for field, _ in rule.conditions if field.name not in _BROAD]
    # A group, a schedule, or an expression may be narrow. The linter can't tell, so it doesn't warn.
    if rule.targets and not narrow and not rule.common.group_by and rule.other_conditions == groups.NO_OTHER_CONDITIONS:
        yield lint_warnings.LintWarning(
            rule,
            "makes one incident of all alerts that it matches: set group_by; "
            "fingerprint makes one incident for each alert",
        )


def _check_entities(rule: model.Rule) -> Iterator[lint_warnings.LintWarning]:
    """Warn of a rule that matches several services or hosts and doesn't group by them: all join one incident."""
    if not rule.targets or rule.common.group_by:
        return
    for field, condition in rule.conditions:
        name = field.key.replace("/", ".").rpartition(".")[2].lower()
        has_single_value = condition.values is not None and len(condition.values) == 1
        if field.part == "labels" and name in _ENTITIES and not has_single_value:
            yield lint_warnings.LintWarning(
                rule,
                f"makes one incident of all alerts that it matches, for every {field.name}; "
                f"for one incident each, set group_by: [{field.name}]",
                ("when", field.name),
            )
            return


def _check_empty_groups(rule: model.Rule) -> Iterator[lint_warnings.LintWarning]:
    """Warn of a broad rule if all alerts without any of its ``group_by`` fields would join one incident."""
    narrow = [field for field, _ in rule.conditions if field.name not in _BROAD]
    # The source's name is the same for all alerts of a sender, so it doesn't separate them.
    told_apart = [field for field in rule.common.group_by or () if field.name != "source"]
    if not rule.targets or narrow or rule.other_conditions != groups.NO_OTHER_CONDITIONS or not told_apart:
        return
    if all(field.part and field.key not in rule.common.labels for field in told_apart):
        names = ", ".join(field.name for field in told_apart)
        yield lint_warnings.LintWarning(
            rule,
            f"alerts that have none of {names} become one incident: require one of them with exists: true, and "
            "add a rule for the others that groups by fingerprint",
            ("group_by",),
        )


def _check_hold(rule: model.Rule) -> Iterator[lint_warnings.LintWarning]:
    if rule.common.timing.get("max_hold") and not rule.common.timing.get("open_after"):
        yield lint_warnings.LintWarning(rule, '"max_hold" has no effect without "open_after"', ("timing", "max_hold"))


def _check_expressions(rule: model.Rule) -> Iterator[lint_warnings.LintWarning]:
    indexed = any(
        condition.values is not None or isinstance(condition, substring.StartsWith | regex.Matches)
        for _, condition in rule.conditions
    )
    if rule.other_conditions.cel_expressions and not indexed:
        yield lint_warnings.LintWarning(
            rule,
            "the expression is evaluated for every alert that reaches the rule: add a condition",
            ("expr",),
        )


def _check_sources(rule: model.Rule, configured: Collection[str]) -> Iterator[lint_warnings.LintWarning]:
    for field, condition in rule.conditions:
        if field.name == "source" and condition.values is not None and configured:
            for name in sorted(condition.values - set(configured)):
                yield lint_warnings.LintWarning(
                    rule, f'there is no source "{name}"{suggestions.hint(name, configured)}', ("when", "source")
                )


def _check_labels(rule: model.Rule, seen: Collection[str]) -> Iterator[lint_warnings.LintWarning]:
    # Without recorded alerts, every label would be unknown.
    if not seen:
        return
    for field, path in _used_fields(rule).items():
        if field.part == "labels" and field.key not in seen and field.key not in rule.common.labels:
            close = suggestions.nearest(field.key, seen)
            hint = f'; did you mean "labels.{close}"?' if close else ""
            yield lint_warnings.LintWarning(rule, f"no recorded alert carries the label {field.key}{hint}", path)


def _used_fields(rule: model.Rule) -> Mapping[fields.Field, tuple[str | int, ...]]:
    """Return the fields that a rule names, with the path of each."""
    values_of_fields: dict[fields.Field, tuple[str | int, ...]] = {
        field: ("group_by", index) for index, field in enumerate(rule.common.group_by or ())
    }
    values_of_fields |= {
        source: ("labels", name) for name, source in rule.common.labels.items() if isinstance(source, fields.Field)
    }
    return values_of_fields | {field: ("when", field.name) for field, _ in rule.conditions}
