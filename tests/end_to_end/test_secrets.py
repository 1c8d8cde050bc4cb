"""Valid and invalid secrets in every part of a request: none appears in a log line, a metric, or a response."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.end_to_end import harness

MARK = "hunter2"  # In every part that carries credentials.
TEXT = "horse staple"  # In every part that describes the problem.
KEYS = {
    "BEARER": f"{MARK}-bearer",
    "BASIC": f"ann:{MARK}-basic",
    "HEADER": f"{MARK}-header",
    "QUERY": f"{MARK}-query",
    "MEMBER": f"{MARK}-member",
    "SIGNED": f"{MARK}-signed",
    "KEY": f"{MARK}-vendor",
}
SOURCES = """
sources:
  json: {kind: json, bearer: [{env: BEARER}], basic: [{env: BASIC}]}
  alertmanager: {kind: alertmanager, bearer: [{env: BEARER}]}
  grafana: {kind: grafana, bearer: [{env: BEARER}]}
  header: {kind: json, token: {header: X-Token, values: [{env: HEADER}]}}
  query: {kind: json, token: {query: key, values: [{env: QUERY}]}}
  member: {kind: json, token: {member: token, values: [{env: MEMBER}]}}
  signed: {kind: json, signature: {scheme: github, secrets: [{env: SIGNED}]}}
"""
ALERT = {"title": f"{TEXT} title", "status": "firing", "labels": {"service": "checkout", "private": f"{TEXT}-label"}}
BODIES: dict[str, bytes] = {
    "an alert": json.dumps(ALERT | {"summary": f"{TEXT} summary", f"{TEXT}-member": f"{TEXT}"}).encode(),
    "a wrong status": json.dumps(ALERT | {"status": f"{TEXT}"}).encode(),
    "a wrong time": json.dumps(ALERT | {"starts_at": f"{TEXT}"}).encode(),
    "labels that are none": json.dumps(ALERT | {"labels": f"{TEXT}"}).encode(),
    "a label that is none": json.dumps(ALERT | {"labels": {f"{TEXT}": [f"{TEXT}"]}}).encode(),
    "alerts that are none": json.dumps({"version": "4", "alerts": f"{TEXT}"}).encode(),
    "a group": json.dumps({"version": "4", "alerts": [ALERT | {"startsAt": f"{TEXT}"}]}).encode(),
    "no JSON": f'{{"{TEXT}": {TEXT}'.encode(),
    "not even text": b"\xff\xfe" + TEXT.encode(),
    "nothing": b"",
}
BASIC = base64.b64encode(KEYS["BASIC"].encode()).decode()
WRONG_BASIC = base64.b64encode(f"ann:{MARK}-wrong".encode()).decode()
HEADERS: dict[str, dict[str, str]] = {
    "bearer": {"authorization": f"Bearer {KEYS['BEARER']}"},
    "a wrong bearer": {"authorization": f"Bearer {MARK}-wrong"},
    "basic": {"authorization": f"Basic {BASIC}"},
    "a wrong basic": {"authorization": f"Basic {WRONG_BASIC}"},
    "a scheme of its own": {"authorization": f"{MARK} {MARK}"},
    "header": {"x-token": KEYS["HEADER"]},
    "a wrong header": {"x-token": f"{MARK}-wrong"},
    "a wrong signature": {"x-hub-signature-256": f"sha256={MARK}"},
    "a cookie": {"cookie": f"session={MARK}", "authorization": f"Bearer {KEYS['BEARER']}"},
    "a trace": {"traceparent": f"{MARK}", "authorization": f"Bearer {KEYS['BEARER']}"},
    "an encoding": {"content-encoding": MARK, "authorization": f"Bearer {KEYS['BEARER']}"},
    "a content type": {"content-type": f"text/{MARK}", "authorization": f"Bearer {KEYS['BEARER']}"},
}
QUERIES = ["", f"?key={KEYS['QUERY']}", f"?key={MARK}-wrong", f"?explain=true&token={MARK}"]
PLACES = ["json", "alertmanager", "grafana", "header", "query", "member", "signed", f"{MARK}-unknown"]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory) -> Iterator[tuple[harness.Router, harness.Vendors]]:
    folder = tmp_path_factory.mktemp("secrets")
    with harness.vendors() as at:
        file = harness.configure(folder, at)
        written = file.read_text()
        before, _, rest = written.partition("sources:")
        file.write_text(f"{before}{SOURCES}pages: {rest.partition('pages: ')[2]}")
        with harness.router(folder, file, **KEYS, INCIDENT_ROUTER_LOG_LEVEL="debug") as router:
            yield router, at


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    request = urllib.request.Request(url, body, {"content-type": "application/json"} | headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, f"{error.headers}{error.read().decode()}"


@pytest.mark.parametrize("source", PLACES)
def test_unauthenticated_response_reveals_nothing(deployment, source):
    router, _ = deployment
    statuses = set()
    for query in QUERIES:
        for headers in HEADERS.values():
            for name, body in BODIES.items():
                status, answer = post(f"{router.url}/v1/webhooks/{source}{query}", body, headers)
                statuses.add(status)
                told = answer.replace(f"/v1/webhooks/{source}", "")
                assert MARK not in told, (name, headers, told)
                # An authenticated sender learns which of its words are unreadable.
                assert TEXT not in told or status not in {401, 403, 404}, (name, headers, told)
    assert statuses - {202}, "something was refused"


def test_log_lines_and_metrics_reveal_nothing(deployment):
    router, at = deployment
    for source in PLACES:
        for headers in HEADERS.values():
            for body in BODIES.values():
                post(f"{router.url}/v1/webhooks/{source}?key={KEYS['QUERY']}", body, headers)
    at.fault(vendor="incident-io", method="POST", path="/v1/incidents", action="status", status=401)
    post(f"{router.url}/v1/webhooks/json", BODIES["an alert"], HEADERS["bearer"])
    said = harness.eventually(
        "calls were made", lambda: '"operation"' in router.process.output and router.process.output
    )
    found = [line for line in said.splitlines() if MARK in line or TEXT in line]
    assert found == []
    events = {json.loads(line)["event"] for line in said.splitlines() if line.startswith("{")}
    assert events >= {"delivery_accepted", "delivery_refused", "delivery_quarantined", "operation"}
    metrics = router.metrics()
    assert MARK not in metrics
    assert TEXT not in metrics


def test_each_accepted_delivery_is_one_log_line(deployment):
    router, _ = deployment
    _, answer = post(f"{router.url}/v1/webhooks/json", BODIES["an alert"], HEADERS["bearer"])
    delivery = json.loads(answer)["delivery"]
    lines = [json.loads(line) for line in router.process.output.splitlines() if delivery in line]
    assert [(line["event"], line["source"], line["alerts"], line["ignored"]) for line in lines] == [
        ("delivery_accepted", "json", 1, 0)
    ]


def test_each_operation_is_one_log_line_with_ids(deployment):
    router, _ = deployment
    post(f"{router.url}/v1/webhooks/json", BODIES["an alert"], HEADERS["bearer"])
    harness.eventually("calls were made", lambda: '"event": "operation"' in router.process.output)
    lines = [json.loads(line) for line in router.process.output.splitlines() if '"event": "operation"' in line]
    assert all(line["incident"] and line["episode"] and line["key"] and line["reference"] for line in lines)
    assert len({(line["key"], line["attempts"], line["timestamp"]) for line in lines}) == len(lines)
