"""What the simulator's application needs of each simulated vendor, and how a status page looks to it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from starlette import routing


@dataclass(frozen=True)
class Update:
    """One entry of a post's timeline. ``at`` is microseconds since the epoch."""

    at: int
    status: str
    text: str


@dataclass(frozen=True)
class Post:
    """One published page incident as customers see it, newest update first."""

    id: str
    title: str
    status: str
    impact: str
    resolved: bool
    components: tuple[tuple[str, str], ...]
    updates: tuple[Update, ...]


@dataclass(frozen=True)
class Page:
    """One public status page. ``components`` are (group or empty, name, status in words)."""

    slug: str
    name: str
    components: tuple[tuple[str, str, str], ...]
    posts: tuple[Post, ...]


@dataclass(frozen=True)
class Failure:
    """An error to answer. ``field`` is at fault; ``limit`` is the name of the limit that a 429 is about."""

    status: int
    retry_after_seconds: float | None = None
    message: str = "simulated failure"
    field: str = ""
    limit: str = "api_key_name"


class Vendor(Protocol):
    """One simulated vendor. ``refuses_with`` is the status for a body that it can't use."""

    name: str
    refuses_with: int

    def routes(self) -> list[routing.BaseRoute]:
        """The vendor's API, with the paths that its own documentation gives (``/v1/…``, ``/api/v1/…``)."""
        ...

    def pages(self) -> list[Page]:
        """The status pages as customers see them now: nothing unpublished."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything that the vendor holds, as plain data."""
        ...

    def reset(self) -> None:
        """Forget everything that was created; the accounts' own set-up stays."""
        ...

    def remembered(self) -> Any:
        """Copy everything that the vendor holds now, for ``as_of``."""
        ...

    def as_of(self, remembered: Any) -> AbstractContextManager[None]:
        """Answer from what was remembered, for the length of the block."""
        ...

    def failure(self, failure: Failure) -> tuple[dict[str, Any], dict[str, str]]:
        """Body and headers of an error answer in the vendor's own envelope, for faults on demand and rate limits."""
        ...
