"""What docs/security.md shows of a configuration is one that loads, and its tables name all there is."""

import pathlib
import re

from router import settings
from router.sources import base, registry, signatures

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "security.md").read_text()


def test_the_sources_that_are_shown_can_be_configured(tmp_path):
    (example,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    file = tmp_path / "router.yaml"
    file.write_text(example)
    names = dict.fromkeys(re.findall(r"env: (\w+)", example), "whatever")
    loaded = settings.load(file, names)
    endpoints = {name: registry.build(name, config) for name, config in loaded.sources.items()}
    assert repr(endpoints["grafana"].signature).startswith("Signature(x-grafana-alerting-signature")
    assert endpoints["monitoring"].token.place == "query parameter auth_token"
    assert "whatever" not in f"{loaded!r} {endpoints!r}"


def test_every_scheme_and_every_proof_is_named():
    assert all(f"`{name}`" in TEXT for name in signatures.SCHEMES)
    proofs = set(base.Config.model_fields) - {"kind", "auth", "resolve_after"}
    assert {match[1] for match in re.finditer(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)} == proofs
