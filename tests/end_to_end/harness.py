"""The vocabulary of the end-to-end tests: a router as a real process, simulated vendors, and waits with a deadline."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from router.simulator import server
from tests.end_to_end import commands

COMMAND = commands.PROGRAM
PATIENCE_SECONDS = 40.0
TOKEN = "end-to-end"
STARTED = r'"event": "started"'  # In the log of a process that is ready.
CONSOLE = r'"console": "(http://127\.0\.0\.1:\d+)/"'
SHOWN_BY = {"public-page": "incident-io", "devhelm-page": "devhelm"}

CONFIGURATION = """
web: {{port: 0, health_port: 0}}
sources:
  alertmanager: {{kind: alertmanager, bearer: [{{env: WEBHOOK_TOKEN}}]}}
  prometheus: {{kind: prometheus, bearer: [{{env: WEBHOOK_TOKEN}}]}}
  json: {{kind: json, bearer: [{{env: WEBHOOK_TOKEN}}]}}
pages: {{min_update_interval: 0s}}
destinations:
  on-call:
    {{kind: incident-io, api_key: {{env: KEY}}, base_url: {url}/incident-io, timeout_seconds: {timeout},
     per_minute: 1000000}}
  public-page:
    {{kind: incident-io-status-page, api_key: {{env: KEY}}, base_url: {url}/incident-io, page: Acme Status,
     timeout_seconds: {timeout}, per_minute: 1000000}}
  devhelm:
    {{kind: devhelm, api_key: {{env: KEY}}, base_url: {url}/devhelm, timeout_seconds: {timeout}, per_minute: 1000000}}
  devhelm-page:
    {{kind: devhelm-status-page, api_key: {{env: KEY}}, base_url: {url}/devhelm, page: {page}, follows: devhelm,
     timeout_seconds: {timeout}, per_minute: 1000000}}
worker: {{lease_seconds: 5, reclaim_idle_seconds: 1}}
rules: rules
data: data
"""

RULES = """
rules:
  - name: checkout-down
    when: {{labels.service: checkout}}
    group_by: [labels.service]
    open:
      - {{at: on-call, name: Checkout is down, summary: "{{{{ alert.title }}}}"}}
      - {{at: devhelm, title: Checkout is down}}
      - {{at: public-page, publish: {publish}, title: Checkout is unavailable, message: We are investigating.,
         components: [Checkout API]}}
      - {{at: devhelm-page, publish: {publish}, title: Checkout is unavailable, message: We are investigating.,
         components: [Checkout API]}}
"""


def eventually(what: str, met: Callable[[], Any], seconds: float = PATIENCE_SECONDS, every: float = 0.05) -> Any:
    """Poll a condition every ``every`` seconds until it is true; fail with its description at the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := met()):
        if time.monotonic() > deadline:
            raise AssertionError(f"within {seconds:g} s this did not happen: {what}")
        time.sleep(every)
    return found


def ask(url: str, body: Any = None, token: str = "", method: str | None = None) -> tuple[int, Any]:
    """Send one request. Return the status and the body, parsed if it is JSON."""
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, raw = error.code, error.read()
    with contextlib.suppress(ValueError):
        return status, json.loads(raw)
    return status, raw.decode()


class Process:
    """A program that runs in the background. Its output is kept in a file, which is shown if a test fails.

    A ``forked`` program is already imported.
    """

    def __init__(
        self, command: list[str], folder: Path, name: str, *, forked: bool = False, **environment: str
    ) -> None:
        self.log = folder / f"{name}.log"
        surroundings = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | commands.BackgroundCommand
        with self.log.open("wb") as output:
            if forked:
                self._process = commands.BackgroundCommand(command, folder, self.log, surroundings)
            else:
                self._process = subprocess.Popen(
                    command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=surroundings
                )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for_output(self, pattern: str) -> re.Match[str]:
        """Wait until the output matches a pattern."""

        def met() -> re.Match[str] | None:
            if self._process.poll() is not None:
                raise AssertionError(f"ended with {self._process.returncode}:\n{self.output}")
            return re.search(pattern, self.output)

        return eventually(f"{self.log.name} prints {pattern!r}; its output:\n{self.output}", met)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()
        self._process.wait()

    def is_running_after(self, seconds: float) -> bool:
        """Return whether the process still runs after this time; return early if it ends."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def wait_for_exit(self) -> int:
        """Wait until the process exits, and return its status."""
        return self._process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """Send SIGTERM, and return the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(40)  # The time limit is 20 s for requests in flight, and 8 s more for the worker.
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Vendors:
    """The simulated vendors, with queries for tests."""

    def __init__(self, simulator: server.Server) -> None:
        self._simulator = simulator
        self.url = simulator.url
        self.page = "Acme"

    def state(self) -> dict[str, Any]:
        return ask(f"{self.url}/state")[1]

    def calls(self, method: str = "", path: str = "", vendor: str = "") -> list[dict[str, Any]]:
        found = ask(f"{self.url}/calls?method={method}&vendor={vendor}")[1]["calls"]
        return [call for call in found if path in call["path"]]

    def fault(self, **fault: Any) -> None:
        status, answer = ask(f"{self.url}/faults", fault)
        assert status == 201, answer

    def pending(self) -> int:
        """Return the number of requests that the vendors will carry out late."""
        return int(ask(f"{self.url}/faults")[1]["pending"])

    def incidents(self) -> dict[str, list[str]]:
        """Return the states of the router's incidents and posts by destination."""
        state = self.state()
        ours, theirs = state["incident-io"], state["devhelm"]
        return {
            "on-call": [
                "resolved" if incident["incident_status"]["category"] == "closed" else "open"
                for incident in ours["incidents"]
            ],
            "public-page": [
                "resolved" if incident["incident_status"] == "resolved" else "open"
                for incident in ours["status_page_incidents"]
            ],
            "devhelm": [
                "resolved" if incident["incident"]["status"] == "RESOLVED" else "open"
                for incident in theirs["incidents"]
            ],
            "devhelm-page": [_post(post) for post in self.posts()],
        }

    def alerts(self) -> list[str]:
        """Return the states of the alerts at incident.io's alert source."""
        return [
            "open" if alert["status"] == "firing" else "resolved" for alert in self.state()["incident-io"]["alerts"]
        ]

    def posts(self) -> list[dict[str, Any]]:
        """Return the posts of the configured DevHelm page, including drafts."""
        pages = self.state()["devhelm"]["pages"]
        return [incident for page in pages if page["name"] == self.page for incident in page["incidents"]]

    def is_everywhere(self, word: str) -> bool:
        """Return whether each of the four destinations has exactly one object, in this state."""
        return all(words == [word] for words in self.incidents().values())

    def component(self, name: str) -> str:
        """Return the status of a component on the configured page."""
        pages = {page["name"]: page for page in self.state()["devhelm"]["pages"]}
        return str(pages[self.page]["components"][name])

    def shown(self, vendor: str, slug: str) -> str:
        """Return the public status page."""
        return str(ask(f"{self.url}/pages/{vendor}/{slug}")[1])


def _post(one: dict[str, Any]) -> str:
    if one["status"] == "RESOLVED":
        return "resolved"
    return "open" if one["publishedAt"] else "draft"


@contextlib.contextmanager
def vendors() -> Iterator[Vendors]:
    with server.Server() as simulator:
        yield Vendors(simulator)


def configure(
    folder: Path, at: Vendors, *, publish: str = "auto", page: str = "Acme", timeout: float = 5, rules: str = ""
) -> Path:
    """Write a configuration and its rules, and return the configuration file."""
    at.page = page
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "10.yaml").write_text(rules or RULES.format(publish=publish))
    file = folder / "router.yaml"
    file.write_text(CONFIGURATION.format(url=at.url, page=page, timeout=timeout))
    return file


class Router:
    """A running router."""

    def __init__(self, process: Process, file: Path) -> None:
        self.process = process
        self.file = file
        self.url = process.wait_for_output(r"(http://127\.0\.0\.1:\d+)/v1/webhooks")[1]
        self.health_url = process.wait_for_output(r"(http://127\.0\.0\.1:\d+)/readyz")[1]

    def metrics(self) -> str:
        """Return the exported metrics."""
        status, text = ask(f"{self.health_url}/metrics")
        assert status == 200, text
        return str(text)

    def send_alert(self, *, status: str = "firing", to: str = "json", **alert: Any) -> dict[str, Any]:
        """Send one alert to the source `json`, and return the router's response."""
        body = {"title": "Checkout answers 5xx", "status": status, "dedup_key": "a", **alert}
        body["labels"] = {"service": "checkout", **alert.get("labels", {})}
        code, answer = ask(f"{self.url}/v1/webhooks/{to}", body, TOKEN)
        assert code == 202, answer
        return answer

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command with the same configuration."""
        return commands.run_command(*arguments, "--config", str(self.file), cwd=self.file.parent, environment=SECRETS)


SECRETS = {"WEBHOOK_TOKEN": TOKEN, "KEY": "any key"}


@contextlib.contextmanager
def router(folder: Path, file: Path, **environment: str) -> Iterator[Router]:
    """Run `incident-router run` with an embedded Valkey."""
    command = [COMMAND, "run", "--config", str(file)]
    process = Process(command, folder, "router", forked=True, **(SECRETS | environment))
    try:
        yield Router(process, file)
    finally:
        process.stop()
