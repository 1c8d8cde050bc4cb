"""Bodies that no sender should send, made from those that senders do, for every kind of source."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import msgspec

from router.domain import alerts
from router.sources import base

DATA = Path(__file__).parent.parent / "data" / "sources"
NOW = 1_772_450_000_000_000
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    10**30,
    "",
    " ",
    "\x00",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "x" * 5_000,
    "\U0001f4a5" * 50,
    "${VAR}",
    "{{ x }}",
    "2026-13-45",
    "-" * 30,
    [],
    {},
    [[]],
    {"": ""},
)
RAW = (b"", b"\x00", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b'"\\ud800"', b"NaN", b"1e999", b"\xef\xbb\xbf{}")


def load_samples() -> dict[str, list[tuple[dict[str, Any], Any]]]:
    """By kind: settings and body of every case that the contract tests have."""
    found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
    for path in sorted(DATA.glob("*/*.json")):
        case = json.loads(path.read_text())
        found.setdefault(path.parent.name, []).append((case.get("settings", {}), case["body"]))
    return found


def mutate(chance: random.Random, body: Any) -> bytes:
    """One body that is a little, or altogether, wrong."""
    if chance.random() < 0.02:
        return chance.choice(RAW)
    document = json.loads(json.dumps(body))
    for _ in range(chance.randint(1, 4)):
        document = _changed(chance, document)
    packed = json.dumps(document).encode()
    if chance.random() < 0.3 and packed:
        place = chance.randrange(len(packed))
        packed = packed[:place] + bytes([chance.randrange(256)]) + packed[place + chance.randint(0, 3) :]
    return packed


def _changed(chance: random.Random, document: Any) -> Any:
    """A part of it is changed, removed, or repeated."""
    if not isinstance(document, dict | list) or not document or chance.random() < 0.1:
        return copy.deepcopy(chance.choice(ODD))
    place = chance.choice(list(document) if isinstance(document, dict) else range(len(document)))
    fate = chance.random()
    if fate < 0.5:
        document[place] = _changed(chance, document[place])
    elif fate < 0.7:
        del document[place]
    elif fate < 0.85 and isinstance(document, dict):
        document[f"{place}{chance.choice(['', ' ', chr(0), '.x'])}"] = copy.deepcopy(chance.choice(ODD))
    elif isinstance(document, list):
        document += [document[place]] * chance.randint(1, 30)
    else:
        document[place] = [document[place]] * 3
    return document


def problem(source: base.Source, body: bytes) -> str:
    """The problem with the response to a body; empty if there is none."""
    try:
        found = source.parse(body, {}, NOW)
    except base.Unparsable as told:
        return "" if told.problem else "it does not say what is wrong"
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {error}"
    for alert in found.alerts:
        if msgspec.msgpack.decode(msgspec.msgpack.encode(alert), type=alerts.Alert) != alert:
            return f"the alert does not survive storing: {alert}"
        if not alert.fingerprint or alert.starts_at <= 0 or _ends_wrongly(alert):
            return f"the alert is none: {alert}"
    return ""


def _ends_wrongly(alert: alerts.Alert) -> bool:
    return 0 < alert.ends_at <= NOW if alert.status == "firing" else alert.ends_at <= 0
