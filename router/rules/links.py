"""Finds the URLs in a text as browsers would, and checks whether they lead to an allowed domain.

Where the URL standard differs from the visible text, this module follows the standard: backslashes are slashes, any
number of slashes may follow the scheme, tabs and line breaks within a URL are ignored, user information may precede the
host, and a host may be percent-encoded or in full-width letters. A URL that can't be parsed with certainty is not
allowed. Time is linear in the text's length.
"""

import unicodedata
from collections.abc import Collection, Iterator
from urllib import parse

from router.domain import patterns

_SCHEME = patterns.compile(r"(?:https?|ftp|wss?|file)\s*:[/\\]*|//|\\\\", ignore_case=True)
_AUTHORITY_ENDS = frozenset(b"/\\?# \n\r\t\f\v\"'<>()[]{}|^`")
_ACTIVE = patterns.compile(r"(?:javascript|vbscript|data|blob|about)\s*:\s*[^\s]|<\s*/?[a-z!]", ignore_case=True)
_OTHER = patterns.compile(r"[a-z][a-z0-9+.-]*://", ignore_case=True)
_HOST = patterns.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_PORT = patterns.compile(r":[0-9]{0,5}")


def foreign(text: str, allowed: Collection[str]) -> list[str]:
    """Return the hosts in a text that are outside the allowed domains, in order and without duplicates."""
    content = patterns.encode(text)
    return list(dict.fromkeys(host for host in _hosts(content) if not is_allowed(host, allowed)))


def is_active(text: str) -> bool:
    """Return whether a text has markup, or a URL that a browser would execute or whose scheme isn't a web scheme."""
    content = patterns.encode(text)
    if _ACTIVE.search(content) is not None:
        return True
    return any(not _SCHEME.fullmatch(match) for match in _OTHER.findall(content))


def is_allowed(host: str, allowed: Collection[str]) -> bool:
    """Return whether a host, as ``foreign`` returns it, is one of the allowed domains or a subdomain."""
    # The dot keeps evil-example.com from counting as a subdomain of example.com.
    return any(host == domain.lower() or host.endswith(f".{domain.lower()}") for domain in allowed)


def _hosts(content: bytes) -> Iterator[str]:
    end = 0
    for match in _SCHEME.finditer(content):
        if match.start() < end:  # This URL is part of the previous URL.
            continue
        start = end = match.end()
        while end < len(content) and content[end] not in _AUTHORITY_ENDS:
            end += 1
        # A browser ignores the line break and continues with the next line, which this module doesn't read.
        if end < len(content) and content[end] in b"\t\r\n" and end == start:
            yield "an address over several lines"
        # A bare "//" without a host is a comment or a typo, and leads nowhere.
        elif end > start or match[0][:1].isalpha():
            yield _host(content[start:end].decode("utf-8", "replace"))


def _host(authority: str) -> str:
    """Return the host of an authority. An invalid one is in brackets, which no domain has."""
    _, at, host = authority.rpartition("@")
    folded = unicodedata.normalize("NFKC", parse.unquote(host)).lower().replace("\N{IDEOGRAPHIC FULL STOP}", ".")
    name, colon, port = folded.partition(":")
    # These characters end the sentence, not the URL.
    name = name.rstrip(".,;:!…")
    # The text before the @ may look like an allowed host. No public text needs user information.
    if at or (colon and _PORT.fullmatch(patterns.encode(colon + port.rstrip(".,;:!"))) is None):
        return f"[{authority[:80]}]"
    return name if _HOST.fullmatch(patterns.encode(name)) is not None else f"[{name[:80]}]"
