"""A destination opens if the current rule requests it, even if the first rule no longer does."""

from router.domain import decisions, severities
from tests.integration import vendor, workers


def test_alert_opens_after_changing_rules_while_pending(with_redis):
    """Both messages are folded before the incident is reconciled, as during a rollout."""
    at = vendor.Vendor()

    async def play(on):
        for starts_at, name in ((100, "old"), (200, "new")):
            decided = decisions.Decision("down", severities.Severity.MAJOR, workers.rule(name=name))
            await on.deliver_decided(workers.firing(starts_at=starts_at), decided)
            await on.fold()
        await on.turn()
        assert at.states() == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))
