"""Figures of a trial: memory and file descriptors of processes, slopes, and percentiles."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.soak import cluster

_MIB = 1024 * 1024
_HOUR_SECONDS = 3600.0
_WARM = 0.25  # The share of a trial that slopes ignore, because programs and caches grow until they are warm.


class Usage(NamedTuple):
    """The usage of one life of a process: resident bytes and open file descriptors."""

    memory: int
    descriptors: int


class Reading(NamedTuple):
    """One reading of all processes, with the seconds since the start."""

    seconds: float
    usages: dict[cluster.Life, Usage]
    store_memory: int  # Bytes that Valkey has allocated for its data, independent of its process.
    store_keys: int


class Trend(NamedTuple):
    """The trend of a kind of process: MB per hour, final MB, and the most descriptors of one process early and late."""

    slope_mb_per_hour: float
    memory_mb: float
    descriptors_early: int
    descriptors_late: int


def usage(pid: int, system: Path = Path("/proc")) -> Usage | None:
    """Read the memory and descriptors of a process from Linux; None if it has ended, or on other systems."""
    try:
        status = (system / str(pid) / "status").read_text(encoding="utf-8")
        descriptors = sum(1 for _ in (system / str(pid) / "fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return None
    resident = next((line for line in status.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0 kB")
    return Usage(int(resident.split()[1]) * 1024, descriptors)


def slope(points: Iterable[Sequence[tuple[float, float]]]) -> float:
    """Return a value's increase per second: the slope of one line fitted to several series with separate offsets."""
    above = below = 0.0
    for series in points:
        if not series:
            continue
        middle = sum(at for at, _ in series) / len(series)
        mean = sum(value for _, value in series) / len(series)
        above += sum((at - middle) * (value - mean) for at, value in series)
        below += sum((at - middle) ** 2 for at, _ in series)
    return above / below if below else 0.0


def trend(readings: Sequence[Reading], kind: str) -> Trend:
    """Return the trend of a kind of process. Each life is a separate line, and all lines share one slope."""
    warm = _warm(readings)
    lives: dict[cluster.Life, list[tuple[float, float]]] = {}
    for one in warm:
        for life, found in one.usages.items():
            if life.kind == kind:
                lives.setdefault(life, []).append((one.seconds, found.memory / _MIB))
    # The first reading of a life is of a program that is still starting.
    rising = slope(series[1:] for series in lives.values()) * _HOUR_SECONDS
    return Trend(
        round(rising, 1),
        round(memory(readings[-1:], kind), 1),
        _descriptors(warm[:1], kind),
        _descriptors(warm[-1:], kind),
    )


def store_slope(readings: Sequence[Reading]) -> float:
    """Return the growth of Valkey's data in MB per hour, over all of its lives."""
    warm = [(one.seconds, one.store_memory / _MIB) for one in _warm(readings) if one.store_memory]
    return slope([warm]) * _HOUR_SECONDS


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that this share of all values doesn't exceed; 0.0 if there are no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def quarters(stretches: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    """Return the values of the first and the last quarter of all intervals."""
    count = max(1, len(stretches) // 4)
    first = [value for stretch in stretches[:count] for value in stretch]
    return first, [value for stretch in stretches[-count:] for value in stretch]


def _warm(readings: Sequence[Reading]) -> Sequence[Reading]:
    return readings[int(len(readings) * _WARM) :]


def memory(readings: Sequence[Reading], kind: str) -> float:
    """Return the MB of the largest process of a kind, over these readings."""
    found = [held.memory for one in readings for life, held in one.usages.items() if life.kind == kind]
    return max(found, default=0) / _MIB


def _descriptors(readings: Sequence[Reading], kind: str) -> int:
    found = [held.descriptors for one in readings for life, held in one.usages.items() if life.kind == kind]
    return max(found, default=0)
