"""``mute_during``: decisions carry the mute windows of the matched rules."""

from datetime import UTC, datetime

import pytest

from router.rules import load, mute_windows

NOON = int(datetime(2030, 1, 7, 12, 30, tzinfo=UTC).timestamp()) * 1_000_000  # A Monday.
HOUR = 3_600_000_000
NIGHT = {"times": [{"start_time": "20:00", "end_time": "06:00"}]}


def list_windows(ruleset, alert, now=NOON):
    found = ruleset.decide(alert, now).mute_windows
    return [((start - NOON) / HOUR, (end - NOON) / HOUR, name) for start, end, name in found]


def test_rule_without_mute_during_has_no_windows(build, make_alert):
    assert list_windows(build({}), make_alert()) == []


def test_windows_are_the_current_and_the_next_ones(build, make_alert):
    ruleset = build({"mute_during": [NIGHT]})
    windows = list_windows(ruleset, make_alert())
    assert windows[:2] == [(7.5, 17.5, "20:00-06:00 UTC"), (31.5, 41.5, "20:00-06:00 UTC")]
    assert len(windows) == mute_windows.MAX_WINDOWS
    assert list_windows(ruleset, make_alert(), NOON + 8 * HOUR)[0] == windows[0]
    assert list_windows(ruleset, make_alert(), NOON + 18 * HOUR)[0] == windows[1]


def test_window_has_the_name_of_its_time_interval(folder, destinations, make_alert):
    text = "time_intervals: {sunday: {weekdays: [sunday]}}\nrules: [{name: r, when: {}, mute_during: sunday, open: []}]"
    ruleset = load.load(folder(a=text), destinations)
    assert list_windows(ruleset, make_alert()) == [(131.5, 155.5, "sunday"), (299.5, 323.5, "sunday")]


def test_windows_of_all_matched_rules_are_merged(build, make_alert):
    evening = {"times": [{"start_time": "18:00", "end_time": "21:00"}]}
    ruleset = build(
        {"when": {"labels.a": "1"}, "mute_during": [evening], "continue": True},
        {"mute_during": [NIGHT, evening]},
    )
    assert list_windows(ruleset, make_alert({"a": "1"}))[0] == (5.5, 17.5, "18:00-21:00 UTC, 20:00-06:00 UTC")
    assert list_windows(ruleset, make_alert())[0] == (5.5, 17.5, "18:00-21:00 UTC, 20:00-06:00 UTC")


@pytest.mark.parametrize("always", [{}, [{}], [NIGHT, {"location": "Europe/Zurich"}]])
def test_permanent_mute_schedule_is_refused(build, always):
    with pytest.raises(load.RulesRefused, match="applies at all times"):
        build({"mute_during": always})
