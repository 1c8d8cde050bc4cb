"""``freeze``, ``thaw`` and ``breaker``: what holds for all public pages at once."""

import getpass

import redis.asyncio
import typer

from router import settings as configuration
from router.assembly import pages, parts
from router.cli import starting
from router.store import gate

app = typer.Typer(help="What turned automatic posts into reviews, because there were too many.", no_args_is_help=True)


def freeze(
    *,
    by: starting.By = "",
    why: starting.Why = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Post nothing at any public page, not even resolutions, until `thaw`. Calls that are under way end."""

    async def body(_: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        who = by or getpass.getuser()
        if not await gate.Gate(connection).shut("freeze", who, parts.clock(), why):
            state = await gate.Gate(connection).state()
            print(f"frozen already: {state.freeze}")
            return
        print(f"frozen by {who}: nothing is posted at public pages until `incident-router thaw`")

    starting.with_store(config, body)


def thaw(*, config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Post at public pages again: what is to be shown by now, at once."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        if not await gate.Gate(connection).open("freeze"):
            print("nothing is frozen")
            return
        looked_at = await pages.publications(settings, connection).wake_all()
        print(f"thawed: {looked_at} incidents are looked at now")

    starting.with_store(config, body)


@app.command("show")
def show(config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Tell whether the breaker is closed, and whether the pages are frozen."""

    async def body(_: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        state = await gate.Gate(connection).state()
        why = f"closed: {state.breaker.why}" if state.breaker is not None else "open: rules may publish"
        print(f"the breaker is {why}")
        if state.freeze is not None:
            print(f"frozen: {state.freeze}")

    starting.with_store(config, body)


@app.command("reset")
def reset(config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Let rules publish by themselves again. What waits for review by now goes out if its rule says auto."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        if not await gate.Gate(connection).open("breaker"):
            print("the breaker is open already")
            return
        looked_at = await pages.publications(settings, connection).wake_all()
        print(f"reset: {looked_at} incidents are looked at now")

    starting.with_store(config, body)
