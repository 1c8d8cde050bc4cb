"""A serving process writes every log line as JSON, also after failures."""

import contextlib
import json
import re
import socket
import subprocess
import sys

import pytest

from router import __version__
from tests.end_to_end import commands, harness

BROKEN_RULES = "rules:\n  - {name: a, when: {}, open: [{at: on-cal, name: a}]}\n"
UNCAUGHT = """
import asyncio, threading, warnings
from router.telemetry import log
log.configure()
log.catch_uncaught()
warnings.warn("this will go away", DeprecationWarning, stacklevel=1)
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()

class Broken:
    def __del__(self):
        raise ValueError("in a finalizer")

Broken()

async def main():
    task = asyncio.create_task(asyncio.sleep(0, 1 // 1))
    asyncio.get_running_loop().call_exception_handler({"message": "in the event loop"})
    await task
    raise ExceptionGroup("both", [ValueError("one"), OSError("other")])

asyncio.run(main())
"""

UNFORESEEN = """
from router.cli import main, run

async def fails(*_):
    secret = "hunt" + "er2"
    raise RuntimeError("an unforeseen error")

run._web = fails
main()
"""


def lines(text: str) -> list[dict]:
    """Parse every line as JSON."""
    found = [json.loads(line) for line in text.splitlines()]
    assert found
    assert all({"event", "level", "timestamp"} <= line.keys() for line in found)
    return found


@pytest.fixture(scope="module")
def at():
    with harness.vendors() as vendors:
        yield vendors


@pytest.fixture
def file(tmp_path, at):
    return harness.configure(tmp_path, at)


def run_failing_command(*arguments: str, **environment: str) -> list[dict]:
    """Return the output of a command that fails to start, on both streams."""
    done = commands.run_command(*arguments, environment={**harness.SECRETS, **environment})
    assert done.returncode == 1
    return lines(done.stdout + done.stderr)


@pytest.mark.parametrize("command", ["run", "web", "worker"])
def test_refused_configuration_is_one_log_line(command, file):
    """The line lists all problems."""
    file.write_text(file.read_text() + "wbe: {port: 1}\nworker: {lease_seconds: x}\n")
    line = run_failing_command(command, "--config", str(file))[-1]
    assert (line["event"], line["level"]) == ("start_failed", "critical")
    assert len(line["problems"]) >= 1
    assert all("router.yaml" in problem for problem in line["problems"])


@pytest.mark.parametrize("command", ["run", "web"])
def test_refused_rules_are_one_log_line(command, file, tmp_path):
    (tmp_path / "rules" / "10.yaml").write_text(BROKEN_RULES)
    line = run_failing_command(command, "--config", str(file), "--console-port", "0", REDIS_URL="redis://127.0.0.1:1")[
        -1
    ]
    assert (line["event"], line["problem"]) == ("start_failed", "the rules can't be used")
    assert 'did you mean "on-call"?' in line["problems"][0]


def test_port_in_use_is_one_log_line(file):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        line = run_failing_command("web", "--config", str(file), "--port", port, REDIS_URL="redis://127.0.0.1:1")[-1]
    assert (line["event"], line["level"]) == ("process_failed", "critical")
    assert f"can't listen on 127.0.0.1:{port}" in line["problem"]


def test_missing_redis_url_is_one_log_line(file):
    line = run_failing_command("worker", "--config", str(file), "--health-port", "0")[-1]
    assert line["problem"].startswith("set REDIS_URL")


def test_console_log_format_prints_text(file, tmp_path):
    (tmp_path / "rules" / "10.yaml").write_text(BROKEN_RULES)
    file.write_text(file.read_text() + "log: {format: console}\n")
    done = commands.run_command("run", "--config", str(file), "--console-port", "0", environment=harness.SECRETS)
    assert "The rules cannot be used." in done.stderr


def test_unhandled_errors_are_log_lines():
    """Warnings, and exceptions of threads, finalizers, the event loop, and the process itself."""
    done = subprocess.run([sys.executable, "-W", "always", "-c", UNCAUGHT], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    found = lines(done.stderr)
    assert [line["event"] for line in found if "will go away" not in line["event"]] == [
        "uncaught_exception",
        "uncaught_exception",
        "in the event loop",
        "uncaught_exception",
    ]
    assert "DeprecationWarning: this will go away" in found[0]["event"]
    kinds = [line["exception"][0]["exc_type"] for line in found if "exception" in line]
    assert kinds == ["ZeroDivisionError", "ValueError", "ExceptionGroup"]


def test_unforeseen_failure_is_one_log_line(file):
    """Otherwise the library of the command line would print the exception."""
    program = [sys.executable, "-c", UNFORESEEN, "web", "--config", str(file)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = lines(done.stderr)
    assert (line["event"], line["level"]) == ("uncaught_exception", "critical")
    assert "an unforeseen error" in json.dumps(line["exception"])
    assert "hunter2" not in done.stderr


@pytest.fixture(scope="module")
def log(tmp_path_factory, at):
    """Return the complete output of `run` with an embedded Valkey and a vendor that refuses calls."""
    folder = tmp_path_factory.mktemp("log")
    file = harness.configure(folder, at)
    at.fault(vendor="incident-io", method="POST", action="status", status=422, count=100)
    with harness.router(folder, file) as router:
        assert harness.ask(f"{router.url}/v1/webhooks/json", {"title": "x"}, "a wrong token")[0] == 401
        assert harness.ask(f"{router.url}/nothing")[0] == 404
        router.send_alert()
        harness.eventually("the operation is refused", lambda: '"result": "refused"' in router.process.output)
        harness.eventually("the other incidents are open", lambda: at.incidents()["devhelm"] == ["open"])
    return router.process.output


def test_every_line_of_a_process_is_json(log):
    found = lines(log)
    [started] = [line for line in found if line["event"] == "started"]
    assert (started["role"], started["version"]) == ("run", __version__)
    assert started["webhooks"].startswith("http://127.0.0.1:")
    assert started["sources"] == ["alertmanager", "prometheus", "json"]


def test_refused_vendor_call_logs_the_vendor_reason(log):
    operations = [line for line in lines(log) if line["event"] == "operation"]
    [refusal] = [line for line in operations if line["result"] == "refused" and line["destination"] == "on-call"]
    assert (refusal["level"], refusal["operation"]) == ("warning", "open")
    assert re.match(r"on-call: POST /v\d/incidents: 422: .*\w", refusal["problem"])
    assert {line["level"] for line in operations if line["result"] == "done"} == {"info"}


def test_log_contains_no_secret(log):
    assert not [secret for secret in harness.SECRETS.values() if f'"{secret}"' in log or f"Bearer {secret}" in log]
