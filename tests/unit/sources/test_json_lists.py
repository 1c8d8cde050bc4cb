"""Kind `json`: lists of alerts without times, and labels in text fields."""

import json as standard_json

import pytest

from router.domain import decisions, fold, incidents, severities
from router.sources import json

NOW = 1_772_450_000_000_000


def parse(body):
    return json.Json("grid", json.Config(auth="none")).parse(standard_json.dumps(body).encode(), {}, NOW).alerts


@pytest.mark.parametrize(
    ("states", "fires"),
    [(["resolved", "firing"], True), (["firing", "resolved"], False), (["firing", "resolved", "firing"], True)],
)
def test_list_without_times_is_processed_in_order(states, fires):
    response = decisions.Response("r", "f:1", "v")
    folded = incidents.Incident("k")
    for one in parse([{"title": "a", "status": state, "labels": {"k": "v"}} for state in states]):
        routed = decisions.Routed(one, decisions.Decision("k", severities.Severity.MAJOR, response), NOW)
        folded = fold.fold(folded, [routed], now=NOW, episode="e")
    assert bool(folded.firing) == fires


def test_labels_in_an_embedded_object_are_read():
    (one,) = parse({"title": "a", "status": "firing", "labels": '{"team": "web", "n": 1}'})
    assert one.labels == {"team": "web", "n": "1"}
