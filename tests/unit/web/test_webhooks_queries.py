"""Senders that put all data into the URL: the query string is parsed, stored, and quarantined instead of a body."""

import json

import pytest

from router.sources import registry
from tests.unit.web import asgi_client

QUERY = b"status=firing&title=shop%20is%20down&dedup_key=7"


def ask(query, *, method="GET", **settings):
    store = asgi_client.Recording()
    config = registry.KINDS["json"].config(**{"auth": "none", "encoding": "query", **settings})
    web_server = asgi_client.web_server(store, endpoints={"any": registry.build("any", config)})
    return asgi_client.send(web_server, "/v1/webhooks/any", chunks=(b"ignored",), method=method, query=query), store


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_query_is_parsed_and_stored_like_a_body(method):
    answer, store = ask(QUERY, method=method)
    assert answer.status == 202
    ((entry, body),) = store.accepted
    assert (entry.rows[0].alert.title, entry.rows[0].alert.fingerprint) == ("shop is down", "7")
    assert body == QUERY


def test_query_token_authenticates_and_is_never_stored():
    token = {"auth": "required", "token": {"query": "key", "values": ["hunter 2"]}}
    answer, store = ask(QUERY + b"&k%65y=hunter%202", **token)
    assert (answer.status, store.accepted[0][1]) == (202, QUERY)
    answer, store = ask(b"key=hunter+2&status=purple", **token)
    assert (answer.status, store.kept[0][1]) == (422, b"status=purple")
    assert "hunter" not in json.dumps([str(kept) for kept in store.kept])
    answer, store = ask(QUERY + b"&key=wrong", **token)
    assert (answer.status, store.accepted, store.kept) == (401, [], [])


def test_mapped_query_parameters_are_kept_without_the_token():
    store = asgi_client.Recording()
    settings = {"labels": {"environment": {"query": "environment"}}, "token": {"query": "key", "values": ["hunter2"]}}
    endpoint = registry.build("any", registry.KINDS["json"].config(**settings))
    web_server = asgi_client.web_server(store, endpoints={"any": endpoint})
    query = b"environment=prod&key=hunter2"
    body = b'{"status":"firing","title":"t","dedup_key":"a"}'
    assert asgi_client.send(web_server, "/v1/webhooks/any", chunks=(body,), query=query).status == 202
    ((entry, kept),) = store.accepted
    assert (entry.rows[0].alert.labels, kept) == ({"environment": "prod"}, body)
    assert asgi_client.send(web_server, "/v1/webhooks/any", chunks=(b"{}",), query=query).status == 422
    headers = store.kept[0][2]
    assert headers[":query"] == "environment=prod"
    assert "hunter" not in json.dumps([str(one) for one in store.kept])


def test_unused_query_is_not_kept():
    _, store = ask(b"environment=prod", encoding="body", method="POST")
    assert ":query" not in store.kept[0][2]


def test_get_is_allowed_only_with_query_encoding():
    answer, store = ask(QUERY, encoding="body")
    assert (answer.status, answer.headers[b"allow"], store.accepted) == (405, b"POST", [])
    answer, _ = ask(QUERY, method="PUT")
    assert (answer.status, answer.headers[b"allow"]) == (405, b"GET, POST")
