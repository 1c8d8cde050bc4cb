"""Looks for what customers must not see in what they would be shown: when rules load, and again before each post.

It errs on the side of silence: a text that it objects to goes to a person, who may show it all the same.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

PUBLIC = frozenset({"title", "message", "update_message", "resolve_message", "postmortem_body"})
"""The fields of a post that customers read."""

BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What a public text becomes that could not be made for an alert."""

# Domains that people mean as such. Everything that looks like a name within one is somebody's machine.
_DOMAINS = (
    "com|net|org|io|dev|app|cloud|co|info|biz|ai|eu|de|uk|us|fr|nl|at|ch|it|es|pl|se|no|fi|dk|be|ca|au|jp|cn|in|br|ru|"
    "local|localdomain|internal|intranet|corp|lan|home|private|svc|cluster|consul|test|example|invalid|arpa|aws|host|"
    "tech|online|site|me|tv|cc|sh|gg|so|to|xyz|systems|network|services|company|academy|page|rocks|zone|tools|run"
)
_HOST = re.compile(rf"(?<![\w@.-])(?:[a-z0-9_](?:[a-z0-9_-]{{0,62}})?\.)+(?:{_DOMAINS})(?![a-z0-9_-])", re.IGNORECASE)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://([^\s/?#]*)", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>()\[\],;:]+@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)*", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d]|\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])\[?((?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{0,4}|\d{1,3}(?:\.\d{1,3}){3}))(?![\w:])", re.IGNORECASE
)
_MACHINE = re.compile(
    r"\b(?:ip(?:-\d{1,3}){4}|i-[0-9a-f]{8,17}|(?:[a-z0-9]+-)+[0-9a-f]{8,10}-[a-z0-9]{5}|[a-z]+(?:-[a-z0-9]+)*-\d{2,}"
    r"(?:-[a-z0-9]+)+)\b",
    re.IGNORECASE,
)
_PATH = re.compile(
    r"(?<![\w/<])(?:/(?:etc|var|usr|home|opt|srv|root|tmp|proc|mnt|data|app)/[\w./-]+|[a-z]:\\[\w\\.-]+)", re.IGNORECASE
)
_TRACE = re.compile(
    r"Traceback \(most recent call last\)|^\s*at [\w.$<>]+\(.*\)|\bFile \"[^\"]+\", line \d+|"
    r"\b[\w.]*(?:Exception|Error)\b:|\bgoroutine \d+ \[|\bpanic: |\bcore dumped\b|\bsegfault\b|"
    r"\w\.(?:py|js|go|java|rb|php|cs|ts):\d+",
    re.MULTILINE,
)
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|xox[abps]|gh[pousr]|glpat|AKIA|ASIA|AIza|ya29|eyJ|shpat|whsec|SG)[-_.]?[A-Za-z0-9_.-]{10,}|"
    r"-----BEGIN [A-Z ]+-----|"
    r"\b(?:password|passwd|pwd|secret|token|api[_-]?key|authorization|bearer)\b\s*[:= ]\s*\S{4,}",
    re.IGNORECASE,
)
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_VARIETY = 10  # Different letters in a long word of several kinds: fewer is prose, or a line drawn.


def objections(text: str, allowed: Collection[str] = ()) -> list[str]:
    """What is in a text that customers must not see, in words; hosts of the ``allowed`` domains may be named."""
    return list(dict.fromkeys(_objections(_plain(text), allowed)))


def examiner(allowed: Collection[str]) -> Callable[[Mapping[str, Any]], str]:
    """Make what looks a post's fields through before they are shown; it answers with all objections, or nothing."""

    def examine(fields: Mapping[str, Any]) -> str:
        found = {
            objection: None
            for name, text in fields.items()
            if name in PUBLIC and isinstance(text, str)
            for objection in objections(text, allowed)
        }
        return ", ".join(found)

    return examine


def _plain(text: str) -> str:
    """The text without the letters that nobody sees, with full-width and other letters as the plain ones."""
    folded = unicodedata.normalize("NFKC", text)
    seen = "".join(letter for letter in folded if unicodedata.category(letter) != "Cf")
    return seen.replace("\N{IDEOGRAPHIC FULL STOP}", ".")


def _objections(text: str, allowed: Collection[str]) -> Iterator[str]:
    if BROKEN in text:
        yield "a part that could not be made"
    if any(letter != "\n" and letter != "\t" and ord(letter) < 32 for letter in text):
        yield "control characters"
    yield from _addresses(text)
    if _EMAIL.search(text):
        yield "an e-mail address"
    for host in [*_URL.findall(text), *_HOST.findall(text)]:
        if not _is_allowed(host, allowed):
            yield "a host name or an address that is not allowed"
    for pattern, what in ((_MACHINE, "the name of a machine"), (_PATH, "a path of a file"), (_TRACE, "a stack trace")):
        if pattern.search(text):
            yield what
    if _SECRET.search(text) or any(_looks_random(word) for word in _LONG.findall(_URL.sub(" ", text))):
        yield "what looks like a secret"


def _addresses(text: str) -> Iterator[str]:
    for found in [*_IPV4.findall(text), *_IPV6.findall(text)]:
        try:
            ipaddress.ip_address(found)
        except ValueError:
            continue
        yield "an IP address"


def _is_allowed(host: str, allowed: Collection[str]) -> bool:
    name = host.rpartition("@")[2].partition(":")[0].lower().rstrip(".")
    if "@" in host:  # A name and a password may stand before it.
        return False
    return any(name == domain or name.endswith(f".{domain}") for domain in allowed)


def _looks_random(word: str) -> bool:
    kinds = sum(any(test(letter) for letter in word) for test in (str.isdigit, str.islower, str.isupper))
    return kinds > 1 and len(set(word)) >= _VARIETY and any(letter.isdigit() for letter in word)
