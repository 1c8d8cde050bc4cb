"""Connections to a vendor: no request is sent twice, and no response is assigned to another call."""

import asyncio
import gzip
import inspect
import tracemalloc

import aiohttp
import pytest

from router.outbound import client, connections, errors

METHODS = ("POST", "PUT", "PATCH", "GET")


def list_idle_connections(http):
    """Return the idle connections of a client."""
    found = http._transport._session.connector._conns
    return [protocol for kept in found.values() for protocol, _ in kept]


def list_foreign_exceptions():
    """Return the exceptions that a request may raise. Exclude unused WebSockets, server streams, and warnings."""
    others = (Warning, aiohttp.EofStream, aiohttp.WebSocketError, aiohttp.WSMessageTypeError)
    members = inspect.getmembers(aiohttp, inspect.isclass)
    return [member for _, member in members if issubclass(member, Exception) and not issubclass(member, others)]


@pytest.mark.parametrize("kind", list_foreign_exceptions(), ids=lambda kind: kind.__name__)
def test_exception_is_temporary_only_if_nothing_was_sent(kind):
    unsent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
    problem = kind.__new__(kind)
    assert (connections.outcome_of(problem) is errors.Temporary) == issubclass(kind, unsent)
    invalid = issubclass(kind, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError))
    assert (connections.outcome_of(problem) is errors.Permanent) == invalid


@pytest.mark.parametrize("method", METHODS)
def test_call_is_not_repeated_if_connection_breaks(wire, method):
    """The vendor may have performed the call."""
    wire.answers.append(b"")
    with pytest.raises(errors.Temporary if method == "GET" else errors.Unanswered):
        wire.run(lambda http: http.call(method, "/v1/things", json={"a": 1}))
    assert len(wire.received) == 1


@pytest.mark.parametrize("method", METHODS)
def test_call_on_kept_connection_is_not_repeated(wire, method):
    wire.answer(200, b"{}")
    wire.answers.append(b"")

    async def body(http):
        await http.call("GET", "/v1/first")
        with pytest.raises(errors.Temporary if method == "GET" else errors.Unanswered):
            await http.call(method, "/v1/things", json={"a": 1})

    wire.run(body)
    assert (len(wire.received), wire.connections) == (2, 1)


def test_connection_closed_while_idle_is_replaced(wire):
    wire.answer(200, b"1")
    wire.answer(200, b"2")

    async def body(http):
        await http.call("POST", "/v1/things", json={})
        (idle_connection,) = list_idle_connections(http)
        wire.hang_up()
        while idle_connection.is_connected():
            await asyncio.sleep(0)
        return (await http.call("POST", "/v1/things", json={})).body

    assert wire.run(body) == 2
    assert (len(wire.received), wire.connections) == (2, 2)


def test_unsolicited_response_is_discarded(wire):
    wire.answer(200, b'"first"')
    wire.answer(200, b'"second"')

    async def body(http):
        await http.call("POST", "/v1/things", json={})
        (idle_connection,) = list_idle_connections(http)
        wire.push(b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"unasked"')
        while not idle_connection.should_close:
            await asyncio.sleep(0)
        return (await http.call("POST", "/v1/things", json={})).body

    assert wire.run(body) == "second"
    assert (len(wire.received), wire.connections) == (2, 2)


def test_second_response_to_one_call_closes_its_connection(wire):
    wire.answer(200, b'"first"')
    wire.answers[0] += b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"unasked"'
    wire.answer(200, b'"second"')

    async def body(http):
        return [(await http.call("POST", "/v1/things", json={})).body for _ in range(2)]

    assert wire.run(body) == ["first", "second"]
    assert wire.connections == 2


def test_call_without_a_response_releases_its_connection(wire):
    """More calls in a row than the connection limit time out, and the next call still gets a connection."""
    wire.settings["timeout_seconds"] = 0.05
    wire.answers.append(None)

    async def body(http):
        while wire.connections < 40:
            # On a slow machine, connecting may take too long, too.
            with pytest.raises((errors.Unanswered, errors.Temporary)):
                await http.call("POST", "/v1/things", json={})
        wire.answers.clear()
        wire.answer(200, b'"late"')
        http._timeout_seconds = 5.0
        return (await http.call("POST", "/v1/things", json={})).body

    assert wire.run(body) == "late"
    assert wire.connections > 40


def test_cancelled_call_releases_its_connection(wire):
    wire.answers += [None] * 33
    wire.answer(200, b'"late"')

    async def body(http):
        tasks = [asyncio.create_task(http.call("POST", "/v1/things", json={})) for _ in range(33)]
        while len(wire.received) < 32:
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        wire.answers[:-1] = []
        return (await http.call("POST", "/v1/things", json={})).body

    assert wire.run(body) == "late"
    assert (len(wire.received), wire.connections) == (33, 33)


def test_at_most_32_calls_run_concurrently(wire):
    """A call that gets no connection in time is not sent."""
    wire.settings["timeout_seconds"] = 0.5
    wire.answers.append(None)

    async def body(http):
        calls = (http.call("POST", "/v1/things", json={}) for _ in range(33))
        return [type(failure) for failure in await asyncio.gather(*calls, return_exceptions=True)]

    failures = wire.run(body)
    assert failures.count(errors.Temporary) == 1
    assert failures.count(errors.Unanswered) == 32


def test_compressed_response_is_read(wire):
    wire.answer(200, gzip.compress(b'"packed"'), "content-encoding: gzip")
    assert wire.run(lambda http: http.call("POST", "/v1/things")).body == "packed"
    assert b"accept-encoding: gzip, deflate\r\n" in wire.received[0].lower()


def test_response_is_decompressed_up_to_the_limit(wire):
    wire.settings["most_bytes"] = 1_000_000
    packed = gzip.compress(b"x" * 500_000_000, 1)
    wire.answer(200, packed, "content-encoding: gzip")
    tracemalloc.start()
    try:
        with pytest.raises(errors.Unanswered, match="larger than 1000000 bytes"):
            wire.run(lambda http: http.call("POST", "/v1/things"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 30_000_000


def test_long_header_is_accepted(wire):
    wire.answer(200, b"{}", f"content-security-policy: {'x' * 40_000}")
    headers = wire.run(lambda http: http.call("POST", "/v1/things")).headers
    assert len(headers["content-security-policy"]) == 40_000


def test_repeated_header_is_one_header(wire):
    wire.answer(200, b"{}", "X-Limit: 1", "x-limit: 2", "x-odd: \xff")
    headers = wire.run(lambda http: http.call("POST", "/v1/things")).headers
    assert headers["x-limit"] == "1, 2"
    assert headers["x-odd"].isprintable()


def test_cookies_are_not_kept(wire):
    wire.answer(200, b"{}", "set-cookie: session=1; path=/")

    async def body(http):
        for _ in range(2):
            await http.call("POST", "/v1/things")

    wire.run(body)
    assert b"cookie" not in wire.received[1].lower()


def test_quoted_segment_is_sent_unchanged(wire):
    wire.answer(200, b"{}")
    wire.run(lambda http: http.call("GET", "/v1/things/%2E%2E/a%2Fb/ü%20c", query={"on": True, "at": ["[x]", 1]}))
    assert wire.received[0].startswith(b"GET /v1/things/%2E%2E/a%2Fb/%C3%BC%20c?on=true&at=%5Bx%5D&at=1 HTTP/1.1\r\n")


def test_call_without_a_body_sends_content_length_zero(wire):
    wire.answer(200, b"{}")
    wire.run(lambda http: http.call("POST", "/v1/things"))
    head = wire.received[0].lower()
    assert b"content-length: 0" in head
    assert b"content-type" not in head


def test_header_with_line_break_is_not_sent(wire):
    wire.answer(200, b"{}")
    content = client.RawBody(b"{}", {"x-name": "a\r\nx-more: b"})
    with pytest.raises(errors.Permanent, match="x-name"):
        wire.run(lambda http: http.call("POST", "/v1/things", content=content))
    assert wire.received == []
