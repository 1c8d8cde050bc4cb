"""The client address of a request, behind trusted proxies only."""

import ipaddress

import pytest

from router.sources import registry
from router.web import client_addresses
from tests.unit.web import asgi_client

NETWORKS = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "fd00::/8")]


def get_address(peer: str | None, forwarded: str = "", trusted: bool = True) -> str:
    headers = {b"x-forwarded-for": forwarded.encode()} if forwarded else {}
    scope = {"client": (peer, 1) if peer else None}
    return client_addresses.ClientAddresses(NETWORKS if trusted else ()).address(scope, headers)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),  # An untrusted proxy can send any header.
        ("10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "192.0.2.1, 203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "192.0.2.1, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
        ("10.1.2.3", "10.4.4.4", "10.4.4.4"),
        ("10.1.2.3", "203.0.113.9, rubbish", "10.1.2.3"),
        ("::ffff:10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("10.1.2.3", "", "10.1.2.3"),
        (None, "203.0.113.9", ""),
    ],
)
def test_forwarded_addresses_are_trusted_up_to_foreign_proxies(peer, forwarded, expected):
    assert get_address(peer, forwarded) == expected


def test_forwarded_header_is_ignored_without_trusted_proxies():
    assert get_address("10.1.2.3", "203.0.113.9", trusted=False) == "10.1.2.3"


def test_unknown_address_is_in_no_network():
    everywhere = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    assert client_addresses.ClientAddresses().is_allowed("192.0.2.1", everywhere)
    assert not client_addresses.ClientAddresses().is_allowed("", everywhere)


def status(peer: str, forwarded: str = "", **settings: object) -> int:
    config = registry.KINDS["json"].config(bearer=["token"], allow_from=["203.0.113.0/24"], **settings)
    known = client_addresses.ClientAddresses(NETWORKS)
    web_server = asgi_client.web_server(
        asgi_client.Recording(), endpoints={"any": registry.build("any", config)}, addresses=known
    )
    headers = [(b"authorization", b"Bearer token")]
    if forwarded:
        headers.append((b"x-forwarded-for", forwarded.encode()))

    async def from_there(scope, receive, send):
        await web_server({**scope, "client": (peer, 4711)}, receive, send)

    body = b'{"status": "firing", "title": "t"}'
    answer = asgi_client.send(from_there, "/v1/webhooks/any", chunks=(body,), headers=headers)
    assert answer is not None
    return answer.status


def test_source_with_an_allow_list_refuses_others():
    assert status("203.0.113.80") == 202
    assert status("198.51.100.7") == 403
    assert status("198.51.100.7", "203.0.113.80") == 403
    assert status("10.0.0.1", "203.0.113.80") == 202
    assert status("10.0.0.1", "203.0.113.80, 198.51.100.7") == 403
