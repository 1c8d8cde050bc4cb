"""Explains a decision: every rule that was checked, and each of its conditions with the result and the actual value.

The rules are checked in their order, as a reader would check them. The index gives the same result faster.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from router.domain import alerts, decisions, identity, severities
from router.domain.times import Timestamp
from router.rules import describe, grouping_notices, groups, model, parse_resolve, ruleset, templates
from router.yaml_source import quantities

_EPISODE = "0" * 32  # Placeholder for the random ID that the incident would get.


class ConditionResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One condition: its text, whether it holds, and the actual value (None if there isn't exactly one value).

    ``inside`` are the parts of a group.
    """

    asks: str
    holds: bool
    field: str = ""
    value: str | None = None
    inside: "tuple[ConditionResult, ...]" = ()


class RuleResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule that was checked. ``result`` is ``decides``, ``adds``, or ``does not match``."""

    rule: str
    place: str
    matches: bool
    result: str
    conditions: tuple[ConditionResult, ...]
    owner: str = ""
    runbook: str = ""


class Post(msgspec.Struct, frozen=True, omit_defaults=True):
    """The post that would be sent to one destination, with every text rendered.

    ``publish`` applies to public destinations, and is empty for others. A review ends after ``timeout`` (such as
    ``15m``; it never ends if empty), and ``on_timeout`` says whether the post is published or dismissed. Once no alert
    fires, the post is monitored for ``monitor_for`` with the text ``monitor_message``, if set, and then resolved: by a
    reviewer if ``resolve`` is ``review``. ``retrospective``: an incident that ends before it is published is published
    afterwards.
    """

    destination: str
    fields: dict[str, Any]
    publish: str = ""
    timeout: str = ""
    on_timeout: str = ""
    monitor_for: str = ""
    monitor_message: str = ""
    resolve: str = ""
    retrospective: bool = False


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The reasons for the decision about an alert.

    ``not_reached`` counts the rules after the one that ended the search.

    The alert is muted while an incident or an inhibition with one of the keys ``muted_while`` fires, and during
    ``mute_windows``. While the alert fires, it mutes other alerts by the keys ``inhibits``. ``why`` is set if the
    decision is unusual: the alert has none of the fields that its rule groups by.
    """

    alert: alerts.Alert
    version: str
    looked_at: tuple[RuleResult, ...]
    not_reached: int
    ignored: str = ""
    rule: str = ""
    incident_key: str = ""
    severity: str = ""
    timing: decisions.Timing = decisions.Timing()
    posts: tuple[Post, ...] = ()
    muted_while: tuple[str, ...] = ()
    mute_windows: tuple[decisions.MuteWindow, ...] = ()
    inhibits: tuple[str, ...] = ()
    why: str = ""


def explain_alert(
    rules: ruleset.RuleSet, alert: alerts.Alert, now: Timestamp, public: Iterable[str] = ()
) -> Explanation:
    """Explain the decision about an alert at a time (microseconds). ``public`` are the public destinations."""
    # Checking rule by rule is slow, but shows why each earlier rule didn't match.
    results = tuple(_look(rules.rules, alert, now))
    # The decision itself comes from the index, so an explanation can't differ from what the router does.
    decision = rules.decide(alert, now)
    response = decision.response
    if response is None:
        return Explanation(
            alert,
            rules.version,
            results,
            len(rules.rules) - len(results),
            ignored=decision.ignored,
            inhibits=decision.inhibits,
        )
    return Explanation(
        alert,
        rules.version,
        results,
        len(rules.rules) - len(results),
        rule=response.rule,
        incident_key=decision.incident_key,
        severity=decision.severity.word,
        timing=response.timing,
        posts=tuple(_posts(alert, decision, response, now, frozenset(public))),
        muted_while=decision.while_open,
        mute_windows=decision.mute_windows,
        inhibits=decision.inhibits,
        why=grouping_notices.why(decision),
    )


def explain_conditions(
    when: groups.When, beside: groups.OtherConditions, alert: alerts.Alert, now: Timestamp
) -> tuple[ConditionResult, ...]:
    """Return the result of each condition of a rule, for an alert at a time (microseconds)."""
    return (
        *_fields(when.asked, alert),
        *(ConditionResult(describe.describe_schedule(schedule), schedule(now)) for schedule in beside.schedules),
        *(_group(group, alert) for group in (*when.groups, *beside.grouped)),
        *(_expression(expression.text, expression.explain(alert)) for expression in beside.cel_expressions),
    )


def _look(rules: Iterable[model.Rule], alert: alerts.Alert, now: Timestamp) -> Iterator[RuleResult]:
    for rule in rules:
        results = explain_conditions(groups.When(rule.conditions), rule.other_conditions, alert, now)
        matches = all(member_result.holds for member_result in results)
        result = "does not match" if not matches else "adds" if rule.should_continue else "decides"
        yield RuleResult(rule.name, rule.place, matches, result, results, rule.common.owner, rule.common.runbook)
        # Later rules have no effect on this alert, so they are only counted.
        if matches and not rule.should_continue:
            return


def _fields(conditions: Iterable[groups.Asked], alert: alerts.Alert) -> Iterator[ConditionResult]:
    for field, condition in conditions:
        value = field.reader()(alert)
        yield ConditionResult(describe.describe_condition(condition), condition.holds(value), field.name, value)


def _group(group: groups.ConditionGroup, alert: alerts.Alert) -> ConditionResult:
    members = [_member(member, alert) for member in group.members]
    holds = any(member.holds for member in members)
    return ConditionResult(group.word, holds != (group.word == "none"), inside=tuple(members))


def _member(when: groups.When, alert: alerts.Alert) -> ConditionResult:
    inside = (*_fields(when.asked, alert), *(_group(group, alert) for group in when.groups))
    return (
        inside[0] if len(inside) == 1 else ConditionResult("all", all(result.holds for result in inside), inside=inside)
    )


def _expression(text: str, outcome: bool | str) -> ConditionResult:
    return ConditionResult(
        f"expr {text.strip()}", outcome is True, value=None if isinstance(outcome, bool) else outcome
    )


def _posts(
    alert: alerts.Alert,
    decision: decisions.Decision,
    response: decisions.Response,
    now: Timestamp,
    public: frozenset[str],
) -> Iterator[Post]:
    context = templates.context(
        alert,
        response,
        key=decision.incident_key,
        severity=severities.Severity(decision.severity),
        reference=identity.reference(_EPISODE),
        opened_at=now,
    )
    for target in response.targets:
        publish = target.publish if target.destination in public else ""
        mapped = {"components_from": target.parts} if target.parts else {}
        # A deadline has a meaning only while a post awaits a review.
        timed = publish == "review" and target.deadline
        ending = target.ending
        message = templates.render(parse_resolve.texts(target), context).get("message", "")
        yield Post(
            target.destination,
            templates.render(target.fields, context) | mapped,
            publish,
            quantities.format_duration(target.deadline) if timed else "",
            target.at_deadline if timed else "",
            quantities.format_duration(ending.monitor_for) if ending.monitor_for else "",
            message,
            "review" if ending.review else "",
            target.retrospective,
        )
