"""``check``: reports every error in the configuration and the rules, and lint warnings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich import text

from router import configuration
from router.bootstrap import factories, processes, traces
from router.cli import startup, terminal
from router.rules import lint_warnings, load
from router.rules.check import CheckReport, check_folder, warnings_of
from router.services import online_checks, replay_processes
from router.telemetry import log
from router.yaml_source import problems

Format = Literal["text", "json", "github"]
Process = Literal["run", "web", "worker"]
# The parts whose secrets each process needs: a webhook server calls no vendor, and a worker receives no deliveries.
_NEEDS: Mapping[str, frozenset[str]] = {
    "run": configuration.SECRET_PARTS,
    "web": frozenset({"sources", "slack_app"}),
    "worker": frozenset({"destinations", "notifiers"}),
}
_NEWEST = 10_000  # Deliveries that are searched for labels.


def check(
    rules: Annotated[Path | None, typer.Argument(help="The rule folder, if not the configured one.")] = None,
    *,
    config: startup.Config = configuration.DEFAULT_FILE,
    simulate: Annotated[bool, typer.Option("--simulate", help="Don't require API keys of vendors.")] = False,
    process: Annotated[Process, typer.Option("--for", help="Require only the secrets of this process.")] = "run",
    online: Annotated[
        bool, typer.Option("--online", help="Check with the vendors that referenced objects exist.")
    ] = False,
    recorded: Annotated[bool, typer.Option("--recorded", help="Check labels against the deliveries in Redis.")] = False,
    recordings: Annotated[
        Path | None, typer.Option("--recordings", help="Check labels against the deliveries in a file.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="The output format.")] = "text",
) -> None:
    """Check the configuration and the rules. Print every problem as file:line:column."""
    if online and (simulate or process == "web"):
        raise startup.usage(f"--online needs the vendors' keys; leave {'--simulate' if simulate else '--for web'} out")
    # With stand-ins, continuous integration can check rules without any secret.
    stand_in = configuration.StandIn("not-used", {}) if simulate else None
    settings = startup.settings(config, stand_in, _NEEDS[process])
    folder = rules or settings.rules
    world = online_checks.make_lint_context(settings, _labels(settings, recordings, recorded=recorded))
    report = check_folder(folder, factories.known_destinations(settings), world)
    all_problems = [*configuration.doubtful(settings, calls_vendors=process != "web"), *report.problems]
    if report.rules is not None:
        all_problems += configuration.unused_owners(settings, {rule.common.owner for rule in report.rules.rules})
    if message := traces.problem(settings.tracing):
        all_problems.append(problems.LocatedProblem(settings.file, 0, 0, message))
    # Rules that don't load name nothing that could be looked up.
    if online and report.rules is not None:
        all_problems += _ask_vendors(settings, folder, report)
    _print_report(all_problems, report, format_)
    if any(problem.level == "error" or strict for problem in all_problems):
        raise typer.Exit(1)


def _labels(settings: configuration.Settings, recordings: Path | None, *, recorded: bool) -> set[str]:
    """Return the labels of recorded alerts; none unless an option asks for them."""
    if recordings is not None:
        try:
            return {
                name
                for recording in replay_processes.read(recordings, lambda _: None)
                for alert in recording.alerts
                for name in alert.labels
            }
        # A wrong file of recordings is the caller's mistake, not a problem of the rules.
        except replay_processes.Broken as error:
            raise startup.usage(str(error)) from error
    labels: set[str] = set()
    if recorded:

        async def main() -> None:
            async with processes.connect(settings) as store:
                labels.update(await online_checks.read_labels(store.archive, _NEWEST))

        startup.run_until_stopped(main())
    return labels


def _ask_vendors(settings: configuration.Settings, folder: Path, report: CheckReport) -> list[problems.LocatedProblem]:
    """Return the names that the vendors don't know, as errors at the rules that use them, or at the configuration."""
    sentences: list[problems.LocatedProblem] = []

    async def main() -> None:
        assert report.rules is not None  # noqa: S101 - asked only where there are rules
        for answer in await online_checks.ask_vendors(settings, report.rules):
            if answer.rule is None:
                sentences.append(problems.LocatedProblem(settings.file, 0, 0, answer.text, level=answer.level))
            else:
                sentences.extend(_locate(lint_warnings.LintWarning(answer.rule, answer.text, ("open",)), folder))

    # The vendors' errors are among the problems; the log would repeat them as JSON.
    log.configure("console", "critical")
    startup.run_until_stopped(main())
    return sentences


def _locate(doubt: lint_warnings.LintWarning, folder: Path) -> list[problems.LocatedProblem]:
    # The positions of lint warnings come from the documents, which are read again because the report doesn't keep them.
    placed = warnings_of([doubt], load.files(folder, []))
    return [
        problems.LocatedProblem(problem.file, problem.line, problem.column, problem.message, problem.text)
        for problem in placed
    ]


def _print_report(file_problems: list[problems.LocatedProblem], report: CheckReport, format_: Format) -> None:
    errors = sum(problem.level == "error" for problem in file_problems)
    warnings = len(file_problems) - errors
    if format_ == "json":
        print(
            json.dumps(
                {
                    "problems": [_plain(candidate) for candidate in file_problems],
                    "errors": errors,
                    "warnings": warnings,
                },
                indent=2,
            )
        )
        return
    # GitHub shows each problem at its line in the pull request, so a summary adds nothing.
    if format_ == "github":
        for problem in file_problems:
            print(_github(problem))
        return
    # Problems go to standard error, so that standard output has only the summary.
    out = terminal.console(stderr=True, soft_wrap=True)
    for problem in file_problems:
        head, newline, rest = str(problem).partition("\n")
        style = "bold red" if problem.level == "error" else "bold yellow"
        out.print(text.Text(head, style=style) + text.Text(f"{newline}{rest}\n"))
    rules = report.rules
    seen = [(report.files, "file"), *([(len(rules.rules), "rule")] if rules else []), (report.tests, "test")]
    counts = ", ".join(f"{number} {name}{'s' * (number != 1)}" for number, name in seen)
    if not file_problems:
        print(f"no problems found: {counts}{f', version {rules.version}' if rules else ''}")
        return
    sentences = [f"{errors} error{'s' * (errors != 1)}"] * bool(errors)
    sentences += [f"{warnings} warning{'s' * (warnings != 1)}"] * bool(warnings)
    print(f"{' and '.join(sentences)} in {counts}")


def _plain(problem: problems.LocatedProblem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "level": problem.level,
        "message": problem.message,
    }


def _github(problem: problems.LocatedProblem) -> str:
    """Return a workflow command, with which GitHub shows the problem at its line. Only GitHub's escapes apply."""
    place = f"file={_escape(problem.file)}" + (f",line={problem.line},col={problem.column}" if problem.line else "")
    message = problem.message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{problem.level} {place}::{message}"


def _escape(value: str) -> str:
    # A property of a workflow command ends at a comma or a colon, so both are escaped as well.
    escapes = {"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"}
    return "".join(escapes.get(letter, letter) for letter in value)
