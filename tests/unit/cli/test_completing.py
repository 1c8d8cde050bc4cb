"""Shell completion: only configured names are offered, and no candidate can run a shell command."""

from types import SimpleNamespace

import pytest

from router.cli import completion
from router.sources import registry

CONFIGURATION = """
sources: {shop: {kind: json, auth: none}, staging: {kind: grafana, auth: none}}
destinations: {on-call: {kind: incident-io, api_key: {env: KEY}}}
rules: rules
"""


@pytest.fixture
def context(tmp_path):
    (tmp_path / "router.yaml").write_text(CONFIGURATION)
    return SimpleNamespace(params={"config": tmp_path / "router.yaml"})


def test_kinds_and_configured_names_are_completed(context):
    assert dict(completion.kinds("uptime")) == {
        name: kind.summary for name, kind in registry.KINDS.items() if name.startswith("uptime")
    }
    assert completion.destinations(context, "on") == [("on-call", "incident-io")]
    assert completion.destinations(context, "x") == []
    assert completion.sources(context, "s") == [("shop", "json"), ("staging", "grafana")]


def test_completion_without_configuration_prints_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INCIDENT_ROUTER_SERVER", raising=False)
    nowhere = SimpleNamespace(params={})
    assert completion.destinations(nowhere, "") == []
    assert completion.incidents(nowhere, "") == []
    beyond = SimpleNamespace(params={"server": "http://127.0.0.1:1"})
    assert completion.incidents(beyond, "") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("title", ["$(reboot)", "`reboot`", "a;b|c&d>e", "'\"\\", "x\ny\x1b[2J", "(ab):[c]"])
def test_completed_title_contains_no_shell_characters(title):
    """Zsh evaluates completions, and titles come from senders."""
    assert not set(completion._remove_special_characters(title)) & set("$`;|&<>'\"\\\n\x1b()[]:{}*?!#~")
    assert len(completion._remove_special_characters(title * 20)) <= 40
