"""Connection settings of Redis: plain data from which ``client`` creates connections."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Tls:
    """PEM files for ``rediss://``. Each new connection reads them again.

    ``ca`` replaces the system's certificate authorities; ``cert`` and ``key`` are the client certificate.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __bool__(self) -> bool:
        """Return whether any file is set."""
        return any((self.ca, self.cert, self.key))


@dataclass(frozen=True)
class Sentinel:
    """Sentinels that know the current primary: their hosts and ports, and the name of the service.

    ``username`` and ``password`` are for the sentinels. Credentials of the servers are part of the URL.
    """

    service: str
    nodes: tuple[tuple[str, int], ...]
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Durability:
    """Number of replicas that must acknowledge a write, and the time limit for that."""

    replicas: int = 0
    timeout_seconds: float = 1.0


@dataclass(frozen=True)
class Server:
    """A server at ``url``: ``redis://``, ``rediss://``, or ``unix://``.

    With ``sentinel``, the host and port of the URL are ignored and the current primary is used. With ``cluster``, the
    URL names one server of a Redis Cluster, which lists the others.
    """

    url: str = field(repr=False)  # The URL may contain a password.
    tls: Tls = Tls()
    sentinel: Sentinel | None = None
    cluster: bool = False
    durability: Durability = Durability()
