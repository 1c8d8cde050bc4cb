"""Tells this machine from the world outside: no proxy stands before it, and nobody listens on the way to it."""

import ipaddress
from urllib import parse


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine; False where it can't be read."""
    try:
        host = parse.urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # A name, or nothing that could be an address.
        return False
