"""Few frames lie between the worker's loop and a call to a vendor, so that tracebacks stay readable."""

import asyncio
import sys
from collections.abc import Iterator

from router.domain import decisions
from tests.integration import vendor, workers

MOST_FRAMES = 10


class FrameRecordingVendor(vendor.Vendor):
    """A vendor that records the worker's coroutines that wait for its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[str] = []

    async def open(self, call):
        self.frames = list(list_worker_frames())
        return await super().open(call)


def list_worker_frames() -> Iterator[str]:
    """Return the worker's functions that wait for this call, in its task and in the tasks that wait for its task."""
    frame = sys._getframe(1)
    while frame is not None:
        if "/router/worker/" in frame.f_code.co_filename:
            yield frame.f_code.co_name
        frame = frame.f_back
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        awaited = task.get_coro()
        while awaited is not None:
            code = getattr(awaited, "cr_code", None)
            if code is not None and "/router/worker/" in code.co_filename:
                yield code.co_name
            awaited = getattr(awaited, "cr_await", None)


def test_vendor_call_is_ten_frames_below_the_loop(with_redis):
    measured = FrameRecordingVendor()

    async def play(on):
        target = decisions.Target("on-call", {"name": "Down"})
        await on.deliver(workers.firing(), response=workers.rule(target))
        await on.turn()

    workers.run(with_redis, play, vendor.on_call(measured))
    assert {"reconcile", "execute", "call_vendor"} <= set(measured.frames)
    # The 2 further frames are the loop's task, which this test doesn't run, and the vendor's call.
    assert len(measured.frames) + 2 <= MOST_FRAMES, measured.frames
