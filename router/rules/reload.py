"""Keeps the rules up to date: reloads the folder when it changes, and keeps the last valid rules."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import watchfiles

from router.domain import rule_files
from router.rules import destination_info, folders, load, ruleset
from router.telemetry import label_sets, log, metrics
from router.yaml_source import problems

# Milliseconds between checks for changes that the file system doesn't report, as with some network file systems.
_LOOK_MS = 5000
_SETTLE_MS = 300  # Changes within this time cause one reload.

_log = log.get("rules")


class Rules:
    """The active rules, and the problems of the rules on the disk.

    Raises ``Refused`` if none can be loaded at the start.
    """

    def __init__(
        self,
        folder: Path,
        destinations: destination_info.Destinations,
        *,
        changed: Callable[[ruleset.RuleSet], None],
        kept_files: rule_files.RuleFiles | None = None,
    ) -> None:
        """Load the folder. ``changed`` is called with every later rule set that becomes active.

        ``kept_files`` are the rule files that were accepted last. They become active if the folder is refused. If only
        an isolated folder is refused, its rules in ``kept_files`` become active.
        """
        self.folder = folder
        self._destinations = destinations
        self._on_change = changed
        # The fingerprint is taken before loading, so that a change during the loading causes another reload.
        self._last_fingerprint = folders.fingerprint(folder)
        self.problems: list[problems.LocatedProblem] = []
        self.accepted_files: rule_files.RuleFiles | None = None
        """The files on disk if all of them are active."""
        self.fallback: rule_files.RuleFiles | None = None
        """The rules from Redis by which this process decides, since it started with rules that can't be used."""
        last = _usable(kept_files, destinations)
        try:
            loaded = self._load(last.good if last is not None else {})
        except load.RulesRefused as refused:
            # Starting without rules would ignore every alert, so the process ends instead.
            if kept_files is None or last is None:
                raise
            self._fall_back(kept_files, last, refused)
            return
        self._take(loaded)
        _log.info("rules_loaded", version=loaded.rules.version, before="", rules=len(loaded.rules.rules))

    def _fall_back(self, kept_files: rule_files.RuleFiles, last: load.Loaded, error: load.RulesRefused) -> None:
        """Activate the kept rules until the rules on the disk are valid."""
        label_sets.start_rules(rule.name for rule in last.rules.rules)
        self._take(last)
        self._refuse(error.problems)
        self.accepted_files, self.fallback = None, kept_files
        metrics.rules_fallback_active.set(1)
        _log.error("rules_taken_from_redis", version=last.rules.version, kept_at=kept_files.kept_at // 1_000_000)

    @property
    def in_force(self) -> ruleset.RuleSet:
        """Return the active rule set."""
        return self._current.rules

    async def watch(self, clock: Callable[[], float], hangup: asyncio.Event) -> None:
        """Watch the folder until cancelled. ``hangup`` requests a reload. ``clock`` returns Unix seconds."""
        async for _ in self._changes(hangup):
            seen = await asyncio.to_thread(folders.fingerprint, self.folder)
            # Editors and mounts report changes that change nothing. An operator's SIGHUP reloads anyway.
            if seen == self._last_fingerprint and not hangup.is_set():
                continue
            hangup.clear()
            # Before the reload: a refused folder isn't read again until it changes.
            self._last_fingerprint = seen
            await self.reload(clock)

    async def _changes(self, hangup: asyncio.Event) -> AsyncIterator[None]:
        """Yield whenever the folder may have changed, including when a symbolic link was replaced."""
        watching = _Watching(self.folder)
        change: asyncio.Task[None] | None = None
        try:
            while True:
                change = change or asyncio.create_task(watching.next())
                request = asyncio.create_task(hangup.wait())
                await asyncio.wait({request, change}, return_when=asyncio.FIRST_COMPLETED)
                request.cancel()
                # An unfinished wait for changes stays pending, so that no change between two rounds is missed.
                if change.done():
                    change.result()
                    change = None
                yield
        finally:
            watching.close()
            if change is not None:
                change.cancel()

    async def reload(self, clock: Callable[[], float]) -> None:
        """Load in a thread. Meanwhile the webhook server decides by the active rules."""
        before = self.in_force.version
        try:
            loaded = await asyncio.to_thread(self._load, self._current.good)
        except load.RulesRefused as refused:
            self._refuse(refused.problems)
            return
        except Exception as error:  # noqa: BLE001 - logged; the webhook server keeps the active rules
            _log.exception("rules_unreadable")
            self._refuse(
                [problems.LocatedProblem(str(self.folder), 0, 0, f"reading it failed: {type(error).__name__}")]
            )
            return
        # Collected before the switch, while the replaced rule set is still known.
        parts = await asyncio.to_thread(self.in_force.parts)
        self._take(loaded)
        metrics.rules_reloads.labels("unchanged" if loaded.rules.version == before else "loaded").inc()
        metrics.rules_last_reload_success_timestamp_seconds.set(clock())
        # A reload that changed no rule needs no log line and no announcement.
        if loaded.rules.version != before:
            _log.info("rules_loaded", version=loaded.rules.version, before=before, rules=len(loaded.rules.rules))
            self._on_change(loaded.rules)
        await asyncio.to_thread(_free, parts)

    def _load(self, last: Mapping[str, load.LastGood]) -> load.Loaded:
        loaded = load.load_apart(self.folder, self._destinations, last)
        # Each new name costs about 10 microseconds, which would add up on the event loop.
        label_sets.start_rules(rule.name for rule in loaded.rules.rules)
        return loaded

    def _refuse(self, all_problems: list[problems.LocatedProblem]) -> None:
        self.problems = all_problems
        metrics.rules_reloads.labels("refused").inc()
        metrics.rules_last_reload_successful.set(0)
        _log.error(
            "rules_refused",
            version_in_force=self.in_force.version,
            problems=[f"{problem.place}: {problem.message}" for problem in all_problems],
        )

    def _take(self, loaded: load.Loaded) -> None:
        self._current = loaded
        self.fallback = None
        self.accepted_files = None if loaded.refused else rule_files.RuleFiles(loaded.rules.version, loaded.files)
        metrics.rules_fallback_active.set(0)
        self.problems = [problem for all_problems in loaded.refused.values() for problem in all_problems]
        metrics.rules_last_reload_successful.set(0 if loaded.refused else 1)
        metrics.rules.set(len(loaded.rules.rules))
        # The version is a label, so the series of the previous version must go.
        metrics.rules_info.clear()
        metrics.rules_info.labels(loaded.rules.version).set(1)
        metrics.rules_folder_refused.clear()
        for name, all_problems in loaded.refused.items():
            metrics.rules_folder_refused.labels(name).set(1)
            _log.error(
                "rules_folder_refused",
                folder=name,
                kept=name in loaded.good and bool(loaded.good[name].rules),
                problems=[f"{problem.place}: {problem.message}" for problem in all_problems],
            )


def _free(parts: list[object]) -> None:
    """Free the parts of a rule set that was replaced.

    Freeing thousands of rules in one step would block the event loop. Other threads can run between two parts.
    """
    while parts:
        parts.pop()


def _usable(kept_files: rule_files.RuleFiles | None, destinations: destination_info.Destinations) -> load.Loaded | None:
    """Load the kept rules. Return None if they no longer fit the configuration."""
    if kept_files is None:
        return None
    try:
        return load.load_files(kept_files.files, destinations)
    except load.RulesRefused as refused:
        messages = [f"{problem.place}: {problem.message}" for problem in refused.problems]
        _log.error("kept_rules_refused", version=kept_files.version, problems=messages)
        return None


class _Watching:
    """Changes below a folder, as the operating system reports them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stop = asyncio.Event()
        self._changes: AsyncIterator[object] | None = None

    async def next(self) -> None:
        """Return when something has changed, or after ``_LOOK_MS``."""
        try:
            if self._changes is None:
                self._changes = watchfiles.awatch(
                    self._folder,
                    watch_filter=None,
                    step=_SETTLE_MS,
                    debounce=4 * _SETTLE_MS,
                    stop_event=self._stop,
                    rust_timeout=_LOOK_MS,
                    yield_on_timeout=True,
                )
            await anext(self._changes)
        except (OSError, RuntimeError, StopAsyncIteration):
            # The folder is missing: try again later.
            self._changes = None
            await asyncio.sleep(_LOOK_MS / 1000)

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
