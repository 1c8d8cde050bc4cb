"""All kinds of destinations. Settings, schema, docs index, and contract tests derive from it."""

from router.destinations import base
from router.destinations.devhelm.kinds import DEVHELM
from router.destinations.incident_io.kinds import INCIDENT_IO

KINDS: base.Registry = {kind.name: kind for kind in (*INCIDENT_IO, *DEVHELM)}


def build(name: str, config: base.Config, now: base.Clock) -> base.Destination:
    """Create the destination ``name`` and the client of its account. ``now`` returns epoch microseconds."""
    kind = KINDS[config.kind]
    return kind.make(name, config, kind.connect(name, config, now))
