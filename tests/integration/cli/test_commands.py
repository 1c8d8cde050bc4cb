"""The commands as real processes: their output and their exit statuses."""

import json
import os
import socket
import subprocess

import pytest

from router.store import embedded
from tests import ports
from tests.end_to_end import commands, harness

BROKEN = """rules:
  - name: checkout-down
    when: {labels.service: checkout}
    open:
      - {at: on-cal, name: Checkout is down}
"""


def run(*arguments: str, cwd=None, **environment: str) -> subprocess.CompletedProcess[str]:
    return commands.run_command(*arguments, cwd=cwd, environment=environment)


@pytest.fixture
def file(tmp_path):
    with harness.vendors() as at:
        yield harness.configure(tmp_path, at)


def test_help_names_every_command():
    output = run("--help").stdout
    for command in ("run", "web", "worker", "simulate", "demo", "check", "reviews"):
        assert f" {command} " in output


def test_check_of_valid_rules_reports_no_problems(file):
    done = run("check", "--config", str(file), **harness.SECRETS)
    assert done.returncode == 0
    assert done.stdout.startswith("no problems found: 1 file, 1 rule, 0 tests, version ")


def test_check_names_place_problem_and_nearest_name(file, tmp_path):
    (tmp_path / "rules" / "10.yaml").write_text(BROKEN)
    done = run("check", "--config", "router.yaml", cwd=tmp_path, **harness.SECRETS)
    assert done.returncode == 1
    assert "rules/10.yaml:5:14:" in done.stderr
    assert 'there is no destination "on-cal"; did you mean "on-call"?' in done.stderr
    assert "             ^" in done.stderr


def test_check_needs_no_keys_with_its_option(file):
    assert run("check", "--config", str(file), WEBHOOK_TOKEN="", KEY="").returncode == 1
    assert run("check", "--simulate", "--config", str(file), WEBHOOK_TOKEN="", KEY="").returncode == 0


@pytest.mark.parametrize("command", ["run", "web", "worker", "check"])
def test_missing_configuration_is_reported_without_traceback(command, tmp_path):
    done = run(command, "--config", str(tmp_path / "absent.yaml"))
    assert done.returncode == 1
    assert "absent.yaml: can't be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_broken_rules_prevent_the_start_with_a_reason(file, tmp_path):
    (tmp_path / "rules" / "10.yaml").write_text(BROKEN)
    done = run("run", "--config", str(file), **harness.SECRETS)
    assert done.returncode == 1
    [line] = map(json.loads, done.stderr.splitlines())
    assert (line["event"], line["level"]) == ("start_failed", "critical")
    assert line["problem"] == "the rules can't be used"
    assert "10.yaml:5:14:" in line["problems"][0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["web", "worker"])
def test_web_and_worker_need_a_shared_store(file, command):
    done = run(command, "--config", str(file), **harness.SECRETS)
    assert done.returncode == 1
    assert "set REDIS_URL" in done.stderr


def test_port_in_use_is_reported_without_traceback(file):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("run", "--config", str(file), "--port", port, **harness.SECRETS)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_option_is_a_usage_error():
    assert run("run", "--colour").returncode == 2


def test_printed_curl_command_opens_an_incident(tmp_path):
    """As with `make run`: the example configuration, no API keys, and a free port."""
    root = os.getcwd()
    command = [harness.COMMAND, "run", "--simulate", "--config", f"{root}/incident-router.yaml", "--port", "0"]
    unset = dict.fromkeys(("WEBHOOK_TOKEN", "INCIDENT_IO_API_KEY", "DEVHELM_API_KEY"), "")
    command += ["--simulator-port", str(ports.reserve())]
    process = harness.Process(command, tmp_path, "run", INCIDENT_ROUTER_DATA=str(tmp_path / "data"), **unset)
    try:
        process.wait_for_output("Ctrl-C stops everything")
        (curl,) = [line for line in process.output.splitlines() if line.startswith("curl")]
        pages = process.wait_for_output(r"status pages\s+(http://\S+)/")[1]
        answer = subprocess.run(curl, shell=True, capture_output=True, text=True, timeout=20, check=True)
        assert '"rule":"checkout-down"' in answer.stdout

        def shown() -> bool:
            return "Checkout is unavailable" in harness.ask(f"{pages}/pages/incident-io/acme-status")[1]

        harness.eventually("customers see it", shown)
        ended = curl.replace('"status":"firing"', '"status":"resolved"')
        subprocess.run(ended, shell=True, capture_output=True, timeout=20, check=True)
        harness.eventually(
            "the incident is resolved",
            lambda: "All systems operational" in harness.ask(f"{pages}/pages/devhelm/acme")[1],
        )
    finally:
        assert process.stop() == 0
    assert embedded.running_address(tmp_path / "data") is None


def test_simulated_vendors_keep_their_objects_across_restarts(tmp_path):
    """After a restart, nothing is opened twice and all objects still exist."""
    root = os.getcwd()
    port = str(ports.reserve())
    command = [harness.COMMAND, "run", "--simulate", "--config", f"{root}/incident-router.yaml", "--port", "0"]
    command += ["--simulator-port", port]
    unset = dict.fromkeys(("INCIDENT_IO_API_KEY", "DEVHELM_API_KEY"), "")
    state = f"http://127.0.0.1:{port}/state"
    for turn in range(2):
        folder = str(tmp_path / "data")
        process = harness.Process(
            command, tmp_path, f"run{turn}", INCIDENT_ROUTER_DATA=folder, WEBHOOK_TOKEN="t", **unset
        )
        try:
            url = process.wait_for_output(r"(http://127\.0\.0\.1:\d+)/v1/webhooks/json")[1]
            alert = {"title": "down", "status": "firing", "severity": "critical", "labels": {"service": "checkout"}}
            assert harness.ask(f"{url}/v1/webhooks/json", alert, "t")[0] == 202
            harness.eventually(
                "the incident is open", lambda: len(harness.ask(state)[1]["incident-io"]["incidents"]) == 1
            )
        finally:
            assert process.stop() == 0


def test_simulate_command_serves_both_vendors(tmp_path):
    process = harness.Process([harness.COMMAND, "simulate", "--port", "0"], tmp_path, "simulate")
    try:
        url = process.wait_for_output(r"(http://\S+)/incident-io")[1]
        assert harness.ask(f"{url}/incident-io/v1/severities", token="any")[0] == 200
        assert harness.ask(f"{url}/devhelm/api/v1/status-pages", token="any")[0] == 200
        assert harness.ask(f"{url}/devhelm/api/v1/status-pages")[0] == 401
    finally:
        assert process.stop() == 0
