"""Alertmanager's incident.io receiver posts groups to the URL of alert events. The router reads both formats."""

import json

import pytest

from router.sources import base
from tests.unit.sources import parsing


def test_only_the_invalid_alert_is_quarantined():
    group = parsing.body("incident-io-alerts", "of-alertmanager-firing")
    bad = {**group, "alerts": [{"status": "neither"}, *group["alerts"]]}
    found = parsing.parse("incident-io-alerts", bad)
    assert [alert.title for alert in found.alerts] == ["Ice machine 2 is too warm"]
    assert found.rejected is not None
    again = json.loads(found.rejected.body)
    assert (again["version"], again["alerts"]) == ("1", [{"status": "neither"}])


def test_alertmanager_webhook_error_names_the_version_read():
    group = {**parsing.body("incident-io-alerts", "of-alertmanager-firing"), "version": "4"}
    with pytest.raises(base.Unparsable, match="'4' is not Alertmanager's version '1'"):
        parsing.parse("incident-io-alerts", group)
