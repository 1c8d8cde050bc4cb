"""Compares the notifications that a rule test expects with those of its simulation."""

import json
from collections.abc import Iterable, Iterator, Sequence

from router.dry_run import simulated_events
from router.rules import rule_tests
from router.yaml_source import problems, quantities


def check(
    case: rule_tests.RuleTest, notified: Sequence[simulated_events.Notified], start: int
) -> Iterator[problems.LocatedProblem]:
    """Yield the differences. Notifications at the same time match in any order."""
    left = list(notified)
    for index, expected in enumerate(case.shape.expect.notifications or ()):
        path = ("expect", "notifications", index)
        notification = next((candidate for candidate in left if _matches(expected, candidate)), None)
        if notification is None:
            yield case.problem(f"expected {_describe(expected)}, but there was none{_more(notified, expected)}", *path)
            continue
        # Each notification meets one expectation, so that a repeated event is not overlooked.
        left.remove(notification)
        if expected.at is not None and notification.at - start != expected.at:
            expected_at, actual_at = (
                quantities.format_duration(expected.at),
                quantities.format_duration(notification.at - start),
            )
            yield case.problem(
                f"expected {_describe(expected)} after {expected_at}, got it after {actual_at}", *path, "at"
            )
    # An expected list is complete: every further notification is a difference.
    for candidate in left:
        after = quantities.format_duration(candidate.at - start)
        place = f" ({candidate.destination})" if candidate.destination else ""
        message = f"{candidate.type}{place} to {candidate.notifier} after {after} was not expected"
        yield case.problem(message, "expect", "notifications")


def format_lines(notified: Iterable[simulated_events.Notified], start: int) -> Iterator[str]:
    """Yield the notifications in the form that a test expects, for authors of tests."""
    for notification in notified:
        fields = {
            "at": quantities.format_duration(notification.at - start),
            "to": notification.notifier,
            "event": notification.type,
        }
        shown_fields = {**fields, "destination": notification.destination} if notification.destination else fields
        yield (
            "{"
            + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in shown_fields.items())
            + "}"
        )


def _matches(expected: rule_tests.Notification, notified: simulated_events.Notified) -> bool:
    return (notified.notifier, notified.type) == (expected.to, expected.event) and expected.destination in {
        None,
        notified.destination,
    }


def _describe(expected: rule_tests.Notification) -> str:
    place = f" ({expected.destination})" if expected.destination else ""
    return f"{expected.event}{place} to {expected.to}"


def _more(notified: Iterable[simulated_events.Notified], expected: rule_tests.Notification) -> str:
    types = dict.fromkeys(notification.type for notification in notified if notification.notifier == expected.to)
    return f" (there were: {', '.join(types)})" if types else ""
