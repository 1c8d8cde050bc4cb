"""The setup of the browser tests: a router as a real process, simulated vendors, and watched pages.

A watched page records console errors, violations of the Content-Security-Policy, dialogs, and failed responses. A test
fails if there are any.
"""

import contextlib
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright import sync_api

from tests import ports
from tests.end_to_end import harness

CHROMIUM = "/usr/bin/chromium"
PHONE = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 900}
TITLE = "Checkout is slower than usual"
MESSAGE = "Paying may take longer: we look into it. <b>Café & Søn</b> “soon” — 100% sure\nSecond line."

CONFIGURATION = """
sources:
  json: {kind: json, bearer: [{env: WEBHOOK_TOKEN}]}
  alertmanager: {kind: alertmanager, bearer: [{env: WEBHOOK_TOKEN}]}
pages: {min_update_interval: 0s}
destinations:
  on-call: {kind: incident-io, api_key: {env: INCIDENT_IO_API_KEY}}
  public-page: {kind: incident-io-status-page, api_key: {env: INCIDENT_IO_API_KEY}, page: Acme Status}
  devhelm: {kind: devhelm, api_key: {env: DEVHELM_API_KEY}}
  devhelm-page: {kind: devhelm-status-page, api_key: {env: DEVHELM_API_KEY}, page: Acme, follows: devhelm}
rules: rules
data: data
"""

RULES = f"""
defaults: {{owner: team-checkout}}
rules:
  - name: heartbeat
    when: {{labels.watchdog: "yes"}}
    severity: major
    group_by: [labels.job]
    timing: {{heartbeat: 1m}}
    open: [{{at: on-call, name: Nightly backup is silent}}]
  - name: checkout-slow
    runbook: Look at the payment provider first.
    when: {{labels.service: checkout}}
    severity: major
    group_by: [labels.service, labels.case]
    open:
      - {{at: on-call, name: Checkout is slow, summary: "{{{{ alert.title }}}}"}}
      - at: public-page
        publish: review
        review: {{timeout: 2h, on_timeout: dismiss}}
        title: {TITLE}
        message: {json.dumps(MESSAGE)}
        components: {{Checkout API: degraded_performance}}
  - name: search-down
    when: {{labels.service: search}}
    severity: critical
    group_by: [labels.service]
    open:
      - {{at: on-call, name: Search is down}}
      - {{at: devhelm, title: Search is down}}
      - {{at: devhelm-page, publish: auto, title: Search is down, message: We are investigating.,
         components: [Checkout API]}}
  - name: everything-else
    when: {{labels.service: {{exists: true}}}}
    severity: minor
    group_by: [labels.service]
    open: [{{at: on-call, name: "{{{{ alert.title }}}}"}}]
"""

_SESSIONS: dict[str, Any] = {}  # The cookies of the first visitor of each console.


@dataclass(frozen=True)
class Console:
    """A running router, with the URLs of its webhook server, its console, and the simulated vendors."""

    web_server: str
    url: str
    simulator: str
    token: str
    router: harness.Router

    def send_alert(self, case: str, *, service: str = "checkout", title: str = "p99 is 4 s", **alert: Any) -> str:
        """Send one alert, and return the key of its incident."""
        labels = {"service": service, "case": case, **alert.pop("labels", {})}
        alert = {"severity": "warning", "dedup_key": case, **alert}
        answer = self.router.send_alert(title=title, labels=labels, **alert)
        return str(answer["alerts"][0].get("incident", ""))

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the API as a different user from the one at the browser."""
        return harness.ask(f"{self.url}/api/v1{path}", body, self.token)

    def waiting(self, case: str) -> dict[str, Any]:
        """Wait for the review of this case, and return it."""

        def found() -> dict[str, Any] | None:
            waits = self.ask("/reviews")[1]["items"]
            return next((one for one in waits if f'"{case}"' in one["incident"]), None)

        return harness.eventually(f"{case} waits for a person", found)

    def shown(self, title: str) -> list[dict[str, Any]]:
        """Return the posts with this title on the simulated status page."""
        posts = harness.ask(f"{self.simulator}/state")[1]["incident-io"]["status_page_incidents"]
        return [post for post in posts if post["name"] == title]


def quote_url(text: str) -> str:
    """Quote a text for use in a URL."""
    return urllib.parse.quote(text, safe="")


@contextlib.contextmanager
def run_console(folder: Path) -> Iterator[Console]:
    """Run `incident-router run --simulate` with a console."""
    (folder / "rules").mkdir()
    (folder / "rules" / "10.yaml").write_text(RULES, encoding="utf-8")
    file = folder / "router.yaml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    port = ports.reserve()
    command = [harness.COMMAND, "run", "--config", str(file), "--simulate"]
    command += ["--port", "0", "--console-port", "0", "--simulator-port", str(port)]
    process = harness.Process(command, folder, "router", WEBHOOK_TOKEN=harness.TOKEN)
    try:
        router = harness.Router(process, file)
        url = process.wait_for_output(r"console\s+(http://127\.0\.0\.1:\d+)")[1]
        process.wait_for_output("Sign in to the console")
        token = (folder / "data" / "console-token").read_text(encoding="utf-8").strip()
        yield Console(router.url, url, f"http://127.0.0.1:{port}", token, router)
    finally:
        process.stop()


@contextlib.contextmanager
def chromium() -> Iterator[sync_api.Browser]:
    """Debian's Chromium."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@dataclass
class Visitor:
    """A person with a separate browser context, and the problems of its pages."""

    console: Console
    context: sync_api.BrowserContext
    page: sync_api.Page
    wrong: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Record all problems of the page from now on."""
        self.context.add_init_script(_WATCH)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)

    def _said(self, said: sync_api.ConsoleMessage) -> None:
        elsewhere = said.location["url"].startswith(self.console.simulator)
        if said.type in {"error", "warning"} and not elsewhere:
            self.wrong.append(f"{said.type}: {said.text}")

    def _dialog(self, dialog: sync_api.Dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def signed_in(self) -> "Visitor":
        """Sign in through the form once per console: sign-ins are limited to ten per minute."""
        if kept := _SESSIONS.get(self.console.url):
            self.context.add_cookies(kept)
            self.open_page("/")
        else:
            self.open_page("/sign-in")
            self.page.get_by_label("Token").fill(self.console.token)
            self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Now").wait_for()
        _SESSIONS[self.console.url] = self.context.cookies()
        return self

    def open_page(self, path: str, **query: str) -> sync_api.Page:
        """Open a page of the console."""
        asked = f"?{urllib.parse.urlencode(query)}" if query else ""
        self.page.goto(f"{self.console.url}{path}{asked}")
        return self.page

    def problems(self) -> list[str]:
        """Return all problems so far, including policy violations of the current page."""
        return self.wrong + [f"policy: {one}" for one in self.page.evaluate("window.violations ?? []")]


def visitor(console: Console, browser: sync_api.Browser, **options: Any) -> Visitor:
    """Yield a new visitor with these properties of a Playwright browser context."""
    context = browser.new_context(**{"viewport": WIDE, "locale": "en-GB", **options})
    found = Visitor(console, context, context.new_page())
    found.page.set_default_timeout(20_000)
    found.watch()
    return found
