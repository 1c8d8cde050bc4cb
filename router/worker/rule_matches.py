"""The rules that opened an incident, and the conditions that its alert fulfilled, for people who decide on it."""

from typing import NamedTuple

from router.domain import alerts, incidents


class RuleMatch(NamedTuple):
    """A rule that decided, its place, and its conditions: each as text, with the value that the alert had.

    The value is empty if the text contains it, or if the condition is on no single field.
    """

    rule: str
    place: str
    asked: tuple[tuple[str, str], ...]


def matches(incident: incidents.Incident) -> tuple[RuleMatch, ...]:
    """Return the rules that opened the incident, as stored with it."""
    response, alert = incident.response, incident.opening_alert
    if response is None or alert is None:
        return ()
    return tuple(
        RuleMatch(
            one.rule,
            one.place,
            tuple((f"{field} {words}".strip(), _value(field, alert)) for field, words in one.asked),
        )
        for one in response.because
    )


def because(incident: incidents.Incident) -> tuple[str, ...]:
    """Return a line for each rule that opened the incident."""
    lines = []
    for one in matches(incident):
        asked = [f'{words}, it was "{value}"' if value else words for words, value in one.asked]
        lines.append(f"rule {one.rule} ({one.place}): {'; '.join(asked) or 'matches every alert'}")
    return tuple(lines)


def _value(field: str, alert: alerts.Alert) -> str:
    if not field:
        return ""
    part, _, key = field.partition(".")
    return str(getattr(alert, part).get(key, "") if key else getattr(alert, part))
