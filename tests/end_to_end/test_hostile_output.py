"""Alerts with terminal escape sequences: no command prints an escape sequence or a forged line."""

import json
import re
import subprocess

import pytest

from tests.end_to_end import harness

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]")
FORGED = "\nFORGED a line of its own"
HOSTILE = f"\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b]52;c;cHduZWQ=\x1b\\{FORGED}\x9b31m\x85\u2028\u202e\r{FORGED}"
RULES = """
rules:
  - name: checkout-down
    when: {labels.service: checkout}
    group_by: [labels.case]
    open:
      - {at: on-call, name: Checkout is down, summary: "{{ alert.title }}"}
      - {at: public-page, publish: review, title: Checkout is unavailable, message: We are investigating.,
         components: [Checkout API]}
"""


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    """Run a router with hostile alerts: one that opened an incident, one unreadable, and one silenced."""
    folder = tmp_path_factory.mktemp("hostile")
    with harness.vendors() as at:
        file = harness.configure(folder, at, rules=RULES)
        with harness.router(folder, file) as running:
            labels = {"service": "checkout", "case": f"c{HOSTILE}", f"n{HOSTILE}": "v"}
            running.send_alert(
                title=f"T{HOSTILE}", dedup_key=f"e{HOSTILE}", labels=labels, annotations={"summary": HOSTILE}
            )
            body = {"title": "q", "status": f"zzz{HOSTILE}", "dedup_key": "x"}
            status, answer = harness.ask(f"{running.url}/v1/webhooks/json", body, harness.TOKEN)
            assert "quarantined" in answer, (status, answer)
            running.command("silences", "add", 'labels.service="other"', "--for", "1h", "--reason", HOSTILE)
            harness.eventually("the review is pending", lambda: "approve" in running.command("reviews", "list").stdout)
            yield running


def check_output(done: subprocess.CompletedProcess[str]) -> str:
    """Return a command's output, after a check that it contains nothing hostile."""
    said = done.stdout + done.stderr
    assert OBEYED.search(said) is None, said
    assert not re.search(r"^\s*FORGED", said, re.MULTILINE), said
    return said


@pytest.mark.parametrize("what", ["incidents", "reviews", "deliveries", "quarantine", "silences", "dead-letters"])
def test_lists_print_no_escape_sequences(router, what):
    done = router.command(what, "list")
    assert done.returncode == 0
    check_output(done)


def list_deliveries(router: harness.Router) -> list[str]:
    listed = router.command("deliveries", "list").stdout.splitlines()[1:]
    return [line.split()[0] for line in listed]


def test_delivery_is_printed_without_escape_sequences(router):
    for identity in list_deliveries(router):
        assert "red" in check_output(router.command("deliveries", "show", identity))
        assert "checkout-down" in check_output(router.command("explain", "--delivery", identity))


def test_incident_and_review_are_printed_without_escape_sequences(router):
    document = json.loads(
        router.command("explain", "--delivery", list_deliveries(router)[0], "--format", "json").stdout
    )
    [incident] = set(re.findall(r'"incident_key": ?"((?:[^"\\]|\\.)*)"', json.dumps(document)))
    name = json.loads(f'"{incident}"')
    assert OBEYED.search(name)
    assert "checkout-down" in check_output(router.command("incidents", "show", name))
    assert "We are investigating." in check_output(router.command("reviews", "show", name, "public-page"))
    for arguments in (("incidents", "show", name, "--json"), ("reviews", "show", name, "public-page", "--json")):
        assert json.loads(check_output(router.command(*arguments)))


def test_quarantined_body_is_printed_without_escape_sequences(router):
    [identity] = [line.split()[0] for line in router.command("quarantine", "list").stdout.splitlines()[1:]]
    assert "zzz" in check_output(router.command("quarantine", "show", identity))
