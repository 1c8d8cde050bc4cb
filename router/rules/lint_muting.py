"""Lint warnings about windows that drop alerts, and about inhibitions that never apply."""

from collections.abc import Iterator, Mapping, Sequence

from router.domain import recurrence
from router.domain.times import Timestamp
from router.rules import fields, groups, lint_warnings, model, reachability, templates

_A_YEAR = 365 * recurrence.DAY
_SOME_DAY = Timestamp(20_000 * recurrence.DAY)  # October 2024. Any year would do, since the check covers one year.


def lint_muting(rules: Sequence[model.Rule], world: lint_warnings.LintContext) -> Iterator[lint_warnings.LintWarning]:
    """Yield every warning about the muting of these rules, which are in the order in which they decide."""
    by_name = {rule.name: rule for rule in rules}
    always: dict[int, bool] = {}
    for number, rule in enumerate(rules):
        yield from _check_windows(rule, rules[number + 1 :], world)
        yield from _check_always_muted(rule, always)
        yield from _check_incident_inhibitors(rule, by_name)
        yield from _check_alert_inhibitors(rule, by_name)
        yield from _check_cycle(rule, by_name)
    yield from _check_targets(rules)


def _check_windows(
    rule: model.Rule, later: Sequence[model.Rule], world: lint_warnings.LintContext
) -> Iterator[lint_warnings.LintWarning]:
    """Warn of a window outside which an alert that is sent once is lost, since no later rule handles it."""
    # A sender that repeats its alerts sends them again after the window, so nothing is lost.
    if not rule.other_conditions.schedules or _repeats(rule, world):
        return
    if rule.ignore_reason:
        key = "except_during" if rule.other_conditions.schedules[0].outside else "during"
        yield lint_warnings.LintWarning(
            rule,
            "permanently drops alerts in the window, even if they still fire when it ends; to delay them, use "
            "mute_during in the rules that open them",
            (key,),
        )
    elif rule.targets and not any(other.targets and _covers(other, rule) for other in later):
        key = "except_during" if rule.other_conditions.schedules[0].outside else "during"
        yield lint_warnings.LintWarning(
            rule,
            "permanently drops alerts at other times, even if they still fire when its time begins; to delay "
            "them, use mute_during",
            (key,),
        )


def _check_always_muted(rule: model.Rule, results: dict[int, bool]) -> Iterator[lint_warnings.LintWarning]:
    """Warn of windows that together always mute the rule. ``results`` caches the result for each set of windows."""
    # Rules of one file share their windows, and computing a year of occurrences takes long.
    identity = hash(tuple(map(id, rule.mute_during)))
    if rule.mute_during and identity not in results:
        every = [interval for window in rule.mute_during for interval in window.intervals]
        spans = recurrence.occurrences(every, _SOME_DAY)
        results[identity] = bool(spans) and spans[0][1] - spans[0][0] >= _A_YEAR
    if rule.mute_during and results[identity]:
        yield lint_warnings.LintWarning(rule, "always muted: its windows cover all times", ("mute_during",))


def _check_cycle(rule: model.Rule, by_name: Mapping[str, model.Rule]) -> Iterator[lint_warnings.LintWarning]:
    """Warn of rules that inhibit each other: if both fire at the same time, no incident opens."""
    paths = [[name] for name in _inhibitors(rule)]
    seen: set[str] = set()
    for path in paths:
        name = path[-1]
        if name == rule.name:
            around = ", which is inhibited by ".join(f'"{rule_name}"' for rule_name in path)
            yield lint_warnings.LintWarning(
                rule,
                f"inhibited by {around}: if alerts of these rules fire at the same time, no incident opens",
                ("inhibited_by",),
            )
            return
        # Each rule is visited once, because a circle would otherwise never end.
        if name in by_name and name not in seen:
            seen.add(name)
            paths += [[*path, further] for further in _inhibitors(by_name[name])]


def _inhibitors(rule: model.Rule) -> list[str]:
    return [*rule.inhibited_by, *(over.rule for over in rule.rule_inhibitions)]


def _check_targets(rules: Sequence[model.Rule]) -> Iterator[lint_warnings.LintWarning]:
    """Warn of an inhibition whose targets no rule in its scope matches."""
    in_scope: dict[int, list[model.Rule]] = {}
    for rule in rules:
        for inhibition in rule.label_inhibitions:
            in_scope.setdefault(id(inhibition), []).append(rule)
    by_id = {id(candidate): candidate for rule in rules for candidate in rule.label_inhibitions}
    for identity, subject in in_scope.items():
        inhibition = by_id[identity]
        if all(
            rule.ignore_reason or reachability.never_both(inhibition.target.asked, rule.conditions) for rule in subject
        ):
            yield lint_warnings.LintWarning(
                subject[0],
                f'inhibit_rules "{inhibition.name}" at {inhibition.place} mutes nothing: '
                "no rule in its scope matches such alerts",
            )


def _repeats(rule: model.Rule, world: lint_warnings.LintContext) -> bool:
    """Return whether every sender of the rule's alerts repeats firing alerts."""
    source_sets = [
        condition.values
        for field, condition in rule.conditions
        if field.name == "source" and condition.values is not None
    ]
    sources = frozenset.intersection(*map(frozenset, source_sets)) if source_sets else frozenset(world.sources)
    return bool(sources) and sources <= frozenset(world.repeating)


def _covers(rule: model.Rule, other: model.Rule) -> bool:
    """Return whether a rule matches all alerts of another rule at any time."""
    return not rule.other_conditions.schedules and reachability.covers(rule, other)


def _check_incident_inhibitors(
    rule: model.Rule, by_name: Mapping[str, model.Rule]
) -> Iterator[lint_warnings.LintWarning]:
    """Warn of ``inhibited_by`` by name if no incident of that rule can have the same ``group_by`` values."""
    for name in rule.inhibited_by:
        source = by_name.get(name)
        if source is None:
            continue
        if source.ignore_reason:
            yield lint_warnings.LintWarning(
                rule,
                f'never inhibited by "{name}": its alerts are ignored, so it has no incidents; use inhibit_rules',
                ("inhibited_by",),
            )
            continue
        yield from _check_group_by(rule, name, source)


def _check_group_by(rule: model.Rule, name: str, source: model.Rule) -> Iterator[lint_warnings.LintWarning]:
    """Warn if the rule's alerts can't have the values of the source's incidents."""
    group_by = source.common.group_by or ()
    never = {field: reason for field in group_by if (reason := _find_difference(field, source, rule))}
    if never:
        common = ", ".join(field.name for field in group_by if field not in never)
        reason = next(iter(never.values()))
        yield lint_warnings.LintWarning(
            rule,
            f'never inhibited by "{name}", which groups by {reason}; name the labels that are equal: '
            f"{{rule: {name}, equal: [{common or 'labels.x'}]}}",
            ("inhibited_by",),
        )
        return
    for field in group_by:
        if _possible_values(field, rule) is None and rule.conditions and field not in _used_fields(rule):
            yield lint_warnings.LintWarning(
                rule,
                f'"{name}" groups by {field.name}, and this rule\'s alerts may lack it: alerts without it are '
                f"never inhibited; require it with {field.name}: {{exists: true}}, or name another label: "
                f"{{rule: {name}, equal: [labels.x]}}",
                ("inhibited_by",),
            )
            return


def _find_difference(field: fields.Field, source: model.Rule, target: model.Rule) -> str:
    """Return why an alert of the target never has the source incident's value in a field; empty if it may."""
    if field.name == "fingerprint":
        return "fingerprint, and no two alerts have the same"
    source_texts, target_texts = _possible_values(field, source), _possible_values(field, target)
    if source_texts is not None and target_texts is not None and not source_texts & target_texts:
        return f"{field.name}: it is {_format_texts(source_texts)} there and {_format_texts(target_texts)} here"
    return ""


def _check_alert_inhibitors(rule: model.Rule, by_name: Mapping[str, model.Rule]) -> Iterator[lint_warnings.LintWarning]:
    """Warn of ``inhibited_by`` with ``equal`` if the alerts can't have the same values."""
    for over in rule.rule_inhibitions:
        source = by_name.get(over.rule)
        if source is None:
            continue
        if source.ignore_reason:
            yield lint_warnings.LintWarning(
                rule, f'never inhibited by "{over.rule}": its alerts are ignored; use inhibit_rules', ("inhibited_by",)
            )
        for field in over.equal:
            source_texts, target_texts = _possible_values(field, source), _possible_values(field, rule)
            if field.name == "fingerprint" or (
                source_texts is not None and target_texts is not None and not source_texts & target_texts
            ):
                yield lint_warnings.LintWarning(
                    rule,
                    f'never inhibited by "{over.rule}": no two of their alerts have the same {field.name}; '
                    "remove it from equal",
                    ("inhibited_by",),
                )


def _possible_values(field: fields.Field, rule: model.Rule) -> frozenset[str] | None:
    """Return the values that a field can have in a rule's alerts; None if it may have any."""
    settled = rule.common.labels.get(field.key) if field.part == "labels" else None
    # A label that the rule sets replaces the sender's, whatever the conditions say about it.
    if settled is not None:
        return frozenset({settled}) if isinstance(settled, str) else None
    return groups.texts_of(field, rule.conditions)


def _used_fields(rule: model.Rule) -> set[fields.Field]:
    """Return the fields that a rule names in conditions, groups, labels, and texts, which its alerts therefore have."""
    used_fields = {field for field, _ in rule.conditions} | set(rule.common.group_by or ())
    used_fields |= {fields.parse(f"labels.{name}") for name in rule.common.labels}
    for group in rule.other_conditions.grouped:
        used_fields |= {field for member in group.members for field, _ in member.asked}
    for target in rule.targets:
        for text in (*target.fields.values(), *target.ending.monitoring.values()):
            for variable in templates.variables(text) if isinstance(text, str) else ():
                if variable[0] == "alert" and len(variable) == 3:
                    used_fields.add(fields.Field(".".join(variable[1:]), variable[1], variable[2]))
    return used_fields


def _format_texts(texts: frozenset[str]) -> str:
    return " or ".join(f'"{text}"' for text in sorted(texts)[:3])
