"""Deliveries of the contract's cases, and the alerts that a source of their kind reads from them."""

import json
from pathlib import Path

from router.sources import registry

DATA = Path(__file__).parent.parent.parent / "data" / "sources"
NOW = 1_772_450_000_000_000


def body(kind, case):
    return json.loads((DATA / kind / f"{case}.json").read_text())["body"]


def firing(kind):
    """The body of the kind's first case with a firing alert."""
    cases = [json.loads(path.read_text()) for path in sorted((DATA / kind).glob("*.json"))]
    return next(case["body"] for case in cases if [alert["status"] for alert in case["alerts"]] == ["firing"])


def parse(kind, found, **settings):
    source = registry.build("here", registry.KINDS[kind].config(auth="none", **settings)).source
    return source.parse(found if isinstance(found, bytes) else json.dumps(found).encode(), {}, NOW)


def parse_one(kind, found, **settings):
    (alert,) = parse(kind, found, **settings).alerts
    return alert
