"""Time to find an alert's rule, with 10 to 100,000 rules of three shapes, against testing each rule in turn.

    python tests/benchmarks/match.py --json FILE

- "beside": each rule matches one service and one of two severities. 1% of the rules also match a pattern in the
  title. Alerts come from all services equally. With 100,000 rules, nearly every step misses the processor's caches,
  so the benchmark measures cache misses. "storm" uses the same rules with alerts from 1,000 failing services.
- "only": like "beside", but 1% of the rules match only a pattern of their own in the title.
- "skewed": 100 services share all rules. Each rule matches one service and one alert name.

Every alert is new: it is created just before its decision, with a unique title, like an alert from a delivery that
was just parsed. The report has the median of the batches in microseconds per alert, the seconds to load the rules
from data, and their memory. No figure fails the run.
"""

import gc
import json
import multiprocessing
import os
import pathlib
import random
import re
import statistics
import sys
import tempfile
import time
from concurrent import futures

import pydantic

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from router.domain import alerts, decisions
from router.rules import destination_info, load, severity_aliases
from tests.benchmarks import figures

SIZES = (10, 1_000, 10_000, 100_000)
QUICK_SIZES = (10, 1_000)
NAIVE_MOST = 1_000
YAML_MOST = 10_000
FIRING = 1_000
SHARED = 100
BATCH = 100
BATCHES = 200
NAIVE_BATCHES = 10
GOALS = {"beside": 2.0, "storm": 2.0, "only": 20.0, "skewed": 5.0}
FLAT = 1.5
NOW = 1_893_456_000_000_000


class Opening(pydantic.BaseModel):
    """The fields that a rule may set at the benchmark's only destination."""

    name: str
    summary: str = ""


DESTINATIONS = {"on-call": destination_info.DestinationInfo(Opening, public=False, kind="any")}


def beside(number, count):
    """A service per rule. 1% of the rules also match a pattern."""
    when = {"labels.service": f"service-{number}", "severity": ["critical", "page"]}
    return when | ({"title": {"matches": "(?i)5xx|timed? ?out|number"}} if number % 100 == 99 else {})


def only(number, count):
    """Like ``beside``, but 1% of the rules match only a pattern of their own."""
    if number % 100 == 99:
        return {"title": {"matches": f"(?i)queue-{number} (stuck|slow)|number {number}-"}}
    return {"labels.service": f"service-{number}", "severity": ["critical", "page"]}


def skewed(number, count):
    """100 services share all rules."""
    when = {"labels.service": f"service-{number % SHARED}", "labels.alertname": f"Alert{number}"}
    return when | ({"title": {"matches": "(?i)5xx|timed? ?out|number"}} if number % 100 == 99 else {})


SHAPES = {"beside": beside, "storm": beside, "only": only, "skewed": skewed}


def rules(shape, count):
    """Return the rules as data."""
    target = {"at": "on-call", "name": "{{ alert.title }}", "summary": "{{ alert.annotations.summary }}"}
    return [
        {"name": f"rule-{n}", "when": shape(n, count), "group_by": ["labels.service"], "open": [target]}
        for n in range(count)
    ]


class Naive:
    """A naive matcher: test every rule in turn. The decisions are identical, and the time grows with the rules."""

    def __init__(self, given):
        self._rules = [
            (
                decisions.Response(entry["name"], "", "", (decisions.Target("on-call", entry["open"][0]),)),
                [(*field.partition(".")[::2], _wanted(asked)) for field, asked in entry["when"].items()],
            )
            for entry in given
        ]

    def decide(self, alert, _now):
        """Return the decision of the first matching rule."""
        for response, asked in self._rules:
            if all(
                holds(getattr(alert, part).get(key, "") if key else getattr(alert, part)) for part, key, holds in asked
            ):
                key = f'{response.rule}{{labels.service="{alert.labels["service"]}"}}'
                return decisions.Decision(key, severity_aliases.severity(alert), response)
        return decisions.Decision(ignored="no rule matched")


def _wanted(asked):
    if isinstance(asked, dict):
        return re.compile(asked["matches"]).search
    return frozenset([asked] if isinstance(asked, str) else asked).__contains__


def fresh(numbers, randomness, first):
    """Return a batch of new alerts, each for the rule with one of these numbers."""
    chosen = [randomness.choice(numbers) for _ in range(BATCH)]
    return [
        alerts.Alert(
            source="alertmanager",
            fingerprint=f"{first + position:016x}",
            status="firing",
            starts_at=first + position,
            ends_at=0,
            title=f"Requests are failing, number {number}-{first + position}",
            labels={"alertname": f"Alert{number}", "service": f"service-{number}", "region": "eu"},
            annotations={"summary": f"summary {first + position}"},
            severity="critical" if position % 2 else "page",
        )
        for position, number in enumerate(chosen)
    ]


def of_shape(name, batch):
    """Alerts of the skewed shape come from one of the 100 services."""
    if name == "skewed":
        for alert in batch:
            number = int(alert.labels["service"].rpartition("-")[2])
            alert.labels["service"] = f"service-{number % SHARED}"
    return batch


def measure(decide, name, numbers, batches):
    """The median of the batches, in microseconds per alert."""
    randomness = random.Random(7)
    taken = []
    for number in range(batches):
        batch = of_shape(name, fresh(numbers, randomness, number * BATCH))
        begun = time.perf_counter()
        for alert in batch:
            decide(alert, NOW)
        taken.append((time.perf_counter() - begun) / BATCH * 1e6)
    return statistics.median(taken)


def numbers_of(name, count):
    """The numbers of the rules that alerts match."""
    if name != "storm" or count <= FIRING:
        return range(count)
    return random.Random(3).sample(range(count), FIRING)


def check(ruleset, naive, name, count):
    """Refuse to measure two matchers that decide differently."""
    for alert in of_shape(name, fresh(range(count + 2), random.Random(5), 0)):
        indexed, plain = ruleset.decide(alert, NOW), naive.decide(alert, NOW)
        if (indexed.incident_key, indexed.severity) != (plain.incident_key, plain.severity):
            raise SystemExit(f"the index and the naive matcher disagree about {alert}")


def resident():
    """The resident memory of this process, in bytes."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def from_yaml(given):
    """Seconds to load the same rules from files."""
    with tempfile.TemporaryDirectory() as name:
        for start in range(0, len(given), 1000):
            text = json.dumps({"rules": given[start : start + 1000]}, indent=1)
            (pathlib.Path(name) / f"{start:07}.yaml").write_text(text)
        begun = time.perf_counter()
        load.load(pathlib.Path(name), DESTINATIONS)
        return time.perf_counter() - begun


def measure_row(name, count):
    """Measure one row of the report."""
    given = rules(SHAPES[name], count)
    gc.collect()
    before, begun = resident(), time.perf_counter()
    ruleset = load.build(given, DESTINATIONS)
    loaded = time.perf_counter() - begun
    # Freeze like a server after its start, so that collections skip the permanent objects.
    gc.collect()
    gc.freeze()
    row = {
        "shape": name,
        "rules": count,
        "us an alert": round(measure(ruleset.decide, name, numbers_of(name, count), BATCHES), 3),
    }
    row |= {"load s": round(loaded, 2), "memory MB": round((resident() - before) / 1e6, 1)}
    if count <= YAML_MOST:
        row["from YAML s"] = round(from_yaml(given), 4)
    if count <= NAIVE_MOST:
        naive = Naive(given)
        check(ruleset, naive, name, count)
        row["naive us"] = round(measure(naive.decide, name, range(count), NAIVE_BATCHES), 3)
        row["naive to indexed"] = round(row["naive us"] / row["us an alert"], 2)
    gc.unfreeze()
    return row


def run(sizes):
    """Measure everything and return it as data."""
    rows = []
    for name in SHAPES:
        least = None
        for count in sizes:
            # Each measurement has its own process: like a server, it has only one set of rules in memory.
            with futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                row = pool.submit(measure_row, name, count).result()
            least = least or row["us an alert"]
            row["to the fewest"] = round(row["us an alert"] / least, 2)
            goal = row["us an alert"] <= GOALS[name] and (
                name not in {"beside", "storm"} or row["to the fewest"] <= FLAT
            )
            row |= {"goal us": GOALS[name], "reached": "yes" if goal else "no"}
            rows.append(row)
    return {"benchmark": "microseconds to find an alert's rule", "rows": rows}


def main():
    """Measure, print, and write the result to the requested file."""
    arguments = figures.parse_arguments(__doc__, "few rules")
    figures.report(run(QUICK_SIZES if arguments.quick else SIZES), arguments.json)


if __name__ == "__main__":
    main()
