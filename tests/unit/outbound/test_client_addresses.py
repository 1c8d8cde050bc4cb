"""Addresses that the HTTP client calls: rejected addresses, proxies, and loopback."""

import asyncio

import pytest

from router.outbound import client, errors


@pytest.mark.parametrize("base_url", ["ftp://127.0.0.1", "http://127.0.0.1:port"])
def test_invalid_base_url_is_a_permanent_failure(base_url):
    async def main():
        http = client.Client(name="x", base_url=base_url, headers={}, timeout_seconds=5, now=lambda: 0)
        try:
            await http.call("POST", "/v1/things")
        finally:
            await http.aclose()

    with pytest.raises(errors.Permanent):
        asyncio.run(main())


def test_environment_s_proxy_is_not_used_for_loopback(wire, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    wire.answer(200, b"{}")
    assert wire.run(lambda http: http.call("GET", "/v1/things")).status == 200
