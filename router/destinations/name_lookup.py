"""Looks up a vendor's IDs by name. The vendor's list is fetched once, and again when a name isn't found."""

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from router.outbound import errors

_SHOWN = 10  # Maximum number of names in a message.


class NamedEntry(Protocol):
    """An entry with a name and an ID at a vendor."""

    @property
    def id(self) -> str:
        """The vendor's ID."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...


Found = TypeVar("Found", bound=NamedEntry)


class _Cache(Generic[Found]):
    """The entries of one type, as last fetched."""

    def __init__(self) -> None:
        self.entries: Sequence[Found] | None = None
        self.fetching = asyncio.Lock()


class Caches:
    """What is cached of an account, by the type of the entries. Clients with different budgets share it."""

    def __init__(self) -> None:
        self._caches: dict[str, _Cache[Any]] = {}

    def get(self, name: str) -> _Cache[Any]:
        """Return the cache of a type."""
        return self._caches.setdefault(name, _Cache())


class NameLookup(Generic[Found]):
    """All entries of one type in an account.

    ``what`` names the type, in the singular. ``fetch`` reads all entries from the vendor. ``ids`` is the pattern of the
    vendor's IDs. ``also_called`` returns further names of an entry. The entries are kept in ``cache``.
    """

    def __init__(
        self,
        noun: str,
        fetch: Callable[[], Awaitable[Sequence[Found]]],
        *,
        ids: re.Pattern[str],
        also_called: Callable[[Found], Iterable[str]] = lambda thing: (),  # noqa: ARG005 - most have but one name
        cache: _Cache[Found] | None = None,
    ) -> None:
        self._what = noun
        self._fetch = fetch
        self._ids = ids
        self._also_called = also_called
        self._cache = cache if cache is not None else _Cache()

    async def entries(self) -> Sequence[Found]:
        """Return all entries, as last fetched."""
        if self._cache.entries is None:
            await self._refresh(None)
        return self._cache.entries or ()

    async def id_of(self, name: str, *, field: str) -> str:
        """Return the ID of the entry named ``name``. A text that looks like an ID is returned without a lookup."""
        # An ID needs no call, and also works for a key that can't list the entries.
        if self._ids.fullmatch(name):
            return name
        return (await self.find(name, field=field)).id

    async def find(self, name: str, *, field: str) -> Found:
        """Return the entry with this name or ID. Raises ``Permanent`` with the nearest names."""
        cached = self._cache.entries
        matches = self._matching(name, await self.entries())
        # The entry may be newer than a cached list. A list that was fetched just now isn't fetched again.
        if not matches and cached is not None:
            await self._refresh(cached)
            matches = self._matching(name, self._cache.entries or ())
        if not matches:
            raise errors.Permanent(f'{self._what} "{name}" does not exist{self._nearest(name)}', field=field)
        # A guess could publish on a wrong page, so an ambiguous name is refused.
        if len({thing.id for thing in matches}) > 1:
            candidates = ", ".join(f"{self._names(thing)[-1]} ({thing.id})" for thing in matches)
            raise errors.Permanent(f'{self._what} "{name}" could be any of {candidates}', field=field)
        return matches[0]

    def matching(self, name: str, things: Sequence[Found]) -> list[Found]:
        """Return those of ``things`` that have this name or ID."""
        return self._matching(name, things)

    async def _refresh(self, cached: Sequence[Found] | None) -> None:
        async with self._cache.fetching:
            # Another caller may have fetched the list while this one waited for the lock.
            if self._cache.entries is cached:
                self._cache.entries = await self._fetch()

    def _matching(self, name: str, things: Sequence[Found]) -> list[Found]:
        folded = name.casefold()
        # An ID is unambiguous, so it comes first. An exact name precedes names that differ in case.
        return (
            [thing for thing in things if thing.id == name]
            or [thing for thing in things if name in self._names(thing)]
            or [thing for thing in things if folded in (name.casefold() for name in self._names(thing))]
        )

    def _names(self, thing: Found) -> list[str]:
        return [thing.name, *self._also_called(thing)]

    def _nearest(self, misspelled: str) -> str:
        by_folded: dict[str, str] = {}
        for thing in self._cache.entries or ():
            for name in self._names(thing):
                by_folded.setdefault(name.casefold(), name)
        if not by_folded:
            return "; there are none"
        near = difflib.get_close_matches(misspelled.casefold(), by_folded, n=3, cutoff=0.5)
        if near:
            return "; did you mean " + " or ".join(f'"{by_folded[name]}"' for name in near) + "?"
        names = sorted(by_folded.values())
        return "; there are " + ", ".join(f'"{name}"' for name in names[:_SHOWN]) + (" …" if names[_SHOWN:] else "")


def own_pages(pages: Sequence[Found], lookup: NameLookup[Found], page: str, others: Collection[str]) -> list[Found]:
    """Return the pages that may be a destination's.

    These are its ``page``, and pages that no other destination is configured for.
    """
    own_ids = {own_page.id for own_page in lookup.matching(page, pages)} if page else set()
    other_ids = {own_page.id for other in others for own_page in lookup.matching(other, pages)}
    return [own_page for own_page in pages if own_page.id in own_ids or own_page.id not in other_ids]


async def list_problems(lookup: Awaitable[object]) -> list[str]:
    """Await a lookup and return its problems: none, or the message of its failure."""
    try:
        await lookup
    except errors.Failure as problem:
        return [problem.message]
    return []
