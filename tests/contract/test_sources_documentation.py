"""Every kind of source has a page, and the page's examples work."""

import json
import re
from pathlib import Path

import pytest
from ruamel import yaml

from router.sources import base, registry

PAGES = Path(__file__).parent.parent.parent / "docs" / "how-to" / "sources"
BLOCK = re.compile(r"^```(yaml|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = sorted(registry.KINDS)


def page(kind: str) -> str:
    return (PAGES / f"{kind}.md").read_text()


def list_configured(kind: str) -> list[tuple[dict, list[bytes]]]:
    """Each source's settings on the page, with the bodies that follow them."""
    found: list[tuple[dict, list[bytes]]] = []
    for language, text in BLOCK.findall(page(kind)):
        if language == "json":
            found[-1][1].append(text.encode())
            continue
        document = yaml.YAML(typ="safe").load(text)
        found += [(settings, []) for settings in document.get("sources", {}).values()]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_documented_settings_are_accepted(kind):
    assert list_configured(kind)
    for settings, _ in list_configured(kind):
        assert settings["kind"] == kind
        assert registry.build("documented", registry.KINDS[kind].config(**settings)).name == "documented"


@pytest.mark.parametrize("kind", KINDS)
def test_documented_bodies_are_valid_for_documented_settings(kind):
    for settings, bodies in list_configured(kind):
        endpoint = registry.build("documented", registry.KINDS[kind].config(**settings))
        for body in bodies:
            assert endpoint.source.parse(body, {}, 1).alerts


@pytest.mark.parametrize("kind", KINDS)
def test_page_documents_all_its_settings(kind):
    own = registry.KINDS[kind].config.model_fields.keys() - base.Config.model_fields.keys()
    assert [name for name in sorted(own) if f"`{name}`" not in page(kind)] == []


def test_json_page_lists_every_status_word():
    words = registry.KINDS["json"].config(auth="none").status.words
    prose = " ".join(page("json").split())
    firing, resolved = re.search(r"\*\*firing\*\* are (.*?); \*\*resolved\*\* are (.*?)\.", prose).groups()
    listed = dict.fromkeys(firing.split(", "), "firing") | dict.fromkeys(resolved.split(", "), "resolved")
    assert listed == words


def test_alertmanager_page_covers_every_webhook_field():
    text = page("alertmanager")
    case = json.loads((PAGES.parent.parent.parent / "tests/data/sources/alertmanager/group-of-both.json").read_text())
    top = case["body"].keys()
    assert [name for name in top if f"`{name}`" not in text and f"`{name}[]" not in text] == []
    assert [name for name in case["body"]["alerts"][0] if f"alerts[].{name}" not in text] == []
