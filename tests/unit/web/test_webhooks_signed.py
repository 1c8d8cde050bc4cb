"""Authentication of senders at the webhook server: tokens, signatures, and a 401 that names only the missing parts."""

import hashlib
import hmac
import json

import pytest

from router.sources import registry
from router.web import webhooks
from tests.unit.web import asgi_client

BODY = json.dumps({"status": "firing", "title": "t"}).encode()
SECRET = "shared"


def web_server(store, **settings):
    config = registry.KINDS["json"].config(**settings)
    return webhooks.WebhookHandler(
        {"any": registry.build("any", config)},
        asgi_client.decide,
        inbox=store,
        quarantine=store,
        clock=lambda: asgi_client.NOW,
        randomness=asgi_client.random.Random(1),
    )


def send(given, body=BODY, *, query=b"", **headers):
    store = asgi_client.Recording()
    pairs = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    answer = asgi_client.send(
        web_server(store, **given), "/v1/webhooks/any", chunks=(body,), headers=pairs, query=query
    )
    return answer, store


SIGNED = {"signature": {"scheme": "github", "secrets": [SECRET]}}
RIGHT = "sha256=" + hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()


def test_signed_body_is_accepted():
    answer, store = send(SIGNED, x_hub_signature_256=RIGHT)
    assert (answer.status, len(store.accepted)) == (202, 1)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "the header x-hub-signature-256 with the signature is missing"),
        ({"x_hub_signature_256": RIGHT[:-1] + ("0" if RIGHT[-1] != "0" else "1")}, "the signature is not accepted"),
    ],
)
def test_unsigned_body_is_401_and_not_kept(headers, said):
    answer, store = send(SIGNED, **headers)
    assert (answer.status, store.accepted, store.kept) == (401, [], [])
    assert said in answer.json["detail"]
    assert SECRET not in answer.body.decode()


def test_unsigned_body_is_not_parsed():
    answer, store = send(SIGNED, b"{", x_hub_signature_256=RIGHT)
    assert (answer.status, store.kept) == (401, [])


def test_query_parameter_token_authenticates_the_sender():
    given = {"token": {"query": "auth_token", "values": ["t0k"]}}
    assert send(given, query=b"auth_token=t0k")[0].status == 202
    answer, store = send(given, query=b"auth_token=t0")
    assert (answer.status, store.accepted) == (401, [])
    assert "query parameter auth_token" in answer.json["detail"]
    assert "t0k" not in answer.body.decode()


def test_every_configured_credential_is_required():
    given = {**SIGNED, "bearer": ["b"], "token": {"header": "x-key", "values": ["k"]}}
    whole = {"x_hub_signature_256": RIGHT, "authorization": "Bearer b", "x_key": "k"}
    assert send(given, **whole)[0].status == 202
    for name in whole:
        assert send(given, **{key: value for key, value in whole.items() if key != name})[0].status == 401


def test_auth_none_beside_a_signature_is_refused():
    with pytest.raises(ValueError, match="auth is none, but there are credentials"):
        registry.KINDS["json"].config(auth="none", **SIGNED)


def test_token_header_is_not_kept_with_quarantined_body():
    given = {"token": {"header": "x-pass", "values": ["k"]}}
    answer, store = send(given, b"{", x_pass="k", user_agent="seen")
    assert answer.status == 422
    ((_, _, headers, _, _),) = store.kept
    assert headers == {"user-agent": "seen"}
