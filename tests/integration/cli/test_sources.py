"""``sources``: lists, snippets, and parsing of payloads, without Redis or a vendor."""

import json
import subprocess
import urllib.parse
from pathlib import Path

import pytest
from ruamel import yaml
from typer import testing

from router import cli, configuration
from router.sources import registry, samples
from tests import sample_secrets
from tests.end_to_end import harness
from tests.integration.cli.test_commands import run

KINDS = sorted(registry.KINDS)
CONFIGURATION = """
sources:
  scripts: {kind: json, bearer: [{env: FIRST}, {env: SECOND}], basic: [{env: THIRD}]}
  topic: {kind: cloudwatch, token: {query: key, values: [{env: FIRST}]}}
  errors:
    kind: sentry
    signature: {scheme: sentry, secrets: [{env: FIRST}]}
    token: {header: X-Key, values: [{env: FIRST}]}
  signed: {kind: cloudwatch, topics: ["arn:aws:sns:eu-north-1:111122223333:alarms"], allow_from: [192.0.2.0/24]}
  open: {kind: grafana, auth: none}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "incident-router.yaml"
    path.write_text(CONFIGURATION)
    return path


def test_sources_are_listed_with_their_authentication(file):
    done = run("sources", "list", "--json", "--config", str(file))
    assert done.returncode == 0, done.stderr
    assert {
        row["name"]: (row["kind"], row["path"], row["proofs"], row["warnings"])
        for row in json.loads(done.stdout)["items"]
    } == {
        "scripts": ("json", "/v1/webhooks/scripts", ["bearer token (2) or user and password (1)"], []),
        "topic": ("cloudwatch", "/v1/webhooks/topic", ["token in the query parameter key (1)"], []),
        "errors": ("sentry", "/v1/webhooks/errors", ["token in the header x-key (1)", "sentry signature (1)"], []),
        "signed": ("cloudwatch", "/v1/webhooks/signed", ["SNS's signature, for the configured topics"], []),
        "open": ("grafana", "/v1/webhooks/open", ["anyone"], ["anyone may post: `auth: none` is set"]),
    }
    output = run("sources", "list", "--config", str(file)).stdout
    for word in ("scripts", "/v1/webhooks/topic", "sentry signature (1)", "192.0.2.0/24", "anyone may post"):
        assert word in output


def test_secrets_are_not_listed(file):
    for more in ([], ["--json"]):
        done = run("sources", "list", *more, "--config", str(file), FIRST="hunter2-token", THIRD="ann:hunter2-word")
        assert done.returncode == 0
        assert "hunter2" not in done.stdout + done.stderr


def test_empty_source_list_is_no_error(tmp_path):
    (tmp_path / "empty.yaml").write_text("sources: {}\n")
    done = run("sources", "list", "--config", str(tmp_path / "empty.yaml"))
    assert (done.returncode, done.stdout) == (0, "no source is configured\n")


def test_every_source_kind_is_listed_with_its_summary():
    output = run("sources", "kinds").stdout
    for kind in registry.KINDS.values():
        assert kind.name in output
        assert kind.summary in output


def split_snippet(said: str) -> tuple[str, str]:
    """Split a snippet into the router's part and the monitoring system's part."""
    ours, heading, theirs = said.partition("# In the monitoring system:\n\n")
    assert heading
    return ours.removeprefix("# Into incident-router.yaml:\n\n"), theirs


@pytest.mark.parametrize("kind", KINDS)
def test_snippet_uses_one_address_on_both_sides(kind, tmp_path):
    command = ["sources", "snippet", kind, "--name", "shop", "--url", "https://router.example.com/"]
    done = testing.CliRunner().invoke(cli.app, command)  # Starting one process per kind is slow.
    assert done.exit_code == 0, done.stderr
    ours, theirs = split_snippet(done.stdout)
    assert list(yaml.YAML(typ="safe").load(ours)["sources"]) == ["shop"]
    (tmp_path / "incident-router.yaml").write_text(ours)
    loaded = configuration.load(tmp_path / "incident-router.yaml", {"SHOP_SECRET": sample_secrets.get_secret(kind)})
    assert loaded.sources["shop"].kind == kind
    assert "https://router.example.com/v1/webhooks/shop" in theirs


def test_snippet_is_named_by_its_kind():
    assert "  uptime-kuma:\n" in split_snippet(run("sources", "snippet", "uptime-kuma").stdout)[0]


def test_impossible_snippet_is_a_usage_error():
    done = run("sources", "snippet", "datadg")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'there is no kind "datadg"; did you mean "datadog"?' in done.stderr
    done = run("sources", "snippet", "json", "--name", "a b")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a name begins with a letter" in done.stderr


MAPPED = """
sources:
  shop:
    kind: json
    signature: {scheme: standard-webhooks, secrets: [{env: NOT_SET}]}
    title: headline
    severity: data.level
    labels: {service: data.svc, team: data.team}
  dashboards: {kind: grafana, basic: [{env: NOT_SET}]}
  checks: {kind: pingdom, mapping: {labels: {team: owner.team}}, bearer: [{env: NOT_SET}]}
  monitors: {kind: datadog, bearer: [{file: /not/there}]}
"""
GOOD = {"headline": "Down [bold]", "status": "down", "data": {"svc": "check\x1bout"}}


@pytest.fixture
def mapped_configuration(tmp_path: Path) -> Path:
    path = tmp_path / "incident-router.yaml"
    path.write_text(MAPPED)
    return path


def attempt(mapped: Path, body: object, *more: str, source: str = "shop"):
    payload = mapped.with_name("payload.json")
    payload.write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
    return run("sources", "parse", "--source", source, str(payload), *more, "--config", str(mapped))


def test_parse_shows_alerts_and_unmatched_paths(mapped_configuration):
    done = attempt(mapped_configuration, GOOD)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in done.stdout.splitlines()[2:]}
    assert lines["title"] == "Down [bold]"
    assert lines["labels"] == "service=check\\x1bout"
    assert lines["severity"] == "nothing found at data.level"
    assert lines["labels.team"] == "nothing found at data.team"
    assert lines["starts_at"] == "nothing found at starts_at; the time of receipt is used"


def test_parse_shows_the_timing_of_an_alert(mapped_configuration):
    body = GOOD | {"status": "resolved", "starts_at": "2026-07-01T09:58:30Z", "ends_at": "2026-07-01T12:05:00+02:00"}
    done = attempt(mapped_configuration, body)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in done.stdout.splitlines()[2:]}
    assert lines["starts_at"] == "2026-07-01 09:58:30 UTC"
    assert lines["ends_at"] == "2026-07-01 10:05:00 UTC"


def test_parse_json_output_contains_the_whole_alert(mapped_configuration):
    (alert,) = json.loads(attempt(mapped_configuration, GOOD, "--json").stdout)["alerts"]
    assert (alert["title"], alert["labels"]) == ("Down [bold]", {"service": "check\x1bout"})
    assert alert["nothing_found"]["labels.team"] == "data.team"
    assert "title" not in alert["nothing_found"]


def test_parse_with_preset_shows_its_paths(mapped_configuration):
    body = json.loads(samples.body("pingdom", "firing", 1_893_456_000_000_000, "1"))
    (alert,) = json.loads(attempt(mapped_configuration, body, "--json", source="checks").stdout)["alerts"]
    assert alert["nothing_found"]["labels.team"] == "owner.team"
    assert "title" not in alert["nothing_found"]


def test_parse_reads_a_payload_from_stdin(mapped_configuration):
    command = [
        harness.COMMAND,
        "sources",
        "parse",
        "--source",
        "shop",
        "-",
        "--json",
        "--config",
        str(mapped_configuration),
    ]
    done = subprocess.run(command, input=json.dumps(GOOD), capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout)["alerts"][0]["status"] == "firing"


@pytest.mark.parametrize(
    ("source", "body", "said"),
    [
        ("shop", {"status": "down"}, "title: there is none: send one, or set title to its path"),
        ("shop", {"status": "down"}, "(it looks at `headline`)"),
        ("shop", {"headline": "Down"}, "(it looks at `status`)"),
        ("shop", b"{", "the body has to be JSON"),
        ("dashboards", GOOD, "version: missing: this is not Grafana's webhook"),
    ],
)
def test_unreadable_payload_exits_1_with_its_place(mapped_configuration, source, body, said):
    done = attempt(mapped_configuration, body, source=source)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"source {source} can't read the payload: " in done.stderr
    assert said in done.stderr


def test_partly_readable_payload_exits_1(mapped_configuration):
    """The readable alerts are shown."""
    body = json.loads(samples.body("grafana", "firing", 1_893_456_000_000_000, "1"))
    body["alerts"].append({"status": "odd"})
    done = attempt(mapped_configuration, body, "--json", source="dashboards")
    assert done.returncode == 1
    assert len(json.loads(done.stdout)["alerts"]) == 1
    assert "a part of the payload can't be parsed: alerts[1].status" in done.stderr


def test_payload_without_alert_shows_the_reason(mapped_configuration):
    done = attempt(mapped_configuration, {"alert_transition": "$ALERT_TRANSITION"}, source="monitors")
    assert (done.returncode, done.stdout) == (
        0,
        "the payload makes no alert: a test: Datadog has not filled in values\n",
    )


def test_header_option_sets_the_body_encoding(mapped_configuration):
    form = urllib.parse.urlencode(json.loads(samples.body("datadog", "firing", 1_893_456_000_000_000, "1"))).encode()
    kind = "Content-Type: application/x-www-form-urlencoded"
    done = attempt(mapped_configuration, form, "--header", kind, "--json", source="monitors")
    assert json.loads(done.stdout)["alerts"][0]["labels"]["service"] == "sample"
    done = attempt(mapped_configuration, form, "--header", "nonsense", source="monitors")
    assert (done.returncode, '"nonsense" is not of the form NAME: VALUE' in done.stderr) == (2, True)


def test_missing_source_or_file_is_usage_error(mapped_configuration):
    done = attempt(mapped_configuration, GOOD, source="shp")
    assert (done.returncode, 'there is no source "shp"; did you mean "shop"?' in done.stderr) == (2, True)
    done = run("sources", "parse", "--source", "shop", "absent.json", "--config", str(mapped_configuration))
    assert (done.returncode, "absent.json can't be read" in done.stderr) == (2, True)


FACTS = """
sources:
  shop:
    kind: json
    auth: none
    status: {body: state}
    labels: {environment: {query: environment}, event: {header: X-Event}, team: {query: team}}
    starts_at: {path: at, zone: Europe/Zurich}
rules: rules
"""


def test_parse_reads_given_headers_and_query(mapped_configuration):
    """The ignored alerts are listed."""
    mapped_configuration.write_text(FACTS)
    body = {"state": "down", "title": "Down", "at": "soon"}
    done = attempt(mapped_configuration, body, "--header", "X-Event: ping", "--query", "environment=prod&x=y")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in done.stdout.splitlines()[2:]}
    assert lines["labels"] == "environment=prod event=ping"
    assert lines["labels.team"] == "nothing found at query: team"
    assert "'soon' isn't a known form of a time; the time of receipt is used" in lines["time_unreadable:"]


def test_wrong_time_format_is_reported_with_its_place(mapped_configuration):
    """A wrong time zone is also reported."""
    mapped_configuration.write_text(FACTS.replace("Zurich}", "Zurick, format: unixms}"))
    done = run("check", "--config", str(mapped_configuration))
    assert done.returncode == 1
    assert (
        'incident-router.yaml:8:33: "zone": there is no time zone "Europe/Zurick"; did you mean "Europe/Zurich"?'
        in (done.stdout + done.stderr)
    )
    assert 'did you mean "unix_ms"?' in done.stdout + done.stderr
