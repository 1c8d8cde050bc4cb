"""``heartbeats``: lists expected heartbeats with the time of the last one, and forgets them."""

import typer

from router import configuration
from router.cli import incidents, router_access, startup, tables
from router.services import actions, resources
from router.yaml_source import quantities

app = typer.Typer(help="Signals that have to be received regularly.", no_args_is_help=True)


@app.command("list")
def show_all(
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the expected heartbeats, those received longest ago first."""

    async def body(router: router_access.Reached) -> None:
        heartbeats = await router.queries.records.heartbeats()
        await router_access.warn_of_unreadable(router)
        if as_json:
            startup.print_items(heartbeats)
            return
        columns = (tables.Column("incident", shrinks=True), "every", "last received", "state")
        tables.write(columns, map(_row, heartbeats), "no heartbeat has been received yet")

    router_access.reach(config, server, body)


def _row(heartbeat: resources.Heartbeat) -> tuple[str, ...]:
    # The API has seconds, and quantities are in microseconds. Rounding removes the error of the floating-point number.
    every = quantities.format_duration(round(heartbeat.every_seconds * 1_000_000))
    return heartbeat.incident, every, tables.age(heartbeat.last_heard_at), "silent" if heartbeat.silent else "alive"


@app.command("forget")
def forget(
    incident: incidents.Name,
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Stop expecting a heartbeat until it is received again."""

    async def body(router: router_access.Reached) -> None:
        try:
            await router.actions.forget_heartbeat(router.act(incident, by, reason))
        except actions.SubjectNotFound:
            raise startup.not_found(f'there is no heartbeat "{incident}"') from None
        print(f"{incident} is no longer expected")

    router_access.reach(config, server, body)
