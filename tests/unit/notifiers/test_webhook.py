"""Webhook requests, verified by the Standard Webhooks and CloudEvents libraries and by the JSON Schema."""

import datetime as dt
import json

import jsonschema_rs
import pydantic
import pytest
import standardwebhooks
from cloudevents.core.bindings import http as cloudevents_http

from router.domain import events
from router.notifiers import base, event_schema, webhook
from tests.contract import notifier_samples
from tests.integration import receiver

OTHER_SECRET = "whsec_" + "B" * 43 + "="
VALIDATOR = jsonschema_rs.Draft202012Validator(event_schema.schema())


def make_requests(*found: events.Event, monkeypatch=None, **settings) -> list[receiver.Request]:
    """Return the requests for these events, sent now."""
    with receiver.run_receiver() as at:
        now = int(dt.datetime.now(dt.UTC).timestamp() * 1_000_000)
        monkeypatch.setattr(notifier_samples, "NOW", now)
        notifier_samples.deliver("webhook", at, notifier_samples.record(*found), **settings)
        return at.requests


@pytest.mark.parametrize("event", notifier_samples.ALL, ids=events.type_of)
def test_request_is_accepted_by_the_reference_libraries(event, monkeypatch):
    [request] = make_requests(event, monkeypatch=monkeypatch)
    verified = standardwebhooks.Webhook(notifier_samples.SECRET).verify(request.body, request.headers)
    VALIDATOR.validate(verified["data"])
    message = cloudevents_http.HTTPMessage(request.headers, request.body)
    made = cloudevents_http.from_http_event(message)
    assert made.get_type() == f"incident-router.{events.type_of(event)}"
    assert made.get_id() == request.headers["webhook-id"]
    assert made.get_source() == "/incident-router/prod"
    assert made.get_subject() == "down"
    assert made.get_extension("sequence") == "0000000001"
    assert made.get_data()["type"] == events.type_of(event)


def test_schema_rejects_invalid_events():
    assert not VALIDATOR.is_valid({"type": "freeze.ended", "by": 7})
    assert not VALIDATOR.is_valid({"type": "something.else"})


def test_every_secret_signs_to_allow_rotation(monkeypatch):
    with receiver.run_receiver() as at:
        monkeypatch.setattr(notifier_samples, "NOW", int(dt.datetime.now(dt.UTC).timestamp() * 1_000_000))
        two = {"url": at.url, "secrets": [notifier_samples.SECRET, OTHER_SECRET]}
        monkeypatch.setitem(notifier_samples.SETTINGS, "webhook", lambda _: two)
        notifier_samples.deliver("webhook", at, notifier_samples.record(notifier_samples.ALL[0]))
        [request] = at.requests
    for secret in (notifier_samples.SECRET, OTHER_SECRET):
        standardwebhooks.Webhook(secret).verify(request.body, request.headers)


def test_changed_body_fails_verification(monkeypatch):
    [request] = make_requests(notifier_samples.ALL[0], monkeypatch=monkeypatch)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(notifier_samples.SECRET).verify(request.body + b" ", request.headers)


def test_old_request_fails_verification():
    headers = webhook.sign("id", 1_700_000_000, b"{}", [b"k" * 24])
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(b"k" * 24).verify(b"{}", dict(headers))


def test_query_and_headers_are_sent(monkeypatch):
    [request] = make_requests(notifier_samples.ALL[0], monkeypatch=monkeypatch, headers={"authorization": "Bearer t"})
    assert request.path == f"/in?token={notifier_samples.TOKEN}"
    assert request.headers["authorization"] == "Bearer t"


def test_response_body_is_ignored():
    with receiver.run_receiver() as at:
        at.answers, at.body = [200], b"ok"
        assert notifier_samples.deliver("webhook", at, notifier_samples.record(notifier_samples.ALL[0])).sequence == 1


def test_event_of_the_router_has_no_subject():
    event = events.Recorded(1, notifier_samples.NOW, events.ROUTER, "router", events.FreezeEnded("ann"))
    made = webhook.cloud_event(event, "/incident-router")
    assert "subject" not in made
    assert json.loads(json.dumps(made, default=str))["id"] == event.id


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "whsec_" + "A" * 100])
def test_secret_in_another_format_is_refused(secret):
    with pytest.raises(pydantic.ValidationError, match="secret"):
        webhook.Config(url="https://hooks.example", secrets=[secret])


@pytest.mark.parametrize(
    ("installation", "expected"), [("", "/incident-router"), ("a b/c", "/incident-router/a%20b%2Fc")]
)
def test_source_names_the_installation(installation, expected):
    assert webhook.source(installation) == expected


def test_repr_of_a_connection_has_no_secret():
    assert notifier_samples.TOKEN not in repr(base.NotifierConnection(lambda: 1))
