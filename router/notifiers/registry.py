"""Every kind of notifier: one line for each of ours, and an entry point for each of a third party."""

from collections.abc import Mapping
from importlib import metadata

from router.notifiers import apprise, base, slack, webhook

ENTRY_POINTS = "incident_router.notifiers"
"""The group of entry points by which other packages add kinds: each leads to a ``base.Kind``."""

_OWN = (webhook.KIND, slack.KIND, apprise.KIND)


def load_kinds() -> Mapping[str, base.Kind]:
    """Return all kinds by name; a third party can't replace one of ours."""
    added = [point.load() for point in metadata.entry_points(group=ENTRY_POINTS)]
    return {kind.name: kind for kind in (*added, *_OWN)}


KINDS: Mapping[str, base.Kind] = load_kinds()
