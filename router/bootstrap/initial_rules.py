"""Loads a process's first rules: those on the disk or, if they are invalid, the last good ones from Redis."""

from collections.abc import Awaitable, Callable

from router import configuration
from router.bootstrap import factories
from router.domain import rule_files
from router.rules import load, reload, ruleset
from router.store import errors, good_rules
from router.store.store import Store
from router.telemetry import log

KEEP_SECONDS = 5.0

_log = log.get("rules")


async def rules(
    settings: configuration.Settings,
    store: Store,
    changed: Callable[[ruleset.RuleSet], None],
) -> reload.Rules:
    """Load the rules. Raises ``load.RulesRefused`` if those on the disk are invalid and Redis has no usable ones."""
    refusal: load.RulesRefused | None = None
    try:
        in_force = factories.rules_in_force(settings, changed)
    except load.RulesRefused as error:
        refusal = error
    else:
        # The rules on the disk are complete. The kept ones may be older.
        if not in_force.problems:
            return in_force
    kept_files = await _read_kept(store)
    # Only the refused rules come from Redis, or all of them if the whole folder is refused.
    if kept_files is not None:
        return factories.rules_in_force(settings, changed, kept_files)
    # Starting without rules would ignore every alert, so the process ends instead.
    if refusal is not None:
        raise refusal
    return in_force


async def _read_kept(store: Store) -> rule_files.RuleFiles | None:
    try:
        return await store.good_rules.read()
    # Valid folders on the disk can still decide.
    except (errors.Unavailable, errors.UnreadableDocument) as error:
        _log.error("kept_rules_not_read", reason=str(error))
        return None


def make_keeper(in_force: reload.Rules, store: Store) -> Callable[[], Awaitable[None]]:
    """Return a function that stores the rules in Redis once all of them are active. Call it at regular intervals.

    Each process writes its rules when they change, and when Redis has none. If two processes have different rules, the
    rules that changed last win, so that the processes don't overwrite each other forever.
    """
    written_version = too_large_version = ""

    async def turn() -> None:
        nonlocal written_version, too_large_version
        accepted = in_force.accepted_files
        # A repeated attempt would fail in the same way, and log the same warning every few seconds.
        if accepted is None or accepted.version == too_large_version:
            return
        # Redis may have lost the rules since they were written, so their version is checked each time.
        if accepted.version == written_version and await store.good_rules.version():
            return
        try:
            await store.good_rules.save(accepted._replace(kept_at=factories.clock()))
        except good_rules.TooLarge:
            _log.warning("rules_not_kept", version=accepted.version, most_bytes=good_rules.MAX_BYTES)
            too_large_version = accepted.version
        written_version = accepted.version

    return turn
