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
class Sentinel:
    """Who knows which server is the primary now: the sentinels' hosts and ports, and the name they know it by.

    The user and the password are the sentinels' own; those of the servers stand in the address.
    """

    service: str
    nodes: tuple[tuple[str, int], ...]
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Durability:
    """Who has to have what is written before it counts: so many ``replicas``, which have ``wait_seconds`` for it."""

    replicas: int = 0
    wait_seconds: float = 1.0


@dataclass(frozen=True)
class Server:
    """One server at ``url``: ``redis://``, ``rediss://`` or ``unix://``.

    With ``sentinel`` the server is whichever is the primary, and of the address all holds but its host and port.
    With ``cluster`` it is one of the servers of a Redis Cluster, which names the others.
    """

    url: str = field(repr=False)  # It may hold a password.
    tls: Tls = Tls()
    sentinel: Sentinel | None = None
    cluster: bool = False
    durability: Durability = Durability()
