"""The first steps of every command that starts something: read the settings, set up the log, wait for a signal."""

import asyncio
import getpass
import os
import re
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import pydantic
import typer
import uvloop

from router import configuration
from router.bootstrap import factories, listeners, processes
from router.cli import failures, terminal
from router.domain import visible
from router.domain.times import Duration
from router.rules import ruleset
from router.rules.load import RulesRefused
from router.services import models
from router.store import embedded, errors, private_folder
from router.store.store import Store
from router.telemetry import log, tracing
from router.yaml_source import quantities, suggestions

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="INCIDENT_ROUTER_CONFIG", help="The configuration file."),
]

Server = Annotated[
    str,
    typer.Option(
        "--server",
        envvar="INCIDENT_ROUTER_SERVER",
        help="URL of a running router's API. Authenticates with the token in INCIDENT_ROUTER_TOKEN.",
    ),
]


def integer(min_value: int, max_value: int) -> Callable[[str], int]:
    """Return the parser of an option that takes an integer of this range. Any other value is a usage error."""

    def parse(text: str) -> int:
        # `int` also accepts underscores, blanks, and digits of other scripts.
        value = int(text) if _INTEGER.fullmatch(str(text)) else None
        if value is None or not min_value <= value <= max_value:
            # Typer adds the names of the option.
            raise typer.BadParameter(f"must be an integer from {min_value} to {max_value}, not {str(text)[:_SHOWN]!r}")
        return value

    return parse


_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_SHOWN = 40  # Characters of an invalid value.
PORT = integer(0, 65535)
Limit = Annotated[
    int, typer.Option("--limit", "-n", parser=integer(1, 1_000_000), help="Show at most N entries, newest first.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, in the form of the management API.")]
Payload = Annotated[str, typer.Argument(help="A file with a delivery's body, or - for stdin.")]


def not_blank(parameter: typer.CallbackParam, text: str) -> str:
    """Return an option's text. A blank text is a usage error, and so is an empty one if the option is required."""
    # A blank reason in the audit log would look like a missing one. An option that isn't given is empty.
    if (text or parameter.required) and not visible.visible(text).strip():
        raise usage(f"{parameter.opts[0]} must not be blank")
    return text


By = Annotated[
    str,
    typer.Option("--by", callback=not_blank, help="Who acts (default: your login name, or the user ID and host)."),
]
Reason = Annotated[str, typer.Option("--reason", callback=not_blank, help="The reason, for the audit log.")]
Body = Callable[[configuration.Settings, Store], Awaitable[None]]

Loaded = TypeVar("Loaded")


def settings(
    path: Path,
    stand_in: configuration.StandIn | None = None,
    needs: Collection[str] = configuration.SECRET_PARTS,
    ending: failures.FailureOutput = failures.TEXT,
) -> configuration.Settings:
    """Read the settings and set up the log. If the settings are refused, print the reasons and exit with status 1."""
    try:
        loaded = configuration.load(path, os.environ, stand_in, needs)
    except configuration.InvalidConfiguration as refused:
        raise ending.refuse("configuration", refused.problems) from None
    # Format and level are settings, so they apply from here on.
    log.configure(loaded.log.format, loaded.log.level)
    return loaded


def rules(settings: configuration.Settings, folder: Path | None = None) -> ruleset.RuleSet:
    """Load the rules of the settings, or of another folder. If they are refused, exit with status 1."""
    return unless_refused(lambda: factories.load_rules(settings, folder))


def unless_refused(load: Callable[[], Loaded]) -> Loaded:
    """Load an object from rules. If the rules are refused, print the reasons and exit with status 1."""
    try:
        return load()
    except RulesRefused as refused:
        raise failures.TEXT.refuse("rules", refused.problems) from None


def login_name() -> str:
    """Return the login name of this command's user, or the user ID and host for a user without a passwd entry.

    A container usually runs with a user ID that has no entry. The name of a pod's host is the pod's own.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # The first until Python 3.12, the second from 3.13.
        return f"uid {os.getuid()} on {socket.gethostname()}"


def duration(option: str, text: str, min_value: str = "0s", max_value: str = "3660d") -> Duration:
    """Parse an option's duration in microseconds. One that is invalid or outside the range is a usage error."""
    try:
        parsed = quantities.duration(text)
    except ValueError:
        # A negative duration fails the check of the range below, so both mistakes have one message.
        parsed = Duration(-1)
    if not quantities.duration(min_value) <= parsed <= quantities.duration(max_value):
        raise usage(f"{option} must be from {min_value} to {max_value}, such as 90s or 1h30m, not {text[:_SHOWN]!r}")
    return parsed


def payload(path: str) -> bytes:
    """Return the bytes of a file, or of stdin if the name is ``-``. An unreadable file is a usage error."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise usage(f"{path} can't be read: {error.strerror}") from error


def usage(problem: str) -> typer.Exit:
    """Print a usage error, and return the exit to raise: status 2."""
    print(f"incident-router: {problem}", file=sys.stderr)
    return typer.Exit(2)


def check_known(noun: str, name: str, names: Collection[str]) -> None:
    """Check that a name is known. An unknown name is a usage error."""
    if name not in names:
        raise usage(f'there is no {noun} "{name}"{suggestions.hint(name, names)}')


def delivery_not_found(delivery: str) -> typer.Exit:
    """Print that the archive has no such delivery, and return the exit to raise: status 1."""
    print(f"incident-router: delivery {delivery} is not kept", file=sys.stderr)
    return typer.Exit(1)


def with_store(config: Path, body: Body) -> None:
    """Run a coroutine that needs the store and no vendor, with the settings of the file and a connection."""

    async def main() -> None:
        loaded = settings(config, configuration.StandIn("not-used", {}))
        async with processes.connect(loaded) as store:
            await body(loaded, store)

    run_until_stopped(main())


def not_found(problem: str) -> typer.Exit:
    """Print that the named object doesn't exist, and return the exit to raise: status 1."""
    print(f"incident-router: {problem}", file=sys.stderr)
    return typer.Exit(1)


def print_json(base_model: pydantic.BaseModel) -> None:
    """Print a model of the management API as the API returns it, indented."""
    terminal.write_json(msgspec.json.format(base_model.model_dump_json().encode()))


def print_items(items: Sequence[Any]) -> None:
    """Print a whole list in the format of one page of the management API."""
    print_json(models.Page(items=list(items)))


_FORESEEN = (
    embedded.StartFailedError,
    private_folder.InUseError,
    listeners.ListenError,
    errors.Unavailable,
    errors.SchemaTooNew,
    errors.UnreadableDocument,
    tracing.ExtraNotInstalled,
)


def run_until_stopped(main: Coroutine[Any, Any, None], ending: failures.FailureOutput = failures.TEXT) -> None:
    """Run a command's coroutine. If an expected error occurs, print one sentence and exit with status 1."""
    leaving: typer.Exit | terminal.OutputError | None = None
    try:
        uvloop.run(main)
    except* (typer.Exit, terminal.OutputError) as group:
        leaving = _leaves(group)[0]  # A task group wraps errors of its tasks.
    except* RulesRefused as group:
        leaving = ending.refuse("rules", [p for error in _leaves(group) for p in error.problems])
    except* (*_FORESEEN, OSError) as group:
        # Two tasks may fail for the same reason.
        leaving = ending.fail(list(dict.fromkeys(map(_words, _leaves(group)))))
    if leaving is not None:
        raise leaving


def _words(error: Exception) -> str:
    """Return the error's message, without the number of a system error."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _leaves(group: BaseExceptionGroup[Any]) -> list[Any]:
    """Return the exceptions of a group, including nested groups."""
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


async def wait_for_stop() -> signal.Signals:
    """Return the signal that tells the process to stop: SIGTERM, or SIGINT for Ctrl-C."""
    loop = asyncio.get_running_loop()
    received: asyncio.Future[signal.Signals] = loop.create_future()

    def receive(number: signal.Signals) -> None:
        # A second signal arrives if an impatient operator presses Ctrl-C again. A future can be set only once.
        if not received.done():
            received.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, receive, number)
    return await received
