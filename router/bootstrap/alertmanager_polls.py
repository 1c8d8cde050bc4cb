"""Builds the polling of Alertmanagers. Polled alerts are processed as if the webhook server had received them."""

import base64
import functools
import random
from collections.abc import Iterator

from router import configuration
from router.bootstrap import factories
from router.domain import alerts, decisions
from router.domain.times import Timestamp
from router.outbound import client, errors
from router.outbound.alertmanager import read_receivers, read_status
from router.rules import reload
from router.sources import alertmanager, base, polled, registry
from router.store.inbox import LimitedInbox
from router.store.store import Store
from router.web import request_limits
from router.worker import alertmanager_sync

_TIMEOUT_SECONDS = 10.0
_MAX_BYTES = 64 * 1024 * 1024  # Per response: about 50,000 alerts.


def make_sync(
    settings: configuration.Settings, store: Store, in_force: reload.Rules, inbox: LimitedInbox
) -> alertmanager_sync.AlertmanagerSync:
    """Return the object that polls the Alertmanagers."""

    def decide(alert: alerts.Alert, now: Timestamp) -> decisions.Decision:
        # A reload replaces ``in_force.in_force``, so it is read for each alert.
        return in_force.in_force.decide(alert, now)

    return alertmanager_sync.AlertmanagerSync(
        list(_make_sources(settings, in_force)),
        decide,
        inbox=inbox,
        store=store,
        clock=factories.clock,
        randomness=random.SystemRandom(),
    )


def polled_sources(settings: configuration.Settings) -> list[str]:
    """Return the sources whose Alertmanager is polled."""
    return [name for name, _ in _list_polled(settings)]


async def problems(settings: configuration.Settings) -> list[str]:
    """Poll each Alertmanager once. Return the errors, each with the source's name."""
    messages = []
    for name, config in _list_polled(settings):
        http = _client(name, config)
        try:
            await read_status(http)
            receiver_names = await read_receivers(http)
        except errors.Failure as failure:
            messages.append(failure.message)
        else:
            # With a misspelled receiver, each poll would succeed and find no alert.
            if not any(map(polled.make_receiver_test(config), receiver_names)):
                names = ", ".join(receiver_names)
                messages.append(
                    f'{name}: poll.receiver "{config.receiver}" is not one of its receivers, which are {names}'
                )
        finally:
            await http.aclose()
    return messages


def _list_polled(settings: configuration.Settings) -> Iterator[tuple[str, polled.Config]]:
    for name, config in settings.sources.items():
        if isinstance(config, alertmanager.Config) and config.poll is not None:
            yield name, config.poll


def _client(name: str, config: polled.Config) -> client.Client:
    token, pair = (secret.get_secret_value() if secret is not None else "" for secret in (config.bearer, config.basic))
    word = f"Bearer {token}" if token else f"Basic {base64.b64encode(pair.encode()).decode()}" if pair else ""
    return client.Client(
        name=name,
        base_url=config.url,
        headers={"authorization": word} if word else {},
        timeout_seconds=_TIMEOUT_SECONDS,
        now=factories.clock,
        # Errors may quote the header, the pair, or the password alone, so each is masked.
        secrets=[token, pair, pair.partition(":")[2], word.partition(" ")[2]],
        most_bytes=_MAX_BYTES,
    )


def _make_sources(settings: configuration.Settings, in_force: reload.Rules) -> Iterator[alertmanager_sync.PolledSource]:
    limits = factories.limits(settings)
    for name, config in _list_polled(settings):
        source = registry.build(name, settings.sources[name]).source
        read = functools.partial(_read, source, limits, in_force)
        yield alertmanager_sync.PolledSource(name, config, _client(name, config), read, polled.make_selector(config))


def _read(
    source: base.Source, limits: request_limits.RequestLimits, in_force: reload.Rules, body: bytes, now: Timestamp
) -> base.Parsed:
    # Alerts beyond a webhook's limits are cut in the same way, so that polls and webhooks agree on each alert.
    return request_limits.cut_to_limits(source.parse(body, {}, now), body, limits, in_force.in_force.labels_named)
