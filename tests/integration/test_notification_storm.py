"""A storm of 100,000 alerts of 50 incidents causes at most three messages per incident and channel.

The storm passes through the inbox, the aggregator, the reconciler, the announcer, and the delivery loop.
"""

import collections
import contextlib
import json
import re

from router.domain import announcements, decisions, severities
from router.notifiers import apprise, registry
from router.store import keys
from tests.integration import notifiers, receiver, vendor, workers

INCIDENTS, ROUNDS, ALERTS = 50, 5, 400
LEVELS = [*severities.Severity, severities.Severity.CRITICAL]
MOST = 3
NAME = re.compile(r"incident-\d+")
CHANNELS = ("webhook", "slack", "apprise")


def messages(channel: str, at: receiver.Receiver) -> collections.Counter[str]:
    """The number of messages for each incident. Updates of Slack messages don't count."""
    posted = [request for request in at.requests if channel != "slack" or request.path.endswith("/chat.postMessage")]
    return collections.Counter(NAME.search(json.dumps(json.loads(one.body)))[0] for one in posted)


def test_storm_causes_at_most_three_messages_per_incident(with_redis, monkeypatch):
    """Severities rise during the storm.

    On a slow machine, minor events could become due and calls could time out, so few calls run concurrently.
    """
    monkeypatch.setattr(announcements, "SPACING", workers.HOUR)

    async def main(store):
        with contextlib.ExitStack() as stack:
            at = {channel: stack.enter_context(receiver.run_receiver()) for channel in CHANNELS}
            at["slack"].always, at["slack"].body = 200, b'{"ok": true, "channel": "C1", "ts": "1.1"}'
            configs = {
                "webhook": notifiers.webhook(at["webhook"].url, timeout_seconds=30),
                "slack": registry.KINDS["slack"].config(
                    token="t", channel="#c", base_url=at["slack"].url, timeout_seconds=30
                ),
                "apprise": apprise.Config(
                    urls=[at["apprise"].url.replace("http", "json", 1) + "?cto=20&rto=20"], timeout_seconds=30
                ),
            }
            page = vendor.place("page", vendor.Vendor(), public=True)
            fields = {"title": "Checkout fails", "message": "We are on it.", "components": ["Checkout API"]}
            response = workers.rule(decisions.Target("page", fields, publish="auto"))
            topics = dict.fromkeys(notifiers.EVERYTHING, CHANNELS)
            async with notifiers.run_harness(store, page, configs=configs, topics=topics, at_once=2) as harness:
                for part, level in enumerate(LEVELS):
                    for number in range(INCIDENTS):
                        name = f"incident-{number}"
                        alerts = [workers.firing(f"{name}/{part}/{index}") for index in range(ALERTS)]
                        await harness.on.deliver(*alerts, key=name, level=level, response=response)
                    await harness.turn()
                folded = await harness.on.incident("incident-7")
                assert (folded.still_fires, folded.severity) == (ROUNDS * ALERTS, severities.Severity.CRITICAL)
                for channel in CHANNELS:
                    counts = messages(channel, at[channel])
                    assert len(counts) == INCIDENTS
                    assert max(counts.values()) <= MOST
                assert await store.redis.xlen(keys.events("incident-7")) <= MOST

    with_redis(main)
