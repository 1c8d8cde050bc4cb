"""No command prints control characters from an alert to the terminal."""

import pytest

from tests.end_to_end import harness

ACTING = {*map(chr, [*range(9), *range(11, 32), *range(127, 160)]), "\u2028", "\u2029", "\u202e"}
FORGED = "2026-11-30 [info] forged line"
HOSTILE = f"\x1b]0;title\x07\x1b[2J\x1b]52;c;cHduZWQ=\x1b\\\r\n{FORGED}\n{FORGED} [red]\x9b31m\x85\u2028\u202e"
RULES = """
rules:
  - name: down
    when: {labels.kind: hostile}
    group_by: [labels.service]
    severity: major
    owner: "own"
    open:
      - {at: on-call, name: "{{ alert.title }}", summary: "{{ alert.annotations.summary }}"}
      - {at: public-page, publish: review, title: Down, message: Sorry.}
"""


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    with harness.vendors() as at:
        file = harness.configure(folder, at, rules=RULES)
        with harness.router(folder, file) as running:
            yield running


def test_commands_print_no_control_characters_of_alerts(router):
    alert = {
        "title": f"T{HOSTILE}",
        "severity": f"s{HOSTILE}",
        "labels": {"kind": "hostile", "service": f"svc{HOSTILE}", f"n{HOSTILE}": "v"},
        "annotations": {"summary": f"a{HOSTILE}"},
    }
    answer = router.send_alert(**alert)
    delivery, key = answer["delivery"], answer["alerts"][0]["decided_incident_key"]
    code, _ = harness.ask(f"{router.url}/v1/webhooks/json", {**alert, "status": f"zzz{HOSTILE}"}, harness.TOKEN)
    assert code == 422
    harness.eventually("the review is pending", lambda: "would be shown" in router.command("reviews", "list").stdout)
    kept = router.command("quarantine", "list").stdout.splitlines()[1].split()[0]
    for command in (
        ["incidents", "list"], ["incidents", "show", key], ["reviews", "list"], ["reviews", "show", key, "public-page"],
        ["deliveries", "list"], ["deliveries", "show", delivery], ["explain", "--delivery", delivery, "--all"],
        ["quarantine", "list"], ["quarantine", "show", kept], ["silences", "list"], ["dead-letters", "list"],
        ["reviews", "edit", key, "public-page", "--title", f"E{HOSTILE}"],
    ):  # fmt: skip
        done = router.command(*command)
        for stream in (done.stdout, done.stderr):
            assert ACTING.isdisjoint(stream), (command, stream)
            assert not any(line.startswith(FORGED) for line in stream.splitlines()), (command, stream)


def test_first_run_prints_generated_secrets_only(tmp_path):
    """Configured secrets are never printed."""
    configuration = """
sources:
  json: {kind: json, bearer: [{env: WEBHOOK_TOKEN}]}
  datadog: {kind: datadog, bearer: [{env: DATADOG_SECRET}]}
destinations:
  on-call: {kind: incident-io, api_key: {env: KEY}}
rules: rules
"""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "none.yaml").write_text("rules: []\n")
    (tmp_path / "router.yaml").write_text(configuration)
    command = [harness.COMMAND, "run", "--simulate", "--simulator-port", "0", "--port", "0", "--console-port", "0"]
    process = harness.Process(
        [*command, "--config", str(tmp_path / "router.yaml")], tmp_path, "tried", forked=True, WEBHOOK_TOKEN="hunter2"
    )
    try:
        process.wait_for_output("Ctrl-C stops everything")
        told = process.output
    finally:
        process.stop()
    assert "hunter2" not in told
    assert "WEBHOOK_TOKEN is not set" not in told
    assert 'Authorization: Bearer $WEBHOOK_TOKEN"' in told
    made = (tmp_path / "data" / "webhook-token").read_text().strip()
    assert f"DATADOG_SECRET is not set; made up for it: {made}" in told
