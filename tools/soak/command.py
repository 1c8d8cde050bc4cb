"""The soak test: runs the router under load, kills its processes at random, and reports lost and duplicate alerts."""

import asyncio
import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from router.bootstrap import factories
from router.cli import startup
from router.store.store import Store
from tools.soak import cluster, figures, trial

_SHOWN = 20  # The number of errors that are printed. A failed trial may have a thousand.
_KINDS = ("web", "worker", "valkey", "simulator")


def soak(
    *,
    hours: Annotated[float, typer.Option("--hours", help="Duration in hours, such as 0.5.", min=0.001)],
    rate: Annotated[float, typer.Option("--rate", help="Alerts per second.", min=0.1)] = 100.0,
    keys: Annotated[int, typer.Option("--keys", help="Number of incident keys.", min=1)] = 100,
    fault_every: Annotated[
        str, typer.Option("--fault-every", help="Mean interval between kills; each varies by up to half.")
    ] = "60s",
    kill_redis: Annotated[
        bool, typer.Option("--kill-redis/--no-kill-redis", help="Kill Valkey, too, and not only webs and workers.")
    ] = True,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the sequence of kills and alerts.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON; progress goes to standard error.")
    ] = False,
) -> None:
    """Run two webs, three workers, Valkey, and simulated vendors under load, and kill them at random.

    The exit status is 1 if an accepted alert was lost or an incident was opened twice.
    """
    plan = trial.Plan(
        seconds=hours * 3600,
        rate=rate,
        incident_keys=keys,
        fault_seconds=startup.duration("--fault-every", fault_every) / trial.MICROS,
        spares=() if kill_redis else ("valkey",),
    )
    startup.run_until_stopped(_soak(plan, seed, as_json))


async def _soak(plan: trial.Plan, seed: int, as_json: bool) -> None:
    stop = asyncio.Event()
    stopping = asyncio.create_task(startup.wait_for_stop())
    stopping.add_done_callback(lambda _: stop.set())
    await asyncio.sleep(0)  # Install the signal handlers before any process exists that a signal could leave behind.
    with tempfile.TemporaryDirectory(prefix="incident-router-soak-") as folder:
        place = cluster.Cluster(Path(folder))
        try:
            place.start()
            async with contextlib.aclosing(Store.connect(place.redis_url)) as store:
                one = trial.Trial(
                    place,
                    store,
                    plan,
                    chance=factories.seeded_randomness(seed),
                    clock=factories.clock,
                    ticks=factories.ticks,
                )
                out = sys.stderr if as_json else sys.stdout
                found = await one.run(lambda so_far: print(_line(so_far), file=out, flush=True), stop)
        finally:
            place.stop()
            stopping.cancel()
    report = reported(found, plan, seed)
    print(json.dumps(report, indent=2) if as_json else "\n".join(_lines(report)))
    if not found.clean:
        raise typer.Exit(1)


def reported(found: trial.Findings, plan: trial.Plan, seed: int) -> dict[str, Any]:
    """Return the report for ``--json``: seconds, MB, and counts."""
    early, late = figures.quarters(found.ledger.spans)
    counted = [one.store_keys for one in found.readings if one.store_keys]
    return {
        "seed": seed,
        "seconds": round(found.seconds, 1),
        "accepted": found.ledger.accepted,
        "accepted_per_second": round(found.ledger.accepted / found.seconds, 1) if found.seconds else 0.0,
        "wanted_per_second": plan.rate,
        "sent_again": found.ledger.repeats,
        "kills": dict(sorted(found.kills.items())),
        "lost": found.outcome.lost,
        "doubled": found.outcome.doubled,
        "behind": found.outcome.behind,
        "refused": found.ledger.refused,
        "died": found.died,
        "settled_seconds": round(found.settled_seconds, 1),
        "memory": {kind: figures.trend(found.readings, kind)._asdict() for kind in _KINDS},
        "store_mb_per_hour": round(figures.store_slope(found.readings), 1),
        "store_keys": {"early": counted[len(counted) // 4], "late": counted[-1]} if counted else {},
        "latency_ms": {"first_quarter": _latency(early), "last_quarter": _latency(late)},
    }


def _latency(seconds: list[float]) -> dict[str, float]:
    return {name: round(figures.percentile(seconds, share) * 1000, 1) for name, share in (("p50", 0.5), ("p99", 0.99))}


def _line(found: trial.Findings) -> str:
    """Return the progress line of the last reading."""
    last, stretch = found.readings[-1], found.ledger.spans[-1]
    latency = _latency(list(stretch))
    memory = ", ".join(f"{kind} {figures.memory([last], kind):.0f}" for kind in _KINDS)
    return (
        f"{last.seconds / 60:7.1f} min  accepted {found.ledger.accepted}, of them not seen processed yet"
        f" {len(found.ledger.open)},"
        f" p50 {latency['p50']} ms, p99 {latency['p99']} ms, kills {found.kills.total()}, keys {last.store_keys},"
        f" MB: {memory}"
    )


def _lines(report: dict[str, Any]) -> list[str]:
    """Return the lines of the readable report."""
    early, late = report["latency_ms"]["first_quarter"], report["latency_ms"]["last_quarter"]
    killed = ", ".join(f"{kind} {times}" for kind, times in report["kills"].items())
    said = [
        "",
        f"seed {report['seed']}: {report['accepted']} alerts accepted in {report['seconds']} s"
        f" ({report['accepted_per_second']}/s); {report['sent_again']} calls were made again;"
        f" killed: {killed or 'nothing'}",
        f"lost {len(report['lost'])}, doubled {len(report['doubled'])}, behind {len(report['behind'])},"
        f" refused {len(report['refused'])}, ended unexpectedly {len(report['died'])};"
        f" settled {report['settled_seconds']} s after the last alert",
        f"accepted within p50 {early['p50']} ms, p99 {early['p99']} ms in the first quarter,"
        f" p50 {late['p50']} ms, p99 {late['p99']} ms in the last",
    ]
    for kind, one in report["memory"].items():
        said.append(
            f"{kind:10} {one['memory_mb']:6.1f} MB, {one['slope_mb_per_hour']:+.1f} MB an hour;"
            f" descriptors {one['descriptors_early']} early, {one['descriptors_late']} late"
        )
    said.append(f"what Valkey holds: {report['store_mb_per_hour']:+.1f} MB an hour; keys {report['store_keys']}")
    wrong = [line for name in ("lost", "doubled", "behind", "refused", "died") for line in report[name]]
    return said + [f"wrong: {line}" for line in wrong[:_SHOWN]]
