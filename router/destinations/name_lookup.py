"""Looks up a vendor's IDs by name. The vendor's list is fetched once, and again when a name isn't found."""

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from router.outbound import errors

_SHOWN = 10  # Maximum number of names in a message.


class Named(Protocol):
    """An entry with a name and an ID at a vendor."""

    @property
    def id(self) -> str:
        """The vendor's ID."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...


Found = TypeVar("Found", bound=Named)


class NameLookup(Generic[Found]):
    """All entries of one type in an account.

    ``what`` names the type, in the singular. ``fetch`` reads all entries from the vendor. ``ids`` is the pattern of the
    vendor's IDs. ``also_called`` returns further names of an entry.
    """

    def __init__(
        self,
        what: str,
        fetch: Callable[[], Awaitable[Sequence[Found]]],
        *,
        ids: re.Pattern[str],
        also_called: Callable[[Found], Iterable[str]] = lambda thing: (),  # noqa: ARG005 - most have but one name
    ) -> None:
        self._what = what
        self._fetch = fetch
        self._ids = ids
        self._also_called = also_called
        self._things: Sequence[Found] | None = None
        self._fetching = asyncio.Lock()

    async def entries(self) -> Sequence[Found]:
        """Return all entries, as last fetched."""
        if self._things is None:
            await self._refresh(None)
        return self._things or ()

    async def id_of(self, wanted: str, *, field: str) -> str:
        """Return the ID of the entry named ``wanted``. A text that looks like an ID is returned without a lookup."""
        if self._ids.fullmatch(wanted):
            return wanted
        return (await self.find(wanted, field=field)).id

    async def find(self, wanted: str, *, field: str) -> Found:
        """Return the entry with this name or ID. Raises ``Permanent`` with the nearest names."""
        known = self._things
        found = self._matching(wanted, await self.entries())
        if not found and known is not None:
            await self._refresh(known)
            found = self._matching(wanted, self._things or ())
        if not found:
            raise errors.Permanent(f'{self._what} "{wanted}" does not exist{self._nearest(wanted)}', field=field)
        if len({thing.id for thing in found}) > 1:
            named = ", ".join(f"{self._names(thing)[-1]} ({thing.id})" for thing in found)
            raise errors.Permanent(f'{self._what} "{wanted}" could be any of {named}', field=field)
        return found[0]

    def matching(self, wanted: str, things: Sequence[Found]) -> list[Found]:
        """Return those of ``things`` that have this name or ID."""
        return self._matching(wanted, things)

    async def _refresh(self, known: Sequence[Found] | None) -> None:
        async with self._fetching:
            # Another caller may have fetched the list while this one waited for the lock.
            if self._things is known:
                self._things = await self._fetch()

    def _matching(self, wanted: str, things: Sequence[Found]) -> list[Found]:
        folded = wanted.casefold()
        return (
            [thing for thing in things if thing.id == wanted]
            or [thing for thing in things if wanted in self._names(thing)]
            or [thing for thing in things if folded in (name.casefold() for name in self._names(thing))]
        )

    def _names(self, thing: Found) -> list[str]:
        return [thing.name, *self._also_called(thing)]

    def _nearest(self, wanted: str) -> str:
        by_folded: dict[str, str] = {}
        for thing in self._things or ():
            for name in self._names(thing):
                by_folded.setdefault(name.casefold(), name)
        if not by_folded:
            return "; there are none"
        near = difflib.get_close_matches(wanted.casefold(), by_folded, n=3, cutoff=0.5)
        if near:
            return "; did you mean " + " or ".join(f'"{by_folded[name]}"' for name in near) + "?"
        listed = sorted(by_folded.values())
        return "; there are " + ", ".join(f'"{name}"' for name in listed[:_SHOWN]) + (" …" if listed[_SHOWN:] else "")


def own_pages(pages: Sequence[Found], known: NameLookup[Found], page: str, others: Collection[str]) -> list[Found]:
    """Return the pages that may be a destination's:

    its ``page``, and pages that no other destination is configured for.
    """
    mine = {one.id for one in known.matching(page, pages)} if page else set()
    theirs = {one.id for other in others for one in known.matching(other, pages)}
    return [one for one in pages if one.id in mine or one.id not in theirs]


async def list_problems(lookup: Awaitable[object]) -> list[str]:
    """Await a lookup and return its problems: none, or the message of its failure."""
    try:
        await lookup
    except errors.Failure as problem:
        return [problem.message]
    return []
