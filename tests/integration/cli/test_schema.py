"""``schema`` prints the JSON schemas for editors."""

import json

import jsonschema_rs

from tests.end_to_end import harness
from tests.integration.cli.test_commands import run


def test_schema_names_the_configured_destinations(tmp_path):
    """No API keys are needed."""
    with harness.vendors() as at:
        file = harness.configure(tmp_path, at)
    done = run("schema", "--config", str(file), WEBHOOK_TOKEN="", KEY="")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    jsonschema_rs.meta.validate(document)
    opens = document["$defs"]["rule"]["properties"]["open"]["items"]["anyOf"]
    assert {entry["properties"]["at"]["const"] for entry in opens} == {
        "on-call", "public-page", "devhelm", "devhelm-page",
    }  # fmt: skip
    assert "\n" not in run("schema", "--indent", "0", "--config", str(file)).stdout.strip()


def test_missing_named_configuration_is_an_error(tmp_path):
    result = run("schema", "--config", str(tmp_path / "none.yaml"))
    assert (result.returncode, result.stdout) == (1, "")
    by_environment = run("schema", cwd=tmp_path, INCIDENT_ROUTER_CONFIG="incident-router.yaml")
    assert (by_environment.returncode, by_environment.stdout) == (1, "")


def test_schema_without_configuration_allows_any_destination(tmp_path, monkeypatch):
    monkeypatch.delenv("INCIDENT_ROUTER_CONFIG", raising=False)
    done = run("schema", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "There is no incident-router.yaml here" in done.stderr
    validator = jsonschema_rs.Draft202012Validator(json.loads(done.stdout))
    assert validator.is_valid({"rules": [{"name": "x", "when": {}, "open": [{"at": "anywhere", "z": 1}]}]})
    assert not validator.is_valid({"rules": [{"name": "x", "when": {}, "opens": []}]})
