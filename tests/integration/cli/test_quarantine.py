"""``quarantine`` with a running router: every authentic but unreadable body is kept."""

import json

import pytest

from router.store import keys, quarantine
from router.telemetry import metrics
from tests.end_to_end import harness
from tests.integration.cli.test_commands import run


@pytest.fixture
def unreadable_body(router):
    """Send an authentic but unreadable body: the mapped source requires a title."""
    sent = {"title": "t", "status": "odd", "labels": {"service": "x"}}
    code, answer = harness.ask(f"{router.url}/v1/webhooks/json", sent, harness.TOKEN)
    assert code == 422, answer
    return answer["quarantined"]


def test_quarantined_body_is_listed_with_its_problem(router, unreadable_body):
    output = router.command("quarantine", "list").stdout
    assert unreadable_body in output
    assert " json " in output
    shown = router.command("quarantine", "show", unreadable_body).stdout
    assert f"{unreadable_body} from json, kept 20" in shown
    assert "status" in shown
    assert harness.TOKEN not in shown
    body = json.loads(router.command("quarantine", "show", unreadable_body, "--body").stdout)
    assert body["status"] == "odd"


def test_retry_fails_while_body_is_unreadable(router, unreadable_body):
    done = router.command("quarantine", "retry", unreadable_body)
    assert (done.returncode, "it still can't be read" in done.stderr) == (1, True)
    assert unreadable_body in router.command("quarantine", "list").stdout


def test_retry_after_fix_removes_body_from_quarantine(router, unreadable_body):
    fixed = router.file.with_name("fixed.yaml")
    fixed.write_text(
        router.file.read_text().replace("json: {kind: json,", "json: {kind: json, status: {firing: [odd]},")
    )
    done = run("quarantine", "retry", unreadable_body, "--config", str(fixed), **harness.SECRETS)
    assert done.returncode == 0, done.stderr
    assert "with 1 alerts" in done.stdout
    assert unreadable_body not in router.command("quarantine", "list").stdout


def test_unreadable_alerts_stay_after_partial_retry(router):
    sent = [{"title": "a", "status": "odd"}, {"title": "b", "status": "never heard of"}]
    code, answer = harness.ask(f"{router.url}/v1/webhooks/json", sent, harness.TOKEN)
    assert code == 422, answer
    fixed = router.file.with_name("fixed-in-part.yaml")
    fixed.write_text(
        router.file.read_text().replace("json: {kind: json,", "json: {kind: json, status: {firing: [odd]},")
    )
    before = router.command("quarantine", "list").stdout
    done = run("quarantine", "retry", answer["quarantined"], "--config", str(fixed), **harness.SECRETS)
    assert done.returncode == 0, done.stderr
    after = router.command("quarantine", "list").stdout
    assert answer["quarantined"] not in after
    (left,) = {line.split()[0] for line in after.splitlines()} - {line.split()[0] for line in before.splitlines()}
    assert json.loads(router.command("quarantine", "show", left, "--body").stdout) == sent[1:]
    router.command("quarantine", "discard", left)


def test_quarantined_body_can_be_deleted(router, unreadable_body):
    assert router.command("quarantine", "discard", unreadable_body).stdout == f"discarded {unreadable_body}\n"
    for command in ("show", "retry", "discard"):
        done = router.command("quarantine", command, unreadable_body)
        assert (done.returncode, "the quarantine has no body" in done.stderr) == (1, True)
    assert router.command("quarantine", "show", "no id at all").returncode == 1


def test_full_quarantine_evicts_oldest_and_reports_it(with_redis, monkeypatch):
    monkeypatch.setattr(quarantine, "MAX_BODIES", 5)
    dropped = "incident_router_quarantine_dropped_total"
    before = metrics.REGISTRY.get_sample_value(dropped)

    async def body(store):
        for number in range(8):
            await store.quarantine.add("json", str(number).encode(), {}, "no title", number)
        assert await store.redis.xlen(keys.QUARANTINE) == 5
        assert [one.body for one in await store.quarantine.read()] == [b"7", b"6", b"5", b"4", b"3"]

    with_redis(body)
    assert metrics.REGISTRY.get_sample_value(dropped) == before + 3
