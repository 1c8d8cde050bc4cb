"""``freeze``, ``thaw`` and ``breaker``: what holds for all public pages at once."""

import typer

from router import settings as configuration
from router.cli import reaching, starting

app = typer.Typer(help="What turned automatic posts into reviews, because there were too many.", no_args_is_help=True)


def freeze(
    *,
    by: starting.By = "",
    why: starting.Why = "",
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Post nothing at any public page, not even resolutions, until `thaw`. Calls that are under way end."""

    async def body(router: reaching.Reached) -> None:
        act = router.act("public pages", by, why)
        state = await router.ask.ledgers.gate()
        if state.frozen:
            print(f"frozen already: {state.frozen}")
            return
        await router.do.freeze(act)
        name = f" by {act.actor.person.name}" if act.actor.person.name else ""
        print(f"frozen{name}: nothing is posted at public pages until `incident-router thaw`")

    reaching.reach(config, server, body)


def thaw(*, server: starting.Server = "", config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Post at public pages again: what is to be shown by now, at once."""

    async def body(router: reaching.Reached) -> None:
        if not (await router.ask.ledgers.gate()).frozen:
            print("nothing is frozen")
            return
        woken = await router.do.open(router.act("public pages"), "freeze")
        print(f"thawed: {woken.looked_at} incidents are looked at now")

    reaching.reach(config, server, body)


@app.command("show")
def show(
    *,
    as_json: starting.AsJson = False,
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show whether automatic posts were stopped, and whether public pages are frozen."""

    async def body(router: reaching.Reached) -> None:
        state = await router.ask.ledgers.gate()
        if as_json:
            starting.print_json(state)
            return
        print(f"the breaker is {f'closed: {state.breaker}' if state.breaker else 'open: rules may publish'}")
        for page, why in state.pages.items():
            print(f"the breaker of {page} is closed: {why}")
        if state.frozen:
            print(f"frozen: {state.frozen}")

    reaching.reach(config, server, body)


@app.command("reset")
def reset(*, server: starting.Server = "", config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Let rules publish by themselves again. What waits for review by now goes out if its rule says auto."""

    async def body(router: reaching.Reached) -> None:
        state = await router.ask.ledgers.gate()
        if not (state.breaker or state.pages):
            print("the breaker is open already")
            return
        woken = await router.do.open(router.act("breaker"), "breaker")
        print(f"reset: {woken.looked_at} incidents are looked at now")

    reaching.reach(config, server, body)
