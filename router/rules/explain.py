"""Explains a decision: every rule that was looked at, each of its conditions, true or false, with the value found.

It goes through the rules in their order, as a reader would; the index finds the same, only faster.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from router.domain import alerts, decisions, identity, severities
from router.rules import endings, grouping, groups, model, ruleset, saying, template
from router.yaml_source import quantities

_EPISODE = "0" * 32  # Stands for the random id that the incident would get.


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """One condition: what it asks, whether it holds, and the value found (None where there is no single one).

    ``inside`` are the parts of a group.
    """

    asks: str
    holds: bool
    field: str = ""
    value: str | None = None
    inside: "tuple[Told, ...]" = ()


class Looked(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule that was looked at. ``result`` is ``decides``, ``adds`` or ``does not match``."""

    rule: str
    place: str
    matches: bool
    result: str
    conditions: tuple[Told, ...]
    owner: str = ""
    runbook: str = ""


class Post(msgspec.Struct, frozen=True, omit_defaults=True):
    """What would be sent to one destination, with every text rendered.

    ``publish`` matters where customers see it, and is empty elsewhere. A review ends after ``within`` (as ``15m``; it
    has no end if empty), and ``then`` says whether the post is published or dismissed. Once nothing fires, the post is
    monitored for ``monitor_for`` with the text ``monitor_message``, if there is one, and then resolved: by a reviewer
    if ``resolve`` is ``review``. ``retrospective``: what was over before it was published is published afterwards.
    """

    destination: str
    fields: dict[str, Any]
    publish: str = ""
    within: str = ""
    then: str = ""
    monitor_for: str = ""
    monitor_message: str = ""
    resolve: str = ""
    retrospective: bool = False


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an alert means what it does. ``not_reached`` counts the rules behind the one that ended the search.

    The alert is muted while an incident or an inhibition of one of the keys ``muted_while`` fires, and during
    ``mute_windows``. While it fires, it mutes others by the keys ``inhibits``. ``why`` says what is unusual about the
    decision: the alert has none of the fields that its rule groups by.
    """

    alert: alerts.Alert
    version: str
    looked_at: tuple[Looked, ...]
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


def explain(rules: ruleset.RuleSet, alert: alerts.Alert, now: int, public: Iterable[str] = ()) -> Explanation:
    """Explain what the rules say of an alert at a time (microseconds); ``public`` are the public destinations."""
    looked = tuple(_look(rules.rules, alert, now))
    decision = rules.decide(alert, now)
    response = decision.response
    if response is None:
        return Explanation(
            alert,
            rules.version,
            looked,
            len(rules.rules) - len(looked),
            ignored=decision.ignored,
            inhibits=decision.inhibits,
        )
    return Explanation(
        alert,
        rules.version,
        looked,
        len(rules.rules) - len(looked),
        rule=response.rule,
        incident_key=decision.incident_key,
        severity=decision.severity.word,
        timing=response.timing,
        posts=tuple(_posts(alert, decision, response, now, frozenset(public))),
        muted_while=decision.while_open,
        mute_windows=decision.mute_windows,
        inhibits=decision.inhibits,
        why=grouping.why(decision),
    )


def told(when: groups.When, beside: groups.Beside, alert: alerts.Alert, now: int) -> tuple[Told, ...]:
    """Each condition of a rule as it is for an alert at a time."""
    return (
        *_fields(when.asked, alert),
        *(Told(saying.schedule_words(one), one(now)) for one in beside.schedules),
        *(_group(one, alert) for one in (*when.groups, *beside.grouped)),
        *(_expression(one.text, one.explain(alert)) for one in beside.expressions),
    )


def _look(rules: Iterable[model.Rule], alert: alerts.Alert, now: int) -> Iterator[Looked]:
    for rule in rules:
        found = told(groups.When(rule.conditions), rule.beside, alert, now)
        matches = all(one.holds for one in found)
        result = "does not match" if not matches else "adds" if rule.continues else "decides"
        yield Looked(rule.name, rule.place, matches, result, found, rule.shared.owner, rule.shared.runbook)
        if matches and not rule.continues:
            return


def _fields(asked: Iterable[groups.Asked], alert: alerts.Alert) -> Iterator[Told]:
    for field, condition in asked:
        value = field.reader()(alert)
        yield Told(saying.condition_words(condition), condition.holds(value), field.name, value)


def _group(group: groups.Group, alert: alerts.Alert) -> Told:
    members = [_member(member, alert) for member in group.members]
    held = any(member.holds for member in members)
    return Told(group.word, held != (group.word == "none"), inside=tuple(members))


def _member(when: groups.When, alert: alerts.Alert) -> Told:
    inside = (*_fields(when.asked, alert), *(_group(group, alert) for group in when.groups))
    return inside[0] if len(inside) == 1 else Told("all", all(one.holds for one in inside), inside=inside)


def _expression(text: str, found: bool | str) -> Told:
    return Told(f"expr {text.strip()}", found is True, value=None if isinstance(found, bool) else found)


def _posts(
    alert: alerts.Alert, decision: decisions.Decision, response: decisions.Response, now: int, public: frozenset[str]
) -> Iterator[Post]:
    context = template.context(
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
        timed = publish == "review" and target.deadline
        ending = target.ending
        message = template.render(endings.texts(target), context).get("message", "")
        yield Post(
            target.destination,
            template.render(target.fields, context) | mapped,
            publish,
            quantities.shown(target.deadline) if timed else "",
            target.at_deadline if timed else "",
            quantities.shown(ending.monitor_for) if ending.monitor_for else "",
            message,
            "review" if ending.review else "",
            target.retrospective,
        )
