"""Nothing accepted is lost and nothing is opened twice, whatever is killed meanwhile."""

import os
import random

import pytest

from tests.faults import chaos, oracles

CUT = ({"worker": 8, "web": 3, "valkey": 2}, 2_000, 60)
FULL = ({"worker": 20, "web": 5, "valkey": 3}, 10_000, 500)  # Every message is sent twice.


def said(report: chaos.Report) -> str:
    return f"seed {report.seed}: {report}"


@pytest.mark.timeout(240)
def test_whatever_is_killed_in_the_end_all_is_as_the_accepted_alerts_say(tmp_path):
    seed = int(os.environ.get("CHAOS_SEED", "20261121"))
    kills, count, incident_keys = FULL if os.environ.get("CHAOS") == "full" else CUT
    total = [kind for kind, times in kills.items() for _ in range(times)]
    report = chaos.run(tmp_path, seed=seed, count=count, incident_keys=incident_keys, kills=total)
    print(said(report))
    assert report.wrong == [], said(report)
    assert report.accepted == 2 * count
    assert report.kills == kills
    assert all(status in {0, 202} or status >= 500 for status in report.answers), said(report)


def test_the_oracle_goes_by_an_alert_s_own_times_and_not_by_arrival():
    oracle = oracles.Oracle()
    fires, ends, again = (
        oracles.Message("k1", "a", 10, 0),
        oracles.Message("k1", "a", 10, 20),
        oracles.Message("k1", "a", 30, 0),
    )
    for message in (ends, fires, ends):
        oracle.accept(message)
    assert oracle.firing() == {"k1": set()}
    oracle.accept(again)
    oracle.accept(fires)
    assert oracle.firing() == {"k1": {"a"}}


def test_messages_are_the_same_for_a_seed_and_out_of_order():
    made = oracles.messages(random.Random(1), 500, 20)
    assert [(m.key, m.alert, bool(m.ends_at)) for m in made] == [
        (m.key, m.alert, bool(m.ends_at)) for m in oracles.messages(random.Random(1), 500, 20)
    ]
    moments = [message.ends_at or message.starts_at for message in made]
    assert moments != sorted(moments)
    assert {message.key for message in made} == {f"k{number}" for number in range(20)}
