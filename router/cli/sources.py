"""``sources``: who may post here and how, what to paste on both sides, and whether a payload is read as was meant."""

from typing import Annotated, Any

import msgspec
import typer

from router import settings as configuration
from router.cli import sending, starting, terminal, trying
from router.sources import base, registry, samples
from router.web import webhooks

app = typer.Typer(help="Where alerts come from: what is configured, and what to paste.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Kind = Annotated[str, typer.Argument(help="A kind of source, as `sources kinds` shows it.")]

app.command("try")(trying.attempt)
app.command("send")(sending.send)

_ANYONE = "anyone may post: it says `auth: none`"


@app.command("list")
def show_all(*, as_json: Json = False, config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """List the configured sources, and how each is told who sends. No secret has to be set, and none is shown."""
    found = [_row(name, one) for name, one in starting.settings(config, needs=()).sources.items()]
    if as_json:
        terminal.write_json(msgspec.json.format(msgspec.json.encode(found)))
        return
    listed = ("proofs", "allow_from", "warnings")
    rows = ((row["name"], row["kind"], row["path"], *(", ".join(row[part]) for part in listed)) for row in found)
    columns = ("name", "kind", "path", "who may post", "from", "warning")
    starting.print_table(columns, rows, "no source is configured")


@app.command("kinds")
def kinds() -> None:
    """List the kinds of sources that can be configured."""
    starting.print_table(("kind", "what it reads"), ((name, kind.summary) for name, kind in registry.KINDS.items()))


@app.command("snippet")
def snippet(
    kind: Kind,
    *,
    name: Annotated[str, typer.Option("--name", help="What the source is called; its kind unless said.")] = "",
    url: Annotated[
        str, typer.Option("--url", help="The router's address, as the sender sees it.")
    ] = "https://incident-router.example.com",
) -> None:
    """Print what to paste on both sides: into the router's configuration, and into the monitoring system."""
    starting.must_be_known("kind", kind, registry.KINDS)
    name = name or kind
    if not samples.can_be_named(name):
        raise starting.usage(f'"{name}": a name begins with a letter; letters, digits and . _ - may follow')
    print(f"# Into {configuration.DEFAULT_FILE}:\n")
    print(samples.settings(kind, name))
    print("# Into the monitoring system:\n")
    print(samples.sender(kind, name, f"{url.rstrip('/')}{webhooks.PREFIX}{name}"), end="")


def _row(name: str, config: base.Config) -> dict[str, Any]:
    return {
        "name": name,
        "kind": config.kind,
        "path": f"{webhooks.PREFIX}{name}",
        "proofs": _proofs(config) or ["anyone"],
        "allow_from": [str(network) for network in config.allow_from],
        "warnings": [_ANYONE] if config.auth == "none" else [],
    }


def _proofs(config: base.Config) -> list[str]:
    """How a sender shows that it may post, in words; ``or`` stands between what may take each other's place."""
    header = [f"{word} ({len(secrets)})" for word, secrets in _authorizations(config) if secrets]
    found = [" or ".join(header)] if header else []
    endpoint = registry.build("shown", config)
    if endpoint.topics is not None:
        found.append("SNS's signature, of the topics that are named")
    if endpoint.token is not None and config.token is not None:
        found.append(f"token in the {endpoint.token.place} ({len(config.token.values)})")
    if config.signature is not None:
        found.append(f"{config.signature.scheme} signature ({len(config.signature.secrets)})")
    return found


def _authorizations(config: base.Config) -> list[tuple[str, tuple[Any, ...]]]:
    return [("bearer token", config.bearer), ("user and password", config.basic)]
