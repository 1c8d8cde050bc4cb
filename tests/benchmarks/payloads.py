"""Alertmanager webhooks and alerts for Alertmanager's API, in any number, with unique labels per alert.

Bodies are byte templates with fixed-width numbers, so that they are generated while they are sent and all deliveries
differ.
"""

import itertools
import json
from collections.abc import Iterator

SERVICES = 30
_MARK = "<number>"
_HOST = "<host>"


def _alert(service: int) -> dict[str, object]:
    """Return an alert of the webhook, with placeholders for numbers."""
    name = f"service-{service}"
    return {
        "status": "firing",
        "labels": {
            "alertname": "HighErrorRate",
            "service": name,
            "severity": "critical",
            "host": f"host-{_HOST}",
            "instance": f"node-{_MARK}.example:9100",
        },
        "annotations": {"summary": f"{name} answers with errors on node {_MARK}"},
        "startsAt": "2026-01-10T10:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph?g0.expr=errors",
        "fingerprint": f"00000000{_MARK}",
    }


def _api_alert(service: int) -> dict[str, object]:
    """Return the alert in the format of Alertmanager's API."""
    kept = {"labels", "annotations", "startsAt", "generatorURL"}
    return {name: value for name, value in _alert(service).items() if name in kept}


_ENVELOPE = {
    "version": "4",
    "groupKey": '{}:{alertname="HighErrorRate"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "router",
    "groupLabels": {"alertname": "HighErrorRate"},
    "commonLabels": {"alertname": "HighErrorRate"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example",
}


def _template(document: object) -> bytes:
    packed = json.dumps(document, separators=(",", ":")).encode()
    assert b"%" not in packed
    return packed.replace(_MARK.encode(), b"%08d").replace(_HOST.encode(), b"%08d")


def webhooks(alerts: int, *, numbers: Iterator[int] | None = None, hosts: int = 100_000) -> Iterator[bytes]:
    """Yield webhook bodies of this many alerts, infinitely or until ``numbers`` is used up.

    Each number makes one alert. Numbers that are equal modulo ``hosts`` have the same host.
    """
    groups = [[_alert((first + i) % SERVICES) for i in range(alerts)] for first in range(SERVICES)]
    return _bodies([_template({**_ENVELOPE, "alerts": group}) for group in groups], alerts, numbers, hosts)


def api_alerts(alerts: int, *, numbers: Iterator[int] | None = None) -> Iterator[bytes]:
    """Yield bodies for ``POST /api/v2/alerts`` of this many alerts, infinitely or until ``numbers`` is used up."""
    groups = [[_api_alert((first + i) % SERVICES) for i in range(alerts)] for first in range(SERVICES)]
    return _bodies([_template(group) for group in groups], alerts, numbers, 100_000)


def _bodies(templates: list[bytes], alerts: int, numbers: Iterator[int] | None, hosts: int) -> Iterator[bytes]:
    """Fill the templates: an alert's host first, then its number for each remaining placeholder."""
    room = templates[0].count(b"%08d") // alerts - 1
    given = itertools.count() if numbers is None else numbers
    for batch in iter(lambda: list(itertools.islice(given, alerts)), []):
        if len(batch) < alerts:
            return
        filled = [value for number in batch for value in (number % hosts, *(number,) * room)]
        yield templates[batch[0] % SERVICES] % tuple(filled)
