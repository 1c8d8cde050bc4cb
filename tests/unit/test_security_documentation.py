"""The example configurations in the documents on authentication and sign-in load, and the tables are complete."""

import pathlib
import re

from router import configuration
from router.console import login, oidc
from router.sources import base, registry, signatures

DOCS = pathlib.Path(__file__).parents[2] / "docs"
SENDERS = (DOCS / "reference" / "authentication.md").read_text()
SIGN_IN = (DOCS / "how-to" / "sign-in-with-openid-connect.md").read_text()


def load_example(page: str, tmp_path) -> configuration.Settings:
    """Load the example configuration of a page."""
    [example] = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "router.yaml"
    file.write_text(example)
    return configuration.load(file, dict.fromkeys(re.findall(r"env: (\w+)", example), "whatever"))


def test_documented_sources_can_be_configured(tmp_path):
    loaded = load_example(SENDERS, tmp_path)
    endpoints = {name: registry.build(name, config) for name, config in loaded.sources.items()}
    assert repr(endpoints["grafana"].signature).startswith("Signature(x-grafana-alerting-signature")
    assert endpoints["monitoring"].token.place == "query parameter auth_token"
    assert "whatever" not in f"{loaded!r} {endpoints!r}"


def test_documented_provider_can_be_configured(tmp_path):
    management = load_example(SIGN_IN, tmp_path).management
    assert (management.oidc.issuer, management.oidc.admins) == ("https://id.example.com", ("platform",))
    assert "whatever" not in repr(management)


def test_id_token_algorithms_and_redirect_are_documented():
    (match,) = re.findall(r"own signature \(([^;]*);", SIGN_IN)
    assert set(re.findall(r"\w+\d+", match)) == set(oidc.ALGORITHMS)
    assert f"`<public_url>{login.BACK}`" in SIGN_IN


def test_every_signature_scheme_and_proof_is_documented():
    assert all(f"`{name}`" in SENDERS for name in signatures.SCHEMES)
    proofs = set(base.Config.model_fields) - {"kind", "auth", "resolve_after", "retry_window"}
    assert {match[1] for match in re.finditer(r"^\| `(\w+)` \|", SENDERS, re.MULTILINE)} == proofs
