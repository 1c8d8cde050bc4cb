"""Damaged data: keys of a wrong type, and documents and members that can't be decoded.

Each is logged with the problem and the remedy, and counted. A key of a wrong type that the router can rebuild is moved
aside, so that work continues. Other keys stay as they are, and only operations that need them fail.
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
# These can't be rebuilt: a new incident document would open the incident twice, and a freeze would be lost.
_NOT_REBUILT = re.compile(
    r"ir:\{(?:s\d+\}:(?:incident|publications):.*|pages\}:gate|access\}:tokens|inbox\}:stream|schema\}:version)",
    re.DOTALL,
)
_REPORT_INTERVAL_SECONDS = 60.0
_MAX_REPORTED_KEYS = 1000
_reported_at: dict[str, float] = {}

_REPAIR = "repair it, or delete it after you have checked the open items at the vendors"


def parse_wrong_type(error: Exception) -> tuple[str, str] | None:
    """Return the key of a wrong type that made a script fail, and the problem."""
    # The prologue in `scripts` raises this error. Redis' own WRONGTYPE error doesn't name the key.
    _, begins, rest = str(error).partition("WRONGTYPE ir:")
    # Search from the end, because an incident key may contain any text.
    key, actual_type, problem = rest.rpartition(" is a ")
    return (f"ir:{key}", f"it is a {problem}") if begins and actual_type else None


def aside_key(key: str) -> str:
    """Return the name for a key moved aside, in the same hash slot; empty if the key must stay."""
    if _NOT_REBUILT.fullmatch(key):
        return ""
    # RENAME in a Redis Cluster needs both names in one slot, so the hash tag stays.
    head, _, rest = key.partition("}:")
    return f"{head}}}:damaged:{rest}"


def get_kind(key: str) -> str:
    """Return the kind of a key, such as `timers` or `incident`."""
    return key.partition("}:")[2].partition(":")[0]


def report(key: str, problem: str, todo: str = _REPAIR) -> None:
    """Log and count damaged data, for each key at most once a minute."""
    now = time.monotonic()
    if now - _reported_at.get(key, -_REPORT_INTERVAL_SECONDS) < _REPORT_INTERVAL_SECONDS:
        return
    # Forgetting all keys bounds the memory, and at worst repeats a log line.
    if len(_reported_at) >= _MAX_REPORTED_KEYS:
        _reported_at.clear()
    _reported_at[key] = now
    metrics.damaged.labels(get_kind(key)).inc()
    _log.error("data_damaged", key=key, problem=problem, todo=todo)


def report_and_describe(key: str, problem: str) -> str:
    """Report damaged data and return the problem in one line."""
    report(key, problem)
    return f"{key}: {problem}"


async def move_aside(connection: "redis.asyncio.Redis", key: str, problem: str) -> None:
    """Move a key of a wrong type aside. Raises ``DamagedKey`` if it must stay."""
    aside = aside_key(key)
    if not aside:
        report(key, problem)
        raise errors.DamagedKey(key, problem)
    try:
        await connection.rename(key, aside)
    except exceptions.ResponseError as failure:
        if "no such key" not in str(failure):  # Another process has moved the key already.
            raise
    report(key, problem, f"nothing; the router continues without it, and has renamed it {aside} for inspection")


async def repair(connection: "redis.asyncio.Redis", kinds: Mapping[str, str]) -> None:
    """Move aside those keys that don't have the expected type, and report those that must stay."""
    pipeline = connection.pipeline(transaction=False)
    for key in kinds:
        pipeline.type(key)
    for (key, kind), answer in zip(kinds.items(), await pipeline.execute(), strict=True):
        actual_type = answer.decode() if isinstance(answer, bytes) else str(answer)
        if actual_type not in {"none", kind}:
            with contextlib.suppress(errors.DamagedKey):
                await move_aside(connection, key, f"it is a {actual_type}, not a {kind}")
