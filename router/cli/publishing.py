"""``publishing``: shows whether automatic posts and public pages are stopped, and stops and resumes them."""

import typer

from router import configuration
from router.cli import router_access, startup

app = typer.Typer(help="Stop and resume posts on public pages.", no_args_is_help=True)


@app.command("status")
def status(
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show whether the publishing guard has tripped, and whether publishing is frozen."""

    async def body(router: router_access.Reached) -> None:
        state = await router.queries.records.publishing()
        if as_json:
            startup.print_json(state)
            return
        print(f"guard: {state.guard}" + (f" ({state.guard_reason})" if state.guard_reason else ""))
        for page, reason in state.tripped_pages.items():
            print(f"guard at {page}: tripped ({reason})")
        print(f"freeze: {state.freeze}" + (f" ({state.freeze_reason})" if state.freeze_reason else ""))

    router_access.reach(config, server, body)


@app.command("freeze")
def freeze(
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Stop all posts on public pages, including resolutions, until `publishing unfreeze`. Calls in progress end."""

    async def body(router: router_access.Reached) -> None:
        act = router.act("public pages", by, reason)
        state = await router.queries.records.publishing()
        # Repeating the command succeeds, so a runbook may run it without a check. The first reason stays.
        if state.freeze == "frozen":
            print(f"publishing is frozen already: {state.freeze_reason}")
            return
        await router.actions.freeze(act)
        name = f" by {act.actor.person.name}" if act.actor.person.name else ""
        print(f"publishing is frozen{name} until `incident-router publishing unfreeze`")

    router_access.reach(config, server, body)


@app.command("unfreeze")
def unfreeze(
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Resume posts on public pages. Pending updates are posted immediately."""

    async def body(router: router_access.Reached) -> None:
        act = router.act("public pages", by, reason)
        if (await router.queries.records.publishing()).freeze == "active":
            print("publishing is active already")
            return
        woken = await router.actions.unfreeze(act)
        print(f"publishing is active: {woken.looked_at} incidents are reconciled now")

    router_access.reach(config, server, body)


@app.command("reset")
def reset(
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Reset the publishing guard. Automatic posts that wait for an approval are then published."""

    async def body(router: router_access.Reached) -> None:
        act = router.act("guard", by, reason)
        # Repeating the command succeeds: the guard is in the state that the operator asks for.
        if (await router.queries.records.publishing()).guard == "ok":
            print("the publishing guard has not tripped")
            return
        woken = await router.actions.reset_guard(act)
        print(f"the publishing guard is reset: {woken.looked_at} incidents are reconciled now")

    router_access.reach(config, server, body)
