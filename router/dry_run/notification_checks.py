"""Compares the notifications that a rule test expects with those of its simulation."""

import json
from collections.abc import Iterable, Iterator, Sequence

from router.dry_run import simulated_events
from router.rules import rule_tests
from router.yaml_source import problems, quantities


def check(
    case: rule_tests.RuleTest, notified: Sequence[simulated_events.Notified], start: int
) -> Iterator[problems.Problem]:
    """Yield the differences. Notifications at the same time match in any order."""
    left = list(notified)
    for index, expected in enumerate(case.shape.expect.notifications or ()):
        path = ("expect", "notifications", index)
        found = next((one for one in left if _matches(expected, one)), None)
        if found is None:
            yield case.problem(f"expected {_named(expected)}, and there was none{_more(notified, expected)}", *path)
            continue
        left.remove(found)
        if expected.at is not None and found.at - start != expected.at:
            wanted, got = quantities.shown(expected.at), quantities.shown(found.at - start)
            yield case.problem(f"expected {_named(expected)} after {wanted}, got it after {got}", *path, "at")
    for one in left:
        after = quantities.shown(one.at - start)
        place = f" ({one.destination})" if one.destination else ""
        message = f"{one.type}{place} to {one.notifier} after {after} was not expected"
        yield case.problem(message, "expect", "notifications")


def lines(notified: Iterable[simulated_events.Notified], start: int) -> Iterator[str]:
    """Yield the notifications in the form that a test expects, for authors of tests."""
    for one in notified:
        given = {"at": quantities.shown(one.at - start), "to": one.notifier, "event": one.type}
        shown = {**given, "destination": one.destination} if one.destination else given
        yield "{" + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in shown.items()) + "}"


def _matches(expected: rule_tests.Notification, one: simulated_events.Notified) -> bool:
    return (one.notifier, one.type) == (expected.to, expected.event) and expected.destination in {None, one.destination}


def _named(expected: rule_tests.Notification) -> str:
    place = f" ({expected.destination})" if expected.destination else ""
    return f"{expected.event}{place} to {expected.to}"


def _more(notified: Iterable[simulated_events.Notified], expected: rule_tests.Notification) -> str:
    types = dict.fromkeys(one.type for one in notified if one.notifier == expected.to)
    return f" (there were: {', '.join(types)})" if types else ""
