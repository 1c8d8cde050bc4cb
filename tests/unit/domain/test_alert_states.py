"""The state of an alert from its messages, by receipt time and by sender time."""

import itertools
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import alert_states, alerts, decisions, severities

MINUTE = 60_000_000
NOW = 1_700_000_000_000_000
WINDOW = 5 * MINUTE
MINOR, CRITICAL = severities.Severity.MINOR, severities.Severity.CRITICAL


def at(minute: float) -> int:
    return NOW + int(minute * MINUTE)


def message(status: str, received: float, starts: float = 0, ends: float = 0, level=MINOR, origin: str = ""):
    """Make a message. Times are in minutes; an end of 0 means no end."""
    alert = alerts.Alert("am", "f", status, at(starts), at(ends) if ends else 0, origin=origin)
    return alert_states.message_of(decisions.Routed(alert, decisions.Decision("k", level)), at(received))


def firing(received: float, **more):
    return message("firing", received, **more)


def resolved(received: float, *, ends: float = 0, **more):
    return message("resolved", received, ends=ends or received, **more)


def state_after(*messages: alert_states.AlertState) -> alert_states.AlertState:
    state = None
    for one in messages:
        state, _ = alert_states.merge(state, one, WINDOW)
    assert state is not None
    return state


def is_firing(*messages: alert_states.AlertState) -> bool:
    return not state_after(*messages).resolved


def fires_in_any_order(*messages: alert_states.AlertState) -> bool:
    verdicts = {is_firing(*order) for order in itertools.permutations(messages)}
    assert len(verdicts) == 1, "the order in which messages are read decides"
    return verdicts.pop()


def test_late_firing_message_within_the_window_is_ignored():
    state = state_after(firing(1), resolved(20))
    for minute in (21, 24.9, 25):
        assert alert_states.merge(state, firing(minute), WINDOW) == (state, "ignored")


def test_same_start_fires_again_after_the_window():
    """Alertmanager repeats a start after it has lost its connection to Prometheus."""
    assert fires_in_any_order(firing(1), resolved(20), firing(25.1))


def test_repeated_end_does_not_resolve_refired_alert():
    state = state_after(firing(1), resolved(20, ends=19), firing(40))
    assert alert_states.merge(state, resolved(41, ends=19), WINDOW) == (state, "ignored")
    assert not is_firing(firing(1), resolved(20, ends=19), firing(40), resolved(50, ends=49))


def test_resolution_older_than_the_window_is_late():
    """A killed worker may delay a delivery while later deliveries are processed."""
    assert fires_in_any_order(firing(1), firing(30), resolved(20, ends=19))


def test_resolution_received_first_resolves_the_alert():
    assert not is_firing(resolved(5), firing(6))


def test_newest_received_severity_applies_in_any_order():
    messages = [firing(1, level=CRITICAL), firing(7, level=MINOR)]
    for order in itertools.permutations(messages):
        assert state_after(*order).severity is MINOR


def test_repeat_changes_the_state_once_per_window():
    state = state_after(firing(1))
    assert alert_states.merge(state, firing(5), WINDOW) == (state, "unchanged")
    assert alert_states.merge(state, firing(6.1), WINDOW)[1] == "changed"


class TestSeveralSenders:
    """A shared fingerprint: an HA pair of Prometheus servers, or two clusters."""

    def test_newer_start_replaces_older_one_of_one_sender(self):
        """Alertmanager sends no resolution if an alert resolves and fires again between two flushes."""
        assert not fires_in_any_order(firing(1), firing(10, starts=9), resolved(12, starts=9))

    def test_alert_of_another_origin_still_fires(self):
        """One of two clusters resolves while the other is still firing."""
        a = firing(1, origin="a")
        b = [firing(2, starts=1.5, origin="b"), resolved(10, starts=1.5, origin="b")]
        assert fires_in_any_order(a, *b)
        assert not fires_in_any_order(a, *b, resolved(20, origin="a"))

    def test_other_origin_may_resolve_the_same_start(self):
        """Another peer of the Alertmanager cluster takes over and sends the resolution."""
        assert not is_firing(firing(1, origin="am-0"), resolved(9, origin="am-1"))

    def test_repeated_older_start_still_fires(self):
        """Two indistinguishable senders each repeat their own start."""
        both = [firing(1), firing(3, starts=2), firing(9), resolved(12, starts=2)]
        assert is_firing(*both)
        assert not is_firing(*both, resolved(13))

    def test_late_message_of_a_replaced_start_is_ignored(self):
        state = state_after(firing(1), firing(10, starts=9), resolved(12, starts=9))
        assert alert_states.merge(state, firing(13), WINDOW) == (state, "ignored")

    def test_number_of_instances_is_limited(self):
        state = state_after(*(firing(n, starts=n, origin=f"o{n}") for n in range(1, 20)))
        assert len(state.others) == alert_states.MAX_INSTANCES - 1


class TestClocks:
    """Senders with wrong clocks."""

    def test_future_start_ends_with_its_resolution(self):
        ahead = {"starts": 60}
        assert not fires_in_any_order(firing(1, **ahead), resolved(10, ends=70, **ahead))

    def test_clock_set_back_does_not_hide_next_start(self):
        """A sender's clock is an hour fast and is then corrected.

        The next start is older by that clock but newer by receipt.
        """
        assert is_firing(firing(1, starts=60), resolved(10, starts=60, ends=70), firing(20, starts=19))

    def test_future_end_is_limited_to_its_receipt(self):
        assert state_after(firing(1), resolved(10, ends=70)).ends_at == at(10)

    @pytest.mark.parametrize("behind", [5, 60, 600])
    def test_slow_sender_clock_does_not_affect_the_state(self, behind):
        old = {"starts": -behind}
        assert is_firing(firing(1, **old))
        assert not is_firing(firing(1, **old), resolved(10, ends=10 - behind, **old))
        again = [firing(1, **old), resolved(10, ends=10 - behind, **old), firing(16, **old)]
        assert is_firing(*again)
        assert not is_firing(*again, resolved(20, ends=20 - behind, **old))


class TestExpiry:
    """Alerts that expire unless they are repeated."""

    def test_repeat_of_expired_alert_fires_immediately(self):
        state = alert_states.expire(state_after(firing(1, ends=5)), at(5))
        assert state.resolved
        assert state.expired
        assert not alert_states.merge(state, firing(6, ends=10), WINDOW)[0].resolved
        assert alert_states.merge(state, firing(6, ends=5), WINDOW)[0] is state

    def test_instances_expire_independently(self):
        state = state_after(firing(1, ends=5, origin="a"), firing(2, starts=1, ends=9, origin="b"))
        later = alert_states.expire(state, at(6))
        assert not later.resolved
        assert alert_states.expire(later, at(9)).resolved
        assert alert_states.expire(state, at(4)) is state


class Message(NamedTuple):
    """One message of the property test: a slot of 20 minutes, a status, a start, and an origin."""

    slot: int
    is_resolved: bool
    start: int
    is_late: bool

    @property
    def received(self) -> int:
        return self.slot * 20 + (2 if self.is_late else 0)

    def message(self) -> alert_states.AlertState:
        make = resolved if self.is_resolved else firing
        return make(self.received, starts=self.start - 100)


said = st.builds(Message, st.integers(1, 6), st.booleans(), st.just(1), st.booleans())


def oracle(messages: list[Message]) -> bool:
    """Return whether an alert with one start fires.

    The last message decides, except a late one. The oracle reads all messages in order of receipt and does not merge
    states.
    """
    ends = [one.received for one in messages if one.is_resolved]
    last_end = max(ends, default=None)
    last_firing = max((one.received for one in messages if not one.is_resolved), default=None)
    if last_firing is None:
        return False
    return last_end is None or last_firing > last_end + WINDOW // MINUTE


@given(st.lists(said, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_affect_the_state(messages, order):
    shuffled = [*messages, *messages[:2]]
    order.shuffle(shuffled)
    assert is_firing(*(one.message() for one in messages)) == oracle(messages)
    assert is_firing(*(one.message() for one in shuffled)) == oracle(messages)


replicas = st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.sampled_from("ab")), min_size=1, max_size=6)


@given(replicas, st.randoms(use_true_random=False))
def test_alert_fires_while_any_replica_fires(messages, order):
    """Each replica has its own origin and start, so a late delivery of one doesn't affect the others."""
    starts = {"a": -100, "b": -90}
    made = [
        (resolved if is_resolved else firing)(slot * 20 + ord(origin) - 97, starts=starts[origin], origin=origin)
        for slot, is_resolved, origin in messages
    ]
    wanted = any(
        oracle([Message(slot, is_resolved, 0, False) for slot, is_resolved, one in messages if one == origin])
        for origin in "ab"
    )
    assert is_firing(*made) == wanted
    order.shuffle(made)
    assert is_firing(*made) == wanted
