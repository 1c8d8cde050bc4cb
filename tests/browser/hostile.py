"""One object of each kind that the console shows, with texts that try to inject scripts."""

import json
import urllib.error
import urllib.request

from router.console import pages
from tests.browser import stage
from tests.end_to_end import harness

MARK = "window.pwned"
RUN = f"<script>{MARK}=1</script><img src=x onerror='{MARK}=2'><svg onload={MARK}=3>"
EVIL = f"""'"></title></textarea></script>{RUN}"""
LINK = f"javascript:{MARK}=4"
LATE = """{{ 7 * 7 }}<a href="javascript:window.pwned=5" data-hx-get="/events" hx-on:click="window.pwned=6">tap</a>"""


def fill(console: stage.Console) -> list[str]:
    """Create one object of each kind, and return the URL of every page that shows one."""
    annotations = {"summary": EVIL, EVIL: LATE}
    labels = {"evil": EVIL, EVIL: LATE}
    told = {"title": EVIL, "labels": labels, "annotations": annotations, "link": LINK}
    console.send_alert("hostile", **told)
    review = console.waiting("hostile")
    console.send_alert("hostile-key", service=EVIL, **told)
    _dead_letter(console, told)
    console.send_alert("beat", **{**told, "labels": {"watchdog": "yes", "job": EVIL}})
    assert _unreadable(console) == 422
    silence = {"matchers": ['service="nothing"', f"other={json_text(EVIL)}"], "comment": EVIL}
    assert console.ask("/silences", silence)[0] == 201
    assert console.ask("/tokens", {"name": EVIL[:100], "role": "viewer"})[0] == 201
    harness.eventually("deliveries are kept", lambda: len(console.ask("/deliveries")[1]["items"]) >= 4)
    delivery = console.ask("/deliveries")[1]["items"][-1]["id"]
    key = next(item["key"] for item in console.ask("/incidents")[1]["items"] if "onerror" in item["key"])
    queries = {
        "/incident": f"?key={stage.quote_url(key)}",
        "/review": f"?incident={stage.quote_url(review['incident'])}&destination=public-page",
        "/delivery": f"?id={stage.quote_url(delivery)}",
        "/playground": f"?delivery={stage.quote_url(delivery)}",
        "/silences": "?over=true",
    }
    found = [page.path + queries.get(page.path, "") for page in pages.PAGES]
    return [*found, f"/incidents?text={stage.quote_url(EVIL)}", f"/incident?key={stage.quote_url(review['incident'])}"]


def json_text(text: str) -> str:
    """Return a text as a JSON string literal."""
    return json.dumps(text)


def _dead_letter(console: stage.Console, told: dict[str, object]) -> None:
    fault = {"action": "status", "status": 422, "vendor": "incident-io", "method": "POST", "path": "/v1/incidents"}
    fault["count"] = 2  # The router repeats the call without the optional members.
    assert harness.ask(f"{console.simulator}/faults", fault)[0] == 201
    console.send_alert("dead", service="dead", **told)
    harness.eventually("the operation is refused", lambda: console.ask("/dead-letters")[1]["items"])


def _unreadable(console: stage.Console) -> int:
    headers = {"authorization": f"Bearer {harness.TOKEN}", "content-type": "text/html", "x-evil": EVIL}
    headers["user-agent"] = EVIL
    request = urllib.request.Request(f"{console.web_server}/v1/webhooks/json", EVIL.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
