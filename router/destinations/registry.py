"""All kinds of destinations, one line each. Settings, schema, docs index, and contract tests derive from it."""

from router.destinations import base
from router.destinations.devhelm import account as devhelm_account
from router.destinations.devhelm import config as devhelm
from router.destinations.devhelm import incidents as devhelm_incidents
from router.destinations.devhelm import status_pages as devhelm_pages
from router.destinations.incident_io import account as incident_io_account
from router.destinations.incident_io import alert_config as incident_io_alert
from router.destinations.incident_io import alerts as incident_io_alerts
from router.destinations.incident_io import config as incident_io
from router.destinations.incident_io import incidents as incident_io_incidents
from router.destinations.incident_io import status_pages as incident_io_pages

# incident.io's webhooks use Svix: an endpoint has one of two sets of headers.
_STANDARD_WEBHOOKS = ("standard-webhooks", "svix")
_DEVHELM = ("devhelm",)

KINDS: base.Registry = {
    kind.name: kind
    for kind in (
        base.Kind("incident-io", incident_io.IncidentConfig, incident_io.IncidentOpening, public=False, adopts=False,
                  connect=incident_io_account.connect, make=incident_io_incidents.Incidents,
                  webhook_schemes=_STANDARD_WEBHOOKS),
        base.Kind("incident-io-alert", incident_io_alert.AlertConfig, incident_io_alert.AlertOpening, public=False,
                  adopts=False, connect=incident_io_alerts.connect, make=incident_io_alerts.Alerts),
        base.Kind("incident-io-status-page", incident_io.PostConfig, incident_io.PostOpening, public=True, adopts=False,
                  connect=incident_io_account.connect, make=incident_io_pages.StatusPages,
                  status_words=incident_io_pages.STATUS_WORDS, webhook_schemes=_STANDARD_WEBHOOKS,
                  monitoring="monitoring", retrospective=True, has_references=False),
        base.Kind("devhelm", devhelm.IncidentConfig, devhelm.IncidentOpening, public=False, adopts=False,
                  connect=devhelm_account.connect, make=devhelm_incidents.Incidents, reopens=True,
                  webhook_schemes=_DEVHELM),
        base.Kind("devhelm-status-page", devhelm.PostConfig, devhelm.PostOpening, public=True, adopts=True,
                  connect=devhelm_account.connect, make=devhelm_pages.StatusPages,
                  webhook_schemes=_DEVHELM, monitoring="MONITORING", retracts=True, corrects=True),
    )
}  # fmt: skip


def build(name: str, config: base.Config, now: base.Clock) -> base.Destination:
    """Create the destination ``name`` and the client of its account. ``now`` returns epoch microseconds."""
    kind = KINDS[config.kind]
    return kind.make(name, config, kind.connect(name, config, now))
