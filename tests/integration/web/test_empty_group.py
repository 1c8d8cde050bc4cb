"""A delivery gets a notice if its alerts lack all fields of their rule's ``group_by``."""

import httpx

from router.rules import load
from router.sources import registry
from router.web import app, webhooks
from tests.integration import servers, workers
from tests.integration.web import test_large_deliveries
from tests.unit.rules import conftest

RULES = [{"name": "all", "when": {}, "group_by": ["labels.team"], "open": []}]


def test_alert_with_empty_group_gets_a_notice(with_redis):
    decide = load.build(RULES, conftest.DESTINATIONS).decide

    async def main(store) -> None:
        web_server = webhooks.WebhookHandler(
            {"am": registry.build("am", registry.KINDS["alertmanager"].config(auth="none"))},
            decide,
            inbox=store.inbox,
            quarantine=store.quarantine,
            clock=lambda: test_large_deliveries.NOW,
            randomness=workers.NoJitter(),
        )
        async with (
            servers.run_server(app.create_app(web_server, checks={})) as (port, _),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
        ):
            body = test_large_deliveries.body(
                test_large_deliveries.alert(1), test_large_deliveries.alert(2, team="shop")
            )
            answer = await http.post("/v1/webhooks/am", content=body)
        assert answer.status_code == 202
        (notice,) = answer.json()["notices"]
        assert (notice["code"], notice["fingerprint"]) == ("group_empty", f"{1:016x}")
        assert [alert["decided_incident_key"] for alert in answer.json()["alerts"]] == [
            'all{labels.team=""}',
            'all{labels.team="shop"}',
        ]

    with_redis(main)
