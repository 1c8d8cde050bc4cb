"""Take the screenshots for the documentation; `make screenshots` runs this."""

import sys
import tempfile
from pathlib import Path

from playwright import sync_api

from tests.browser import stage
from tests.end_to_end import harness

PAYLOAD = '{"title": "p99 latency is 4 s", "status": "firing", "labels": {"service": "checkout", "region": "eu"}}'


def take_screenshot(page: sync_api.Page, folder: Path, name: str) -> None:
    """Return a screenshot of the visible part of the page."""
    page.screenshot(path=folder / f"console-{name}.png", animations="disabled")


def send_alerts(console: stage.Console) -> str:
    """Send the alerts that the screenshots show, and return the key of one incident."""
    console.send_alert("eu", title="p99 latency is 4 s", labels={"region": "eu"})
    console.send_alert("search", service="search", title="The search answers 500", severity="critical")
    console.send_alert("disk", service="billing", title="The disk is 91% full")
    console.waiting("eu")
    harness.eventually("the post is published", lambda: console.ask("/destinations")[1]["items"][3]["open"])
    return next(item["key"] for item in console.ask("/incidents")[1]["items"] if item["severity"] == "critical")


def take(console: stage.Console, browser: sync_api.Browser, folder: Path) -> None:
    """Take all screenshots."""
    key = send_alerts(console)
    wide = stage.visitor(console, browser, viewport={"width": 1100, "height": 760}).signed_in()
    take_screenshot(wide.open_page("/"), folder, "now")
    take_screenshot(wide.open_page("/incident", key=key), folder, "incident")
    page = wide.open_page("/playground")
    page.get_by_label("Source").select_option("json")
    page.get_by_label("Payload").fill(PAYLOAD)
    page.get_by_role("button", name="Explain").click()
    page.get_by_role("heading", name="With the active rules").wait_for()
    take_screenshot(page, folder, "playground")
    phone = stage.visitor(console, browser, viewport=stage.PHONE, color_scheme="dark").signed_in()
    take_screenshot(phone.open_page("/reviews"), folder, "review")


def main() -> None:
    """Write the screenshots to the folder given on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, stage.run_console(Path(work)) as console, stage.chromium() as browser:
        take(console, browser, folder)


if __name__ == "__main__":
    main()
