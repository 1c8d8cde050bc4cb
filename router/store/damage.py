"""Damaged data: keys of a wrong type, and documents and members that can't be read.

Each is named in the log, with what is wrong and what to do, and counted. A key of a wrong type that the router can do
without is moved aside, so that work goes on: what it held is rebuilt from the incidents' documents, or begins anew. The
others stay as they are, and only what needs them fails.
"""

import contextlib
import re
import time
from collections.abc import Mapping

import redis.asyncio
from redis import exceptions

from router.store import errors
from router.telemetry import log, metrics

_log = log.get("store")
# Nothing can take the place of these: an incident that began anew would be opened twice, a freeze would be gone.
_KEPT = re.compile(
    r"ir:\{(?:s\d+\}:(?:incident|publications):.*|pages\}:gate|access\}:tokens|inbox\}:stream|schema\}:version)",
    re.DOTALL,
)
_TOLD_EVERY_SECONDS = 60.0
_MOST_TOLD = 1000
_told: dict[str, float] = {}

_REPAIR = "repair it, or delete it after you have looked at what is open at the vendors"


def wrong_type(error: Exception) -> tuple[str, str] | None:
    """Return the key of a wrong type that a script has refused to work with, and what is wrong with it."""
    _, begins, rest = str(error).partition("WRONGTYPE ir:")
    key, said, problem = rest.rpartition(" is a ")
    return (f"ir:{key}", f"it is a {problem}") if begins and said else None


def aside_key(key: str) -> str:
    """Return the name that a key of a wrong type gets, in the same hash slot; empty if it has to stay."""
    if _KEPT.fullmatch(key):
        return ""
    head, _, rest = key.partition("}:")
    return f"{head}}}:damaged:{rest}"


def kind_of(key: str) -> str:
    """Return the kind of a key, such as `timers` or `incident`."""
    return key.partition("}:")[2].partition(":")[0]


def report(key: str, problem: str, todo: str = _REPAIR) -> None:
    """Name damaged data in the log and count it; of the same key at most once a minute."""
    now = time.monotonic()
    if now - _told.get(key, -_TOLD_EVERY_SECONDS) < _TOLD_EVERY_SECONDS:
        return
    if len(_told) >= _MOST_TOLD:
        _told.clear()
    _told[key] = now
    metrics.damaged.labels(kind_of(key)).inc()
    _log.error("data_damaged", key=key, problem=problem, todo=todo)


def report_and_describe(key: str, problem: str) -> str:
    """Tell of damaged data, and return it in one line."""
    report(key, problem)
    return f"{key}: {problem}"


async def move_aside(connection: "redis.asyncio.Redis", key: str, problem: str) -> None:
    """Move a key of a wrong type aside, so that work goes on without it; ``Damaged`` if it has to stay."""
    aside = aside_key(key)
    if not aside:
        report(key, problem)
        raise errors.DamagedKey(key, problem)
    try:
        await connection.rename(key, aside)
    except exceptions.ResponseError as failure:
        if "no such key" not in str(failure):  # Another process was first.
            raise
    report(key, problem, f"nothing: it is {aside} now, for you to look at, and the router goes on without it")


async def repair(connection: "redis.asyncio.Redis", kinds: Mapping[str, str]) -> None:
    """Move those of the keys aside that haven't the type named for them; tell of those that have to stay."""
    pipeline = connection.pipeline(transaction=False)
    for key in kinds:
        pipeline.type(key)
    for (key, kind), answer in zip(kinds.items(), await pipeline.execute(), strict=True):
        held = answer.decode() if isinstance(answer, bytes) else str(answer)
        if held not in {"none", kind}:
            with contextlib.suppress(errors.DamagedKey):
                await move_aside(connection, key, f"it is a {held} and not a {kind}")
