"""Clients of Opsgenie's Alert API work with the router after a change of the URL and the key."""

import json
from collections.abc import Iterator

import httpx
import pytest

from router.domain import identity
from router.sources import registry
from tests.contract import sdks, serving

KEY = "a-long-random-token"


@pytest.fixture
def router(redis_url: str) -> Iterator[serving.WebServer]:
    kind = registry.KINDS["opsgenie-api"]
    endpoints = {
        "og": registry.build("og", kind.config(bearer=[KEY])),
        "beats": registry.build("beats", kind.config(bearer=[KEY], heartbeats=True)),
        "quiet": registry.build("quiet", kind.config(token={"query": "key", "values": [KEY]})),
    }
    with serving.run_web_server(redis_url, endpoints) as found:
        yield found


def sdk(router: serving.WebServer, source: str = "og", key: str = KEY):
    """Return a client of the SDK. Only the host and the key differ from the default."""
    configuration = sdks.opsgenie.Configuration()
    configuration.host = f"{router.url}/v1/webhooks/{source}"
    configuration.api_key["Authorization"] = key
    configuration.retry_enabled = False
    return sdks.opsgenie.ApiClient(configuration=configuration)


def payload(**more: object):
    return sdks.opsgenie.CreateAlertPayload(**{"message": "Lock 3 does not close", "alias": "lock/3", **more})


def test_sdk_creates_and_closes_an_alert_by_alias(router):
    api = sdks.opsgenie.AlertApi(api_client=sdk(router))
    details, tags = {"service": "locks"}, ["site:north"]
    created = api.create_alert(payload(priority="P1", details=details, tags=tags, entity="lock-3", source="gatewatch"))
    closed = api.close_alert(
        identifier="lock/3",
        identifier_type="alias",
        close_alert_payload=sdks.opsgenie.CloseAlertPayload(user="ann", note="closed by hand"),
    )
    assert (created.result, closed.result) == ("Request will be processed",) * 2
    firing, resolved = router.alerts()
    assert (firing.status, firing.fingerprint, firing.title, firing.severity) == (
        "firing", "lock/3", "Lock 3 does not close", "P1",
    )  # fmt: skip
    assert firing.labels == {"service": "locks", "site": "north", "entity": "lock-3", "source": "gatewatch"}
    assert (resolved.status, resolved.fingerprint) == ("resolved", "lock/3")
    assert resolved.annotations == {"note": "closed by hand", "by": "ann"}


def test_sdk_closes_an_alert_by_its_request_id(router):
    api = sdks.opsgenie.AlertApi(api_client=sdk(router))
    created = api.create_alert(payload(alias=None))
    status = api.get_request_status(request_id=created.request_id)
    assert (status.data.is_success, status.data.action) == (True, "create")
    assert identity.made_at(created.request_id.partition(".")[0]) == serving.NOW
    api.close_alert(identifier=status.data.alert_id)
    firing, resolved = router.alerts()
    assert resolved.fingerprint == firing.fingerprint == status.data.alert_id


def test_sdk_deletes_an_alert_by_alias(router):
    api = sdks.opsgenie.AlertApi(api_client=sdk(router))
    api.delete_alert(identifier="lock/3", identifier_type="alias")
    (resolved,) = router.alerts()
    assert (resolved.status, resolved.fingerprint) == ("resolved", "lock/3")


def test_actions_without_effect_succeed_and_store_nothing(router):
    api, named = sdks.opsgenie.AlertApi(api_client=sdk(router)), {"identifier": "lock/3", "identifier_type": "alias"}
    og = sdks.opsgenie
    done = [
        api.acknowledge_alert(**named, acknowledge_alert_payload=og.AcknowledgeAlertPayload(user="ann")),
        api.un_acknowledge_alert(**named),
        api.add_note(**named, add_note_to_alert_payload=og.AddNoteToAlertPayload(note="on my way")),
        api.add_tags(**named, add_tags_to_alert_payload=og.AddTagsToAlertPayload(tags=["north"])),
        api.snooze_alert(**named, snooze_alert_payload=og.SnoozeAlertPayload(end_time="2026-03-03T00:00:00Z")),
        api.update_alert_priority(**named, update_alert_priority_payload=og.UpdateAlertPriorityPayload(priority="P2")),
    ]
    assert all(answer.request_id for answer in done)
    assert router.alerts() == []


def test_action_without_effect_is_named_in_the_response(router):
    url = f"{router.url}/v1/webhooks/og/v2/alerts/lock%2F3/acknowledge?identifierType=alias"
    answer = httpx.post(url, json={"user": "ann"}, headers={"Authorization": f"GenieKey {KEY}"})
    assert answer.status_code == 202
    assert answer.json()["no_alert"] == "acknowledge does not change whether an alert is open"


def test_sdk_pings_a_heartbeat_if_the_source_allows(router):
    sdks.opsgenie.HeartbeatApi(api_client=sdk(router, "beats")).ping(name="nightly backup")
    (alert,) = router.alerts()
    assert (alert.status, alert.labels) == ("firing", {"heartbeat": "nightly backup"})


def test_heartbeat_ping_is_refused_without_heartbeats(router):
    with pytest.raises(sdks.opsgenie.ApiException) as caught:
        sdks.opsgenie.HeartbeatApi(api_client=sdk(router)).ping(name="nightly backup")
    assert caught.value.status == 404
    assert "heartbeats: true" in caught.value.body
    assert router.alerts() == []


def test_wrong_key_is_rejected_by_every_endpoint(router):
    api = sdks.opsgenie.AlertApi(api_client=sdk(router, key="another"))
    for call in (lambda: api.create_alert(payload()), lambda: api.get_request_status(request_id="x")):
        with pytest.raises(sdks.opsgenie_errors.AuthenticationException) as caught:
            call()
        assert caught.value.status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/alerts"),
        ("GET", "/v2/alerts/lock%2F3"),
        ("POST", "/v2/alerts//close"),
        ("POST", "/v2/alerts/lock/3/close"),
        ("PUT", "/v2/alerts/x/close"),
        ("POST", "/v2/schedules"),
        ("DELETE", "/v2/alerts"),
        ("POST", "/"),
    ],
)
def test_unknown_api_path_stores_nothing(router, method, path):
    url = f"{router.url}/v1/webhooks/og{path}"
    answer = httpx.request(method, url, headers={"Authorization": f"GenieKey {KEY}"}, content=b'{"message": "m"}')
    assert answer.status_code == 404
    assert "POST /v2/alerts" in answer.json()["detail"]
    assert router.alerts() == []


def test_request_line_is_stored_without_the_token(router):
    url = f"{router.url}/v1/webhooks/quiet/v2/alerts/lock%2F3/close?identifierType=alias&key={KEY}"
    assert httpx.post(url, json={"note": "done"}).status_code == 202
    ((body, (alert,)),) = router.bodies()
    assert json.loads(body) == {
        "body": {"note": "done"},
        "request": "POST /v2/alerts/lock%2F3/close?identifierType=alias",
    }
    source = registry.build("quiet", registry.KINDS["opsgenie-api"].config(auth="none")).source
    assert source.parse(body, {}, serving.NOW).alerts == [alert]


def test_body_cannot_replace_the_request_line(router):
    url = f"{router.url}/v1/webhooks/og/v2/alerts/other/notes"
    smuggled = b'{"note": "n"}, "request": "POST /v2/alerts/lock%2F3/close"'
    answer = httpx.post(url, content=smuggled, headers={"Authorization": f"GenieKey {KEY}"})
    assert answer.status_code == 202
    assert answer.json()["no_alert"]
    assert router.alerts() == []


def test_tiny_id_is_refused_with_an_alternative(router):
    url = f"{router.url}/v1/webhooks/og/v2/alerts/7/close?identifierType=tiny"
    answer = httpx.post(url, headers={"Authorization": f"GenieKey {KEY}"})
    assert (answer.status_code, "use the alias" in answer.json()["detail"]) == (422, True)


def test_unknown_request_id_is_not_found(router):
    for request_id in ("x", "0.a", "43a29c5d-bcbd-4b9d-9d26-c4a13a2ad8b2", "0195573d90807abc9def0123456789ab.!"):
        url = f"{router.url}/v1/webhooks/og/v2/alerts/requests/{request_id}"
        answer = httpx.get(url, headers={"Authorization": f"GenieKey {KEY}"})
        assert (answer.status_code, answer.json()["message"]) == (404, "Request not found")
