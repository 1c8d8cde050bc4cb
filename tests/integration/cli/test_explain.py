"""``explain``: input from a file or stdin, a tree or JSON as output, and the exit statuses."""

import json

import pytest

from tests.end_to_end import commands, harness
from tests.integration.cli.test_commands import run

RULES = """rules:
  - {name: staging, when: {labels.env: staging}, ignore: "staging pages no responder"}
  - name: checkout
    owner: team-checkout
    when: {labels.service: checkout, labels.rate: {gt: 0.5}}
    severity: critical
    timing: {open_after: 90s}
    open:
      - {at: on-call, name: "{{ alert.title }} [here]"}
      - {at: public-page, publish: auto, title: Down, message: We look.}
  - {name: rest, when: {}, open: []}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    with harness.vendors() as at:
        made = harness.configure(tmp_path_factory.mktemp("explain"), at)
        (made.parent / "rules").mkdir(exist_ok=True)
        for old in (made.parent / "rules").glob("*.yaml"):
            old.unlink()
        (made.parent / "rules" / "r.yaml").write_text(RULES)
        yield made


def payload(**labels: str) -> str:
    alert = {
        "status": "firing",
        "fingerprint": "f",
        "labels": labels,
        "annotations": {},
        "startsAt": "2030-01-01T00:00:00Z",
    }
    return json.dumps({"version": "4", "status": "firing", "groupKey": "g", "receiver": "r", "alerts": [alert]})


def explain(file, body, *arguments):
    return commands.run_command(
        "explain", "-", "--config", str(file), "--source", "alertmanager", *arguments, given=body
    )


def test_tree_shows_rules_conditions_values_and_posts(file):
    done = explain(file, payload(service="checkout", rate="0.9", alertname="Errors"))
    assert done.returncode == 0, done.stderr
    for said in (
        "✓ rule checkout decides", "r.yaml:3, team-checkout", '✓ labels.rate gt 0.5  it is "0.9"', "critical incident",
        "open_after 1m30s", "opens at on-call", "[here]", "is posted at public-page", "1 more did not match",
        "1 more were not reached",
    ):  # fmt: skip
        assert said in done.stdout


def test_partially_matching_rule_shows_the_failed_condition(file):
    done = explain(file, payload(service="checkout"))
    assert "✗ rule checkout does not match" in done.stdout
    assert "✗ labels.rate gt 0.5  it is absent" in done.stdout
    assert "✗ rule staging" not in done.stdout
    assert "✗ rule staging" in explain(file, payload(service="checkout"), "--all").stdout


def test_ignored_alert_shows_its_reason(file):
    assert "ignored: staging pages no responder" in explain(file, payload(env="staging")).stdout


def test_json_output_contains_the_whole_explanation(file):
    done = explain(file, payload(service="checkout", rate="0.9"), "--format", "json")
    (one,) = json.loads(done.stdout)
    assert one["rule"] == "checkout"
    assert one["timing"] == {"open_after": "1m30s"}
    assert [looked["result"] for looked in one["looked_at"]] == ["does not match", "decides"]
    assert one["looked_at"][1]["conditions"][1] == {
        "asks": "gt 0.5",
        "holds": True,
        "field": "labels.rate",
        "value": "0.9",
    }
    assert one["posts"][1] == {
        "destination": "public-page",
        "fields": {"title": "Down", "message": "We look."},
        "publish": "auto",
    }


def test_unexplainable_input_is_refused_with_a_reason(file, tmp_path):
    assert explain(file, "{").returncode == 1
    assert "can't read the payload" in explain(file, "{").stderr
    unknown = run("explain", "--config", str(file), "--source", "alertmanagr", str(tmp_path / "x"))
    assert (unknown.returncode, 'did you mean "alertmanager"?' in unknown.stderr) == (2, True)
    missing = run("explain", "--config", str(file), "--source", "alertmanager", str(tmp_path / "none.json"))
    assert (missing.returncode, "can't be read" in missing.stderr) == (2, True)


def test_explain_can_use_other_rule_files(file, tmp_path):
    (tmp_path / "r.yaml").write_text("rules: [{name: other, when: {}, open: []}]")
    assert "rule other decides" in explain(file, payload(), "--rules", str(tmp_path)).stdout
    (tmp_path / "r.yaml").write_text("rules: [{name: other, when: {}}]")
    refused = explain(file, payload(), "--rules", str(tmp_path))
    assert (refused.returncode, '"open" is missing' in refused.stderr) == (1, True)
