"""Runs one test of a rule file: plays its alerts and actions in a simulation, and compares the results."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from router.domain import alerts, decisions
from router.domain.times import Duration, Timestamp
from router.dry_run import notification_checks, simulated_events, simulation
from router.rules import rule_tests
from router.worker import retractions, reviews
from router.yaml_source import problems, quantities

Make = Callable[[Timestamp], simulation.Simulation]
"""Creates an empty simulation whose clock starts at a time in microseconds since the epoch."""

_SECOND = 1_000_000
_UNDRAFTED = "nothing was drafted: the page follows no incident that was opened"
# Ten years: longer than any test runs.
_NO_END = 10 * 365 * 24 * 60 * 60 * _SECOND


class Result(NamedTuple):
    """The result of a test: the expectations that were not met, all operations, and all notifications."""

    case: rule_tests.RuleTest
    problems: tuple[problems.LocatedProblem, ...]
    calls: tuple[simulation.Called, ...]
    started_at: Timestamp
    notifications: tuple[simulated_events.Notified, ...] = ()

    @property
    def passed(self) -> bool:
        """Return whether all expectations were met."""
        return not self.problems


class _Step(NamedTuple):
    at: Duration
    order: int
    place: int


def run(case: rule_tests.RuleTest, make: Make) -> Result:
    """Run a test. Play alerts and actions in the order of their times, and at equal times in the order of the file."""
    start = Timestamp(int(case.shape.starts.timestamp()) * _SECOND)
    playing = make(start)
    playing.drafts = {name: draft.model_dump() for name, draft in case.shape.drafts.items()}
    # Announcing renders the reviews at each step, so only tests that expect notifications do it.
    if case.shape.expect.notifications is not None:
        playing.announce()
    all_problems: list[problems.LocatedProblem] = []
    fires: dict[str, Timestamp] = {}
    for step in _steps(case.shape):
        playing.move_to(Timestamp(start + step.at))
        if step.order == 0:
            arrival = case.shape.alerts[step.place]
            (decision,) = playing.arrive([alert(arrival, playing.now, fires)])
            all_problems += _check_alert(case, step.place, decision)
        else:
            all_problems += _act(case, step.place, playing)
    # Timers after the last alert run as well, up to the last time that the test names.
    playing.move_to(Timestamp(start + _end(case.shape)))
    # A draft that no page has made is a mistake in the test, which would otherwise pass without it.
    all_problems += [
        case.problem(_UNDRAFTED, "drafts", name) for name in playing.drafts.keys() - playing.drafted_destinations
    ]
    all_problems += _check_whole(case, playing, start)
    return Result(case, tuple(all_problems), tuple(playing.calls), start, tuple(playing.notifications))


def _act(case: rule_tests.RuleTest, index: int, playing: simulation.Simulation) -> Iterator[problems.LocatedProblem]:
    """Perform an action of a reviewer or an operator. Yield a problem if the action is impossible."""
    action = case.shape.people[index]
    if action.silence is not None:
        playing.silence(action.matchers, Timestamp(playing.now + (action.for_ or _NO_END)))
    elif action.end_silence is not None:
        if not playing.end_silence(action.matchers):
            yield case.problem("no such silence is active at that time", "people", index, "end_silence")
    elif action.freeze is not None:
        playing.freeze(action.freeze)
    elif action.thaw is not None:
        playing.freeze("")
    elif action.retract is not None:
        if not playing.retract(action.retract, retractions.RetractionRequest("somebody", "", action.message)):
            yield case.problem(
                f'nothing can be retracted at "{action.retract}" at that time', "people", index, "retract"
            )
    elif action.destination is not None:
        kind: Literal["approved", "dismissed"] = "dismissed" if action.dismiss is not None else "approved"
        if not playing.decide(action.destination, reviews.ReviewDecision(kind, "somebody", fields=action.fields)):
            message = f'nothing awaits approval at "{action.destination}" at that time'
            yield case.problem(message, "people", index, action.verb)


def _steps(shape: rule_tests.RuleTestShape) -> list[_Step]:
    arrivals = [_Step(arrival.at, 0, index) for index, arrival in enumerate(shape.alerts)]
    # At equal times, alerts come first, because people can only act on an alert that has arrived.
    return sorted([*arrivals, *(_Step(person.at, 1, index) for index, person in enumerate(shape.people))])


def _end(shape: rule_tests.RuleTestShape) -> Duration:
    """Return the last time that the test names."""
    moments = [shape.until, *(alert.at for alert in shape.alerts), *(person.at for person in shape.people)]
    notified = (notification.at or Duration(0) for notification in shape.expect.notifications or ())
    return max([*moments, *(operation.at or Duration(0) for operation in shape.expect.operations or ()), *notified])


def alert(arrival: rule_tests.ScheduledAlert, now: Timestamp, fires: dict[str, Timestamp]) -> alerts.Alert:
    """Return the alert as a source would. A repeat has the time of the first one, and a resolution ends the alert."""
    fingerprint = arrival.fingerprint or _fingerprint(arrival)
    starts_at = fires.setdefault(fingerprint, now)
    resolved = arrival.status == "resolved"
    # The next firing message of this alert begins anew.
    if resolved:
        del fires[fingerprint]
    return alerts.Alert(
        arrival.source,
        fingerprint,
        arrival.status,
        starts_at,
        Timestamp(now if resolved else 0),
        arrival.title,
        dict(arrival.labels),
        dict(arrival.annotations),
        arrival.severity,
        arrival.link,
    )


def _fingerprint(arrival: rule_tests.ScheduledAlert) -> str:
    identity = repr((arrival.source, sorted(arrival.labels.items())))
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def _check_alert(
    case: rule_tests.RuleTest, index: int, decision: decisions.Decision
) -> Iterator[problems.LocatedProblem]:
    arrival = case.shape.alerts[index]
    if arrival.expect is not None:
        yield from _check_decision(case, arrival.expect, decision, ("alerts", index, "expect"), "")
    elif arrival.status == "firing":
        prefix = f"alert {index + 1}: " if len(case.shape.alerts) > 1 else ""
        yield from _check_decision(case, case.shape.expect, decision, ("expect",), prefix)


def _check_decision(
    case: rule_tests.RuleTest,
    expected: rule_tests.ExpectedDecision,
    decision: decisions.Decision,
    path: tuple[str | int, ...],
    prefix: str,
) -> Iterator[problems.LocatedProblem]:
    response = decision.response
    actual = "ignored: " + decision.ignored if response is None else f"rule {response.rule}"
    if expected.ignored is not None and expected.ignored not in decision.ignored:
        yield case.problem(f'{prefix}expected to be ignored for "{expected.ignored}", got {actual}', *path, "ignored")
    if expected.rule is not None and (response is None or response.rule != expected.rule):
        yield case.problem(f"{prefix}expected rule {expected.rule}, got {actual}", *path, "rule")
    if response is None:
        yield from _check_ignored(case, expected, actual, path, prefix)
        return
    if expected.severity is not None and decision.severity.word != expected.severity:
        yield case.problem(f"{prefix}expected {expected.severity}, got {decision.severity.word}", *path, "severity")
    if expected.key is not None and decision.incident_key != expected.key:
        yield case.problem(f"{prefix}expected incident {expected.key}, got {decision.incident_key}", *path, "key")
    at = [target.destination for target in response.targets]
    if expected.at is not None and sorted(expected.at) != sorted(at):
        yield case.problem(f"{prefix}expected at {_names(expected.at)}, got {_names(at)}", *path, "at")


def _check_ignored(
    case: rule_tests.RuleTest,
    expected: rule_tests.ExpectedDecision,
    actual: str,
    path: tuple[str | int, ...],
    prefix: str,
) -> Iterator[problems.LocatedProblem]:
    """Yield the properties of an incident that a test expects of an ignored alert."""
    # The missing rule was reported, and explains the missing properties.
    if expected.rule is not None:
        return
    properties = {"severity": expected.severity, "key": expected.key, "at": ", ".join(sorted(expected.at or ()))}
    # An empty list of destinations is met, because an ignored alert opens nothing.
    for name, value in properties.items():
        if value:
            yield case.problem(f"{prefix}expected {value}, got {actual}", *path, name)


def _check_whole(
    case: rule_tests.RuleTest, played: simulation.Simulation, start: int
) -> Iterator[problems.LocatedProblem]:
    expected = case.shape.expect
    opened = sum(incident.generation for incident in played.incidents.values())
    if expected.incidents is not None and opened != expected.incidents:
        yield case.problem(f"expected {expected.incidents} incidents, got {opened}", "expect", "incidents")
    if expected.operations is not None:
        yield from _check_operations(case, expected.operations, played.calls, start)
    if expected.notifications is not None:
        yield from notification_checks.check(case, played.notifications, start)


def _check_operations(
    case: rule_tests.RuleTest, expected: list[rule_tests.ExpectedOperation], calls: list[simulation.Called], start: int
) -> Iterator[problems.LocatedProblem]:
    """Yield the differences. Operations at the same time match in any order, since destinations work concurrently."""
    left = list(calls)
    for index, operation in enumerate(expected):
        path = ("expect", "operations", index)
        match = next((call for call in left if (call.kind, call.destination) == operation.what), None)
        kind, name = operation.what
        if match is None:
            yield case.problem(f"expected {kind} at {name}, but there was none{_more(calls, name)}", *path)
            continue
        # Each operation meets one expectation, so that a repeated call is not overlooked.
        left.remove(match)
        if operation.at is not None and match.at - start != operation.at:
            expected_at, actual_at = (
                quantities.format_duration(operation.at),
                quantities.format_duration(match.at - start),
            )
            yield case.problem(f"expected {kind} at {name} after {expected_at}, got it after {actual_at}", *path, "at")
        for field, value in (operation.model_extra or {}).items():
            text = rule_tests.as_text(match.shown.get(field))
            if text != value:
                yield case.problem(f"{kind} at {name}: expected {field} {value!r}, got {text!r}", *path, field)
    # An expected list is complete: every further operation is a difference.
    for call in left:
        after = quantities.format_duration(call.at - start)
        yield case.problem(f"{call.kind} at {call.destination} after {after} was not expected", "expect", "operations")


def _more(calls: Iterable[simulation.Called], name: str) -> str:
    kinds: list[rule_tests.Kind] = [call.kind for call in calls if call.destination == name]
    return f" (there were: {', '.join(kinds)})" if kinds else ""


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nowhere"


def format_calls(calls: Iterable[simulation.Called], start: int) -> Iterator[str]:
    """Yield the operations in the form that a test expects, for authors of tests."""
    for call in calls:
        fields = {"at": quantities.format_duration(call.at - start), call.kind: call.destination, **call.shown}
        yield "{" + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()) + "}"
