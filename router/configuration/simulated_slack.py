"""Points Slack notifiers and the Slack app at the simulated workspace, in a first try without Slack's tokens."""

from collections.abc import Mapping
from typing import Any

PREFIX = "slack"
"""The name of the simulated workspace in ``StandIn.vendors``."""
UNSET = "".join(["not", "-", "set"])  # A distinct string object, which is recognized by identity.
_BOT_TOKEN, _APP_TOKEN = "xoxb-simulated", "xapp-simulated"
# The simulated workspace has two channels and these users.
_CHANNEL, _RESPONDERS, _VIEWERS = "#status-approvals", ("U0ADA", "U0BOB"), ("U0EVE",)


def is_unset(entry: Mapping[str, Any]) -> bool:
    """Return whether a secret of an entry is not set."""
    return any(value is UNSET for value in entry.values())


def notifier(entry: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return a Slack notifier that writes to a channel of the simulated workspace."""
    return {**entry, "token": _BOT_TOKEN, "channel": _CHANNEL, "base_url": url}


def app(entry: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return a Slack app that receives from the simulated workspace over Socket Mode, with roles for its users."""
    # The simulated workspace uses Socket Mode, which signs nothing, and the configured team isn't its own.
    fields = {name: value for name, value in entry.items() if name not in {"signing_secret", "team"}}
    roles = {"viewers": _VIEWERS, "responders": _RESPONDERS, "admins": ()}
    return {**fields, **roles, "token": _BOT_TOKEN, "app_token": _APP_TOKEN, "base_url": url}
