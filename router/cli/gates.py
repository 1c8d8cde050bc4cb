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
        state = await router.ask.ledgers.publishing()
        if state.freeze == "frozen":
            print(f"publishing is frozen already: {state.freeze_reason}")
            return
        await router.do.freeze(act)
        name = f" by {act.actor.person.name}" if act.actor.person.name else ""
        print(f"publishing is frozen{name}: nothing is posted at public pages until `incident-router thaw`")

    reaching.reach(config, server, body)


def thaw(*, server: starting.Server = "", config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Post at public pages again: what is to be shown by now, at once."""

    async def body(router: reaching.Reached) -> None:
        if (await router.ask.ledgers.publishing()).freeze == "active":
            print("publishing is active already")
            return
        woken = await router.do.unfreeze(router.act("public pages"))
        print(f"publishing is active: {woken.looked_at} incidents are looked at now")

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
        state = await router.ask.ledgers.publishing()
        if as_json:
            starting.print_json(state)
            return
        print(f"guard: {state.guard}" + (f" ({state.guard_reason})" if state.guard_reason else ""))
        for page, why in state.tripped_pages.items():
            print(f"guard at {page}: tripped ({why})")
        print(f"freeze: {state.freeze}" + (f" ({state.freeze_reason})" if state.freeze_reason else ""))

    reaching.reach(config, server, body)


@app.command("reset")
def reset(*, server: starting.Server = "", config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Let rules publish by themselves again. What waits for review by now goes out if its rule says auto."""

    async def body(router: reaching.Reached) -> None:
        if (await router.ask.ledgers.publishing()).guard == "ok":
            print("the publishing guard has not tripped")
            return
        woken = await router.do.reset_guard(router.act("guard"))
        print(f"the publishing guard is reset: {woken.looked_at} incidents are looked at now")

    reaching.reach(config, server, body)
