"""``replay``: plays recorded deliveries with two rule folders, and reports the differences, also for pull requests."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich import progress, text

from router import configuration
from router.bootstrap import factories, processes
from router.cli import startup, terminal
from router.domain.recordings import encode, from_delivery
from router.domain.times import Duration, Timestamp
from router.dry_run.replay import Life, Played, ReplayDifference, ReplayedOperation, compare, describe_call, differences
from router.services import replay_processes
from router.yaml_source import quantities

Format = Literal["text", "json", "markdown"]
_SHOWN = 50
_DIFFERS = 3


def replay(
    before: Annotated[Path, typer.Argument(help="The current rule folder.")],
    after: Annotated[Path, typer.Argument(help="The changed rule folder.")],
    *,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A file of deliveries from `deliveries export`.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="The maximum age of deliveries from Redis, such as 2d.")
    ] = "24h",
    tail: Annotated[str, typer.Option("--tail", help="How long to simulate after the last delivery.")] = "1h",
    format_: Annotated[Format, typer.Option("--format", help="The output format.")] = "text",
    every: Annotated[
        bool, typer.Option("--all", help=f"Show all incidents, not only the first {_SHOWN} of a kind.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help=f"Exit with status {_DIFFERS} if anything differs.")
    ] = False,
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Replay deliveries with two sets of rules, and show which incidents and posts differ."""
    settings = startup.settings(config, configuration.StandIn("not-used", {}))
    for folder in (before, after):
        # The processes of the replay don't report why rules are refused, so both folders are checked first.
        startup.rules(settings, folder)
    with tempfile.TemporaryDirectory() as scratch:
        # Both replays read one file, so new deliveries in Redis can't make a difference between them.
        recordings = file or _fetch(settings, Path(scratch) / "recordings.jsonl", startup.duration("--since", since))
        works = [
            replay_processes.Work(settings, folder, recordings, startup.duration("--tail", tail))
            for folder in (before, after)
        ]
        with progress.Progress(console=terminal.console(stderr=True), transient=True) as bar:
            task = bar.add_task("replaying", total=1.0)
            try:
                played = replay_processes.play_both(
                    (works[0], works[1]), lambda share: bar.update(task, completed=share)
                )
            except replay_processes.Broken as error:
                raise startup.usage(str(error)) from error
    difference = compare(*played)
    max_rows = None if every else _SHOWN
    match format_:
        case "json":
            terminal.write_json(_json(difference).encode())
        case "markdown":
            print("\n".join(_markdown(difference, max_rows)))
        case _:
            _print(difference, max_rows)
    # A difference is usually intended, so it is a failure only for a pipeline that asks for it.
    if exit_code and difference.any:
        raise typer.Exit(_DIFFERS)


def _fetch(settings: configuration.Settings, file: Path, within: Duration) -> Path:
    """Write the deliveries that Redis has to a file that both processes can read."""

    async def main() -> None:
        async with processes.connect(settings) as store:
            with file.open("wb") as output:
                async for archived in store.archive.since(Timestamp(factories.clock() - within)):
                    output.write(encode(from_delivery(archived.delivery)) + b"\n")

    startup.run_until_stopped(main())
    return file


def _summary(difference: ReplayDifference) -> list[tuple[str, int, int]]:
    """Return the counts of both replays, by name."""
    before, after = _count(difference.before), _count(difference.after)
    return [(name, before[name], after[name]) for name in before]


def _count(played: Played) -> dict[str, int]:
    return {
        "alerts ignored": played.ignored,
        "incidents": len(played.lives),
        "vendor calls": sum(len(life.calls) for life in played.lives),
        "public posts": _posts(played, ("auto", "review")),
        "of which after review": _posts(played, ("review",)),
    }


def _posts(played: Played, publish: tuple[str, ...]) -> int:
    return sum(
        call.publish in publish and call.kind in {"open", "publish"} for life in played.lives for call in life.calls
    )


def _print(difference: ReplayDifference, max_rows: int | None) -> None:
    out = terminal.console(soft_wrap=True)
    for sign, line in _lines(difference, max_rows):
        out.print(text.Text(terminal.plain(line), style={"-": "red", "+": "green", "~": "yellow"}.get(sign, "")))
    played = difference.before
    out.print(f"\n{played.deliveries:,} deliveries with {played.alerts:,} alerts")
    for name, before, after in _summary(difference):
        change = f"  ({after - before:+,})" if after != before else ""
        out.print(f"  {name:<22} {before:>9,} → {after:>9,}{change}")
    out.print(f"  {_counts(difference)}", style="bold")


def _counts(difference: ReplayDifference) -> str:
    return (
        f"{len(difference.appear):,} incidents appear, {len(difference.vanish):,} vanish, "
        f"{len(difference.change):,} change, {difference.same:,} stay the same"
    )


def _lines(difference: ReplayDifference, max_rows: int | None) -> list[tuple[str, str]]:
    """Return the incidents that differ, each line with its sign."""
    lines: list[tuple[str, str]] = []
    for sign, lives in (("-", difference.vanish), ("+", difference.appear)):
        for life in lives[:max_rows]:
            lines.append((sign, f"{sign} {_life(life)}"))
            lines += [
                (sign, f"{sign}     {_format_operation(call)}")
                for call in life.calls
                if call.kind in {"open", "publish"}
            ]
        lines += _more(len(lives), max_rows)
    for change in difference.change[:max_rows]:
        lines.append(("~", f"~ {_life(change.after)}"))
        for name, before, after in differences(change):
            lines += [("-", f"-     {name}: {before}")] * bool(before) + [("+", f"+     {name}: {after}")] * bool(after)
    return lines + _more(len(difference.change), max_rows)


def _more(count: int, max_rows: int | None) -> list[tuple[str, str]]:
    return (
        [("", f"  … and {count - max_rows:,} more (--all shows them)")]
        if max_rows is not None and count > max_rows
        else []
    )


def _life(life: Life) -> str:
    began = datetime.fromtimestamp(life.began_at / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{began}  {life.severity:<8} {life.key}  by rule {life.rule}"


def _format_operation(call: ReplayedOperation) -> str:
    how = {"auto": ", posted", "review": ", after review", "shadow": ", in the shadow"}.get(call.publish, "")
    return (
        f"{call.kind} at {call.destination} after {quantities.format_duration(call.after)}{how}: {describe_call(call)}"
    )


def _markdown(difference: ReplayDifference, max_rows: int | None) -> list[str]:
    """Return a comment for a pull request: the counts, and the details to expand."""
    lines = [
        "### What these rules would change",
        "",
        f"**{_counts(difference)}**",
        "",
        "| | before | after |",
        "| --- | ---: | ---: |",
    ]
    lines += [f"| {name} | {before:,} | {after:,} |" for name, before, after in _summary(difference)]
    rendered_lines = _lines(difference, max_rows)
    if rendered_lines:
        # The fence is longer than any in a text of a sender, so that no text can end the block and add its own
        # Markdown.
        fence = "`" * max(3, *(_longest_fence(line) + 1 for _, line in rendered_lines))
        # GitHub colors lines that begin with `!` as changes in a block of kind `diff`.
        diff = [
            line if sign in "+-" and sign else f"! {line}" if sign == "~" else line for sign, line in rendered_lines
        ]
        lines += [
            "",
            "<details><summary>Incidents and posts</summary>",
            "",
            f"{fence}diff",
            *diff,
            fence,
            "",
            "</details>",
        ]
    return lines


def _longest_fence(line: str) -> int:
    return max(map(len, "".join(letter if letter == "`" else " " for letter in line).split()), default=0)


def _json(difference: ReplayDifference) -> str:
    report: dict[str, Any] = {
        "deliveries": difference.before.deliveries,
        "alerts": difference.before.alerts,
        "versions": {"before": difference.before.version, "after": difference.after.version},
        "counts": {name: {"before": before, "after": after} for name, before, after in _summary(difference)},
        "same": difference.same,
        **{name: msgspec.to_builtins(getattr(difference, name)) for name in ("appear", "vanish", "change")},
    }
    return json.dumps(report, indent=2, ensure_ascii=False)
