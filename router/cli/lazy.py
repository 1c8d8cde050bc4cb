"""Imports a command's module only when the command runs, so that ``--help`` and completion start quickly.

The modules of the commands import the settings, the store, and vendors' clients, which takes more than one second of
processor time together.
"""

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import typer
from typer import core
from typer import main as typer_main


class CommandEntry(NamedTuple):
    """A command or a group of commands: its module in this package, the function or ``Typer`` in it, and its help."""

    module: str
    attribute: str
    summary: str


class LazyCommands(Mapping[str, Any]):
    """The commands by name, each imported when it is first looked up."""

    def __init__(self, entries: Mapping[str, CommandEntry]) -> None:
        self._entries = entries
        self._cache: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._cache:
            self._cache[name] = _load(name, self._entries[name])
        return self._cache[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _load(name: str, entry: CommandEntry) -> Any:
    # The contracts import all models of the API, which `--help` of the program doesn't need.
    from router.cli import contracts

    target = getattr(importlib.import_module(f"router.cli.{entry.module}"), entry.attribute)
    app = typer.Typer()
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=name)
    else:
        app.command(name)(target)
    app.callback()(lambda: None)  # With a callback, Typer creates a group even for one command.
    contracts.apply(app)
    return typer_main.get_group(app).commands[name]


def _describe_error(error: typer.BadParameter) -> str:
    """Return the problem of an option's value. Typer uses pydantic, whose messages refer to Python."""
    import pydantic

    from router.yaml_source import phrases

    if not isinstance(error.__cause__, pydantic.ValidationError):
        return error.message
    return phrases.phrase(error.__cause__.errors(include_url=False)[0])


def group(entries: Mapping[str, CommandEntry]) -> type[core.TyperGroup]:
    """Return the class of a group with these commands."""

    class Group(core.TyperGroup):
        _is_listing = False

        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            # Typer's constructor sets an empty dictionary, so the lazy commands replace it afterwards.
            self.commands: Any = LazyCommands(entries)

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is Typer's
            # The order of the entries is that of the help.
            return list(entries)

        def invoke(self, ctx: Any) -> Any:
            try:
                return super().invoke(ctx)
            except typer.BadParameter as error:
                # Typer prints the error after it adds the name of the option.
                error.message = _describe_error(error)
                raise

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if self._is_listing:
                # A listing needs only the name and the summary, for which the command isn't imported.
                return core.TyperCommand(cmd_name, help=entries[cmd_name].summary)
            return super().get_command(ctx, cmd_name)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            self._is_listing = True
            try:
                super().format_help(ctx, formatter)
            finally:
                self._is_listing = False

        def shell_complete(self, ctx: Any, incomplete: str) -> Any:
            self._is_listing = True
            try:
                return super().shell_complete(ctx, incomplete)
            finally:
                self._is_listing = False

    return Group
