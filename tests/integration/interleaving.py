"""Workers that stop before and after each call to the store, and continue in an order chosen by a scheduler.

Between two stops exactly one worker runs, so a seed repeats a run exactly. A worker may be killed at a stop: before a
call, which is then never made, or after a call, whose response is then lost.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from typing import Any

from tests.integration import workers


class Scheduler:
    """Runs one worker at a time, in random order."""

    def __init__(self, randomness: random.Random, *, kills: int = 0) -> None:
        self._randomness = randomness
        self._kills = kills
        self._stopped: dict[str, asyncio.Future[None]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self.killed: list[str] = []

    async def stop(self, worker: str) -> None:
        """Wait until the scheduler continues the worker."""
        self._stopped[worker] = asyncio.get_running_loop().create_future()
        self._changed.set()
        await self._stopped[worker]

    def begin(self, worker: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a worker, which stops immediately."""

        async def run() -> None:
            try:
                await self.stop(worker)
                await work()
            finally:
                self._stopped.pop(worker, None)
                self._changed.set()

        self._tasks[worker] = asyncio.create_task(run())

    async def run(self) -> None:
        """Continue workers in random order until all have ended or were killed. Raise the failure of a worker."""
        while True:
            await self._all_stopped()
            if not self._stopped:
                break
            worker = self._randomness.choice(sorted(self._stopped))
            if self._kills and self._randomness.random() < 0.1:
                self._kills -= 1
                await self._kill(worker)
            else:
                self._stopped.pop(worker).set_result(None)
        for task in self._tasks.values():
            if not task.cancelled():
                task.result()

    async def _all_stopped(self) -> None:
        while len(self._stopped) < sum(not task.done() for task in self._tasks.values()):
            self._changed.clear()
            await self._changed.wait()

    async def _kill(self, worker: str) -> None:
        self.killed.append(worker)
        self._tasks[worker].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks[worker]


class _Stopping:
    """Wraps the scripts of a store, and stops before and after each call."""

    def __init__(self, scripts: Any, scheduler: Scheduler, worker: str) -> None:
        self._scripts = scripts
        self._scheduler = scheduler
        self._worker = worker

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._scripts, name)

        async def stopping(*arguments: Any) -> Any:
            await self._scheduler.stop(self._worker)
            answer = await call(*arguments)
            await self._scheduler.stop(self._worker)
            return answer

        return stopping


def worker(store: Any, name: str, scheduler: Scheduler) -> workers.WorkerHarness:
    """Create a worker that stops at each call to the incident store."""
    harness = workers.WorkerHarness(store, consumer=name)
    stopping = _Stopping(harness.incidents._scripts, scheduler, name)
    harness.incidents._scripts = harness.incidents.owners._scripts = stopping  # type: ignore[assignment]
    return harness
