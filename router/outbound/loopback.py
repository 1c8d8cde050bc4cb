"""Recognizes URLs of this machine, which need neither a proxy nor TLS."""

import ipaddress
from urllib import parse


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine; False if the URL is invalid."""
    try:
        host = parse.urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # A host name, or not an address.
        return False
