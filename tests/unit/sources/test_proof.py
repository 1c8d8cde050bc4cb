"""Every source accepts the generated credentials for each of its methods of authentication."""

import base64
from urllib import parse

import pytest

from router.sources import proof, registry, signatures

BODY = '{"status": "firing", "title": "Zürich 5xx"}'.encode()
NOW = 1_893_456_000_000_000
WORD = "a-long-random-word"
ENCODED = "whsec_" + base64.b64encode(WORD.encode()).decode()

WAYS = {
    "bearer": {"bearer": [f"{WORD}\n", "another"]},
    "basic": {"basic": [f"someone:{WORD}"]},
    "both": {"bearer": [WORD], "basic": [f"someone:{WORD}"]},
    "token in a header": {"token": {"header": "X-Key", "values": [WORD]}},
    "token in the query": {"token": {"query": "key", "values": [WORD]}},
    "token in the body": {"token": {"member": "key", "values": [WORD]}},
    "token in a form": {"token": {"form": "key", "values": [WORD]}},
    "token in the body and signature": {
        "token": {"member": "key", "values": [WORD]},
        "signature": {"scheme": "github", "secrets": [WORD]},
    },
    "token and signature": {
        "token": {"query": "key", "values": [WORD]},
        "signature": {"scheme": "github", "secrets": [WORD, "older"]},
    },
    "chosen headers": {
        "signature": {"scheme": "grafana", "secrets": [WORD], "header": "X-Ours", "time_header": "X-When"},
    },
} | {
    f"{scheme} signature": {"signature": {"scheme": scheme, "secrets": [ENCODED if known.encoded else WORD]}}
    for scheme, known in signatures.SCHEMES.items()
}


def list_refusals(config, proven: proof.Proven, more: bytes = b"") -> list[str]:
    """Return the credentials that the source doesn't accept."""
    endpoint = registry.build("here", config)
    headers = {name.lower().encode(): value.encode() for name, value in proven.headers.items()}
    found = [] if endpoint.verifier.accepts(headers.get(b"authorization")) else ["authorization"]
    query = parse.urlencode(proven.query).encode()
    token = endpoint.token
    if token and not (token.accepts_body(proven.body) if token.in_body else token.accepts(headers, query)):
        found.append("token")
    if endpoint.signature and (problem := endpoint.signature.problem(headers, proven.body + more, NOW)):
        found.append(problem)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_generated_credentials_are_accepted(way):
    config = registry.KINDS["json"].config(**WAYS[way])
    assert list_refusals(config, proof.authenticate(config, BODY, NOW, "delivery-1")) == []


@pytest.mark.parametrize("way", WAYS)
def test_request_without_credentials_is_refused(way):
    config = registry.KINDS["json"].config(**WAYS[way])
    assert list_refusals(config, proof.Proven(BODY, {}, {}))


@pytest.mark.parametrize("way", [way for way in WAYS if "signature" in WAYS[way]])
def test_signature_of_another_body_is_refused(way):
    config = registry.KINDS["json"].config(**WAYS[way])
    assert list_refusals(config, proof.authenticate(config, BODY, NOW, "delivery-1"), b" ")


def test_source_without_authentication_needs_no_proof():
    config = registry.KINDS["json"].config(auth="none")
    assert proof.authenticate(config, BODY, NOW, "delivery-1") == proof.Proven(BODY, {}, {})
