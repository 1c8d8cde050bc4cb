"""Folding alerts into an incident is idempotent and independent of order. Each episode has one decision."""

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.domain import decisions, fold, incidents, severities, timeline
from router.domain.alerts import Alert

NOW = 1_700_000_000_000_000
RESPONSE = decisions.Response("r", "rules/a.yaml:1", "v1", (decisions.Target("on-call"),))


def route(
    fingerprint: str = "f1",
    status: str = "firing",
    starts_at: int = 100,
    ends_at: int = 0,
    level: severities.Severity = severities.Severity.MINOR,
    response: decisions.Response = RESPONSE,
    received_at: int = NOW,
) -> decisions.Routed:
    subject = Alert("am", fingerprint, status, starts_at, ends_at, title=f"{fingerprint} at {starts_at}")
    return decisions.Routed(subject, decisions.Decision("key", level, response), received_at)


def fold_alerts(
    *arrived: decisions.Routed, start: incidents.Incident | None = None, now: int = NOW, episode: str = "e1"
):
    return fold.fold(start or incidents.Incident(key="key"), arrived, now=now, episode=episode)


arrivals = st.builds(
    route,
    fingerprint=st.sampled_from(["a", "b", "c"]),
    status=st.sampled_from(["firing", "resolved"]),
    starts_at=st.integers(1, 4),
    ends_at=st.integers(5, 8),
    level=st.sampled_from(list(severities.Severity)),
)


def amounts_to(result: incidents.Incident) -> tuple[object, ...]:
    return (result.alerts, result.firing, result.status)


@given(st.lists(arrivals, max_size=6), st.randoms(use_true_random=False))
def test_arrival_order_does_not_change_the_incident(batch, order):
    shuffled = list(batch)
    order.shuffle(shuffled)
    assert amounts_to(fold_alerts(*batch)) == amounts_to(fold_alerts(*shuffled))


@given(st.lists(arrivals, max_size=6), st.integers(0, 6))
def test_batching_does_not_change_the_incident(batch, cut):
    at_once = fold_alerts(*batch)
    in_two = fold_alerts(*batch[cut:], start=fold_alerts(*batch[:cut]), episode="e2")
    assert amounts_to(at_once) == amounts_to(in_two)


@given(st.lists(arrivals, max_size=6))
def test_batch_folded_twice_gives_the_same_incident(batch):
    once = fold_alerts(*batch)
    assert fold_alerts(*batch, start=once, now=NOW + 1, episode="e2") is once


@given(st.lists(arrivals, min_size=1, max_size=6))
def test_incident_is_open_only_while_an_alert_fires(batch):
    result = fold_alerts(*batch)
    assert (result.status == "open") == bool(result.firing)


@given(st.lists(arrivals, max_size=4), st.lists(arrivals, max_size=4))
def test_severity_of_an_open_episode_never_falls(first, second):
    before = fold_alerts(*first)
    after = fold_alerts(*second, start=before, episode="e2")
    if before.status == after.status == "open" and before.episode == after.episode:
        assert after.severity >= before.severity


def test_firing_alert_opens_the_first_generation():
    result = fold_alerts(route(level=severities.Severity.MAJOR))
    assert (result.status, result.generation, result.episode) == ("open", 1, "e1")
    assert result.severity == severities.Severity.MAJOR
    assert result.response is RESPONSE
    assert result.opened_at == result.changed_at == NOW


def test_oldest_firing_alert_decides_in_any_order():
    old, young = route("b", starts_at=1), route("a", starts_at=2)
    for order in itertools.permutations([old, young]):
        assert fold_alerts(*order).opening_alert is old.alert


def test_resolution_closes_the_incident_and_keeps_a_tombstone():
    result = fold_alerts(route(status="resolved", ends_at=200), start=fold_alerts(route()), now=NOW + 5)
    assert (result.status, result.closed_at, result.firing) == ("closed", NOW + 5, [])
    assert result.alerts["am/f1"].resolved


def test_firing_message_older_than_the_resolution_opens_nothing():
    closed = fold_alerts(route(), route(status="resolved", ends_at=200))
    assert fold_alerts(route(), start=closed) is closed


def test_resolution_before_its_firing_message_opens_nothing():
    early = fold_alerts(route(status="resolved", ends_at=200))
    assert early.status == "closed"
    assert early.generation == 0
    assert fold_alerts(route(), start=early) is early


def test_refiring_alert_starts_a_new_episode():
    closed = fold_alerts(route(), route(status="resolved", ends_at=200))
    again = fold_alerts(route(starts_at=300), start=closed, now=NOW + 9, episode="e2")
    assert (again.status, again.generation, again.episode, again.opened_at) == ("open", 1, "e2", NOW + 9)
    opened = fold_alerts(route())
    closed = fold_alerts(route(status="resolved", ends_at=200), start=opened)
    assert fold_alerts(route(starts_at=300), start=closed, episode="e2").generation == 2


def test_worse_alert_adds_destinations_and_determines_the_response():
    other = msgspec.structs.replace(RESPONSE, rule="new", version="v2", targets=(decisions.Target("elsewhere"),))
    opened = fold_alerts(route())
    worse = fold_alerts(route("f2", response=other, level=severities.Severity.CRITICAL), start=opened)
    assert worse.response.rule == "new"
    assert [target.destination for target in worse.response.targets] == ["elsewhere", "on-call"]
    assert worse.severity == severities.Severity.CRITICAL
    assert worse.episode == opened.episode


def test_repeat_with_a_worse_new_rule_raises_severity():
    opened = fold_alerts(route(level=severities.Severity.MINOR))
    assert fold_alerts(route(level=severities.Severity.MAJOR), start=opened).severity == severities.Severity.MAJOR


def test_episode_keeps_its_worst_severity():
    opened = fold_alerts(route("a", level=severities.Severity.CRITICAL), route("b"))
    after = fold_alerts(route("a", status="resolved", ends_at=9, level=severities.Severity.CRITICAL), start=opened)
    assert (after.status, after.severity) == ("open", severities.Severity.CRITICAL)


def test_new_episode_starts_with_the_current_severity():
    closed = fold_alerts(
        route(level=severities.Severity.CRITICAL),
        route(status="resolved", ends_at=9, level=severities.Severity.CRITICAL),
        start=fold_alerts(route(level=severities.Severity.CRITICAL)),
    )
    again = fold_alerts(route(starts_at=300, level=severities.Severity.INFO), start=closed, episode="e2")
    assert again.severity == severities.Severity.INFO


def test_tombstones_expire_once_no_message_can_be_pending():
    closed = fold_alerts(route("a"), route("a", status="resolved", ends_at=9))
    soon = fold_alerts(route("b"), start=closed, now=NOW + 2 * fold.TOMBSTONE_LIFE)
    assert "am/a" in soon.alerts
    late = fold_alerts(route("b"), start=closed, now=NOW + 2 * fold.TOMBSTONE_LIFE + 1)
    assert "am/a" not in late.alerts


def test_young_tombstones_outlive_old_ones():
    closed = fold_alerts(route("a"), route("a", status="resolved", ends_at=9))
    later = NOW + 2 * fold.TOMBSTONE_LIFE
    both = fold_alerts(route("b", status="resolved", ends_at=9, received_at=later), start=closed, now=later)
    late = fold_alerts(route("c"), start=both, now=NOW + 2 * fold.TOMBSTONE_LIFE + 1)
    assert set(late.alerts) == {"am/b", "am/c"}
    assert late.summary.oldest_tombstone_at == NOW + 2 * fold.TOMBSTONE_LIFE


@given(st.lists(st.lists(arrivals, max_size=3), max_size=6), st.booleans())
def test_counters_equal_a_count_of_all_alerts(batches, reuse):
    result = incidents.Incident(key="key")
    for number, batch in enumerate(batches):
        result = fold.fold(result, batch, now=NOW + number, episode=f"e{number}", reuse=reuse)
        assert result.still_fires == len(result.firing)
        summary = result.summary
        assert (summary.oldest_received_at is None) == (not result.firing)
        for resolved, since in ((True, summary.oldest_tombstone_at), (False, summary.oldest_received_at)):
            learned = [state.learned_at for state in result.alerts.values() if state.resolved == resolved]
            assert not learned or 0 < since <= min(learned)


def test_alerts_dictionary_is_reused_only_on_request():
    before = fold_alerts(route("a"))
    alerts = dict(before.alerts)
    fold_alerts(route("b"), start=before)
    assert before.alerts == alerts
    reused = fold.fold(before, [route("b")], now=NOW, episode="e2", reuse=True)
    assert reused.alerts is before.alerts


def test_tombstone_expiry_counts_from_its_receipt():
    result = fold_alerts(route("a", status="resolved", ends_at=9), route("b"))
    assert result.alerts["am/a"].resolved


def test_incident_keeps_the_acceptance_time():
    result = fold.fold(incidents.Incident(key="key"), [route()], now=NOW, episode="e", accepted_at=NOW - 7)
    assert result.accepted_at == NOW - 7


def test_alerts_beyond_the_limit_are_counted_and_recorded():
    full = fold_alerts(*(route(f"f{number}") for number in range(fold.MAX_HELD_ALERTS)))
    more = fold_alerts(route("one too many"), start=full)
    assert (more.overflow_count, len(more.firing)) == (1, fold.MAX_HELD_ALERTS)
    (event,) = timeline.events_for_change(full, more, [route("one too many")], NOW)
    assert event.text == "Counted 1 message of further alerts beyond the maximum of firing alerts."
    again = fold_alerts(route("another"), start=more)
    assert timeline.events_for_change(more, again, [route("another")], NOW) == []


def test_end_of_lost_incident_is_an_ended_episode():
    """After data loss, only the resolution arrives. The incident is resolved at the vendors and never published."""
    later = decisions.Response(
        "r", "", "v1", (decisions.Target("page", retrospective=True),), decisions.Timing(open_after=60)
    )
    message = route(status="resolved", ends_at=200, response=later)
    ended = fold.end_unknown_episode(fold_alerts(message), message, now=NOW, episode="e9")
    assert (ended.status, ended.episode, ended.generation, ended.closed_at) == ("closed", "e9", 1, NOW)
    assert ended.response.targets == (decisions.Target("page"),)
    assert timeline.unknown_end_event(ended, NOW).what == "closed"
