"""Opens a process's sockets before its store starts, so that a port in use stops the process early.

Clients that connect early wait until the process serves.
"""

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from router import configuration
from router.simulator import server
from router.web import serve

_CONSOLE_PORT = 8082
_HEALTH_PORT = 8083
_WRONG_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class ListenError(Exception):
    """The process can't listen at an address. The message has its purpose and how to choose another one."""


@dataclass(frozen=True)
class Purpose:
    """The purpose of a socket, and the names of the options or settings for its host and port."""

    what: str
    host: str
    port: str


WEBHOOKS = Purpose("webhooks are received", "--host or web.host", "--port or web.port")
CONSOLE = Purpose("the console and the API are served", "management.host", "--console-port or management.port")
HEALTH = Purpose("health and metrics are served", "web.health_host", "--health-port or web.health_port")
WORKER_HEALTH = Purpose(
    "health and metrics are served",
    "--health-host or worker.health_host",
    "--health-port or worker.health_port",
)
SIMULATOR = Purpose("the simulated vendors are served", "--host", "--simulator-port")
SIMULATOR_ALONE = Purpose("the simulated vendors are served", "--host", "--port")


@dataclass(frozen=True)
class Listeners:
    """The sockets of a process with a webhook server."""

    webhooks: socket.socket
    console: socket.socket
    health: socket.socket


@contextlib.contextmanager
def open_all(settings: configuration.Settings) -> Iterator[Listeners]:
    """Listen for webhooks, the console, and probes for the length of the block. Raises ``ListenError``."""
    web, management = settings.web, settings.management
    with (
        listening(web.host, web.port, WEBHOOKS) as webhooks,
        listening(management.host, console_port(settings), CONSOLE) as console,
        listening(web.health_host, health_port(settings), HEALTH) as health,
    ):
        yield Listeners(webhooks, console, health)


@contextlib.contextmanager
def listening(host: str, port: int, purpose: Purpose) -> Iterator[socket.socket]:
    """Listen at one address for the length of the block. Raises ``ListenError``."""
    listener = _listen(serve.listen, host, port, purpose)
    try:
        yield listener
    finally:
        listener.close()


def simulator(host: str, port: int, purpose: Purpose) -> socket.socket:
    """Listen for calls to the simulated vendors, which close the socket when they end. Raises ``ListenError``."""
    return _listen(server.listen, host, port, purpose)


def console_port(settings: configuration.Settings) -> int:
    """Return the console's port: the configured one, or one next to the webhook server's."""
    if settings.management.port is not None:
        return settings.management.port
    # If the webhook server uses any free port, as tests do, a fixed port here could be taken.
    return _CONSOLE_PORT if settings.web.port else 0


def health_port(settings: configuration.Settings) -> int:
    """Return the port of probes and metrics: the configured one, or one next to the webhook server's."""
    if settings.web.health_port is not None:
        return settings.web.health_port
    return _HEALTH_PORT if settings.web.port else 0


def _listen(listen: Callable[[str, int], socket.socket], host: str, port: int, purpose: Purpose) -> socket.socket:
    try:
        return listen(host, port)
    except OverflowError:
        why, choice = "a port is between 0 and 65535", purpose.port
    except OSError as error:
        # ``socket.create_server`` appends the address, which the message below already names.
        why = (error.strerror or str(error)).partition(" (while attempting")[0]
        # These errors are about the host. Others, such as a port in use, are about the port.
        wrong = isinstance(error, socket.gaierror) or error.errno in _WRONG_ADDRESS
        choice = purpose.host if wrong else purpose.port
    raise ListenError(f"can't listen on {host}:{port}, where {purpose.what}: {why}. Choose another one with {choice}")
