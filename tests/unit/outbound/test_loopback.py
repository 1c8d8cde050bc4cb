"""Recognizing loopback URLs. Other URLs are called through proxies and only over TLS."""

import pytest

from router.outbound import loopback


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1", True),
        ("http://LOCALHOST/realm", True),
        ("http://[::1]:1", True),
        ("http://127.9.9.9", True),
        ("https://api.test", False),
        ("http://localhost.api.test", False),
        ("http://localhost@api.test", False),
        ("http://192.0.2.1", False),
        ("http://", False),
        ("http://[::1", False),
    ],
)
def test_only_loopback_hosts_are_recognized(url, here):
    assert loopback.is_loopback(url) is here
