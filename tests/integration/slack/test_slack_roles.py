"""Slack's users have roles by their IDs or their user groups, and none while a group can't be read."""

import pytest

from router.notifiers import slack_reviews
from tests.integration import consoles
from tests.integration.slack_apps import ADA, BOB, EVE

APPROVE = slack_reviews.APPROVE
MINUTE = 60_000_000


def list_read_groups(at) -> list[str]:
    """Return the user groups that were read."""
    return [body["usergroup"] for method, body in at.workspace.calls if method == "usergroups.users.list"]


async def may_freeze(at, user: str) -> bool:
    """Return whether a user may freeze publishing."""
    answer = await at.send("/v1/slack/commands", at.command("/freeze", "test", user))
    await at.send("/v1/slack/commands", at.command("/unfreeze", "", ADA))
    return "is frozen" in answer.json()["text"]


def test_member_of_a_group_has_its_role(slack):
    async def body(at):
        at.workspace.groups = {"S0ONCALL": [BOB]}
        assert await may_freeze(at, BOB)
        assert not await may_freeze(at, EVE)

    slack(body, responders=[ADA, "S0ONCALL"])


def test_group_is_read_again_after_a_minute(slack):
    async def body(at):
        at.workspace.groups = {"S0ONCALL": [BOB]}
        assert await may_freeze(at, BOB)
        at.workspace.groups = {"S0ONCALL": []}
        assert await may_freeze(at, BOB)
        assert list_read_groups(at) == ["S0ONCALL"]
        at.management.clock.offset += MINUTE
        assert not await may_freeze(at, BOB)
        assert list_read_groups(at) == ["S0ONCALL", "S0ONCALL"]

    slack(body, responders=[ADA, "S0ONCALL"])


@pytest.mark.parametrize("error", ["missing_scope", "no_such_subteam", "ratelimited", "internal_error"])
def test_unreadable_group_gives_no_role(slack, error):
    async def body(at):
        at.workspace.groups = {"S0ONCALL": [BOB]}
        assert await may_freeze(at, BOB)
        at.management.clock.offset += MINUTE
        at.workspace.errors["usergroups.users.list"] = error
        answer = await at.send("/v1/slack/commands", at.command("/freeze", "test", BOB))
        assert "the user group S0ONCALL can't be read now" in answer.json()["text"]
        assert (await at.audit(1))[0][2].startswith("refused: this needs the role responder, and the user group")
        # The roles of listed users don't depend on the group.
        assert await may_freeze(at, ADA)
        at.workspace.errors.clear()
        assert await may_freeze(at, BOB)

    slack(body, responders=[ADA, "S0ONCALL"])


def test_readable_group_gives_the_role(slack):
    async def body(at):
        at.workspace.groups = {"S0ADMINS": [BOB]}  # The simulated Slack doesn't have the other group, and fails.
        assert await may_freeze(at, BOB)

    slack(body, responders=[ADA, "S0GONE"], admins=["S0ADMINS"])


def test_group_of_a_lower_role_is_not_read(slack):
    async def body(at):
        at.workspace.groups = {"S0ALL": [BOB]}
        assert not await may_freeze(at, BOB)
        assert list_read_groups(at) == []
        answer = await at.send("/v1/slack/commands", at.command("/incidents", "", BOB))
        assert answer.json()["text"].startswith("Incidents: 0 open")

    slack(body, responders=[ADA], viewers=["S0ALL"])


def test_refusals_do_not_flood_the_audit_log(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        for _ in range(15):
            await at.act(at.click(APPROVE, await at.subject(), EVE))
        assert len(at.workspace.replies) == 15
        assert len(await at.audit()) == 10

    slack(body)
