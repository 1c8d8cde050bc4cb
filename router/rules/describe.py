"""Describes conditions as text, in the syntax of rule files, for explanations and lint warnings."""

from typing import Any

from router.domain import recurrence
from router.rules import groups, intervals, model
from router.rules.conditions import cidr, condition, equality, regex, registry

_WORDS = {kind: word for word, kind in registry.CONDITIONS.items()}
_LISTED = 8  # Longer lists are abbreviated ("and N more").


def describe_rule(rule: model.Rule) -> tuple[tuple[str, str], ...]:
    """Return a rule's conditions as pairs of a field and a text.

    The field is empty if the condition is on several fields, or if the text includes the value that the alert must
    have.
    """
    beside = rule.other_conditions
    return (
        *(_field_and_text(field.name, rule_condition) for field, rule_condition in rule.conditions),
        *(("", describe_schedule(schedule)) for schedule in beside.schedules),
        *(("", describe_group(group)) for group in beside.grouped),
        *(("", f"expr {expression.text.strip()}") for expression in beside.cel_expressions),
    )


def _field_and_text(field: str, test: condition.Condition) -> tuple[str, str]:
    text = describe_condition(test)
    return ("", f"{field} {text}") if isinstance(test, equality.Equal) else (field, text)


def describe_condition(test: condition.Condition) -> str:
    """Describe one condition as it could be written in a rule file: ``starts_with "orders."``."""
    match test:
        case equality.Equal():
            return f"= {_text(test.wanted)}"
        case equality.OneOf():
            return f"one of {_format_list(sorted(test.wanted))}"
        case equality.InList():
            return f"in {', '.join(test.names)}"
        case equality.Exists():
            return "exists" if test.wanted else "does not exist"
        case regex.Matches():
            return f"matches {_text(test.pattern)}"
        case cidr.Cidr():
            return f"cidr {', '.join(map(str, test.networks))}"
        case equality.Not():
            return f"not ({' and '.join(map(describe_condition, test.inside))})"
    # The remaining conditions have either texts or a number.
    operand: Any = getattr(test, "wanted", None) or getattr(test, "limit", "")
    value = _format_list(operand) if isinstance(operand, tuple) else f"{operand:g}"
    return f"{_WORDS[type(test)]} {value}"


def describe_when(when: groups.When) -> str:
    """Describe all conditions of a ``when`` in one line."""
    parts = [f"{field.name} {describe_condition(test)}" for field, test in when.asked]
    return " and ".join([*parts, *map(describe_group, when.groups)]) or "anything"


def describe_group(group: groups.ConditionGroup) -> str:
    """Describe a group in one line."""
    return f"{group.word} of ({'; '.join(map(describe_when, group.members))})"


def describe_schedule(schedule: intervals.Schedule) -> str:
    """Describe the times of a rule in one line."""
    word = "except during" if schedule.outside else "during"
    return f"{word} {'; or '.join(describe_interval(interval) for interval in schedule.intervals)}"


def describe_interval(interval: recurrence.Interval) -> str:
    """Describe one interval: ``mon:fri 22:00-06:00 Europe/Zurich``."""
    times = ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in interval.times)
    days = ", ".join(_range(ends, [name[:3] for name in intervals.WEEKDAYS]) for ends in interval.weekdays)
    months = ", ".join(_range(ends, [name[:3] for name in intervals.MONTHS]) for ends in interval.months)
    dates = ", ".join(_range(ends) for ends in interval.days_of_month)
    years = ", ".join(_range(ends) for ends in interval.years)
    parts = [days, times, dates and f"days {dates}", months, years]
    return " ".join([part for part in parts if part] or ["always"]) + f" {interval.zone.key}"


def _range(ends: recurrence.Range, names: list[str] | None = None) -> str:
    first, last = (names[end] if names else str(end) for end in ends)
    return first if first == last else f"{first}:{last}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _text(text: str) -> str:
    return f'"{text}"'


def _format_list(texts: list[str] | tuple[str, ...]) -> str:
    head = ", ".join(map(_text, texts[:_LISTED]))
    return f"{head} and {len(texts) - _LISTED} more" if len(texts) > _LISTED else head
