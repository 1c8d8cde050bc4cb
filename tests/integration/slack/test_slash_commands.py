"""Slash commands: open incidents and pending reviews within Slack's limits, and the publishing freeze, by role."""

import asyncio

import pytest
from slack_sdk.models import blocks

from tests.integration import consoles
from tests.integration.slack_apps import ADA, BOB, EVE

COMMANDS = "/v1/slack/commands"


async def send_command(at, name: str, text: str = "", user: str = ADA) -> dict:
    """Return the response to a command, validated with Slack's own models."""
    answer = await at.send(COMMANDS, at.command(name, text, user))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["response_type"] == "ephemeral"
    assert len(body["blocks"]) <= 50
    for block in body["blocks"]:
        blocks.Block.parse(block).validate_json()
    return body


async def is_frozen(at) -> bool:
    return (await at.management.parts.queries.records.publishing()).freeze == "frozen"


def test_incidents_and_waiting_reviews_are_listed(slack):
    async def body(at):
        assert (await send_command(at, "/incidents"))["text"] == "Incidents: 0 open, 0 waiting for a reviewer."
        await at.management.deliver(consoles.firing(), consoles.firing("cart"))
        at.management.clock.offset += 2_000_000  # Lists are at most one second old.
        listed = await send_command(at, "/incidents")
        assert listed["text"] == "Incidents: 2 open, 2 waiting for a reviewer."
        assert "checkout is down" in str(listed)
        assert "Checkout is unavailable at page (opening)" in str(listed)

    slack(body, viewers=[EVE])


def test_incident_list_is_bounded_and_escapes_mentions(slack):
    async def body(at):
        many = [consoles.firing(f"<!channel> service {number} {'x' * 300}") for number in range(30)]
        await at.management.deliver(*many)
        listed = await send_command(at, "/incidents-staging", "", EVE)
        assert listed["text"] == "Incidents: 20 or more open, 30 waiting for a reviewer."
        assert "20 more wait." in str(listed)
        assert "<!channel>" not in str(listed)

    slack(body, viewers=[EVE])


def test_freeze_requires_a_reason_and_a_role(slack):
    async def body(at):
        assert "A reason is required" in (await send_command(at, "/freeze", " \u200b "))["text"]
        assert "You may not do this" in (await send_command(at, "/freeze", "x", EVE))["text"]
        assert not await is_frozen(at)
        assert "Publishing is frozen" in (await send_command(at, "/freeze", "wrong texts"))["text"]
        assert await is_frozen(at)
        assert "already frozen" in (await send_command(at, "/freeze", "wrong texts", BOB))["text"].lower()
        assert "Publishing is active" in (await send_command(at, "/unfreeze", "", BOB))["text"]
        assert not await is_frozen(at)
        assert [(who, what) for who, what, outcome in await at.audit() if outcome == "done"] == [
            ("slack:U0BOB (bob)", "unfreeze"),
            ("slack:U0ADA (ada)", "freeze"),
        ]

    slack(body)


@pytest.mark.parametrize("name", ["/deploy", "/", "", "/freezer"])
def test_unknown_command_gets_an_error_message(slack, name):
    async def body(at):
        assert "no command" in (await send_command(at, name))["text"]

    slack(body)


def test_slow_command_gets_a_later_response(slack):
    async def body(at):
        at.workspace.held = asyncio.Event()
        at.management.slack._ack_seconds = 0.01
        answer = await at.management.slack.handle("slash_commands", at.command("/freeze", "wrong texts", BOB))
        assert "still working on it" in answer["text"]
        at.workspace.groups = {"S0ONCALL": [BOB]}
        at.workspace.held.set()
        await at.management.slack.finish()
        assert "Publishing is frozen" in at.text

    slack(body, responders=["S0ONCALL"])
