"""The HTTP client: the requests it sends, the responses it reads, and the error class of each failure."""

import asyncio
import json

import msgspec
import pytest

import router
from router.outbound import client, errors
from tests import ports


def catch_failure(wire, *, method="POST", path="/v1/things"):
    with pytest.raises(errors.Failure) as caught:
        wire.run(lambda http: http.call(method, path, json={"a": 1} if method == "POST" else None))
    return caught.value


def test_call_sends_json_account_and_user_agent(wire, secret):
    wire.answer(200, b'{"ok": true}', "X-Request-Id: r1")
    answer = wire.run(lambda http: http.call("POST", "/v1/things", json={"name": "ü"}, query={"a b": "c&d"}))
    head, _, body = wire.received[0].partition(b"\r\n\r\n")
    assert head.startswith((b"POST /v1/things?a%20b=c%26d HTTP/1.1", b"POST /v1/things?a+b=c%26d HTTP/1.1"))
    lines = {line.lower() for line in head.decode().split("\r\n")}
    assert f"authorization: bearer {secret}" in lines
    assert f"user-agent: incident-router/{router.__version__}" in lines
    assert "content-type: application/json" in lines
    assert json.loads(body) == {"name": "ü"}
    assert (answer.status, answer.body, answer.headers["x-request-id"]) == (200, {"ok": True}, "r1")


def test_base_url_may_have_path_and_trailing_slash(wire):
    wire.answer(200, b"{}")

    async def body(http):
        below = client.Client(name="x", base_url=http._base + "/api/", headers={}, timeout_seconds=5, now=lambda: 0)
        await below.call("GET", "/v1/things")
        await below.aclose()

    wire.run(body)
    assert wire.received[0].startswith(b"GET /api/v1/things HTTP/1.1")


def test_struct_is_sent_as_json_and_response_decoded(wire):
    class Thing(msgspec.Struct):
        name: str

    wire.answer(201, b'{"name": "answered", "more": 1}')
    answer = wire.run(lambda http: http.call("POST", "/v1/things", json=Thing("sent")))
    assert wire.received[0].endswith(b'{"name":"sent"}')
    assert answer.read(Thing) == Thing("answered")


def test_response_of_another_shape_leaves_the_outcome_unknown(wire):
    class Thing(msgspec.Struct):
        name: str

    wire.answer(200, b'{"nom": 1}')
    answer = wire.run(lambda http: http.call("POST", "/v1/things"))
    with pytest.raises(errors.Unanswered, match=r"on-call: POST /v1/things.*`name`"):
        answer.read(Thing)
    with pytest.raises(errors.Temporary):
        wire.run(lambda http: http.read("/v1/things", Thing))


def test_empty_response_has_no_body(wire):
    wire.answer(204)
    assert wire.run(lambda http: http.call("POST", "/v1/things")).body is None


def test_connections_are_reused(wire):
    wire.answer(200, b"{}")

    async def body(http):
        for _ in range(5):
            await http.call("GET", "/v1/things")

    wire.run(body)
    assert (len(wire.received), wire.connections) == (5, 1)


def test_redirects_are_not_followed(wire):
    wire.answer(302, b"", "location: http://127.0.0.1:1/elsewhere")
    failure = catch_failure(wire)
    assert len(wire.received) == 1
    assert "302" in failure.message


def test_proxy_redirect_is_not_a_response(wire):
    wire.answer(302, b"", "location: http://127.0.0.1:1/elsewhere")
    assert type(catch_failure(wire)) is errors.Unanswered
    assert type(catch_failure(wire, method="GET")) is errors.Temporary


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("POST", "/v1/incidents", "POST /v1/incidents"),
        ("POST", "/v2/incidents/01H8XG/actions/edit", "POST /v2/incidents/{id}/actions/edit"),
        ("GET", "/api/v1/incidents/b7e1-4c/updates", "GET /api/v1/incidents/{id}/updates"),
    ],
)
def test_endpoint_name_replaces_ids_with_placeholders(method, path, named):
    assert client.endpoint(method, path) == named


@pytest.mark.parametrize("path", ["v1/things", "http://127.0.0.1:1/", "@127.0.0.1:1/"])
def test_only_paths_below_the_base_url_are_called(wire, path):
    wire.answer(200, b"{}")
    assert isinstance(catch_failure(wire, path=path), errors.Permanent)
    assert wire.received == []


def test_host_like_path_stays_below_the_base_url(wire):
    wire.answer(200, b"{}")
    wire.run(lambda http: http.call("GET", "//127.0.0.1:1/x"))
    assert len(wire.received) == 1


@pytest.mark.parametrize(
    ("text", "quoted"), [("a/b", "a%2Fb"), ("..", "%2E%2E"), ("a?b#c d", "a%3Fb%23c%20d"), ("01ABC-x.y", "01ABC-x.y")]
)
def test_id_is_quoted_as_one_path_segment(text, quoted):
    assert client.segment(text) == quoted


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Permanent),
        (401, errors.Denied),
        (403, errors.Denied),
        (404, errors.NotFound),
        (408, errors.Unanswered),
        (409, errors.Conflict),
        (422, errors.Permanent),
        (425, errors.Throttled),
        (429, errors.Throttled),
        (500, errors.Unanswered),
        (502, errors.Unanswered),
        (503, errors.Unanswered),
        (504, errors.Unanswered),
    ],
)
def test_each_status_has_its_error_class(wire, status, kind):
    wire.answer(status, b"<html>")
    failure = catch_failure(wire)
    assert type(failure) is kind
    assert str(status) in failure.message
    assert getattr(failure, "status", status) == status


@pytest.mark.parametrize("status", [408, 500, 503])
def test_unanswered_get_is_a_temporary_failure(wire, status):
    wire.answer(status, b"", "retry-after: 7")
    failure = catch_failure(wire, method="GET")
    assert type(failure) is errors.Temporary
    assert failure.retry_after == 7


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_from_the_header(wire, status):
    wire.answer(status, b"{}", "retry-after: 30")
    assert catch_failure(wire).retry_after == 30


def test_vendor_specific_function_reads_the_error_body(wire):
    def read_error(status, body, headers):
        return client.VendorMessage(
            f"{status} {body['why']}",
            field="name",
            request_id=headers["x-id"],
            retry_after="Tue, 14 Nov 2023 22:14:20 GMT",
        )

    wire.settings["read_error"] = read_error
    wire.answer(422, b'{"why": "too long"}', "X-Id: r9")
    failure = catch_failure(wire)
    assert "422 too long" in failure.message
    assert (failure.field, failure.request_id) == ("name", "r9")
    wire.answers.clear()
    wire.answer(429, b'{"why": "slow down"}', "X-Id: r9")
    assert catch_failure(wire).retry_after == 60


def test_error_messages_contain_no_secret(wire, secret):
    wire.settings["read_error"] = lambda _, body, __: client.VendorMessage(body, field=body)
    wire.answer(401, json.dumps(f"the key {secret} is not valid").encode())
    failure = catch_failure(wire, path=f"/v1/{secret}")
    assert "***" in failure.message
    assert secret not in repr(failure) + failure.field + str(failure.__dict__)


def test_secrets_are_not_in_the_clients_repr(wire, secret):
    wire.answer(200)

    async def body(http):
        return repr(http), repr(http._transport)

    shown, connections = wire.run(body)
    assert shown.startswith("Client(name='on-call'")
    assert secret not in shown + connections


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
        b"\x16\x03 no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
    ids=["cut off", "half a document", "not JSON", "not gzip", "not HTTP", "no chunk", "closed without a word"],
)
def test_broken_response_leaves_the_outcome_unknown(wire, answer):
    wire.answers.append(answer)
    assert type(catch_failure(wire)) is errors.Unanswered


UNDECODABLE = [b'{"name": "\xff"}', b"[" * 100_000, b'{"at": "\\ud800"}', b"1e999"]


@pytest.mark.parametrize("body", UNDECODABLE, ids=["not UTF-8", "too deep", "a lone surrogate", "no number"])
def test_undecodable_response_leaves_the_outcome_unknown(wire, body):
    wire.answer(200, body)
    failure = catch_failure(wire)
    assert type(failure) is errors.Unanswered
    assert "not JSON" in failure.message


@pytest.mark.parametrize("body", UNDECODABLE, ids=["not UTF-8", "too deep", "a lone surrogate", "no number"])
def test_undecodable_error_response_is_a_rejection(wire, body):
    wire.answer(422, body)
    assert type(catch_failure(wire)) is errors.Permanent


def test_response_is_read_up_to_the_limit(wire):
    wire.settings["most_bytes"] = 1000
    wire.answer(200, b'"' + b"x" * 2000 + b'"')
    failure = catch_failure(wire)
    assert type(failure) is errors.Unanswered
    assert "larger than 1000 bytes" in failure.message


def test_oversize_error_response_is_classified_by_its_status(wire):
    wire.settings["most_bytes"] = 1000
    wire.answer(400, b"x" * 2000)
    assert type(catch_failure(wire)) is errors.Permanent


def test_timeout_leaves_the_outcome_unknown(wire):
    wire.settings["timeout_seconds"] = 0.05
    wire.answers.append(None)
    failure = catch_failure(wire)
    assert type(failure) is errors.Unanswered
    assert "on-call: POST /v1/things" in failure.message


def test_timeout_applies_to_the_whole_call(wire):
    """Read timeouts restart with each byte, but the limit for the call doesn't."""
    wire.settings["timeout_seconds"] = 0.2
    wire.trickles = True
    wire.answers.append(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    failure = catch_failure(wire)
    assert type(failure) is errors.Unanswered
    assert "no answer within 0.2 s" in failure.message


def test_failed_connection_is_a_temporary_failure():
    async def main():
        url = f"http://127.0.0.1:{ports.reserve_closed()}"
        http = client.Client(name="x", base_url=url, headers={}, timeout_seconds=5, now=lambda: 0)
        try:
            await http.call("POST", "/v1/things", json={})
        finally:
            await http.aclose()

    with pytest.raises(errors.Temporary, match="can't connect to"):
        asyncio.run(main())
