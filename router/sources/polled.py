"""Polling of an Alertmanager, for alerts whose webhooks were lost.

The module has the settings, the selection of alerts, and the conversion of a response to the equivalent webhook.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib import parse

import msgspec
import pydantic

from router.domain import alerts, patterns, silences
from router.domain.times import Timestamp
from router.outbound import alertmanager
from router.yaml_source import quantities

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MIN = quantities.duration("1s")


class Config(pydantic.BaseModel):
    """The Alertmanager to poll, the interval, and the alerts to read from it.

    The router authenticates with a ``bearer`` token or ``basic`` (``user:password``). ``receiver`` is a pattern that
    matches the whole name of a receiver, and ``filter`` are label matchers: an alert that doesn't match both is never
    opened by a poll. An alert counts as absent only if the complete response lacks it. An Alertmanager that has run for
    less than ``min_uptime`` (microseconds) may not know every alert yet, so its responses end no alert.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = pydantic.Field(pattern="^https?://", description="Its URL, including a path prefix.")
    every: quantities.Duration = pydantic.Field(default=quantities.duration("1m"))
    bearer: pydantic.SecretStr | None = None
    basic: pydantic.SecretStr | None = None
    receiver: str = ""
    filter: tuple[str, ...] = ()
    min_uptime: quantities.Duration = pydantic.Field(default=quantities.duration("10m"))

    @pydantic.field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        # URLs appear in logs and in the console, where credentials would be readable.
        if "@" in parse.urlsplit(url).netloc:
            raise ValueError("credentials are not allowed in the URL; use basic")
        return url

    @pydantic.field_validator("every")
    @classmethod
    def _check_interval(cls, every: int) -> int:
        # Each poll reads all alerts, so a shorter interval would burden the Alertmanager.
        if every < _MIN:
            raise ValueError("must be at least 1s")
        return every

    @pydantic.field_validator("basic")
    @classmethod
    def _check_basic(cls, basic: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
        if basic is not None and ":" not in basic.get_secret_value():
            raise ValueError("must be user:password")
        return basic

    @pydantic.field_validator("receiver")
    @classmethod
    def _check_receiver(cls, receiver: str) -> str:
        try:
            patterns.compile(receiver)
        except patterns.InvalidPattern as error:
            raise ValueError(f"not an RE2 pattern: {error}") from error
        return receiver

    @pydantic.field_validator("filter")
    @classmethod
    def _check_filters(cls, filters: tuple[str, ...]) -> tuple[str, ...]:
        # An invalid matcher raises here, with the settings, and not at the first poll.
        for text in filters:
            silences.matcher(text)
        return filters

    @pydantic.model_validator(mode="after")
    def _check_credentials(self) -> "Config":
        if self.bearer is not None and self.basic is not None:
            raise ValueError("bearer and basic exclude each other")
        return self


def make_receiver_test(config: Config) -> Callable[[str], bool]:
    """Build the test of whether a receiver of this name posts to this source."""
    # The group keeps an alternative such as `a|b` within the anchors.
    pattern = patterns.compile(f"^(?:{config.receiver or '.*'})$")
    return lambda name: pattern.search(patterns.encode(name)) is not None


def make_selector(config: Config) -> Callable[[alertmanager.Listed], bool]:
    """Build the test of whether an alert belongs to this source."""
    addressed = make_receiver_test(config)
    tests = [silences.test(silences.matcher(text)) for text in config.filter]

    def is_selected(listed: alertmanager.Listed) -> bool:
        # An alert that Alertmanager wouldn't post here must not open an incident because of a poll.
        if not any(map(addressed, listed.receivers)):
            return False
        subject = alerts.Alert("", listed.fingerprint, "firing", listed.starts_at, Timestamp(0), labels=listed.labels)
        return all(matches(subject) for matches in tests)

    return is_selected


def firing_alert(listed: alertmanager.Listed) -> Mapping[str, Any]:
    """Return an alert of a response in the format of a webhook."""
    return {
        "status": "firing",
        "labels": listed.labels,
        "annotations": listed.annotations,
        "startsAt": _to_datetime(listed.starts_at),
        "generatorURL": listed.link,
        "fingerprint": listed.fingerprint,
    }


def resolved_alert(fingerprint: str, starts_at: Timestamp, ends_at: Timestamp) -> Mapping[str, Any]:
    """Return a resolved alert, which responses no longer contain, in the format of a webhook; times in microseconds."""
    return {
        "status": "resolved",
        # The response no longer contains the labels. The fingerprint is enough to resolve the alert.
        "labels": {},
        "startsAt": _to_datetime(starts_at),
        # Clocks differ, and an end before the start would be invalid.
        "endsAt": _to_datetime(max(starts_at, ends_at)),
        "fingerprint": fingerprint,
    }


def webhook(alerts_to_send: Iterable[Mapping[str, Any]], url: str) -> bytes:
    """Return the body of a webhook, version 4, with these alerts. Its reason says that it comes from a poll."""
    return msgspec.json.encode(
        {"version": "4", "notification_reason": "poll", "externalURL": url, "alerts": list(alerts_to_send)}
    )


def _to_datetime(moment: Timestamp) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=moment)
