"""The interface of simulated vendors, and the form in which status pages are shown."""

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
    """An error response. ``field`` is the field at fault. ``limit`` is the name of the limit that a 429 reports."""

    status: int
    retry_after_seconds: float | None = None
    message: str = "simulated failure"
    field: str = ""
    limit: str = "api_key_name"


class Vendor(Protocol):
    """One simulated vendor. ``refuses_with`` is the status for an invalid body."""

    name: str
    refuses_with: int

    def routes(self) -> list[routing.BaseRoute]:
        """Return the routes of the vendor's API, with the documented paths (``/v1/…``, ``/api/v1/…``)."""
        ...

    def pages(self) -> list[Page]:
        """Return the status pages as customers see them now, without unpublished posts."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the vendor's whole state as plain data."""
        ...

    def reset(self) -> None:
        """Delete everything that calls created. The account's setup stays."""
        ...

    def copy_state(self) -> Any:
        """Return a copy of the vendor's current state, for ``as_of``."""
        ...

    def as_of(self, past_state: Any) -> AbstractContextManager[None]:
        """Respond from an earlier state during the block."""
        ...

    def failure(self, failure: Failure) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the body and headers of an error in the vendor's own envelope, for injected faults and rate limits."""
        ...
