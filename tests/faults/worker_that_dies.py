"""A worker that kills itself at one point of one operation: ``worker_that_dies.py CONFIG DESTINATION KIND POINT``.

The variable WITHOUT disables a mechanism: ``intent`` (no record before a call), ``find`` (no search at DevHelm), or
``fence`` (writes succeed after the lease has passed on). The resulting errors show that the checks can fail.

With SLEEPS, the worker doesn't die. It stops until a file of that name exists, and reports each refused write.

``perform`` passes the points; ``before-acknowledge`` is the moment between the commit of a batch and its
acknowledgement.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from router import configuration
from router.bootstrap import processes
from router.destinations.devhelm import incidents
from router.store import connection_settings, inbox, keys, publications
from router.worker import lease_session, operation_executor


def die() -> None:
    if not (file := os.environ.get("SLEEPS")):
        os.kill(os.getpid(), signal.SIGKILL)
    elif not Path(file).exists():
        print("asleep", flush=True)
        while not Path(file).exists():  # Nothing else runs meanwhile, as in a process that the system suspended.
            time.sleep(0.05)


def arm(destination: str, kind: str, point: str) -> None:
    """Kill the process when the given operation reaches the given point."""
    original = operation_executor.OperationExecutor._carry_out
    act = operation_executor.OperationExecutor.execute
    current: dict[asyncio.Task, tuple[str, str]] = {}

    async def carrying(self, session, place, publication, operation, call, **more):
        current[asyncio.current_task()] = (place.name, operation.kind)
        return await original(self, session, place, publication, operation, call, **more)

    async def acting(self, session, place, publication, desired, wanted):
        current[asyncio.current_task()] = (place.name, wanted.kind)
        return await act(self, session, place, publication, desired, wanted)

    operation_executor.OperationExecutor._carry_out, operation_executor.OperationExecutor.execute = carrying, acting

    def dying(name: str) -> None:
        if name == point and current.get(asyncio.current_task()) == (destination, kind):
            die()

    hooks["passed"] = dying


def arm_acknowledgement() -> None:
    async def done(_self, _entries):
        die()

    inbox.InboxReader.acknowledge = done


def disable(part: str) -> None:
    """Disable one of the mechanisms that keep incidents from being opened twice."""
    if part == "intent":
        record = lease_session.LeaseSession.record

        async def recording(self, publication, *events):
            if publication.intent is None:
                await record(self, publication, *events)

        lease_session.LeaseSession.record = recording
    elif part == "find":

        async def nothing(_self, _operation):
            return None

        incidents.Incidents.find = nothing
    elif part == "fence":
        write = publications.Publications.record

        async def writing(self, lease, documents, events=()):
            newest = int(await self._redis.hget(keys.publications(lease.key), "fence"))
            return await write(self, lease._replace(fence=newest), documents, events)

        publications.Publications.record = writing


def print_refusals() -> None:
    """Print each write that is refused because the lease has passed on."""
    write = publications.Publications.record

    async def writing(self, lease, documents, events=()):
        written = await write(self, lease, documents, events)
        if not written:
            print("refused", flush=True)
        return written

    publications.Publications.record = writing


hooks = {"passed": lambda _: None}


def call_hook(name: str) -> None:
    """Call the hook for a point."""
    hooks["passed"](name)


async def main(file: str) -> None:
    settings = configuration.load(Path(file), os.environ)
    async with (
        asyncio.TaskGroup() as group,
        processes.connect(settings, connection_settings.Server(os.environ["REDIS_URL"])) as store,
        processes.working(settings, store, group, checkpoint=call_hook),
    ):
        print("started", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    print_refusals()
    disable(os.environ.get("WITHOUT", ""))
    _, config, wanted_destination, wanted_kind, wanted_point = sys.argv
    if wanted_point == "before-acknowledge":
        arm_acknowledgement()
    elif wanted_point:
        arm(wanted_destination, wanted_kind, wanted_point)
    asyncio.run(main(config))
