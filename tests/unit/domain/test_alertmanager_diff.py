"""Comparing incidents with Alertmanager: lost messages are recovered, and active alerts never resolve."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import alertmanager_diff, alerts, decisions, fold, incidents, severities, silences

NOW = 1_700_000_000_000_000
MINUTE = 60_000_000
PATIENCE = 2 * MINUTE
RESPONSE = decisions.Response("r", "rules/a.yaml:1", "v1", (decisions.Target("on-call"),))
NAMES = ["a", "b", "c"]


def route(
    fingerprint: str, status: str, starts_at: int, ends_at: int = 0, response: decisions.Response = RESPONSE
) -> decisions.Routed:
    subject = alerts.Alert("am", fingerprint, status, starts_at, ends_at)
    return decisions.Routed(subject, decisions.Decision("key", severities.Severity.MINOR, response))


def fold_alerts(
    *arrived: decisions.Routed, start: incidents.Incident | None = None, now: int = NOW
) -> incidents.Incident:
    return fold.fold(start or incidents.Incident(key="key"), arrived, now=now, episode="e1")


def learn(incident: incidents.Incident, now: int = NOW, source: str = "am") -> dict[str, alertmanager_diff.Known]:
    known: dict[str, alertmanager_diff.Known] = {}
    alertmanager_diff.learn(known, [(incident, now)], source, 4 * MINUTE)
    return known


def compare(memory, here, destination, minute: int, *, whole: bool = True) -> alertmanager_diff.Difference:
    asked_at = NOW + minute * MINUTE
    return alertmanager_diff.compare(memory, here, destination, asked_at=asked_at, patience=PATIENCE, is_complete=whole)


class World:
    """An Alertmanager, a network that may lose webhooks, and one incident. Each step takes time."""

    def __init__(self) -> None:
        self.now = NOW
        self.there: dict[str, int] = {}
        self.gone: dict[str, int] = {}
        self.told: dict[str, decisions.Routed] = {}
        self.first: dict[str, decisions.Routed] = {}
        self.here = incidents.Incident(key="key")
        self.memory = alertmanager_diff.Memory()

    def begin(self, name: str) -> None:
        if name not in self.there:
            self.there[name] = self.now + 123
            self.told[name] = route(name, "firing", self.there[name])

    def end(self, name: str) -> None:
        if name in self.there:
            self.gone[name] = self.there.pop(name)
            self.told[name] = route(name, "resolved", self.gone[name], self.now)

    def back(self, name: str) -> None:
        """Restore the same Alertmanager after an outage."""
        if name in self.gone and name not in self.there:
            self.there[name] = self.gone[name]
            self.told[name] = route(name, "firing", self.there[name])

    def webhook(self, name: str) -> None:
        if name in self.told:
            self.first.setdefault(name, self.told[name])
            self.here = fold_alerts(self.told[name], start=self.here, now=self.now)

    def late(self, name: str) -> None:
        """Deliver the first webhook again."""
        if name in self.first:
            self.here = fold_alerts(self.first[name], start=self.here, now=self.now)

    def poll(self, whole: bool = True) -> None:
        known = learn(self.here, self.now)
        held = {name: alertmanager_diff.Held(at // 1000 * 1000, True) for name, at in self.there.items()}
        found, ended, self.memory = alertmanager_diff.compare(
            self.memory, known, held, asked_at=self.now, patience=PATIENCE, is_complete=whole
        )
        assert not ended.keys() & self.there.keys()
        arrived = [route(name, "firing", starts_at) for name, starts_at in found.items()]
        arrived += [
            route(name, "resolved", starts_at, at)
            for name, at in ended.items()
            for starts_at in alertmanager_diff.starts_of_end(known[name].starts_at)
        ]
        if arrived:
            self.here = fold_alerts(*arrived, start=self.here, now=self.now)

    def step(self, action: str, name: str) -> None:
        self.now += MINUTE
        if action == "poll":
            self.poll()
        elif action == "poor poll":
            self.poll(whole=False)
        else:
            getattr(self, action)(name)

    @property
    def firing(self) -> set[str]:
        return {name.removeprefix("am/") for name in self.here.firing}


ACTIONS = ["begin", "end", "back", "webhook", "late", "poll", "poor poll"]
steps = st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(NAMES)), max_size=40)


@given(steps)
def test_firing_alerts_converge_to_active_ones_after_loss(history):
    world = World()
    for action, name in history:
        world.step(action, name)
    for _ in range(2):
        world.step("poll", "")
    assert world.firing <= set(world.there)
    came_back = any(action in {"back", "late"} for action, _ in history)
    for _ in range(10 if came_back else 1):
        world.step("poll", "")
    assert world.firing == set(world.there)


def test_late_webhook_does_not_reopen_an_ended_alert():
    world = World()
    world.step("begin", "a")
    for _ in range(3):
        world.step("poll", "")
    assert world.firing == {"a"}
    late = world.told["a"]
    world.step("end", "a")
    for _ in range(2):
        world.step("poll", "")
    assert world.here.alerts["am/a"].starts_at > late.alert.starts_at > world.here.alerts["am/a"].starts_at - 1000
    assert fold_alerts(late, start=world.here, now=world.now).firing == []


def test_alert_absent_twice_ended_at_the_first_absence():
    here = learn(fold_alerts(route("a", "firing", 100)))
    first = compare(alertmanager_diff.Memory(), here, {}, 1)
    assert (first.found, first.ended) == ({}, {})
    second = compare(first.memory, here, {}, 2)
    assert second.ended == {"a": NOW + MINUTE}
    assert second.memory == alertmanager_diff.Memory()


def test_incomplete_response_ends_nothing_and_resets_the_count():
    here = learn(fold_alerts(route("a", "firing", 100)))
    memory = compare(alertmanager_diff.Memory(), here, {}, 1).memory
    poor = compare(memory, here, {}, 2, whole=False)
    assert poor.ended == {}
    assert compare(poor.memory, here, {}, 3).ended == {}


def test_alert_received_between_polls_must_be_absent_again():
    before = fold_alerts(route("a", "firing", 100))
    memory = compare(alertmanager_diff.Memory(), learn(before), {}, 1).memory
    again = fold_alerts(route("a", "firing", 200), start=before, now=NOW + MINUTE)
    assert compare(memory, learn(again), {}, 2).ended == {}


def test_suppressed_alert_is_neither_found_nor_ended():
    here = learn(fold_alerts(route("a", "firing", 100)))
    held = {"a": alertmanager_diff.Held(100, False), "b": alertmanager_diff.Held(100, False)}
    memory = alertmanager_diff.Memory()
    for minute in range(5):
        found, ended, memory = compare(memory, here, held, minute)
        assert (found, ended) == ({}, {})


def test_unknown_active_alert_is_found_every_second_poll():
    memory, there = alertmanager_diff.Memory(), {"a": alertmanager_diff.Held(100, True)}
    when = []
    for minute in range(6):
        found, _, memory = compare(memory, {}, there, minute)
        when += [minute] if found else []
    assert when == [2, 4]


def test_restarted_alert_is_found_only_after_another_poll():
    memory = compare(alertmanager_diff.Memory(), {}, {"a": alertmanager_diff.Held(1_000, True)}, 0).memory
    assert compare(memory, {}, {"a": alertmanager_diff.Held(9_000, True)}, 2).found == {}


def test_resolved_alert_is_found_only_after_a_restart():
    here = learn(fold_alerts(route("a", "resolved", 5_123, 6_000)))
    assert (
        compare(
            alertmanager_diff.Memory({"a": (5_000, NOW)}), here, {"a": alertmanager_diff.Held(5_000, True)}, 9
        ).found
        == {}
    )
    assert compare(
        alertmanager_diff.Memory({"a": (6_000, NOW)}), here, {"a": alertmanager_diff.Held(6_000, True)}, 9
    ).found == {"a": 6_000}


def test_alert_still_active_after_its_resolution_is_found():
    here = learn(fold_alerts(route("a", "resolved", 5_123, 6_000)))
    memory, there = alertmanager_diff.Memory({"a": (5_000, NOW)}), {"a": alertmanager_diff.Held(5_000, True)}
    assert compare(memory, here, there, 10).found == {"a": NOW}


def test_alert_about_to_expire_is_refreshed():
    there, memory = {"a": alertmanager_diff.Held(100, True)}, alertmanager_diff.Memory({"a": (100, NOW)})
    soon = learn(fold_alerts(route("a", "firing", 100, NOW + MINUTE)))
    assert compare(memory, soon, there, 2).found == {"a": 100}
    late = learn(fold_alerts(route("a", "firing", 100, NOW + 60 * MINUTE)))
    assert compare(memory, late, there, 2).found == {}


@pytest.mark.parametrize(("minutes", "found"), [(40, {}), (50, {"a": 100})])
def test_alert_about_to_go_stale_is_refreshed(minutes, found):
    patient = msgspec.structs.replace(RESPONSE, timing=decisions.Timing(stale_after=60 * MINUTE))
    held = fold_alerts(route("a", "firing", 100, response=patient))
    here = learn(held, NOW + minutes * MINUTE)
    memory = alertmanager_diff.Memory({"a": (100, NOW)})
    assert compare(memory, here, {"a": alertmanager_diff.Held(100, True)}, minutes).found == found


@pytest.mark.parametrize(
    ("told", "known", "meant"),
    [(5_000, 5_123, 5_123), (5_000, 6_000, 6_000), (5_000, 5_000, 5_000), (5_000, 6_001, 5_000), (5_000, 4_999, 5_000)],
)
def test_start_within_a_millisecond_matches_the_known_start(told, known, meant):
    memory, there = alertmanager_diff.Memory({"a": (told, NOW)}), {"a": alertmanager_diff.Held(told, True)}
    assert compare(memory, {"a": alertmanager_diff.Known("key", known, 0, True, True)}, there, 2).found == {"a": meant}
    assert compare(memory, {}, there, 2).found == {"a": told}


def test_silenced_alert_is_known_and_ends_normally():
    def muting(_routed: decisions.Routed, now: int) -> silences.Mute:
        return silences.Mute(now + MINUTE, "silence s1")

    incident = fold.fold(
        incidents.Incident(key="key"), [route("a", "firing", 100)], now=NOW, episode="e1", muting=muting
    )
    here = learn(incident)
    assert (
        compare(alertmanager_diff.Memory({"a": (100, NOW)}), here, {"a": alertmanager_diff.Held(100, True)}, 9).found
        == {}
    )
    assert compare(compare(alertmanager_diff.Memory(), here, {}, 1).memory, here, {}, 2).ended == {"a": NOW + MINUTE}


def test_set_aside_heartbeat_does_not_fire():
    beating = msgspec.structs.replace(RESPONSE, timing=decisions.Timing(heartbeat=MINUTE))
    aside = {"am/a": incidents.Muted(route("a", "firing", 100, response=beating), NOW, "silence s1")}
    assert learn(incidents.Incident(key="key", muted=aside)) == {}


def test_alerts_of_other_sources_are_ignored():
    assert learn(fold_alerts(route("a", "firing", 100)), source="other") == {}


def test_moved_alert_belongs_to_its_firing_incident():
    left = fold_alerts(route("a", "resolved", 100, 200))
    now_in = msgspec.structs.replace(fold_alerts(route("a", "firing", 300)), key="other")
    for order in ([left, now_in], [now_in, left]):
        known: dict[str, alertmanager_diff.Known] = {}
        for one in order:
            alertmanager_diff.learn(known, [(one, NOW)], "am", 0)
        assert (known["a"].incident, known["a"].fires) == ("other", True)


def test_replaced_start_repeated_late_ends_with_next_polls():
    """A late webhook repeats a replaced start. The alert fires until a poll finds it absent."""
    world = World()
    for action in ("begin", "webhook", "end", "begin", "webhook", "poll", "poll", "poll", "end", "webhook", "late"):
        world.step(action, "a")
    assert world.firing == {"a"}
    for _ in range(2):
        world.step("poll", "")
    assert world.firing == set()
