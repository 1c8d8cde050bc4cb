"""The certificate authorities that verify other hosts."""

import functools
import ssl

import httpx


@functools.cache
def tls_context(*, of_environment: bool) -> ssl.SSLContext:
    """Return the TLS context for vendors. All accounts share it, because loading authorities is slow."""
    created = httpx.create_ssl_context(trust_env=of_environment)
    created.set_alpn_protocols(["http/1.1"])
    return created
