"""Normalization of the alerts of every source, before any other code reads them: clean titles, valid links.

Titles become names of incidents, subjects of messages, and lines of logs. There, a line break, a NUL, or a mark that
changes the direction of writing would hide or forge the text after it.
"""

import re
from collections.abc import Mapping

import msgspec

from router.domain import alerts
from router.domain.notices import Notice, limit
from router.domain.times import Timestamp
from router.sources import base, links

_BLANKS = re.compile(r"\s+")
# Controls, soft hyphens, direction marks, zero-width characters, blank fillers, unpaired surrogates, and tags. A joiner
# between two letters or symbols that need it (emoji, Persian, Devanagari) is kept.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
    "|(?<![\u0080-\U0010ffff])[\u200c\u200d]|[\u200c\u200d](?![\u0080-\U0010ffff])"
)


class Normalizing:
    """A source whose alerts have one-line titles of visible characters, and links that a browser can follow."""

    def __init__(self, source: base.Source) -> None:
        self.name = source.name
        self._parse = source.parse

    def parse(
        self, body: bytes, headers: Mapping[bytes, bytes], now: Timestamp, max_alerts: int = base.MAX_ALERTS
    ) -> base.Parsed:
        """Parse with the wrapped source, then normalize. Raises ``base.Unparsable`` if the wrapped source does."""
        parsed = self._parse(body, headers, now, max_alerts)
        for alert in parsed.alerts:
            title, link = alert.title, alert.link
            # Nearly all alerts are normal already. One loop over them is cheaper than a copy of each.
            if not title.isascii() or not title.isprintable() or (link and not link.startswith(links.SCHEMES)):
                return _normalize(parsed)
        return parsed


def _normalize(parsed: base.Parsed) -> base.Parsed:
    normal = [_normalize_alert(alert) for alert in parsed.alerts]
    lost = [before for before, after in zip(parsed.alerts, normal, strict=True) if before.link and not after.link]
    notices = limit((*parsed.notices, *map(_make_link_notice, lost))) if lost else parsed.notices
    return msgspec.structs.replace(parsed, alerts=normal, notices=notices)


def clean_title(title: str) -> str:
    """Return the title on one line, without invisible characters."""
    if title.isascii() and title.isprintable():
        return title
    # Line breaks become spaces first. Removed as control characters, they would join two words.
    visible = _INVISIBLE.sub("", _BLANKS.sub(" ", title))
    # Removing characters may have left two spaces side by side.
    return _BLANKS.sub(" ", visible).strip()


def _normalize_alert(alert: alerts.Alert) -> alerts.Alert:
    title, link = clean_title(alert.title), links.absolute(alert.link)
    if title == alert.title and link == alert.link:
        return alert
    return msgspec.structs.replace(alert, title=title, link=link)


def _make_link_notice(alert: alerts.Alert) -> Notice:
    detail = f"{alert.link[:80]!r} is not an absolute http or https address; the field is ignored"
    return Notice("field_ignored", "link", detail, alert.fingerprint)
