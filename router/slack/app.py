"""The Slack app: answers clicks, submitted forms, and slash commands of Slack's users.

Slack sends them by HTTP or through Socket Mode. Both ways authenticate and decode a payload, and pass it on to here.
"""

from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["interactive", "slash_commands", "events"]
"""The kinds of payloads, by their names in Socket Mode."""


class SlackApp:
    """Answers the payloads of one Slack app."""

    async def handle(self, kind: Kind, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Answer a payload that is authentic and decoded. Return the body of the acknowledgement; None if it is empty.

        Slack waits 3 seconds for the acknowledgement. What takes longer continues after this method returns.
        """
        del kind, payload
        return None

    async def aclose(self) -> None:
        """Finish what is under way, and close the connections to Slack."""
