"""Each example loads, passes its rule tests, and produces the expected decision for its payload."""

import json
import re

import pytest

from tests.end_to_end import commands
from tests.structure import tree

FOLDER = tree.ROOT / "examples"
EXAMPLES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
RULES = {
    "01-alertmanager-to-incident-io": "service-alert",
    "02-status-page-with-review": "checkout-down",
    "03-heartbeat": "prometheus-silent",
    "04-team-folders": "payments-failing",
    "05-opsgenie-to-devhelm": "urgent",
}
SECRETS = dict.fromkeys(("ALERTMANAGER_TOKEN", "OPSGENIE_TOKEN", "INCIDENT_IO_API_KEY", "DEVHELM_API_KEY"), "example")


def run(name, *arguments):
    config = ("--config", str(FOLDER / name / "incident-router.yaml"))
    done = commands.run_command(*arguments[:1], *config, *arguments[1:], environment=SECRETS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_valid_and_its_tests_pass(name):
    assert run(name, "check").startswith("no problems found")
    assert " passed" in run(name, "test")


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_payload_matches_the_expected_rule(name):
    payload = FOLDER / name / "payload.json"
    explained = json.loads(run(name, "explain", "--source", "production", "--format", "json", str(payload)))
    assert [alert["rule"] for alert in explained] == [RULES[name]]


def test_examples_are_numbered_and_listed():
    assert [name[:2] for name in EXAMPLES] == [f"{number:02}" for number in range(1, len(EXAMPLES) + 1)]
    matches = re.findall(r"^\| \[(\S+)\]\(\1\) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert matches == EXAMPLES == list(RULES)
