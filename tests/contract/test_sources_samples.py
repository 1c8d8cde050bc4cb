"""Every kind of source has samples, and a working configuration snippet for the router and for the sender."""

import json
import re
from pathlib import Path

import pytest

from router import configuration
from router.domain import alerts
from router.sources import base, registry, samples
from tests import sample_secrets

KINDS = sorted(registry.KINDS)
NOW = 1_893_456_000_123_000
SECOND = 1_000_000
FILES = {"firing.json", "resolved.json", "source.yaml", "sender.txt"}
FOLDER = Path(samples.__file__).parent
MARK = re.compile(r"<[a-z][a-z ]*>")

# The senders of these kinds have no user-defined labels.
WITHOUT_LABELS = {
    "betterstack",
    "checkmk",
    "cloudflare",
    "cronitor",
    "devhelm",
    "gatus",
    "github",
    "gitlab",
    "honeycomb",
    "librenms",
    "nagios",
    "netdata",
    "newrelic",
    "pagerduty",
    "pagerduty-events",
    "sentry",
    "splunk",
    "statuscake",
    "statuspage",
    "thousandeyes",
    "uptimerobot",
}

# A resolve request contains only a key.
RESOLVED_BY_KEY = {"opsgenie-api", "pagerduty-events"}

whole = pytest.mark.parametrize("kind", [kind for kind in KINDS if (FOLDER / kind).is_dir()])


def load_configuration(kind: str, folder: Path, name: str = "tried-out") -> base.Config:
    file = folder / "incident-router.yaml"
    file.write_text(samples.settings(kind, name))
    return configuration.load(file, {samples.variable(name): sample_secrets.get_secret(kind)}).sources[name]


def read(kind: str, folder: Path, status: str, now: int = NOW) -> base.Parsed:
    endpoint = registry.build("here", load_configuration(kind, folder))
    return endpoint.source.parse(samples.body(kind, status, now, "delivery-1"), {}, now)


def order(alert: alerts.Alert) -> tuple[object, ...]:
    """The sort key for an alert's messages in the sender's own order."""
    return (alert.starts_at, alert.status == "resolved", alert.ends_at)


@pytest.mark.parametrize("kind", KINDS)
def test_kind_has_all_sample_files(kind):
    there = {path.name for path in (FOLDER / kind).glob("*")}
    missing = sorted(FILES - there)
    assert not missing, (
        f"add {', '.join(missing)} to router/sources/samples/{kind}/: one alert's two ends as the sender posts them, "
        f"what to write into the router's configuration, what to set at the sender; router/sources/samples/__init__.py "
        f"says which marks (<iso>, <name>, <url> …) are filled in"
    )
    assert there == FILES


@whole
def test_sample_fires_and_its_counterpart_resolves(kind, tmp_path):
    (firing,) = read(kind, tmp_path, "firing").alerts
    (resolved,) = read(kind, tmp_path, "resolved", NOW + SECOND).alerts
    assert (firing.status, resolved.status) == ("firing", "resolved")
    assert firing.fingerprint == resolved.fingerprint
    assert firing.labels == resolved.labels or kind in RESOLVED_BY_KEY
    assert firing.title


@whole
def test_each_sent_sample_is_newer(kind, tmp_path):
    turns = [("firing", 0), ("resolved", 1), ("firing", 2), ("resolved", 3)]
    sent = [read(kind, tmp_path, status, NOW + after * SECOND).alerts[0] for status, after in turns]
    assert [order(alert) for alert in sent] == sorted({order(alert) for alert in sent})


@whole
def test_sample_is_marked_as_a_test(kind, tmp_path):
    (alert,) = read(kind, tmp_path, "firing").alerts
    assert alert.is_test == (kind not in WITHOUT_LABELS)


@whole
def test_samples_contain_no_unfilled_marks(kind):
    for status in ("firing", "resolved"):
        text = samples.body(kind, status, NOW, "delivery-1").decode()
        assert json.loads(text)
        assert not MARK.search(text)


@whole
def test_sample_settings_are_valid_with_authentication(kind, tmp_path):
    config = load_configuration(kind, tmp_path)
    assert (config.kind, config.auth) == (kind, "required")
    assert sample_secrets.SECRET not in samples.settings(kind, "tried-out")


@whole
def test_sender_instructions_name_url_and_secret(kind):
    url = "https://router.example.com/v1/webhooks/tried-out"
    said = samples.sender(kind, "tried-out", url)
    assert url in said
    assert ("TRIED_OUT_SECRET" in said) == ("TRIED_OUT_SECRET" in samples.settings(kind, "tried-out"))
    assert not MARK.search(said)


@whole
def test_sender_instructions_match_the_documentation(kind):
    page = (FOLDER.parents[2] / "docs" / "how-to" / "sources" / f"{kind}.md").read_text()
    said = samples.sender(kind, "n", "u")
    start, end = said.find("\n{\n"), said.find("\n}\n")
    if kind != "json" and start >= 0:
        assert said[start:end] in page


@pytest.mark.parametrize("name", ["", "1", "true", "a b", "a/b", "../a", "a:b", "NULL", "-a"])
def test_unusable_source_name_is_detected(name):
    assert not samples.is_valid_name(name)


@pytest.mark.parametrize("name", ["a", "on-call", "team.a_1", "truest"])
def test_usable_source_name_gives_a_valid_variable(name, tmp_path):
    assert samples.is_valid_name(name)
    assert samples.variable(name).isidentifier()
    assert load_configuration("json", tmp_path, name).kind == "json"
