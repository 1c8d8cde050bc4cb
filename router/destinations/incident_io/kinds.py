"""The kinds of destinations at incident.io."""

from router.destinations import base
from router.destinations.incident_io import account, alert_config, alerts, config, incidents, status_pages

# incident.io's webhooks use Svix: an endpoint has one of two sets of headers.
_WEBHOOK_SCHEMES = ("standard-webhooks", "svix")

INCIDENT_IO = (
    base.Kind("incident-io", config.IncidentConfig, config.IncidentOpening, public=False, adopts=False,
              connect=account.connect, make=incidents.Incidents, webhook_schemes=_WEBHOOK_SCHEMES),
    base.Kind("incident-io-alert", alert_config.AlertConfig, alert_config.AlertOpening, public=False, adopts=False,
              connect=alerts.connect, make=alerts.Alerts),
    base.Kind("incident-io-status-page", config.PostConfig, config.PostOpening, public=True, adopts=False,
              connect=account.connect, make=status_pages.StatusPages, status_words=status_pages.STATUS_WORDS,
              webhook_schemes=_WEBHOOK_SCHEMES, monitoring="monitoring", retrospective=True, has_references=False),
)  # fmt: skip
"""One line for each kind."""
