"""``sources``: what is configured, what to paste, and whether a payload is read, without a Redis or a vendor."""

import json
from pathlib import Path

import pytest
from ruamel import yaml
from typer import testing

from router import cli, settings
from router.sources import registry
from tests.integration.test_cli import run

KINDS = sorted(registry.KINDS)
CONFIGURATION = """
sources:
  scripts: {kind: json, bearer: [{env: FIRST}, {env: SECOND}], basic: [{env: THIRD}]}
  topic: {kind: cloudwatch, token: {query: key, values: [{env: FIRST}]}}
  errors:
    kind: sentry
    signature: {scheme: sentry, secrets: [{env: FIRST}]}
    token: {header: X-Key, values: [{env: FIRST}]}
  open: {kind: grafana, auth: none}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "incident-router.yaml"
    path.write_text(CONFIGURATION)
    return path


def test_the_configured_sources_are_listed_with_how_each_is_told_who_sends(file):
    done = run("sources", "list", "--json", "--config", str(file))
    assert done.returncode == 0, done.stderr
    assert {
        row["name"]: (row["kind"], row["path"], row["proofs"], row["warnings"]) for row in json.loads(done.stdout)
    } == {
        "scripts": ("json", "/v1/webhooks/scripts", ["bearer token (2) or user and password (1)"], []),
        "topic": ("cloudwatch", "/v1/webhooks/topic", ["token in the query parameter key (1)"], []),
        "errors": ("sentry", "/v1/webhooks/errors", ["token in the header x-key (1)", "sentry signature (1)"], []),
        "open": ("grafana", "/v1/webhooks/open", ["anyone"], ["anyone may post: it says `auth: none`"]),
    }
    shown = run("sources", "list", "--config", str(file)).stdout
    for word in ("scripts", "/v1/webhooks/topic", "sentry signature (1)", "anyone may post"):
        assert word in shown


def test_a_secret_is_not_listed(file):
    for more in ([], ["--json"]):
        done = run("sources", "list", *more, "--config", str(file), FIRST="hunter2-token", THIRD="ann:hunter2-word")
        assert done.returncode == 0
        assert "hunter2" not in done.stdout + done.stderr


def test_no_source_is_no_error(tmp_path):
    (tmp_path / "empty.yaml").write_text("sources: {}\n")
    done = run("sources", "list", "--config", str(tmp_path / "empty.yaml"))
    assert (done.returncode, done.stdout) == (0, "no source is configured\n")


def test_every_kind_is_listed_with_what_it_reads():
    shown = run("sources", "kinds").stdout
    for kind in registry.KINDS.values():
        assert kind.name in shown
        assert kind.summary in shown


def halves(said: str) -> tuple[str, str]:
    """What goes into the router's configuration, and what goes into the monitoring system."""
    ours, heading, theirs = said.partition("# Into the monitoring system:\n\n")
    assert heading
    return ours.removeprefix("# Into incident-router.yaml:\n\n"), theirs


@pytest.mark.parametrize("kind", KINDS)
def test_the_snippet_of_a_kind_can_be_pasted_and_names_the_same_address_on_both_sides(kind, tmp_path):
    command = ["sources", "snippet", kind, "--name", "shop", "--url", "https://router.example.com/"]
    done = testing.CliRunner().invoke(cli.app, command)  # A process for each of so many kinds takes its time.
    assert done.exit_code == 0, done.stderr
    ours, theirs = halves(done.stdout)
    assert list(yaml.YAML(typ="safe").load(ours)["sources"]) == ["shop"]
    (tmp_path / "incident-router.yaml").write_text(ours)
    loaded = settings.load(tmp_path / "incident-router.yaml", {"SHOP_SECRET": "someone:a-long-random-word"})
    assert loaded.sources["shop"].kind == kind
    assert "https://router.example.com/v1/webhooks/shop" in theirs


def test_a_snippet_is_named_as_its_kind_unless_said():
    assert "  uptime-kuma:\n" in halves(run("sources", "snippet", "uptime-kuma").stdout)[0]


def test_a_snippet_that_cannot_be_is_a_usage_error():
    done = run("sources", "snippet", "datadg")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'there is no kind "datadg"; did you mean "datadog"?' in done.stderr
    done = run("sources", "snippet", "json", "--name", "a b")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a name begins with a letter" in done.stderr
