"""``notifiers``: lists notifiers, sends a test, and delivers events again."""

import sys
from typing import Annotated

import typer

from router import configuration
from router.bootstrap import factories, notification_delivery
from router.cli import audit, completion, startup, tables
from router.outbound import errors
from router.services import notifier_events, resources
from router.store.store import Store

app = typer.Typer(help="Channels that notify operators of incidents and reviews.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The notifier's name.", autocompletion=completion.notifiers)]


@app.command("list")
def show_all(*, as_json: startup.AsJson = False, config: startup.Config = configuration.DEFAULT_FILE) -> None:
    """List the configured notifiers with their kinds, and the topics and owners that each is subscribed to."""
    settings = startup.settings(config, configuration.StandIn("not-used", {}))
    subscribed = notification_delivery.make_subscriptions(settings)
    notifiers = [
        resources.Notifier(
            name=name,
            kind=notifier.kind,
            topics=[topic for topic, names in subscribed.topics.items() if name in names],
            owners=[owner for owner, names in subscribed.owners.items() if name in names],
        )
        for name, notifier in settings.notifiers.items()
    ]
    if as_json:
        startup.print_items(notifiers)
        return
    rows = [
        (notifier.name, notifier.kind, ", ".join(notifier.topics), ", ".join(notifier.owners)) for notifier in notifiers
    ]
    columns = ("name", "kind", tables.Column("topics", shrinks=True), tables.Column("owners", shrinks=True))
    tables.write(columns, rows, "no notifier is configured")


@app.command("test")
def send_test(name: Name, *, by: startup.By = "", config: startup.Config = configuration.DEFAULT_FILE) -> None:
    """Send one test event to a notifier, and print whether it was delivered."""
    # The test calls only the notifier, so it works without the secrets of sources and destinations.
    settings = startup.settings(config, needs={"notifiers"})
    startup.check_known("notifier", name, settings.notifiers)

    async def main() -> None:
        try:
            await notifier_events.send_test(settings, name, by or startup.login_name(), factories.clock)
        except errors.Failure as failure:
            print(f"incident-router: {failure.message}", file=sys.stderr)
            raise typer.Exit(1) from failure
        print(f"{name}: delivered")

    startup.run_until_stopped(main())


@app.command("redeliver")
def redeliver(
    name: Name,
    *,
    incident: Annotated[str, typer.Option(help="The incident key (default: events of the router itself).")] = "",
    after: Annotated[
        int,
        typer.Option(parser=startup.integer(0, 2**63 - 1), help="Deliver events with higher sequence numbers only."),
    ] = 0,
    by: startup.By = "",
    reason: startup.Reason = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Deliver the events of an incident to a notifier again, with the same IDs."""

    async def body(settings: configuration.Settings, store: Store) -> None:
        startup.check_known("notifier", name, settings.notifiers)
        count = await notifier_events.redeliver(store, name, incident, after)
        # Events are stored for 30 days, so there may be none to deliver again.
        if not count:
            raise startup.not_found(f"no events of {incident or 'the router'} are kept after number {after}")
        subject = f"{incident or 'the router'} to {name}, after {after}"
        await audit.record(store, audit.Operator(by, reason), "redeliver", subject)
        print(f"{count} {'event is' if count == 1 else 'events are'} delivered again, unless {name} filters them out")

    startup.with_store(config, body)
