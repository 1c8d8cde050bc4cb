"""The Slack app's page: its manifests and settings are valid, and name the endpoints of the router."""

import json
import re
from pathlib import Path

import pytest
from ruamel import yaml

from router.api import slack_endpoints
from router.configuration import sections
from router.slack import commands

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "decide-in-slack.md").read_text()
MANIFESTS = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
PARTS = ["viewers", "responders", "admins"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=["socket mode", "signed requests"])
def test_manifest_has_commands_scopes_and_addresses(manifest):
    given = manifest["features"]["slash_commands"]
    assert {message["command"].removeprefix("/") for message in given} == set(commands.ROLES)
    scopes = set(manifest["oauth_config"]["scopes"]["bot"])
    assert scopes == {"chat:write", "chat:write.public", "commands", "usergroups:read"}
    settings = manifest["settings"]
    assert settings["interactivity"]["is_enabled"]
    if settings["socket_mode_enabled"]:
        assert not any("url" in message for message in given)
    else:
        assert settings["interactivity"]["request_url"].endswith(slack_endpoints.ACTIONS)
        assert all(message["url"].endswith(slack_endpoints.COMMANDS) for message in given)


def test_documented_settings_are_accepted():
    blocks = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "slack_app:" in text]
    assert blocks
    for text in blocks:
        found = yaml.YAML(typ="safe").load(text)["slack_app"]
        filled = {name: "xoxb-1" if isinstance(value, dict) else value for name, value in found.items()}
        assert sections.SlackApp.model_validate(filled)


def test_page_documents_both_connection_modes():
    assert [manifest["settings"]["socket_mode_enabled"] for manifest in MANIFESTS] == [True, False]
    assert all(f"`{name}`" in PAGE for name in PARTS)
