"""Imports silences from Alertmanagers, and maintenance from DevHelm and incident.io."""

import functools
from collections.abc import Callable

from router import configuration
from router.destinations import base, registry
from router.destinations.devhelm import maintenance
from router.destinations.incident_io.maintenance import read_silences
from router.domain.silences import Imported
from router.domain.times import Timestamp
from router.outbound import alertmanager, call_policy, client
from router.worker import silencing

Quota = Callable[[base.Config], call_policy.Quota]
"""Makes what says how often the account of a destination may be called."""


def silences(
    settings: configuration.Settings, clock: Callable[[], Timestamp], quota: Quota
) -> list[tuple[str, silencing.Importer]]:
    """Return the functions that fetch from each of them, with its name."""
    return [
        *_of_alertmanagers(settings, clock),
        *_of_devhelm(settings, clock, quota),
        *_of_incident_io(settings, clock, quota),
    ]


def _of_alertmanagers(
    settings: configuration.Settings, clock: Callable[[], Timestamp]
) -> list[tuple[str, silencing.Importer]]:
    of_alertmanagers: list[tuple[str, silencing.Importer]] = []
    for name, at in settings.silences.alertmanagers.items():
        secret = at.bearer.get_secret_value() if at.bearer is not None else ""
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        asked = client.Client(
            name=name, base_url=at.url, headers=headers, timeout_seconds=10.0, now=clock, secrets=[secret]
        )
        of_alertmanagers.append((name, functools.partial(alertmanager.read_silences, asked, name)))
    return of_alertmanagers


def _of_devhelm(
    settings: configuration.Settings, clock: Callable[[], Timestamp], quota: Quota
) -> list[tuple[str, silencing.Importer]]:
    of_devhelm: list[tuple[str, silencing.Importer]] = []
    for name in settings.silences.devhelm:
        config = settings.destinations[name]
        asked = registry.KINDS[config.kind].connect(name, config, clock)
        # Reads of maintenance use the same API key as the operations, and count towards the same limit.
        asked.quota = quota(config)
        # The prefix is needed because an Alertmanager may have the same name.
        of_devhelm.append((f"maintenance at {name}", functools.partial(_maintenance, asked, name)))
    return of_devhelm


def _of_incident_io(
    settings: configuration.Settings, clock: Callable[[], Timestamp], quota: Quota
) -> list[tuple[str, silencing.Importer]]:
    of_incident_io: list[tuple[str, silencing.Importer]] = []
    for name, labels in settings.silences.incident_io.items():
        config = settings.destinations[name]
        asked = registry.KINDS[config.kind].connect(name, config, clock)
        asked.quota = quota(config)
        of_incident_io.append((f"maintenance at {name}", functools.partial(read_silences, asked, name, labels)))
    return of_incident_io


async def _maintenance(asked: client.Client, name: str) -> Imported:
    return Imported(await maintenance.read_silences(asked, name))
