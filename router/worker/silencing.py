"""Finds muted alerts: by the router's own silences, and by those imported from an Alertmanager."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection, Sequence

from router.domain import decisions, inhibition
from router.domain.silences import Imported, Mute, Muting, Silence, Silencer, by_window
from router.domain.times import Timestamp
from router.outbound import errors
from router.store.store import Store
from router.telemetry import log, metrics

Importer = Callable[[], Awaitable[Imported]]
"""Requests the silences of another system. Raises ``outbound.errors.Failure`` if it doesn't respond."""


class SilenceService:
    """Checks every firing alert. Usually there is no silence to check."""

    def __init__(self, store: Store, imports: Sequence[tuple[str, Importer]] = ()) -> None:
        """Set up. ``imports`` are other systems whose silences apply here, too, by name."""
        self._store = store
        self._imports = imports
        self._imported_silences: dict[str, Imported] = {}
        self._own: list[Silence] = []
        self._silencer = Silencer(())
        self._log = log.get("worker")

    def __call__(self, routed: decisions.Routed, now: Timestamp) -> Mute | None:
        """Return what mutes an alert now; None if nothing does."""
        if (mute := by_window(routed.decision, now)) is not None:
            return mute
        return self._silencer.mute(routed.alert, now) if self._silencer else None

    @property
    def has_any(self) -> bool:
        """Return whether there is any silence to check."""
        return bool(self._silencer)

    def while_open(self, firing: Collection[str]) -> Muting:
        """Return a function that also finds alerts that are muted while incidents of these keys fire."""
        return functools.partial(_find_mute, self, firing)

    async def refresh(self) -> None:
        """Read the router's own silences. Raises ``Unavailable``."""
        own_silences = await self._store.silences.read()
        if own_silences != self._own:
            self._own = own_silences
            self._compile()

    async def import_all(self) -> None:
        """Import the silences of other systems concurrently. If a system doesn't respond, its last response applies."""
        await asyncio.gather(*(self._import(name, imported) for name, imported in self._imports))

    async def _import(self, name: str, imported: Importer) -> None:
        try:
            active = await imported()
        except errors.Failure as failure:
            self._log.warning("silences_not_imported", source=name, reason=str(failure))
            return
        metrics.skipped_silences.labels(name).set(len(active.skipped))
        before = self._imported_silences.get(name)
        if active == before:
            return
        # Each poll returns the skipped silences again, so only a change is logged.
        if active.skipped and (before is None or active.skipped != before.skipped):
            self._log.warning("silences_skipped", source=name, skipped=active.skipped)
        self._imported_silences[name] = active
        self._compile()

    async def tidy(self, now: Timestamp) -> None:
        """Delete silences that expired long ago."""
        await self._store.silences.delete_expired(now)

    def _compile(self) -> None:
        self._silencer = Silencer(
            [*self._own, *(silence for imported in self._imported_silences.values() for silence in imported.silences)]
        )
        for identity, reason in self._silencer.unreadable.items():
            self._log.warning("silence_unreadable", silence=identity, reason=reason)


def _find_mute(silenced: Muting, firing: Collection[str], routed: decisions.Routed, now: Timestamp) -> Mute | None:
    """Return what mutes an alert: an incident that inhibits it, a time window, or a silence."""
    return inhibition.mute(routed.decision, firing, now) or silenced(routed, now)
