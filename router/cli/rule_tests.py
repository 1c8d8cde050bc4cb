"""``test``: runs the tests of rule files, with output like that of pytest."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree as ET

import typer
from rich import console, text

from router import configuration
from router.cli import startup, terminal
from router.dry_run import notification_checks, rule_test_runner
from router.services import rule_test_runs
from router.yaml_source import problems, quantities


def run(
    rules: Annotated[Path | None, typer.Argument(help="The rule folder, if not the configured one.")] = None,
    *,
    only: Annotated[str, typer.Option("-k", help="Run only tests whose names contain this text.")] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print each test, with every operation.")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Also write the results as JUnit XML.")] = None,
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Run the tests of the rule files."""
    settings = startup.settings(config, configuration.StandIn("not-used", {}))
    began = time.perf_counter()
    suite = startup.unless_refused(lambda: rule_test_runs.suite(settings, rules))
    rule_tests = [case for case in suite.tests if only in case.shape.name]
    # A run without tests must not look like success, for example after a mistyped -k.
    if not rule_tests:
        raise startup.usage(f'no test\'s name contains "{only}"' if only else f"there are no tests in {suite.folder}")
    out = terminal.console(soft_wrap=True)
    # Each result is printed as soon as its test has run, so a slow suite shows its progress.
    results = list(_print_results(out, (suite.run(case) for case in rule_tests), verbose=verbose))
    failed = [result for result in results if not result.passed]
    for result in failed:
        _show_failure(out, result)
    seconds = time.perf_counter() - began
    if junit is not None:
        _write_junit(junit, results, seconds)
    passed = len(results) - len(failed)
    counts = [f"{len(failed)} failed"] * bool(failed) + [f"{passed} passed"] * bool(passed)
    deselected = len(suite.tests) - len(rule_tests)
    counts += [f"{deselected} deselected"] * bool(deselected)
    line = f"{', '.join(counts)} in {seconds:.2f}s"
    out.print(text.Text(f" {line} ".center(min(out.width, 80), "="), style="bold red" if failed else "bold green"))
    if failed:
        raise typer.Exit(1)


def _print_results(
    out: console.Console, results: Iterator[rule_test_runner.Result], *, verbose: bool
) -> Iterator[rule_test_runner.Result]:
    """Print the result of each test as soon as it has run: one line per file, or per test."""
    file = ""
    for result in results:
        if verbose:
            _show_result(out, result)
        else:
            if result.case.document.file != file:
                out.print(("\n" if file else "") + terminal.markup(result.case.document.file), end=" ")
                file = result.case.document.file
            out.print("[green].[/]" if result.passed else "[red]F[/]", end="")
        yield result
    if not verbose:
        out.print()


def _show_result(out: console.Console, result: rule_test_runner.Result) -> None:
    word = "[green]PASSED[/]" if result.passed else "[red]FAILED[/]"
    out.print(f"{terminal.markup(result.case.place)} {terminal.markup(result.case.shape.name)} {word}")
    for call in result.calls:
        after = quantities.format_duration(call.at - result.started_at)
        out.print(f"    {after:>8}  {call.kind} at {terminal.markup(call.destination)}", style="dim")


def _show_failure(out: console.Console, result: rule_test_runner.Result) -> None:
    out.print()
    out.print(text.Text(f" {result.case.shape.name} ".center(min(out.width, 80), "_"), style="red"))
    for problem in result.problems:
        out.print(text.Text(str(problem)))
    if result.calls:
        out.print("operations:", style="dim")
        for line in rule_test_runner.format_calls(result.calls, result.started_at):
            out.print(text.Text(f"    - {line}", style="dim"))
    if result.notifications:
        out.print("notifications:", style="dim")
        for line in notification_checks.format_lines(result.notifications, result.started_at):
            out.print(text.Text(f"    - {line}", style="dim"))


def _write_junit(file: Path, results: list[rule_test_runner.Result], seconds: float) -> None:
    """Return the results as JUnit XML for CI: one suite, one case per test, one failure per problem."""
    failed = sum(not result.passed for result in results)
    suite = ET.Element(
        "testsuite",
        name="incident-router rules",
        tests=str(len(results)),
        failures=str(failed),
        errors="0",
        time=f"{seconds:.3f}",
    )
    for result in results:
        shape, document = result.case.shape, result.case.document
        line = str(document.position(result.case.at)[0])
        case = ET.SubElement(suite, "testcase", classname=document.name, name=shape.name, file=document.file, line=line)
        for problem in result.problems:
            ET.SubElement(case, "failure", message=_first_line(problem)).text = str(problem)
    root = ET.Element("testsuites")
    root.append(suite)
    try:
        ET.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise startup.usage(f"{file} can't be written: {error.strerror}") from error


def _first_line(problem: problems.LocatedProblem) -> str:
    return f"{problem.place}: {problem.message}"
