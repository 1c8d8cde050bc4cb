"""What docs/security.md shows of a configuration is one that loads, and its tables name all there is."""

import pathlib
import re

from router import settings
from router.management import oidc, signing
from router.sources import base, registry, signatures

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "security.md").read_text()


def shown(number: int, tmp_path) -> settings.Settings:
    """What becomes of one of the examples."""
    example = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[number]
    file = tmp_path / "router.yaml"
    file.write_text(example)
    return settings.load(file, dict.fromkeys(re.findall(r"env: (\w+)", example), "whatever"))


def test_the_sources_that_are_shown_can_be_configured(tmp_path):
    loaded = shown(0, tmp_path)
    endpoints = {name: registry.build(name, config) for name, config in loaded.sources.items()}
    assert repr(endpoints["grafana"].signature).startswith("Signature(x-grafana-alerting-signature")
    assert endpoints["monitoring"].token.place == "query parameter auth_token"
    assert "whatever" not in f"{loaded!r} {endpoints!r}"


def test_the_provider_that_is_shown_can_be_configured(tmp_path):
    management = shown(1, tmp_path).management
    assert (management.oidc.issuer, management.oidc.admins) == ("https://id.example.com", ("platform",))
    assert "whatever" not in repr(management)


def test_every_algorithm_of_an_id_token_and_the_way_back_are_named():
    (named,) = re.findall(r"own signature \(([^;]*);", TEXT)
    assert set(re.findall(r"\w+\d+", named)) == set(oidc.ALGORITHMS)
    assert f"`<public_url>{signing.BACK}`" in TEXT


def test_every_scheme_and_every_proof_is_named():
    assert all(f"`{name}`" in TEXT for name in signatures.SCHEMES)
    proofs = set(base.Config.model_fields) - {"kind", "auth", "resolve_after", "retry_window"}
    assert {match[1] for match in re.finditer(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)} == proofs
