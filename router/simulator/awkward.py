"""Vendor behavior that is inconvenient but not a failure: changed texts, stale responses, and unusual lists.

Everything here works on decoded JSON, so that it is the same for every vendor.
"""

import html
import re
from collections.abc import Callable
from typing import Any, Literal

Style = Literal["strip", "fold", "crlf", "escape", "bullets", "paragraph", "backslash", "cut", "impact"]

# These are the names of both vendors. DevHelm has a title and a body, incident.io a name, a message, and a summary.
_TITLES = frozenset({"title", "name"})
_TEXTS = frozenset({"message", "body", "summary", "postmortemBody"})
_OF_TITLES = frozenset({"strip", "fold", "escape", "cut"})  # A title has one line and no markup.
_NAMED = frozenset({"name", "title", "slug"})
_ENUMERATED = frozenset({"status", "severity", "impact", "category", "incident_status"})
# The vendors' API descriptions require these fields. A strict parser of the router would refuse the whole list.
_LEFT_OUT = frozenset({"createdAt", "created_at", "rank"})
# The worst status comes first, because the first match decides.
_IMPACTS = {"MAJOR_OUTAGE": "CRITICAL", "PARTIAL_OUTAGE": "MAJOR", "DEGRADED_PERFORMANCE": "MINOR"}
# This is a value that a vendor may add later. The router must not refuse the whole list because of it.
_UNKNOWN = "SOMETHING_NEW"
_BLANKS = re.compile(r"[ \t]{2,}")
_BLANK_LINES = re.compile(r"\n{2,}")
_BULLET = re.compile(r"(?m)^- ")
# An underscore that is escaped already stays, so that rewriting a text twice doesn't change it again.
_UNDERSCORE = re.compile(r"(?<!\\)_")


def _rewrite(text: str, style: Style, length: int) -> str:
    changes: dict[str, Callable[[str], str]] = {
        "strip": str.strip,
        "fold": lambda text: _BLANKS.sub(" ", _BLANK_LINES.sub("\n", text)),
        "crlf": lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"),
        # Unescape first: a text that the vendor has escaped before must not gain a second level of `&amp;`.
        "escape": lambda text: html.escape(html.unescape(text), quote=True),
        "bullets": lambda text: _BULLET.sub("* ", text),
        "paragraph": lambda text: "".join(f"<p>{part}</p>" for part in text.split("\n\n")),
        "backslash": lambda text: _UNDERSCORE.sub(r"\\_", text),
        "cut": lambda text: text[:length],
    }
    return changes[style](text) if style in changes else text


def normalize_texts(value: Any, style: Style, length: int) -> Any:
    """Return ``value`` with every title and text rewritten, as a vendor does that normalizes texts."""
    if isinstance(value, list):
        return [normalize_texts(item, style, length) for item in value]
    if not isinstance(value, dict):
        return value
    members = {}
    for key, item in value.items():
        rewrites = key in _TEXTS or (key in _TITLES and style in _OF_TITLES)
        members[key] = _rewrite(item, style, length) if rewrites and isinstance(item, str) else item
        if isinstance(item, dict | list):
            members[key] = normalize_texts(item, style, length)
    return members


def with_derived_impact(body: Any) -> Any:
    """Return the body of a request with the impact derived from its components, as some pages derive it."""
    if not isinstance(body, dict) or not body.get("affectedComponents"):
        return body
    statuses = [component.get("status") for component in body["affectedComponents"]]
    derived = next((impact for status, impact in _IMPACTS.items() if status in statuses), "NONE")
    return {**body, "impact": derived}


def _lists(answer: Any) -> list[list[Any]]:
    return [value for value in answer.values() if isinstance(value, list)] if isinstance(answer, dict) else []


def with_odd_row(answer: Any) -> Any:
    """Insert a first row without a name and without required fields, with unknown values of its enums."""
    for members in _lists(answer):
        if members and isinstance(members[0], dict):
            odd = {key: value for key, value in members[0].items() if key not in _LEFT_OUT}
            odd |= dict.fromkeys(_NAMED & odd.keys()) | dict.fromkeys(_ENUMERATED & odd.keys(), _UNKNOWN)
            # The valid rows stay behind the odd ones: the router must skip a bad row and still find its own object.
            members[:0] = [odd | {"id": "odd"}, {}]
    return answer


def with_endless_pages(answer: Any) -> Any:
    """Return the response of a list with a next page, whichever page is read."""
    if not isinstance(answer, dict):
        return answer
    # DevHelm numbers its pages, so a client that trusts only `hasNext` never stops.
    if "hasNext" in answer:
        return answer | {"hasNext": True}
    # incident.io pages by cursor. After the last page, an unknown cursor leads back to the first one.
    members = next((rows for rows in _lists(answer) if rows and isinstance(rows[0], dict)), [])
    if "pagination_meta" in answer:
        after = members[-1].get("id", "again") if members else "again"
        return answer | {"pagination_meta": {**answer["pagination_meta"], "after": after}}
    return answer
