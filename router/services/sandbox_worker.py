"""The program that ``sandbox`` starts: reads one task, limits its own resources, and writes the result."""

import resource
import sys
from pathlib import Path

import msgspec

from router import configuration
from router.bootstrap import factories
from router.rules import explain, load
from router.services import presenters, sandbox

_MAX_PROBLEMS = 100


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    """Limit the resources of this process. The kernel kills the process, or refuses it memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    # An address space limit makes allocations fail in this process, instead of in the router beside it.
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    # The result goes to a pipe, so the process needs no file, and a core dump could hold texts of alerts.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def evaluate(task: sandbox.Task) -> sandbox.Outcome:
    """Load the rules, and explain the decision for each alert."""
    # The process has no secrets. Rules need the destinations of the configuration, but no key of them.
    settings = configuration.load(Path(task.file), {}, configuration.StandIn("not-used", {}))
    try:
        rule_set = factories.load_rules(settings, Path(task.folder))
    except load.RulesRefused as refused:
        messages = [f"line {problem.line}, column {problem.column}: {problem.message}" for problem in refused.problems]
        # One wrong line in a generated file can cause thousands of problems.
        more = [f"and {len(messages) - _MAX_PROBLEMS} more"] if len(messages) > _MAX_PROBLEMS else []
        return sandbox.Outcome(problems=messages[:_MAX_PROBLEMS] + more)
    configured = factories.known_destinations(settings)
    public = {name for name, destination_info in configured.items() if destination_info.public}
    return sandbox.Outcome(
        [presenters.explanation(explain.explain_alert(rule_set, alert, task.at, public)) for alert in task.alerts]
    )


def main() -> None:
    """Do one task."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=sandbox.Task)
    # The task holds the limits, so it is read before they apply.
    limit(task.cpu_seconds, task.memory_bytes)
    sys.stdout.buffer.write(msgspec.json.encode(evaluate(task)))


if __name__ == "__main__":
    main()
