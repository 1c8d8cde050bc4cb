"""Samples for trying out a source: for each kind, a folder with its sender's bodies and the settings of both sides.

``firing.json`` and ``resolved.json`` are one alert's start and end. ``source.yaml`` is for the router's configuration,
``sender.txt`` for the monitoring system.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from router.domain import alerts
from router.domain.times import Timestamp

_FOLDER = Path(__file__).parent
_VALID = 240_000_000  # How long an alert stays valid without a repeat, for senders that specify it.
# YAML would not read a name such as "true" as text.
_NAME = re.compile(r"(?!(?i:true|false|null)$)[A-Za-z][A-Za-z0-9._-]*")
_NO_VARIABLE = re.compile(r"[^A-Z0-9]")


def body(kind: str, status: alerts.Status, now: Timestamp, identity: str) -> bytes:
    """Return the sample body of an alert that started or ended at ``now`` (microseconds).

    ``identity`` is the delivery's ID, for senders that provide one. Each delivery is newer than the previous one, so
    that a resolved sample can fire again.
    """
    moment, later = (datetime.fromtimestamp(at / 1_000_000, UTC) for at in (now, now + _VALID))
    marks = {
        '"<seconds>"': str(now // 1_000_000),
        '"<milliseconds>"': str(now // 1000),
        "<seconds as text>": str(now // 1_000_000),
        "<milliseconds as text>": str(now // 1000),
        "<microseconds as text>": str(now),
        "<iso>": _iso(moment),
        "<iso later>": _iso(later),
        "<date and time>": moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "<id>": identity,
    }
    return _fill(_read(kind, f"{status}.json"), marks).encode()


def settings(kind: str, name: str) -> str:
    """Return the source's configuration as YAML. Its secret is the environment variable that ``variable`` names."""
    return _fill(_read(kind, "source.yaml"), {"<name>": name, "<variable>": variable(name)})


def sender(kind: str, name: str, url: str) -> str:
    """Return the settings of the monitoring system, as instructions and text to paste. ``url`` is the webhook's."""
    parts = urlsplit(url)
    address = {"<url>": url, "<scheme>": parts.scheme, "<host>": parts.netloc, "<path>": parts.path}
    return _fill(_read(kind, "sender.txt"), {"<name>": name, "<variable>": variable(name), **address})


def variable(name: str) -> str:
    """Return the name of the environment variable for the source's secret in ``settings``."""
    return _NO_VARIABLE.sub("_", name.upper()) + "_SECRET"


def is_valid_name(name: str) -> bool:
    """Return whether a source's name is valid in a URL and in YAML without quoting."""
    return _NAME.fullmatch(name) is not None


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fill(text: str, marks: Mapping[str, str]) -> str:
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text


def _read(kind: str, file: str) -> str:
    return (_FOLDER / kind / file).read_text(encoding="utf-8")
