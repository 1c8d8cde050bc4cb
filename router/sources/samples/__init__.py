"""What a kind's sender sends, and what to paste on both sides: a folder of files a kind, for trying a source out.

``firing.json`` and ``resolved.json`` are one alert's two ends. ``source.yaml`` is for the router's configuration,
``sender.txt`` for the monitoring system.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

from router.domain import alert as alerts

_FOLDER = Path(__file__).parent
# A name that is a word of YAML's own would be read as something else than text.
_NAME = re.compile(r"(?!(?i:true|false|null)$)[A-Za-z][A-Za-z0-9._-]*")


def body(kind: str, status: alerts.Status, now: int, identity: str) -> bytes:
    """What the kind's sender posts of an alert that began, or ended, ``now`` (microseconds).

    ``identity`` is the delivery's, where the sender gives it one. Each delivery is newer than the one before, so that a
    sample that was resolved can fire again.
    """
    moment = datetime.fromtimestamp(now / 1_000_000, UTC)
    text = _read(kind, f"{status}.json")
    for mark, said in {
        '"<seconds>"': str(now // 1_000_000),
        '"<milliseconds>"': str(now // 1000),
        "<milliseconds as text>": str(now // 1000),
        "<iso>": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "<date and time>": moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "<id>": identity,
    }.items():
        text = text.replace(mark, said)
    return text.encode()


def settings(kind: str, name: str) -> str:
    """The source as it is written into the configuration, as YAML; its secret is named, as ``variable`` names it."""
    return _filled(_read(kind, "source.yaml"), name, "")


def sender(kind: str, name: str, url: str) -> str:
    """What to set in the monitoring system, in words and text to paste; ``url`` is the webhook's."""
    return _filled(_read(kind, "sender.txt"), name, url)


def variable(name: str) -> str:
    """The environment variable that holds the secret of a source of this name in ``settings``."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_SECRET"


def can_be_named(name: str) -> bool:
    """Whether a source of this name can stand in a URL and in YAML as it is."""
    return _NAME.fullmatch(name) is not None


def _filled(text: str, name: str, url: str) -> str:
    for mark, said in {"<name>": name, "<variable>": variable(name), "<url>": url}.items():
        text = text.replace(mark, said)
    return text


def _read(kind: str, file: str) -> str:
    return (_FOLDER / kind / file).read_text(encoding="utf-8")
