"""``notifiers``: lists notifiers, sends a test, and delivers events again."""

import sys
from typing import Annotated

import redis.asyncio
import typer

from router import settings as configuration
from router.assembly import notifying, parts
from router.cli import auditing, completing, starting, tables
from router.outbound import errors
from router.services import resources

app = typer.Typer(help="Where operators hear about incidents and reviews.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The notifier's name.", autocompletion=completing.notifiers)]


@app.command("list")
def show_all(*, as_json: starting.AsJson = False, config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """List the configured notifiers with their kinds, and the topics and owners that each is subscribed to."""
    settings = starting.settings(config, configuration.StandIn("not-used", {}))
    subscribed = notifying.subscribed(settings)
    found = [
        resources.Notifier(
            name=name,
            kind=one.kind,
            topics=[topic for topic, names in subscribed.topics.items() if name in names],
            owners=[owner for owner, names in subscribed.owners.items() if name in names],
        )
        for name, one in settings.notifiers.items()
    ]
    if as_json:
        starting.print_items(found)
        return
    rows = [(one.name, one.kind, ", ".join(one.topics), ", ".join(one.owners)) for one in found]
    columns = ("name", "kind", tables.Column("topics", shrinks=True), tables.Column("owners", shrinks=True))
    tables.write(columns, rows, "no notifier is configured")


@app.command("test")
def send_test(name: Name, *, by: starting.By = "", config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Send one test event to a notifier, and print whether it was delivered."""
    settings = starting.settings(config, needs={"notifiers"})
    starting.must_be_known("notifier", name, settings.notifiers)

    async def main() -> None:
        try:
            await notifying.send_test(settings, name, by or starting.login_name(), parts.clock)
        except errors.Failure as failure:
            print(f"incident-router: {failure.message}", file=sys.stderr)
            raise typer.Exit(1) from failure
        print(f"{name}: delivered")

    starting.until_stopped(main())


@app.command("redeliver")
def redeliver(
    name: Name,
    *,
    incident: Annotated[str, typer.Option(help="The incident key; the router's own events if left out.")] = "",
    after: Annotated[
        int,
        typer.Option(parser=starting.integer(0, 2**63 - 1), help="Deliver events with higher sequence numbers only."),
    ] = 0,
    by: starting.By = "",
    reason: starting.Reason = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Deliver the events of an incident to a notifier again, with the same IDs."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        starting.must_be_known("notifier", name, settings.notifiers)
        count = await notifying.redeliver(connection, name, incident, after)
        if not count:
            raise starting.not_there(f"no events of {incident or 'the router'} are kept after number {after}")
        subject = f"{incident or 'the router'} to {name}, after {after}"
        await auditing.record(connection, auditing.Operator(by, reason), "redeliver", subject)
        print(f"{count} {'event is' if count == 1 else 'events are'} delivered again, as far as {name} receives them")

    starting.with_store(config, body)
