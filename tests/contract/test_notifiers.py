"""Every kind of notifier delivers, classifies failures, keeps secrets, and has a page with working examples."""

import asyncio
import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
from ruamel import yaml

from router.domain import events, times
from router.notifiers import base, registry
from router.outbound import errors
from tests.integration import receiver

PAGES = Path(__file__).parents[2] / "docs" / "how-to" / "notifiers"
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOW = 1_800_000_000_000_000
SECRET = "whsec_" + "A" * 43 + "="
TOKEN = "a-token-in-the-url"
INCIDENT = events.Incident("down", "IR-1", "Checkout is down", "major", "open", times.to_datetime(NOW))
REVIEW = events.Review("page", "opening", "d1", "a reviewer has to approve", "Checkout fails", "We are on it.")
ALL = (
    events.IncidentOpened(INCIDENT),
    events.IncidentEscalated(INCIDENT, "minor"),
    events.IncidentPublished(INCIDENT, (events.Publication("page", "open", True, "https://vendor.example/1"),)),
    events.IncidentUpdated(INCIDENT, (events.Publication("page", "open", True),)),
    events.IncidentResolved(INCIDENT, times.to_datetime(NOW)),
    events.HeartbeatMissed(INCIDENT, 90, times.to_datetime(NOW)),
    events.ReviewWaiting(INCIDENT, REVIEW),
    events.ReviewChanged(INCIDENT, REVIEW, "d0"),
    events.ReviewReminded(INCIDENT, REVIEW, 600),
    events.ReviewEscalated(INCIDENT, REVIEW, 1500),
    events.ReviewDecided(INCIDENT, "page", "approved", "d1", "ann", "looks right"),
    events.OperationFailed(INCIDENT, "page", "422: no such component"),
    events.PublicationDelayed(INCIDENT, "on-call", times.to_datetime(NOW), "503: overloaded", ("pager",)),
    events.PublicationRecovered(INCIDENT, "on-call", "https://vendor.example/1"),
    events.DeliveriesFailed(2, "5-0"),
    events.GuardTripped(times.to_datetime(NOW), "more than 5 posts", "page"),
    events.GuardReset("ann"),
    events.FreezeStarted(times.to_datetime(NOW), "ann", "all hands"),
    events.FreezeEnded("ann"),
    events.IncidentAcknowledged(INCIDENT, "ann", "on it"),
    events.IncidentUnacknowledged(INCIDENT, "withdrawn", "bob", "handed over"),
    events.IncidentReminded(INCIDENT, "stale", 14_400),
    events.ReviewTaken(INCIDENT, REVIEW, "ann"),
    events.ReviewReleased(INCIDENT, REVIEW, "bob"),
    events.TestSent("ann"),
)
SETTINGS: dict[str, Any] = {
    "webhook": lambda url: {"url": f"{url}/in?token={TOKEN}", "secrets": [SECRET]},
    "slack": lambda url: {"token": TOKEN, "channel": "#incidents", "base_url": url},
    "apprise": lambda url: {"urls": [f"{url.replace('http', 'json', 1)}/in/{TOKEN}?-key={SECRET}"]},
}
ANSWERS = {
    "webhook": (204, b""),
    "slack": (200, b'{"ok": true, "channel": "C1", "ts": "1.1"}'),
    "apprise": (204, b""),
}
# Apprise reports neither the requested delay of a service nor whether the service was reached.
SAYS_LITTLE = {"apprise"}
each_kind = pytest.mark.parametrize("kind", registry.KINDS)


@contextlib.contextmanager
def receiving(kind: str) -> Iterator[receiver.Receiver]:
    """Run a receiver that accepts deliveries of a kind."""
    with receiver.receiving() as at:
        at.always, at.body = ANSWERS[kind]
        yield at


def recorded(*found: events.Event) -> list[events.Recorded]:
    subject = "down"
    return [events.Recorded(number, NOW, subject, "IR-1", event) for number, event in enumerate(found, 1)]


def delivered(kind: str, at: receiver.Receiver, found: list[events.Recorded], **settings: Any) -> base.Delivered:
    """Deliver events until none is left. Return the final state."""

    async def main() -> base.Delivered:
        config = registry.KINDS[kind].config(kind=kind, **SETTINGS[kind](at.url), **settings)
        notifier = registry.KINDS[kind].make("ops", config, base.NotifierConnection(lambda: NOW, "prod"))
        try:
            done = base.Delivered(0, {})
            for _ in range(4 * len(found)):
                pending = [one for one in found if one.sequence > done.sequence]
                if not pending:
                    break
                done = await notifier.deliver(base.Batch(pending, done.state))
            return done
        finally:
            await notifier.aclose()

    return asyncio.run(main())


def page(kind: str) -> str:
    return (PAGES / f"{kind}.md").read_text()


def test_sample_events_include_every_type():
    assert {type(event) for event in ALL} == set(events.TYPES)


@each_kind
def test_every_type_of_event_is_delivered(kind):
    with receiving(kind) as at:
        assert delivered(kind, at, recorded(*ALL)).sequence == len(ALL)
        assert at.requests


@each_kind
@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (500, errors.Unanswered),
        (503, errors.Unanswered),
        ((429, {"retry-after": "7"}), errors.Throttled),
        (401, errors.Denied),
        (404, errors.NotFound),
        (400, errors.Permanent),
        (302, errors.Unanswered),
    ],
)
def test_rejected_delivery_raises_the_failure_of_its_status(kind, answer, failure):
    with receiver.receiving() as at:
        at.answers = [answer]
        with pytest.raises(failure) as raised:
            delivered(kind, at, recorded(ALL[0]))
        assert TOKEN not in str(raised.value)
        assert SECRET not in str(raised.value)
        if failure is errors.Throttled and kind not in SAYS_LITTLE:
            assert raised.value.retry_after == 7


@each_kind
def test_refused_connection_raises_a_temporary_failure(kind):
    with receiver.receiving() as at:
        url = at.url
    at.url = url
    with pytest.raises(errors.Unanswered if kind in SAYS_LITTLE else errors.Temporary):
        delivered(kind, at, recorded(ALL[0]))


@each_kind
def test_slow_receiver_times_out(kind):
    async def main() -> None:
        config = registry.KINDS[kind].config(kind=kind, timeout_seconds=0.2, **SETTINGS[kind](url))
        notifier = registry.KINDS[kind].make("ops", config, base.NotifierConnection(lambda: NOW))
        try:
            with pytest.raises(errors.Unanswered):
                await notifier.deliver(base.Batch(recorded(ALL[0]), {}))
        finally:
            await notifier.aclose()

    # Connections wait in the backlog because the listener accepts none.
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        asyncio.run(main())


@each_kind
def test_config_repr_hides_secrets(kind):
    config = registry.KINDS[kind].config(kind=kind, **SETTINGS[kind]("https://hooks.example"))
    assert TOKEN not in repr(config)
    assert SECRET not in repr(config)


@each_kind
def test_setting_error_reveals_no_secret(kind):
    with pytest.raises(pydantic.ValidationError) as raised:
        registry.KINDS[kind].config(kind=kind, nonsense=1, **SETTINGS[kind](f"no-scheme:{TOKEN}"))
    assert TOKEN not in str(raised.value)


@each_kind
def test_documented_settings_are_accepted(kind):
    read = [yaml.YAML(typ="safe").load(text) for text in BLOCK.findall(page(kind))]
    found = [entry for document in read for entry in document["notifiers"].values()]
    assert kind in {entry["kind"] for entry in found}
    for entry in found:
        filled = {
            name: SETTINGS[kind]("https://hooks.example").get(name, value) if "env" in str(value) else value
            for name, value in entry.items()
        }
        assert registry.KINDS[entry["kind"]].config(**filled)


@each_kind
def test_page_documents_every_setting_and_no_other(kind):
    documented = set(re.findall(r"^\| `(\w+)` \|", page(kind), re.MULTILINE))
    assert documented == set(registry.KINDS[kind].config.model_fields) - {"kind"}


def test_index_lists_every_kind():
    listed = re.findall(r"^\| \[`(\w+)`\]", (PAGES / "index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(registry.KINDS)


def test_third_party_kind_is_found_by_entry_point(monkeypatch):
    class Point:
        def load(self) -> base.Kind:
            return base.Kind("pager", base.Config, registry.KINDS["webhook"].make, "a pager")

    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [Point()] if "notifiers" in group else [])
    assert set(registry.found()) == {"pager", *registry.KINDS}
