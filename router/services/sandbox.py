"""Evaluates unsaved rules in a separate process, within limits of time, memory, and output.

A rule file is a program: its patterns, templates, and expressions can use any amount of time and memory. Rules that a
person types into the console must not stop the router. Another process does the work, without a secret in its
environment, and is killed if it exceeds a limit.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from router.domain import alerts
from router.domain.times import Timestamp

_PROGRAM = (sys.executable, "-m", "router.services.sandbox_worker")
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ")
"""The environment variables that the process gets: enough to find the program, and no secret."""

_PIECE = 64 * 1024


@dataclass(frozen=True)
class EvaluationLimits:
    """The limits of one evaluation. The program needs about one second and 150 MiB."""

    cpu_seconds: int = 10
    seconds: float = 30.0
    memory_bytes: int = 768 * 1024 * 1024
    output_bytes: int = 4 * 1024 * 1024
    at_once: int = 2


LIMITS = EvaluationLimits()


class Task(msgspec.Struct, frozen=True):
    """A folder of rules, and the alerts to evaluate, which were received ``at`` (microseconds).

    ``file`` is the configuration, whose destinations the rules may name.
    """

    file: str
    folder: str
    alerts: list[alerts.Alert]
    at: Timestamp
    cpu_seconds: int
    memory_bytes: int


class Outcome(msgspec.Struct, frozen=True):
    """The result: an explanation for each alert, or the problems of the rules."""

    explained: list[dict[str, Any]] = []
    problems: list[str] = []


class Sandbox:
    """Runs a limited number of evaluations in parallel. Further evaluations wait."""

    def __init__(self, limits: EvaluationLimits = LIMITS, environment: Mapping[str, str] = os.environ) -> None:
        """Take the limits, and the environment from which the process gets a few variables."""
        self._limits = limits
        # Each evaluation may use a processor and 768 MiB, so parallel requests must not start any number of them.
        self._free = asyncio.Semaphore(limits.at_once)
        self._environment = {name: environment[name] for name in _PASSED_ON if name in environment}

    async def explain(self, file: str, rules: str, request: Sequence[alerts.Alert], at: Timestamp) -> Outcome:
        """Explain the decisions of a rule file for these alerts.

        An exceeded limit is reported as a problem of the rules.
        """
        limits = self._limits
        async with self._free:
            try:
                # The folder belongs to this process: a killed process leaves nothing behind.
                with tempfile.TemporaryDirectory() as folder:
                    await asyncio.to_thread(_write, Path(folder, "edited.yaml"), rules)
                    task = Task(file, folder, list(request), at, limits.cpu_seconds, limits.memory_bytes)
                    async with asyncio.timeout(limits.seconds):
                        return await self._run(msgspec.json.encode(task))
            except TimeoutError:
                return Outcome(problems=[f"evaluating the rules took more than {limits.seconds:g} seconds"])

    async def _run(self, task: bytes) -> Outcome:
        process = await asyncio.create_subprocess_exec(
            *_PROGRAM,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
        )
        try:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
            with contextlib.suppress(ConnectionError):  # The process may have ended before it has read everything.
                process.stdin.write(task)
                await process.stdin.drain()
                process.stdin.close()
            # The output is read in pieces, because reading it to the end could take all the router's memory.
            output = bytearray()
            while piece := await process.stdout.read(_PIECE):
                output += piece
                if len(output) > self._limits.output_bytes:
                    return Outcome(problems=["the explanation is too long"])
            status = await process.wait()
        finally:
            # This also runs after a timeout or a cancellation, so no evaluation outlives its request.
            if process.returncode is None:
                process.kill()
                await process.wait()
        if status == 0:
            return msgspec.json.decode(bytes(output), type=Outcome)
        return Outcome(problems=[self._describe_exit(status)])

    def _describe_exit(self, status: int) -> str:
        # The kernel ended the process by a signal, which it does when the processor time is used up.
        if status < 0:
            return f"evaluating the rules took more than {self._limits.cpu_seconds} seconds of processor time"
        return f"evaluating the rules needed more than {self._limits.memory_bytes // 2**20} MiB of memory, or failed"


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", errors="replace")
