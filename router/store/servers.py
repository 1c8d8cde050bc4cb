"""Where Redis is: an address, and what it takes to be let in. Plain data; ``client`` makes connections of it."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Tls:
    """Files in PEM that hold for ``rediss://``; new connections read them anew.

    ``ca`` are the authorities to trust in the place of the system's; ``cert`` and ``key`` say who we are.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __bool__(self) -> bool:
        """Whether any of it is set."""
        return any((self.ca, self.cert, self.key))


@dataclass(frozen=True)
class Server:
    """One server at ``url``: ``redis://``, ``rediss://`` or ``unix://``."""

    url: str = field(repr=False)  # It may hold a password.
    tls: Tls = Tls()
