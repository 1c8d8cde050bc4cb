"""How long one alert takes to find its rule, at 10 to 100,000 rules of three shapes, against asking each in turn.

    python tests/benchmarks/match.py --json FILE

- "beside": each rule asks for one service and one of two severities, one in a hundred for a pattern in the title as
  well. Alerts come from all services alike; with 100,000 of them nearly every step is a miss of the processor's caches,
  which is what is then measured. "storm" are the same rules, and alerts from 1,000 services that have trouble.
- "only": the same, but one rule in a hundred asks for nothing except a pattern of its own in the title.
- "skewed": 100 services share all rules, which ask for one service and one alert's name.

Every alert is new: it is made right before it is decided, with a title never seen before, as it is when a delivery has
just been parsed. The median of the batches is told, in microseconds an alert, with the seconds that the rules took to
load from data and the memory that they keep; nothing fails on a time.
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
    """What a rule may set at the one destination here."""

    name: str
    summary: str = ""


DESTINATIONS = {"on-call": destination_info.DestinationInfo(Opening, public=False, kind="any")}


def beside(number, count):
    """A service of its own; one in a hundred wants a pattern beside it."""
    when = {"labels.service": f"service-{number}", "severity": ["critical", "page"]}
    return when | ({"title": {"matches": "(?i)5xx|timed? ?out|number"}} if number % 100 == 99 else {})


def only(number, count):
    """The same, but the one in a hundred wants nothing else than a pattern of its own."""
    if number % 100 == 99:
        return {"title": {"matches": f"(?i)queue-{number} (stuck|slow)|number {number}-"}}
    return {"labels.service": f"service-{number}", "severity": ["critical", "page"]}


def skewed(number, count):
    """A hundred services share all rules."""
    when = {"labels.service": f"service-{number % SHARED}", "labels.alertname": f"Alert{number}"}
    return when | ({"title": {"matches": "(?i)5xx|timed? ?out|number"}} if number % 100 == 99 else {})


SHAPES = {"beside": beside, "storm": beside, "only": only, "skewed": skewed}


def rules(shape, count):
    """Rules as data."""
    target = {"at": "on-call", "name": "{{ alert.title }}", "summary": "{{ alert.annotations.summary }}"}
    return [
        {"name": f"rule-{n}", "when": shape(n, count), "group_by": ["labels.service"], "open": [target]}
        for n in range(count)
    ]


class Naive:
    """Every rule in turn, as a first version would do it: the same decisions, in time that grows with the rules."""

    def __init__(self, given):
        self._rules = [
            (
                decisions.Response(entry["name"], "", "", (decisions.Target("on-call", entry["open"][0]),)),
                [(*field.partition(".")[::2], _wanted(asked)) for field, asked in entry["when"].items()],
            )
            for entry in given
        ]

    def decide(self, alert, _now):
        """What the first rule that matches says."""
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
    """A batch of alerts that nobody has seen, each for the rule of one of these numbers."""
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
    """Alerts of the skewed shape come from one of the hundred services."""
    if name == "skewed":
        for alert in batch:
            number = int(alert.labels["service"].rpartition("-")[2])
            alert.labels["service"] = f"service-{number % SHARED}"
    return batch


def measure(decide, name, numbers, batches):
    """The median over the batches, in microseconds an alert."""
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
    """The rules that alerts come for."""
    if name != "storm" or count <= FIRING:
        return range(count)
    return random.Random(3).sample(range(count), FIRING)


def check(ruleset, naive, name, count):
    """Refuse to measure two things that do not answer the same."""
    for alert in of_shape(name, fresh(range(count + 2), random.Random(5), 0)):
        indexed, plain = ruleset.decide(alert, NOW), naive.decide(alert, NOW)
        if (indexed.incident_key, indexed.severity) != (plain.incident_key, plain.severity):
            raise SystemExit(f"the index and the naive matcher disagree about {alert}")


def resident():
    """The memory of this process, in bytes."""
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


def one(name, count):
    """One line of the report."""
    given = rules(SHAPES[name], count)
    gc.collect()
    before, begun = resident(), time.perf_counter()
    ruleset = load.build(given, DESTINATIONS)
    loaded = time.perf_counter() - begun
    # As a server does after its start: what is there to stay is not looked through by each collection.
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
            # A process of its own for each: a server, too, has but one set of rules in its memory.
            with futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                row = pool.submit(one, name, count).result()
            least = least or row["us an alert"]
            row["to the fewest"] = round(row["us an alert"] / least, 2)
            goal = row["us an alert"] <= GOALS[name] and (
                name not in {"beside", "storm"} or row["to the fewest"] <= FLAT
            )
            row |= {"goal us": GOALS[name], "reached": "yes" if goal else "no"}
            rows.append(row)
    return {"benchmark": "microseconds to find an alert's rule", "rows": rows}


def main():
    """Measure, print, and write the result where it is asked for."""
    given = figures.asked(__doc__, "few rules")
    figures.tell(run(QUICK_SIZES if given.quick else SIZES), given.json)


if __name__ == "__main__":
    main()
