"""Slash commands: list open incidents and pending reviews, and control the publishing freeze.

``/incidents-staging`` is the command ``incidents`` of one of several installations in a workspace.
"""

from collections.abc import Iterable

from router.domain import access, visible
from router.notifiers import slack_blocks
from router.services import actions, models, queries
from router.slack import payloads, replies

ROLES = {"incidents": access.Role.VIEWER, "freeze": access.Role.RESPONDER, "unfreeze": access.Role.RESPONDER}
"""The commands, and the role that each requires."""
_INCIDENTS, _REVIEWS = 20, 10
_MAX_TITLE_LENGTH = 100
_MAX_REASON_LENGTH = 4000
_PAGES = "public pages"


def name_of(command: payloads.Command) -> str:
    """Return the name of a command without its slash and its installation suffix."""
    return command.name.removeprefix("/").partition("-")[0]


class SlashCommands:
    """Runs slash commands through the services."""

    def __init__(self, query_service: queries.Queries, acting: actions.Actions) -> None:
        self._queries = query_service
        self._actions = acting
        self._console = query_service.settings.management.public_url

    async def run(self, name: str, text: str, caller: actions.Caller) -> replies.Reply:
        """Run a command in ``ROLES`` and return its reply. Raises ``actions.InvalidRequest`` if it is rejected."""
        if name == "incidents":
            return await self._list()
        reason = text[:_MAX_REASON_LENGTH]
        act = actions.ActionContext(caller, _PAGES, reason)
        if name == "unfreeze":
            await self._actions.unfreeze(act)
            return replies.Reply(":white_check_mark: Publishing is active. Pending updates are posted.")
        # A reason of invisible characters would leave the timeline without one.
        if not visible.visible(reason).strip():
            return replies.failure("A reason is required: /freeze REASON. Nothing was frozen.")
        await self._actions.freeze(act)
        return replies.Reply(":snowflake: Publishing is frozen. Nothing is posted on public pages.")

    async def _list(self) -> replies.Reply:
        page = await self._queries.incidents(limit=_INCIDENTS)
        waiting = await self._queries.reviews()
        link = f" <{self._console}/incidents|All in the console>" if self._console else ""
        blocks = _list("Open", map(_incident, page.items), f"More incidents are open.{link}" if page.next else "")
        more = len(waiting) - _REVIEWS
        blocks += _list(
            "Waiting for a reviewer", map(_review, waiting[:_REVIEWS]), f"{more} more wait." if more > 0 else ""
        )
        count = f"{len(page.items)} or more" if page.next else str(len(page.items))
        return replies.Reply(f"Incidents: {count} open, {len(waiting)} waiting for a reviewer.", blocks)


def _list(title: str, lines: Iterable[str], more: str) -> list[slack_blocks.Block]:
    """Return a title and its lines, in sections of at most 10 lines. Return no blocks if there are no lines."""
    visible_lines = list(lines)
    if not visible_lines:
        return []
    parts = ["\n".join(visible_lines[first : first + 10]) for first in range(0, len(visible_lines), 10)]
    blocks = [slack_blocks.section(f"*{title}*"), *map(slack_blocks.section, parts)]
    return [*blocks, slack_blocks.context(more)] if more else blocks


def _incident(incident_row: models.IncidentRow) -> str:
    title = slack_blocks.escape(slack_blocks.cut(incident_row.title or incident_row.key, _MAX_TITLE_LENGTH))
    since = f", since {slack_blocks.moment(incident_row.opened_at)}" if incident_row.opened_at is not None else ""
    problems = (
        f" ({', '.join(problem.replace('_', ' ') for problem in incident_row.problems)})"
        if incident_row.problems
        else ""
    )
    state = (
        incident_row.severity if incident_row.status == "open" else f"{incident_row.severity}, {incident_row.status}"
    )
    return f"• {title} · {state}{since} · {incident_row.reference}{problems}"


def _review(review: models.Review) -> str:
    title = slack_blocks.escape(slack_blocks.cut(review.title, _MAX_TITLE_LENGTH))
    since = f", since {slack_blocks.moment(review.since)}" if review.since is not None else ""
    return f"• {title} at {slack_blocks.escape(review.destination)} ({review.what}){since} · {review.reference}"
