"""The CloudEvents validation handshake: only authenticated senders get permission to deliver."""

import pytest

from router.sources import registry
from tests.unit.web import asgi_client

ORIGIN = (b"webhook-request-origin", b"eventemitter.example.com")
TOKEN = (b"authorization", b"Bearer token")


def source(kind: str = "json", **config) -> dict[str, registry.ConfiguredSource]:
    return {"any": registry.build("any", registry.KINDS[kind].config(**{"bearer": ["token"], **config}))}


def ask(*headers, path="/v1/webhooks/any", **settings) -> asgi_client.Answer:
    web_server = asgi_client.web_server(store := asgi_client.Recording(), **settings)
    answer = asgi_client.send(web_server, path, method="OPTIONS", headers=headers)
    assert store.accepted == store.kept == []
    return answer


def test_authenticated_sender_gets_permission():
    answer = ask(ORIGIN, TOKEN, (b"webhook-request-rate", b"120"))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers[b"webhook-allowed-origin"] == b"eventemitter.example.com"
    assert answer.headers[b"webhook-allowed-rate"] == b"*"
    assert answer.headers[b"allow"] == b"POST"


@pytest.mark.parametrize("credentials", [[], [(b"authorization", b"Bearer other")]])
def test_unauthenticated_sender_gets_no_permission(credentials):
    answer = ask(ORIGIN, *credentials)
    assert answer.status == 401
    assert not [name for name in answer.headers if name.startswith(b"webhook-")]


def test_handshake_does_not_require_body_authentication():
    signed = source(bearer=(), signature={"scheme": "github", "secrets": ["secret"]})
    assert ask(ORIGIN, endpoints=signed).status == 200


@pytest.mark.parametrize("headers", [[TOKEN], [TOKEN, (ORIGIN[0], b"  ")]])
def test_options_request_without_origin_is_not_allowed(headers):
    answer = ask(*headers)
    assert (answer.status, answer.json["type"].rpartition(":")[2]) == (405, "method")


@pytest.mark.parametrize("name", [b"a b", b"<script>", b"x" * 254, b".example", "é".encode()])
def test_invalid_origin_is_refused_without_repeating_it(name):
    answer = ask((ORIGIN[0], name), TOKEN)
    assert answer.status == 400
    assert name not in answer.body


@pytest.mark.parametrize(
    "endpoints",
    [source("alertmanager"), source(bearer=(), auth="none", encoding="query")],
    ids=["alertmanager", "query"],
)
def test_source_without_event_support_gives_no_permission(endpoints):
    assert ask(ORIGIN, TOKEN, endpoints=endpoints).status == 405


def test_unknown_source_gives_no_permission():
    assert ask(ORIGIN, TOKEN, path="/v1/webhooks/other").status == 404
