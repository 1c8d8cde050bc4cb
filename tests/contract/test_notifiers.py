"""Every kind of notifier delivers, classifies failures, keeps secrets, and has a page with working examples."""

import asyncio
import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest
from ruamel import yaml

from router.domain import events
from router.notifiers import base, registry
from router.outbound import errors
from tests.contract import notifier_samples
from tests.integration import receiver

PAGES = Path(__file__).parents[2] / "docs" / "how-to" / "notifiers"
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANSWERS = {
    "webhook": (204, b""),
    "slack": (200, b'{"ok": true, "channel": "C1", "ts": "1.1"}'),
    "apprise": (204, b""),
}
# Apprise reports neither the requested delay of a service nor whether the service was reached.
SAYS_LITTLE = {"apprise"}
each_kind = pytest.mark.parametrize("kind", registry.KINDS)


@contextlib.contextmanager
def run_receiver(kind: str) -> Iterator[receiver.Receiver]:
    """Run a receiver that accepts deliveries of a kind."""
    with receiver.run_receiver() as at:
        at.always, at.body = ANSWERS[kind]
        yield at


def page(kind: str) -> str:
    return (PAGES / f"{kind}.md").read_text()


def test_sample_events_include_every_type():
    assert {type(event) for event in notifier_samples.ALL} == set(events.TYPES)


@each_kind
def test_every_type_of_event_is_delivered(kind):
    with run_receiver(kind) as at:
        assert notifier_samples.deliver(kind, at, notifier_samples.record(*notifier_samples.ALL)).sequence == len(
            notifier_samples.ALL
        )
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
    with receiver.run_receiver() as at:
        at.answers = [answer]
        with pytest.raises(failure) as raised:
            notifier_samples.deliver(kind, at, notifier_samples.record(notifier_samples.ALL[0]))
        assert notifier_samples.TOKEN not in str(raised.value)
        assert notifier_samples.SECRET not in str(raised.value)
        if failure is errors.Throttled and kind not in SAYS_LITTLE:
            assert raised.value.retry_after == 7


@each_kind
def test_refused_connection_raises_a_temporary_failure(kind):
    with receiver.run_receiver() as at:
        url = at.url
    at.url = url
    with pytest.raises(errors.Unanswered if kind in SAYS_LITTLE else errors.Temporary):
        notifier_samples.deliver(kind, at, notifier_samples.record(notifier_samples.ALL[0]))


@each_kind
def test_slow_receiver_times_out(kind):
    async def main() -> None:
        config = registry.KINDS[kind].config(kind=kind, timeout_seconds=0.2, **notifier_samples.SETTINGS[kind](url))
        notifier = registry.KINDS[kind].make("ops", config, base.NotifierConnection(lambda: notifier_samples.NOW))
        try:
            with pytest.raises(errors.Unanswered):
                await notifier.deliver(base.Batch(notifier_samples.record(notifier_samples.ALL[0]), {}))
        finally:
            await notifier.aclose()

    # Connections wait in the backlog because the listener accepts none.
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        asyncio.run(main())


@each_kind
def test_config_repr_hides_secrets(kind):
    config = registry.KINDS[kind].config(kind=kind, **notifier_samples.SETTINGS[kind]("https://hooks.example"))
    assert notifier_samples.TOKEN not in repr(config)
    assert notifier_samples.SECRET not in repr(config)


@each_kind
def test_setting_error_reveals_no_secret(kind):
    with pytest.raises(pydantic.ValidationError) as raised:
        registry.KINDS[kind].config(
            kind=kind, nonsense=1, **notifier_samples.SETTINGS[kind](f"no-scheme:{notifier_samples.TOKEN}")
        )
    assert notifier_samples.TOKEN not in str(raised.value)


@each_kind
def test_documented_settings_are_accepted(kind):
    read = [yaml.YAML(typ="safe").load(text) for text in BLOCK.findall(page(kind))]
    found = [entry for document in read for entry in document["notifiers"].values()]
    assert kind in {entry["kind"] for entry in found}
    for entry in found:
        filled = {
            name: notifier_samples.SETTINGS[kind]("https://hooks.example").get(name, value)
            if "env" in str(value)
            else value
            for name, value in entry.items()
        }
        assert registry.KINDS[entry["kind"]].config(**filled)


@each_kind
def test_page_documents_every_setting_and_no_other(kind):
    documented = set(re.findall(r"^\| `(\w+)` \|", page(kind), re.MULTILINE))
    assert documented == set(registry.KINDS[kind].config.model_fields) - {"kind"}


def test_index_lists_every_kind():
    matches = re.findall(r"^\| \[`(\w+)`\]", (PAGES / "index.md").read_text(), re.MULTILINE)
    assert sorted(matches) == sorted(registry.KINDS)


def test_third_party_kind_is_found_by_entry_point(monkeypatch):
    class Point:
        def load(self) -> base.Kind:
            return base.Kind("pager", base.Config, registry.KINDS["webhook"].make, "a pager")

    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [Point()] if "notifiers" in group else [])
    assert set(registry.load_kinds()) == {"pager", *registry.KINDS}
