"""From the inbox to a vendor: an incident is opened once, updated when its severity rises, and resolved."""

import pytest

from router.domain import decisions, severities
from router.telemetry import metrics
from tests.integration import vendor, workers

MAJOR, CRITICAL = severities.Severity.MAJOR, severities.Severity.CRITICAL


def test_alert_opens_and_resolves_one_incident(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        assert at.states() == ["open"]
        await on.deliver(workers.resolved())
        await on.turn()
        assert at.states() == ["resolved"]
        assert at.kinds == ["open", "resolve"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_folded_delivery_leaves_the_inbox(with_redis):
    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        assert await on.store.inbox.depth() == (0, 0)

    workers.run(with_redis, play, vendor.on_call(vendor.Vendor()))


def test_repeated_alerts_make_no_call(with_redis):
    at = vendor.Vendor()

    async def play(on):
        for _ in range(50):
            await on.deliver(*(workers.firing(str(number)) for number in range(20)))
        await on.turn()
        await on.deliver(*(workers.firing(str(number)) for number in range(20)))
        await on.turn()
        assert at.kinds == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_incident_stays_open_while_one_alert_fires(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing("a"), workers.firing("b"))
        await on.turn()
        await on.deliver(workers.resolved("a"))
        await on.turn()
        assert at.states() == ["open"]
        await on.deliver(workers.resolved("b"))
        await on.turn()
        assert at.states() == ["resolved"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_alert_resolved_before_reconciling_opens_nothing(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing(), workers.resolved())
        await on.turn()
        assert at.calls == []

    workers.run(with_redis, play, vendor.on_call(at))


def test_higher_severity_updates_incident_once(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing("a"))
        await on.turn()
        await on.deliver(workers.firing("b"), level=CRITICAL)
        await on.turn()
        await on.deliver(workers.firing("c"), level=MAJOR)
        await on.turn()
        assert at.kinds == ["open", "update"]
        assert at.calls[-1].content.severity == CRITICAL

    workers.run(with_redis, play, vendor.on_call(at))


def test_refiring_alert_opens_a_new_incident(with_redis):
    """The new incident has different idempotency keys."""
    at = vendor.Vendor()

    async def play(on):
        for starts_at in (100, 300):
            await on.deliver(workers.firing(starts_at=starts_at))
            await on.turn()
            await on.deliver(workers.resolved(starts_at=starts_at))
            await on.turn()
        assert at.kinds == ["open", "resolve"] * 2
        assert len({call.key for call in at.calls}) == 4
        assert len({call.reference for call in at.calls}) == 2

    workers.run(with_redis, play, vendor.on_call(at))


def test_earlier_episode_resolves_after_the_next_begins(with_redis):
    """The incident closed and reopened between two reconciliations. Its earlier item must not stay open."""
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.deliver(workers.resolved())
        await on.fold()
        await on.deliver(workers.firing(starts_at=300))
        await on.turn()
        assert sorted(at.states()) == ["open", "resolved"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_text_comes_from_the_opening_alert(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing("first"))
        await on.turn()
        await on.deliver(workers.firing("second"), level=CRITICAL)
        await on.turn()
        assert [call.content.fields["alert"] for call in at.calls] == ["first is down"] * 2

    workers.run(with_redis, play, vendor.on_call(at))


def test_changed_rules_do_not_move_open_incidents(with_redis):
    """Changed rules don't open a second incident either."""
    at = vendor.Vendor()
    renamed = workers.rule(decisions.Target("elsewhere"), name="renamed")

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.deliver(workers.firing(), key="renamed", response=renamed)
        await on.turn()
        assert at.kinds == ["open"]
        assert (await on.incident("renamed")).generation == 0
        await on.deliver(workers.resolved(), key="renamed", response=renamed)
        await on.turn()
        assert at.kinds == ["open", "resolve"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_incident_resolves_after_its_rule_is_removed(with_redis):
    at = vendor.Vendor()
    unwanted = decisions.Decision(ignored="no rule matched")

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.deliver_decided(workers.resolved("another"), unwanted)
        await on.turn()
        assert at.states() == ["open"]
        await on.deliver_decided(workers.resolved(), unwanted)
        await on.turn()
        assert at.states() == ["resolved"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_new_rules_apply_after_the_incident_ends(with_redis):
    at, elsewhere = vendor.Vendor(), vendor.Vendor()
    renamed = workers.rule(decisions.Target("elsewhere"), name="renamed")

    async def play(on):
        await on.deliver(workers.firing())
        await on.deliver(workers.resolved())
        await on.turn()
        await on.deliver(workers.firing(starts_at=300), key="renamed", response=renamed)
        await on.turn()
        assert elsewhere.kinds == ["open"]

    workers.run(with_redis, play, vendor.on_call(at), vendor.place("elsewhere", elsewhere))


def test_late_message_is_folded_into_the_earlier_incident(with_redis):
    renamed = workers.rule(name="renamed")

    async def play(on):
        await on.deliver(workers.firing())
        await on.deliver(workers.resolved())
        await on.turn()
        await on.deliver(workers.firing(), key="renamed", response=renamed)
        await on.turn()
        assert (await on.incident("renamed")).generation == 0

    workers.run(with_redis, play, vendor.on_call(vendor.Vendor()))


def test_failing_target_does_not_delay_other_targets(with_redis):
    good, bad = vendor.Vendor(), vendor.Vendor()
    bad.before = [vendor.make_permanent()]
    both = workers.rule(decisions.Target("good"), decisions.Target("bad"))

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        assert (good.states(), bad.states()) == (["open"], [])

    workers.run(with_redis, play, vendor.place("good", good), vendor.place("bad", bad))


def test_removed_destination_does_not_delay_other_targets(with_redis):
    at = vendor.Vendor()
    both = workers.rule(decisions.Target("gone"), decisions.Target("on-call"))

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        assert at.states() == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_many_incidents_open_and_resolve_separately(with_redis):
    at = vendor.Vendor()

    async def play(on):
        for number in range(40):
            await on.deliver(workers.firing(str(number)), key=f"down{number}")
        await on.turn()
        assert at.states() == ["open"] * 40
        for number in range(0, 40, 2):
            await on.deliver(workers.resolved(str(number)), key=f"down{number}")
        await on.turn()
        assert sorted(at.states()) == ["open"] * 20 + ["resolved"] * 20

    workers.run(with_redis, play, vendor.on_call(at))


@pytest.mark.parametrize("kind", ["open", "resolve"])
def test_operations_are_counted_by_destination_kind_and_result(with_redis, kind):
    at = vendor.Vendor()

    def count() -> float:
        return metrics.operations.labels("on-call", kind, "done")._value.get()

    before = count()

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.deliver(workers.resolved())
        await on.turn()

    workers.run(with_redis, play, vendor.on_call(at))
    assert count() == before + 1
