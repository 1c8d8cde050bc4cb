"""Inhibition: an alert is muted while another one fires, as in Alertmanager.

A decision names the keys that inhibit its alert (``while_open``), and the inhibition keys that its alert supports while
it fires (``inhibits``). The alerts that support an inhibition key are folded into an incident of that key, which has no
destination: whether it fires is known in the same way as for every other incident.
"""

from collections.abc import Container

import msgspec

from router.domain import decisions, silences, times
from router.domain.times import Timestamp

SUPPORT_LIFE = times.DAY
"""Microseconds after which an alert that isn't repeated no longer supports an inhibition key.

Its resolution ends the support, unless the rules have changed since. This bounds how long a key can be stuck.
"""

_RESPONSE = decisions.Response("", "", "")


def is_key(key: str) -> bool:
    """Return whether an incident key is an inhibition key."""
    return key.startswith(decisions.INHIBITION)


def supported_by(routed: decisions.Routed, now: Timestamp) -> list[decisions.Routed]:
    """Return a message to each inhibition key that an alert supports."""
    alert = routed.alert
    if alert.status == "firing" and not alert.ends_at:
        alert = msgspec.structs.replace(alert, ends_at=(routed.received_at or now) + SUPPORT_LIFE)
    return [
        decisions.Routed(
            alert, decisions.Decision(key, routed.decision.severity, _RESPONSE), routed.received_at, routed.retry_window
        )
        for key in routed.decision.inhibits
    ]


def mute(decision: decisions.Decision, firing: Container[str], now: Timestamp) -> silences.Mute | None:
    """Return what inhibits an alert while the incidents of the keys ``firing`` fire; None if nothing does."""
    for key in decision.while_open:
        if key in firing:
            by = f"inhibition rule {key.removeprefix(decisions.INHIBITION)}" if is_key(key) else f"incident {key}"
            return silences.Mute(Timestamp(now + silences.RECHECK), by, "inhibition")
    return None
