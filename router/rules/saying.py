"""Says conditions in the words of rule files, for whoever asks why a rule matched or did not."""

from typing import Any

from router.domain import recurrence
from router.rules import groups, intervals, model
from router.rules.conditions import cidr, condition, equal, exists, in_list, matches, negation, one_of, registry

_WORDS = {kind: word for word, kind in registry.CONDITIONS.items()}
_LISTED = 8  # Texts of a longer list are counted.


def rule_words(rule: model.Rule) -> tuple[tuple[str, str], ...]:
    """Return a rule's conditions as pairs of a field and a text.

    The field is empty if the condition is on several, or if the text has the value that the alert must have.
    """
    beside = rule.beside
    return (
        *(_field_and_text(field.name, one) for field, one in rule.conditions),
        *(("", schedule_words(one)) for one in beside.schedules),
        *(("", group_words(one)) for one in beside.grouped),
        *(("", f"expr {one.text.strip()}") for one in beside.expressions),
    )


def _field_and_text(field: str, one: condition.Condition) -> tuple[str, str]:
    text = condition_words(one)
    return ("", f"{field} {text}") if isinstance(one, equal.Equal) else (field, text)


def condition_words(one: condition.Condition) -> str:
    """One condition as it could stand in a rule file: ``starts_with "orders."``."""
    match one:
        case equal.Equal():
            return f"= {_text(one.wanted)}"
        case one_of.OneOf():
            return f"one of {_listed(sorted(one.wanted))}"
        case in_list.InList():
            return f"in {', '.join(one.names)}"
        case exists.Exists():
            return "exists" if one.wanted else "does not exist"
        case matches.Matches():
            return f"matches {_text(one.pattern)}"
        case cidr.Cidr():
            return f"cidr {', '.join(map(str, one.networks))}"
        case negation.Not():
            return f"not ({' and '.join(map(condition_words, one.inside))})"
    wanted: Any = getattr(one, "wanted", None) or getattr(one, "limit", "")
    said = _listed(wanted) if isinstance(wanted, tuple) else f"{wanted:g}"
    return f"{_WORDS[type(one)]} {said}"


def when_words(when: groups.When) -> str:
    """Everything of a ``when`` in one line."""
    parts = [f"{field.name} {condition_words(one)}" for field, one in when.asked]
    return " and ".join([*parts, *map(group_words, when.groups)]) or "anything"


def group_words(group: groups.Group) -> str:
    """A group in one line."""
    return f"{group.word} of ({'; '.join(map(when_words, group.members))})"


def schedule_words(schedule: intervals.Schedule) -> str:
    """Times in one line."""
    word = "except during" if schedule.outside else "during"
    return f"{word} {'; or '.join(interval_words(one) for one in schedule.intervals)}"


def interval_words(one: recurrence.Interval) -> str:
    """One interval in a few words: ``mon:fri 22:00-06:00 Europe/Zurich``."""
    times = ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in one.times)
    days = ", ".join(_range(ends, [name[:3] for name in intervals.WEEKDAYS]) for ends in one.weekdays)
    months = ", ".join(_range(ends, [name[:3] for name in intervals.MONTHS]) for ends in one.months)
    dates = ", ".join(_range(ends) for ends in one.days_of_month)
    years = ", ".join(_range(ends) for ends in one.years)
    said = [days, times, dates and f"days {dates}", months, years]
    return " ".join([part for part in said if part] or ["always"]) + f" {one.zone.key}"


def _range(ends: recurrence.Range, names: list[str] | None = None) -> str:
    first, last = (names[end] if names else str(end) for end in ends)
    return first if first == last else f"{first}:{last}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _text(text: str) -> str:
    return f'"{text}"'


def _listed(texts: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(map(_text, texts[:_LISTED]))
    return f"{shown} and {len(texts) - _LISTED} more" if len(texts) > _LISTED else shown
