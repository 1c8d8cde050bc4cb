"""Generate the command reference, `docs/reference/cli.md`, from the commands; `make golden` writes it."""

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer import core
from typer import main as typer_main

from router import cli
from router.cli import contracts

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
_VALUES = {int: "NUMBER", float: "NUMBER", Path: "PATH"}
_COMMON = frozenset({"help", "server", "config", "as_json"})  # Described once for all commands.
BEGIN = "<!-- Made from the commands by `make golden`. -->\n"


def list_commands() -> Iterator[tuple[str, Any]]:
    """Return every command with its words, in the order of the help."""

    def below(command: Any, *words: str) -> Iterator[tuple[str, Any]]:
        for name, one in getattr(command, "commands", {}).items():
            if hasattr(one, "commands"):
                yield from below(one, *words, name)
            else:
                yield " ".join((*words, name)), one

    yield from below(typer_main.get_command(cli.app))


def reference() -> str:
    """Return the reference of all commands: description, arguments, JSON output, and exit statuses."""
    return "\n".join(line for words, command in sorted(list_commands()) for line in _section(words, command))


def page() -> str:
    """Return the whole page, with its handwritten parts unchanged."""
    by_hand = PAGE.read_text(encoding="utf-8").partition(BEGIN)[0]
    return f"{by_hand}{BEGIN}\n{reference()}"


def _section(words: str, command: Any) -> Iterator[str]:
    contract = contracts.CONTRACTS[words]
    arguments = [one for one in command.params if isinstance(one, core.TyperArgument)]
    options = [one for one in command.params if one not in arguments]
    named = [_argument(argument) for argument in arguments]
    yield f"### {words}\n"
    yield f"`incident-router {' '.join([words, '[OPTIONS]', *named])}`\n"
    yield f"{_plain(command.help or '')}\n"
    rows = [(f"`{name}`", getattr(one, "help", "") or "") for name, one in zip(named, arguments, strict=True)]
    rows += [(_option(option), _help(option)) for option in options if option.name not in _COMMON]
    if rows:
        yield "| argument or option | |\n| --- | --- |"
        yield "".join(f"| {name} | {_plain(said)} |\n" for name, said in rows)
    for number, said in sorted(contract.statuses.items()):
        yield f"Exit status {number}: {said}\n"
    if contract.json is not None:
        yield f"`--json` prints `{contract.json.__name__}` of the management API.\n"


def _argument(one: Any) -> str:
    name = one.metavar or (one.name or "").upper()
    return name if one.required else f"[{name.strip('[]')}]"


def _option(one: Any) -> str:
    spelled = ", ".join(f"`{name}`" for name in one.opts)
    if one.is_flag:
        return spelled
    kind = one.type_descriptor.annotation
    # Sorted, because `typing` may return a cached equal Literal with another order.
    choices = sorted(map(str, typing.get_args(kind))) if typing.get_origin(kind) is typing.Literal else []
    return f"{spelled} {' or '.join(f'`{choice}`' for choice in choices) or _VALUES.get(kind, 'TEXT')}"


def _help(one: Any) -> str:
    said = getattr(one, "help", "") or ""
    variable = getattr(one, "envvar", None)
    told = [f"default: `{one.default}`"] if one.default not in {None, "", False} else []
    told += [f"environment: `{variable}`"] if variable else []
    return f"{said} ({'; '.join(told)})" if told else said


def _plain(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|").strip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
