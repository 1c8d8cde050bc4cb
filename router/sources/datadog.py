"""Datadog's webhooks: the payload that the router's documentation recommends, or Datadog's default payload.

Datadog sends the text that its user typed, with variables replaced. A variable that is unknown or has no value stays in
the text as ``$NAME`` or becomes ``null``: both count as absent.
"""

import re
from collections.abc import Mapping
from typing import Literal

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, forms, objects, reading, repeated

_UNREPLACED = re.compile(r"\$[A-Z][A-Z0-9_]*(\[[^\]]*\])?")
_PREFIX = re.compile(r"\s*\[([^\]]*)\]")
_TRANSITION = re.compile(
    r"(?P<word>(?:Re-)?(?:Triggered|No Data|Warn)|(?:Warn |No Data )?Recovered|Renotify)(?: on (?P<scope>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_LABELS = {"monitor_id": "alert_id", "scope": "alert_scope", "hostname": "hostname", "metric": "alert_metric"}
_ANNOTATIONS = {
    "transition": "alert_transition",
    "status": "alert_status",
    "query": "alert_query",
    "snapshot": "snapshot",
    "event_id": "id",
}


class Config(base.Config):
    """A Datadog that posts to us."""

    kind: Literal["datadog"] = "datadog"


def read(delivery: reading.Reading, body: objects.Members) -> base.Parsed:
    """Read the alert of a webhook; none if the webhook is a test."""
    texts = _replaced_values(body)
    title = _Title(texts.get("title", ""))
    transition = texts.get("alert_transition") or title.transition
    if not transition:
        return _read_without_transition(body, texts)
    firing = "recovered" not in transition.casefold()
    at = delivery.moment(texts.get("date") or texts.get("last_updated"), "date") or delivery.now
    alert = alerts.Alert(
        delivery.source,
        _fingerprint(texts, title),
        "firing" if firing else "resolved",
        at,
        Timestamp(0 if firing else at),
        _title(texts, title, transition),
        _labels(texts),
        _annotations(texts, transition),
        _severity(texts, transition),
        texts.get("link", ""),
    )
    return base.Parsed([alert])


def _unwrap(body: bytes, headers: Mapping[bytes, bytes]) -> objects.Members:
    """Return the payload. If so configured, Datadog sends a form with one field for each member."""
    return objects.decode(body) if forms.is_json(body) else {**forms.fields(body, headers)}


class _Title:
    """The parts of an event's title, such as ``[P2] [Triggered on {host:web-1}] CPU high``."""

    def __init__(self, title: str) -> None:
        self.transition = ""
        self.scope = ""
        end = 0
        # Datadog puts the priority and the transition before the name of the monitor, in any number of brackets.
        while prefix := _PREFIX.match(title, end):
            end = prefix.end()
            match = _TRANSITION.fullmatch(prefix[1].strip())
            if match:
                self.transition, self.scope = match["word"], match["scope"] or ""
        self.rest = title[end:].strip() or title


def _replaced_values(body: objects.Members) -> dict[str, str]:
    """Return the values that Datadog replaced, as text. Objects (``org`` of the default payload) are not read."""
    texts = {name: objects.scalar(value).strip() for name, value in body.items()}
    return {
        name: text
        for name, text in texts.items()
        # The first character is checked first, because the pattern costs more and few values begin with a dollar sign.
        if text and text != "null" and not (text[0] == "$" and _UNREPLACED.fullmatch(text))
    }


def _read_without_transition(body: objects.Members, texts: dict[str, str]) -> base.Parsed:
    unreplaced = [name for name in body if name not in texts and _UNREPLACED.fullmatch(objects.scalar(body[name]))]
    # A test has no values at all. With a cycle key, the payload is that of an alert and has a mistake.
    if "alert_transition" in unreplaced and not texts.get("alert_cycle_key"):
        return objects.no_alert("a test: Datadog has not filled in values")
    raise base.Unparsable(
        "alert_transition",
        "missing, also from the title: paste the documented payload into the webhook, and mention the "
        "webhook in the message of a monitor",
    )


def _fingerprint(texts: dict[str, str], title: _Title) -> str:
    # The cycle key is the same from the trigger to the recovery, and differs for the next occurrence.
    if texts.get("alert_cycle_key"):
        return texts["alert_cycle_key"]
    # A monitor with several groups has one alert for each, and the scope names the group.
    if texts.get("alert_id"):
        return f"{texts['alert_id']}/{texts.get('alert_scope', '')}"
    # The rest of the title has no transition, so the recovery has the same fingerprint.
    if title.rest:
        return objects.digest(title.rest, title.scope)
    raise base.Unparsable("alert_cycle_key", "missing, and so are alert_id and title: paste the documented payload")


def _title(texts: dict[str, str], parts: _Title, transition: str) -> str:
    title = texts.get("alert_title") or parts.rest
    return f"{title} (No Data)" if transition.casefold() in {"no data", "re-no data"} else title


def _severity(texts: dict[str, str], transition: str) -> str:
    if texts.get("alert_priority"):
        return texts["alert_priority"]
    if "warn" in transition.casefold():
        return "warning"
    kind = texts.get("alert_type", "")
    # A recovery has the type `success`, which isn't a severity.
    return "" if kind == "success" else kind


def _labels(texts: dict[str, str]) -> dict[str, str]:
    pairs = []
    # Equal tags are dropped first, so that joining doesn't repeat a value.
    for tag in dict.fromkeys(tag.strip() for tag in texts.get("tags", "").split(",") if tag.strip()):
        name, colon, value = tag.partition(":")
        pairs.append((name, value) if colon and name else (tag, "true"))
    # A tag may occur several times with different values.
    labels = repeated.join_values(pairs)
    return labels | {name: texts[key] for name, key in _LABELS.items() if key in texts}


def _annotations(texts: dict[str, str], transition: str) -> dict[str, str]:
    annotations = {name: texts[key] for name, key in _ANNOTATIONS.items() if key in texts}
    annotations["transition"] = transition
    text = texts.get("text") or texts.get("body")
    return {**annotations, "description": text} if text else annotations


KIND = base.Kind(
    name="datadog",
    config=Config,
    make=lambda name, _config: objects.Source(name, read, _unwrap),
    summary="Datadog monitors, webhook integration",
    # Datadog doesn't retry after a 4xx.
    unparsable_status=202,
)
