"""Only allowlisted headers of a request are recorded, so a credential in any other header isn't."""

import pytest

from router.sources import registry
from router.web import requests

CREDENTIALS = [
    "authorization", "proxy-authorization", "cookie", "x-api-key", "x-api-token", "cf-access-jwt-assertion",
    "x-goog-iap-jwt-assertion", "x-amzn-oidc-data", "x-forwarded-client-cert", "x-session", "x-passwd", "x-pwd",
    "x-credential", "x-sig", "x-hmac", "x-otp", "x-jwt", "x-hub-signature-256", "x-grafana-alerting-signature",
    "tailscale-user-login",    "x-ms-client-principal", "x-vault-wrapped", "webhook-signature", "x-something-new",
]  # fmt: skip


@pytest.mark.parametrize("name", CREDENTIALS)
def test_header_with_a_possible_credential_is_not_kept(name):
    assert requests.to_keep({name.encode(): b"hunter2", b"content-type": b"text/plain"}) == {
        "content-type": "text/plain"
    }


def test_headers_needed_to_read_a_body_are_kept():
    kept = {
        b"content-type": b"a",
        b"ce-id": b"1",
        b"x-github-event": b"ping",
        b"user-agent": b"curl",
        b"x-env": b"prod",
    }
    assert requests.to_keep(kept, {b"x-env"}) == {name.decode(): value.decode() for name, value in kept.items()}
    assert "x-env" not in requests.to_keep(kept)


def test_headers_named_by_a_mapping_are_kept():
    config = registry.KINDS["json"].config.model_validate(
        {"kind": "json", "auth": "none", "labels": {"env": {"header": "X-Env"}, "path": "a.b"}}
    )
    assert registry.build("s", config).named_headers == {b"x-env"}
