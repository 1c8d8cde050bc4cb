"""How long one alert takes to find its rule, at 10, 1,000 and 100,000 rules, against asking every rule in turn.

    python tests/benchmarks/match.py --json FILE

Each rule asks for one service and one of two severities, and one in a hundred for a pattern in the title as well. Every
alert is new: it is made right before it is decided, with a title never seen before, as it is when a delivery has just
been parsed. Its service is drawn evenly

- "storm": from 1,000 services that have trouble at the time (or all, where there are fewer), and
- "uniform": from all services. With 100,000 of them nearly every step is a miss of the processor's caches, which is
  what is then measured; it is the worst case, and not one that a day's alerts look like.

The median of the batches is told, in microseconds an alert; nothing fails on a time.
"""

import argparse
import gc
import json
import pathlib
import random
import re
import statistics
import sys
import time

import pydantic

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from router.domain import alert as alerts
from router.domain import decision as decisions
from router.rules import known, load, words

SIZES = (10, 1_000, 100_000)
NAIVE_SIZES = (10, 1_000)
FIRING = 1_000
BATCH = 100
BATCHES = 200
NAIVE_BATCHES = 10


class Opening(pydantic.BaseModel):
    """What a rule may set at the one destination here."""

    name: str
    summary: str = ""


DESTINATIONS = {"on-call": known.Known(Opening, public=False, kind="any")}


def rules(count):
    """Rules as data, one for each service."""
    made = []
    for number in range(count):
        when = {"labels.service": f"service-{number}", "severity": ["critical", "page"]}
        if number % 100 == 99:
            when["title"] = {"matches": "(?i)5xx|timed? ?out|number"}
        target = {"at": "on-call", "name": "{{ alert.title }}", "summary": "{{ alert.annotations.summary }}"}
        made.append({"name": f"rule-{number}", "when": when, "group_by": ["labels.service"], "open": [target]})
    return made


class Naive:
    """Every rule in turn, as a first version would do it: the same decisions, in time that grows with the rules."""

    def __init__(self, given):
        self._rules = [
            (
                decisions.Response(entry["name"], "", "", (decisions.Target("on-call", entry["open"][0]),)),
                entry["when"]["labels.service"],
                frozenset(entry["when"]["severity"]),
                re.compile(entry["when"]["title"]["matches"]) if "title" in entry["when"] else None,
            )
            for entry in given
        ]

    def decide(self, alert):
        """What the first rule that matches says."""
        for response, service, severities, pattern in self._rules:
            if (
                alert.labels.get("service", "") == service
                and alert.severity in severities
                and (pattern is None or pattern.search(alert.title))
            ):
                key = f'{response.rule}{{labels.service="{service}"}}'
                return decisions.Decision(key, words.severity(alert), response)
        return decisions.Decision(ignored="no rule matched")


def fresh(services, randomness, first):
    """A batch of alerts that nobody has seen."""
    return [
        alerts.Alert(
            source="alertmanager",
            fingerprint=f"{number:016x}",
            status="firing",
            starts_at=number,
            ends_at=0,
            title=f"Requests are failing, number {number}",
            labels={"alertname": "Errors", "service": f"service-{randomness.choice(services)}", "region": "eu"},
            annotations={"summary": f"summary {number}"},
            severity="critical" if number % 2 else "page",
        )
        for number in range(first, first + BATCH)
    ]


def measure(decide, services, batches):
    """The median over the batches, in microseconds an alert."""
    randomness = random.Random(7)
    taken = []
    for number in range(batches):
        batch = fresh(services, randomness, number * BATCH)
        begun = time.perf_counter()
        for alert in batch:
            decide(alert)
        taken.append((time.perf_counter() - begun) / BATCH * 1e6)
    return round(statistics.median(taken), 3)


def services_of(count, kind):
    """The services that alerts come from."""
    if kind == "uniform" or count <= FIRING:
        return range(count)
    return random.Random(3).sample(range(count), FIRING)


def check(ruleset, naive, count):
    """Refuse to measure two things that do not answer the same."""
    for alert in fresh(range(count + 2), random.Random(5), 0):
        indexed, plain = ruleset.decide(alert, 0), naive.decide(alert)
        if (indexed.incident_key, indexed.severity) != (plain.incident_key, plain.severity):
            raise SystemExit(f"the index and the naive matcher disagree about {alert}")


def run():
    """Measure everything and return it as data."""
    results = {"unit": "microseconds an alert", "storm": {}, "uniform": {}, "naive": {}, "build_seconds": {}}
    for count in SIZES:
        given = rules(count)
        begun = time.perf_counter()
        ruleset = load.build(given, DESTINATIONS)
        results["build_seconds"][str(count)] = round(time.perf_counter() - begun, 2)
        # As a server does after its start: what is there to stay is not looked through by each collection.
        gc.collect()
        gc.freeze()
        for kind in ("storm", "uniform"):
            results[kind][str(count)] = measure(ruleset.decide, services_of(count, kind), BATCHES)
        if count in NAIVE_SIZES:
            naive = Naive(given)
            check(ruleset, naive, count)
            results["naive"][str(count)] = measure(naive.decide, range(count), NAIVE_BATCHES)
        del ruleset, given
        gc.unfreeze()
    most, least = str(SIZES[-1]), str(SIZES[0])
    results["ratios"] = {
        "storm_100000_to_10": round(results["storm"][most] / results["storm"][least], 2),
        "uniform_100000_to_10": round(results["uniform"][most] / results["uniform"][least], 2),
        "naive_to_indexed_10": round(results["naive"]["10"] / results["uniform"]["10"], 2),
        "naive_to_indexed_1000": round(results["naive"]["1000"] / results["uniform"]["1000"], 2),
    }
    return results


def main():
    """Measure, print, and write the result where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=pathlib.Path, help="write the result to this file")
    chosen = parser.parse_args()
    results = run()
    for kind in ("storm", "uniform", "naive", "build_seconds", "ratios"):
        for name, value in results[kind].items():
            print(f"{kind:14} {name:>24} {value:>10}")
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
