"""Muting during a dry run: inhibitions, mute windows, and the silences of a test."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from router.domain import decisions, incidents, inhibition, silences
from router.domain.times import Timestamp


class MutingTracker:
    """Tracks the inhibition keys that alerts support, and the silences that were added."""

    def __init__(self, open_incidents: Mapping[str, incidents.Incident]) -> None:
        """Store the incidents by key. They inhibit while they fire."""
        self._incidents = open_incidents
        self._support: dict[str, dict[str, int]] = {}
        self._silences: list[silences.Silence] = []
        self._numbers = itertools.count(1)

    def record_support(self, arrived: Iterable[decisions.Routed]) -> None:
        """Record the inhibition keys that alerts support. Muted and ignored alerts also inhibit."""
        for routed_alert in arrived:
            alert = routed_alert.alert
            # A message replaces the alert's earlier support, because its rules may name other keys.
            for identities in self._support.values():
                identities.pop(alert.identity, None)
            if alert.status == "firing":
                for key in routed_alert.decision.inhibits:
                    self._support.setdefault(key, {})[alert.identity] = alert.ends_at

    def silence(self, matchers: tuple[silences.Matcher, ...], now: Timestamp, ends_at: Timestamp) -> None:
        """Add a silence."""
        identity = f"silence-{next(self._numbers)}"
        self._silences.append(silences.Silence(identity, matchers, now, ends_at, "somebody"))

    def end_silence(self, matchers: tuple[silences.Matcher, ...], now: Timestamp) -> int:
        """End the active silences with these matchers. Return their number."""
        ended = [
            silence for silence in self._silences if silence.matchers == matchers and silence.state(now) == "active"
        ]
        self._silences = [
            msgspec.structs.replace(silence, ends_at=now) if silence in ended else silence for silence in self._silences
        ]
        return len(ended)

    def among(self, groups: Mapping[str, Sequence[decisions.Routed]]) -> silences.Muting:
        """Return a function that says why an alert is muted. Incidents that the same delivery opens already inhibit."""
        silencer = silences.Silencer(self._silences)

        def muting(routed_alert: decisions.Routed, now: Timestamp) -> silences.Mute | None:
            keys = routed_alert.decision.while_open
            firing = {key for key in keys if self._fires(key, now) or any(map(_is_firing, groups.get(key, ())))}
            # The order is that of the worker: an incident, a time window, a silence.
            if (mute := inhibition.mute(routed_alert.decision, firing, now)) is not None:
                return mute
            if (mute := silences.by_window(routed_alert.decision, now)) is not None:
                return mute
            return silencer.mute(routed_alert.alert, now)

        return muting

    def _fires(self, key: str, now: Timestamp) -> bool:
        if inhibition.is_key(key):
            # An alert whose end has passed supports the key no longer, even without a resolution.
            return any(not ends_at or ends_at > now for ends_at in self._support.get(key, {}).values())
        incident = self._incidents.get(key)
        # A quiet incident is still open, but none of its alerts fires.
        return incident is not None and incident.status != "closed" and incident.quiet is None


def _is_firing(routed_alert: decisions.Routed) -> bool:
    return routed_alert.alert.status == "firing"
