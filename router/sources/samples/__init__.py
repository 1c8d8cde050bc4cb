"""What a kind's sender sends, and what to paste on both sides: a folder of files a kind, for trying a source out.

``firing.json`` and ``resolved.json`` are one alert's two ends. ``source.yaml`` is for the router's configuration,
``sender.txt`` for the monitoring system.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from router.domain import alerts

_FOLDER = Path(__file__).parent
_VALID = 240_000_000  # How long an alert holds unless it is repeated, for senders that say so.
# A name that is a word of YAML's own would be read as something else than text.
_NAME = re.compile(r"(?!(?i:true|false|null)$)[A-Za-z][A-Za-z0-9._-]*")
_NO_VARIABLE = re.compile(r"[^A-Z0-9]")


def body(kind: str, status: alerts.Status, now: int, identity: str) -> bytes:
    """What the kind's sender posts of an alert that began, or ended, ``now`` (microseconds).

    ``identity`` is the delivery's, where the sender gives it one. Each delivery is newer than the one before, so that a
    sample that was resolved can fire again.
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
    return _filled(_read(kind, f"{status}.json"), marks).encode()


def settings(kind: str, name: str) -> str:
    """The source as it is written into the configuration, as YAML; its secret is named, as ``variable`` names it."""
    return _filled(_read(kind, "source.yaml"), {"<name>": name, "<variable>": variable(name)})


def sender(kind: str, name: str, url: str) -> str:
    """What to set in the monitoring system, in words and text to paste; ``url`` is the webhook's."""
    parts = urlsplit(url)
    address = {"<url>": url, "<scheme>": parts.scheme, "<host>": parts.netloc, "<path>": parts.path}
    return _filled(_read(kind, "sender.txt"), {"<name>": name, "<variable>": variable(name), **address})


def variable(name: str) -> str:
    """The environment variable that holds the secret of a source of this name in ``settings``."""
    return _NO_VARIABLE.sub("_", name.upper()) + "_SECRET"


def can_be_named(name: str) -> bool:
    """Whether a source of this name can stand in a URL and in YAML as it is."""
    return _NAME.fullmatch(name) is not None


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _filled(text: str, marks: Mapping[str, str]) -> str:
    for mark, said in marks.items():
        text = text.replace(mark, said)
    return text


def _read(kind: str, file: str) -> str:
    return (_FOLDER / kind / file).read_text(encoding="utf-8")
