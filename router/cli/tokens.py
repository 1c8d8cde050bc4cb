"""``tokens``: creates, lists, and revokes tokens for the console and the management API."""

import secrets
from typing import Annotated

import pydantic
import typer

from router import configuration
from router.api import app, request_parsing
from router.bootstrap import factories
from router.cli import startup, tables
from router.domain import access
from router.services import actions, request_bodies, resources
from router.store.store import Store

tokens = typer.Typer(help="Tokens for the console and the API.", no_args_is_help=True)


@tokens.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The token's owner, as shown in timelines and the audit log.")],
    *,
    role: Annotated[str, typer.Option("--role", help="viewer, responder, or admin.")] = "viewer",
    for_: Annotated[
        str, typer.Option("--for", help="The token's lifetime, such as 12h or 90d; 0s never expires.")
    ] = "90d",
    by: startup.By = "",
    reason: startup.Reason = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Create a token and print it once. Only a hash of it is stored."""
    if role not in access.ROLES:
        raise startup.usage(f'"{role}" is not a role: {", ".join(access.ROLES)}')
    seconds = startup.duration("--for", for_) // 1_000_000
    try:
        new_token = request_bodies.NewToken.model_validate({"name": name, "role": role, "seconds": seconds})
    except pydantic.ValidationError as error:
        raise startup.usage(
            request_parsing.describe_errors("the token", error, {"seconds": "--for", "name": "NAME"})
        ) from error

    async def body(settings: configuration.Settings, store: Store) -> None:
        dependencies = app.dependencies(settings, store, factories.clock, secrets.token_urlsafe)
        token = await dependencies.actions.make_token(actions.ActionContext(_actor(by), name, reason), new_token)
        print(token.token)

    startup.with_store(config, body)


@tokens.command("list")
def show_all(*, as_json: startup.AsJson = False, config: startup.Config = configuration.DEFAULT_FILE) -> None:
    """List the tokens, without their secrets."""

    async def body(settings: configuration.Settings, store: Store) -> None:
        token_rows = await app.dependencies(
            settings, store, factories.clock, secrets.token_urlsafe
        ).queries.records.tokens()
        if as_json:
            startup.print_items(token_rows)
            return
        rows = ((token_row.id, token_row.name, token_row.role, _until(token_row)) for token_row in token_rows)
        tables.write(("id", "name", "role", "until"), rows, "there are no tokens")

    startup.with_store(config, body)


def _until(token_row: resources.TokenRow) -> str:
    return token_row.expires_at.strftime("%Y-%m-%d %H:%M UTC") if token_row.expires_at else "for ever"


@tokens.command("revoke")
def revoke(
    identity: Annotated[str, typer.Argument(help="The token's ID, as `tokens list` shows it.")],
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Revoke a token."""

    async def body(settings: configuration.Settings, store: Store) -> None:
        dependencies = app.dependencies(settings, store, factories.clock, secrets.token_urlsafe)
        try:
            await dependencies.actions.revoke_token(actions.ActionContext(_actor(by), identity, reason))
        except actions.SubjectNotFound as error:
            raise startup.not_found(str(error)) from None
        print(f"revoked {identity}")

    startup.with_store(config, body)


def _actor(by: str) -> actions.Caller:
    return actions.Caller(access.Person(by or startup.login_name(), access.Role.ADMIN, "command line"))
