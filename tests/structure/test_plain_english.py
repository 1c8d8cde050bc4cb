"""Phrases that the style guide replaces by the field's own words don't come back.

``LIMITS`` holds how many of them each part of the tree still has. A limit may fall and never rise.
"""

import re
from collections import Counter

import pytest

from tests.structure import tree

# Each phrase with the words to use instead.
DENIED = {
    r"any more": "no longer; or leave it out",
    r"heard of": "received",
    r"so (?:many|much|long)": "the number, or the setting's name",
    r"whoever": "the actor: the caller, the operator, the reviewer",
    r"nobody": "no worker, no operator, no process",
    r"somebody": "a person, an operator, another process",
    r"by itself|by themselves": "automatically",
    r"the door|a door": "the webhook server",
    r"desks?": "source endpoint",
    r"towns?": "cluster",
    r"graves?": "dead letter",
    r"heeds?": "follow, apply",
    r"anew": "again",
    r"comes? of|came of": "result",
    r"gives? way|giving way": "is evicted",
    r"lets? go|letting go": "delete, release",
    r"now and then": "the interval",
    r"made good": "recovered",
    r"in force": "active",
    r"speaks? of": "mention, describe",
    r"tells? of|told of|is told|are told": "report, notify",
    r"stands? by": "confirm",
    r"of old": "earlier",
    r"fares?": "perform",
    r"strangers?": "unknown sources",
    r"hunger|appetite": "batch size",
    r"left alone": "not called",
    r"ill vendor|is ill": "failing",
}
_DENIED = re.compile(rf"(?<![\w-])(?:{'|'.join(DENIED)})(?![\w-])", re.IGNORECASE)
_TEXT = {".py", ".md", ".yaml", ".yml", ".html", ".lua", ".json", ".toml", ".tpl", ".js", ".css", ".txt", ""}

LIMITS = {
    "router": 64,
    "docs": 0,
    "tests": 55,
    "charts": 0,
    "rules": 0,
    "examples": 0,
    "tools": 0,
    "scripts": 0,
    "": 0,  # Files at the root.
}


def list_denied(text: str) -> list[tuple[int, str]]:
    """Return the line number and the text of each denied phrase."""
    return [
        (number, match.group()) for number, line in enumerate(text.splitlines(), 1) for match in _DENIED.finditer(line)
    ]


def _counted() -> tuple[Counter[str], list[str]]:
    counts, places = Counter[str](), list[str]()
    for path in tree.list_files("*"):
        parts = path.relative_to(tree.ROOT).parts
        if path.suffix not in _TEXT or parts[:2] == ("tests", "data") or path.name == "test_plain_english.py":
            continue
        for number, phrase in list_denied(path.read_bytes().decode(errors="replace")):
            counts[parts[0] if len(parts) > 1 else ""] += 1
            places.append(f"{tree.format_place(path, number)}: {phrase}")
    return counts, places


def test_number_of_denied_phrases_does_not_grow():
    counts, places = _counted()
    grown = {part: count for part, count in counts.items() if count > LIMITS.get(part, 0)}
    listed = "\n".join(
        place for place in places if place.partition("/")[0] in grown or ("" in grown and "/" not in place)
    )
    assert not grown, f"more denied phrases than {LIMITS}: {grown}\n{listed}"


@pytest.mark.parametrize("text", ["It is not there any more.", "the Door", "Nobody asks", "it is told twice"])
def test_denied_phrase_is_found(text):
    assert len(list_denied(f"first\n{text}")) == 1


def test_denied_phrase_within_a_word_is_ignored():
    assert list_denied("company moreover, downtown, desktop, so-long-id") == []
