"""``sources``: lists sources and their authentication, prints setup snippets, and parses and sends payloads."""

from typing import Annotated

import typer

from router import configuration
from router.cli import completion, sources_parse, sources_send, startup, tables
from router.services import resources, source_views
from router.sources import registry, samples
from router.web import webhooks

app = typer.Typer(help="Sources of alerts: their configuration, snippets, and samples.", no_args_is_help=True)

Kind = Annotated[
    str, typer.Argument(help="A kind of source, as `sources kinds` shows it.", autocompletion=completion.kinds)
]

app.command("parse")(sources_parse.parse)
app.command("send")(sources_send.send)
_COLUMNS = (
    "name",
    "kind",
    tables.Column("path", wide=True),
    tables.Column("who may post", shrinks=True),
    tables.Column("from", shrinks=True, spare=True),
    tables.Column("warning", shrinks=True, spare=True, style=tables.problem_style),
)


@app.command("list")
def show_all(*, as_json: startup.AsJson = False, config: startup.Config = configuration.DEFAULT_FILE) -> None:
    """List the configured sources with their authentication. Secrets aren't required or shown."""
    sources = [source_views.row(name, source) for name, source in startup.settings(config, needs=()).sources.items()]
    if as_json:
        startup.print_items(sources)
        return
    rows = (
        (
            source.name,
            source.kind,
            source.path,
            *(", ".join(part) for part in (source.proofs, source.allow_from, source.warnings)),
        )
        for source in sources
    )
    tables.write(_COLUMNS, rows, "no source is configured")


@app.command("kinds")
def kinds(*, as_json: startup.AsJson = False) -> None:
    """List the kinds of sources that can be configured."""
    source_kinds = [resources.SourceKind(kind=name, summary=kind.summary) for name, kind in registry.KINDS.items()]
    if as_json:
        startup.print_items(source_kinds)
        return
    tables.write(
        ("kind", tables.Column("reads", shrinks=True)),
        [(source_kind.kind, source_kind.summary) for source_kind in source_kinds],
    )


@app.command("snippet")
def snippet(
    kind: Kind,
    *,
    name: Annotated[str, typer.Option("--name", help="The source's name (default: its kind).")] = "",
    url: Annotated[
        str, typer.Option("--url", help="The router's URL for the sender.")
    ] = "https://incident-router.example.com",
) -> None:
    """Print the settings for the router's configuration and for the monitoring system."""
    startup.check_known("kind", kind, registry.KINDS)
    name = name or kind
    # The name becomes a part of a URL and of a YAML document, and both are pasted without a check.
    if not samples.is_valid_name(name):
        raise startup.usage(f'"{name}": a name begins with a letter, followed by letters, digits, ".", "_", or "-"')
    print(f"# Into {configuration.DEFAULT_FILE}:\n")
    print(samples.settings(kind, name))
    print("# In the monitoring system:\n")
    # A trailing slash of the given URL would result in a path with two slashes, which the router doesn't serve.
    print(samples.sender(kind, name, f"{url.rstrip('/')}{webhooks.PREFIX}{name}"), end="")
