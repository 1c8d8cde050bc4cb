"""The rules that opened an incident, with the conditions that its alert matched, for reviewers."""

from typing import NamedTuple

from router.domain import alerts, incidents


class RuleMatch(NamedTuple):
    """A matching rule, its location, and its conditions, each as text with the alert's value.

    The value is empty if the text contains it, or if the condition doesn't concern a single field.
    """

    rule: str
    place: str
    asked: tuple[tuple[str, str], ...]


def matches(incident: incidents.Incident) -> tuple[RuleMatch, ...]:
    """Return the rules that opened the incident, from the stored incident, not from the current rules."""
    response, alert = incident.response, incident.opening_alert
    if response is None or alert is None:
        return ()
    return tuple(
        RuleMatch(
            reason.rule,
            reason.place,
            tuple((f"{field} {words}".strip(), _value(field, alert)) for field, words in reason.asked),
        )
        for reason in response.because
    )


def because(incident: incidents.Incident) -> tuple[str, ...]:
    """Describe each rule that opened the incident in one line."""
    lines = []
    for match in matches(incident):
        conditions = [f'{words}, it was "{value}"' if value else words for words, value in match.asked]
        lines.append(f"rule {match.rule} ({match.place}): {'; '.join(conditions) or 'matches every alert'}")
    return tuple(lines)


def _value(field: str, alert: alerts.Alert) -> str:
    if not field:
        return ""
    part, _, key = field.partition(".")
    return str(getattr(alert, part).get(key, "") if key else getattr(alert, part))
