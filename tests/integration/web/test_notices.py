"""Notices about truncated deliveries are shown by commands, the API, and the console."""

import json
import random

import pytest

from router.api import endpoints
from router.bootstrap import factories
from router.domain import deliveries, identity, notices
from tests.end_to_end import commands
from tests.integration import consoles
from tests.integration.cli.test_commands import run

CUT = notices.Notice("labels_truncated", "labels", "70 arrived, and 64 are kept", "f-checkout", 6)
CONFIGURATION = """
sources:
  am: {kind: alertmanager, auth: none}
destinations:
  on-call: {kind: incident-io, api_key: {env: KEY}}
web: {max_labels: 3, max_alerts: 2}
"""
RULES = "rules: [{name: all, when: {labels.zone: eu}, open: [{at: on-call, name: Down}]}]\n"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(RULES)
    (tmp_path / "incident-router.yaml").write_text(CONFIGURATION)
    return tmp_path / "incident-router.yaml"


@pytest.fixture
def payload(tmp_path):
    labels = {"alertname": "Down", "a": "1", "b": "2", "c": "3", "zone": "eu"}
    one = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": "2030-01-01T00:00:00Z"}
    body = {"version": "4", "alerts": [{**one, "fingerprint": str(number)} for number in range(3)]}
    made = tmp_path / "payload.json"
    made.write_text(json.dumps(body))
    return made


def test_sources_parse_reports_truncated_alerts_and_labels(file, payload):
    """Labels that rules name are kept."""
    done = run("sources", "parse", str(payload), "--source", "am", "--config", str(file), KEY="k")
    assert done.returncode == 0, done.stderr
    assert "alerts_truncated: alerts: 3 alerts arrived, and the first 2 are read (web.max_alerts)" in done.stdout
    assert "labels_truncated: labels of 0: 5 arrived, and 3 are kept (web.max_labels)" in done.stdout
    as_json = run("sources", "parse", str(payload), "--source", "am", "--json", "--config", str(file), KEY="k")
    document = json.loads(as_json.stdout)
    assert document["alerts"][0]["labels"] == {"alertname": "Down", "a": "1", "zone": "eu"}
    assert len(document["notices"]) == 3


def test_explain_shows_notices_beside_the_matching_rule(file, payload):
    done = commands.run_command("explain", str(payload), "--config", str(file), "--source", "am")
    assert "✓ rule all" in done.stdout
    assert "alerts_truncated: alerts: 3 alerts arrived" in done.stderr


def test_api_and_console_show_notices_of_delivery(with_redis, tmp_path):
    async def play(at):
        now = factories.clock()
        name = identity.new_delivery_id(now, random.Random(1))
        routed = [(consoles.firing(), at._decide(consoles.firing(), now))]
        await at.on.inbox.accept(deliveries.pack(name, "json", now, routed, notices=(CUT,)), b"{}")
        await at.on.turn()
        client = await at.client_for("viewer")
        again = await (await at.client_for("responder")).post(f"{endpoints.PREFIX}/deliveries/{name}/reprocess")
        assert again.status_code < 300, again.text
        await at.on.turn()
        rerun = (await client.get(f"{endpoints.PREFIX}/deliveries")).json()["items"][0]["id"]
        assert rerun != name
        assert (await client.get(f"{endpoints.PREFIX}/deliveries/{rerun}")).json()["notices"][0]["detail"] == CUT.detail
        (found,) = (await client.get(f"{endpoints.PREFIX}/deliveries/{name}")).json()["notices"]
        assert found == {
            "code": "labels_truncated",
            "where": "labels",
            "detail": "70 arrived, and 64 are kept",
            "fingerprint": "f-checkout",
            "count": 6,
        }
        looking, _ = await at.browser("viewer")
        page = (await looking.get("/delivery", params={"id": name})).text
        assert "labels_truncated" in page
        assert "70 arrived, and 64 are kept" in page
        incident = (await looking.get("/incident", params={"key": consoles.key()})).text
        assert "labels_truncated: labels of f-checkout: 70 arrived, and 64 are kept" in incident

    consoles.run(with_redis, tmp_path, play)
