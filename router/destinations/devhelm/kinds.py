"""The kinds of destinations at DevHelm."""

from router.destinations import base
from router.destinations.devhelm import account, config, incidents, status_pages

_WEBHOOK_SCHEMES = ("devhelm",)

DEVHELM = (
    base.Kind("devhelm", config.IncidentConfig, config.IncidentOpening, public=False, adopts=False,
              connect=account.connect, make=incidents.Incidents, reopens=True, webhook_schemes=_WEBHOOK_SCHEMES),
    base.Kind("devhelm-status-page", config.PostConfig, config.PostOpening, public=True, adopts=True,
              connect=account.connect, make=status_pages.StatusPages, webhook_schemes=_WEBHOOK_SCHEMES,
              monitoring="MONITORING", retracts=True, corrects=True),
)  # fmt: skip
"""One line for each kind."""
