"""The certificate authorities that other hosts are verified with."""

import functools
import ssl

import httpx


@functools.cache
def tls_context(*, of_environment: bool) -> ssl.SSLContext:
    """Return the TLS context for vendors. It is created once for all accounts, because loading authorities is slow."""
    created = httpx.create_ssl_context(trust_env=of_environment)
    created.set_alpn_protocols(["http/1.1"])
    return created
