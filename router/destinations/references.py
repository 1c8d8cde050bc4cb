"""Writes an episode's reference into incidents and posts, and finds it.

A vendor without idempotency keys is searched for the reference after a lost response. It is placed where a vendor that
cuts long texts can't cut it: before a title and before a long text. A short text has it in its last line, which reads
better.
"""

from router.domain import patterns, texts
from router.outbound import errors

# Crockford's base 32, as in `identity.reference`.
_LETTERS = "[0-9A-HJKMNP-TV-Z]"
_REFERENCE = f"IR-{_LETTERS}{{8}}(?:-{_LETTERS}{{6}})?"
_IN_TEXT = patterns.compile(rf"\AReference: ({_REFERENCE})(?: |\z)|(?:\A| )Reference: ({_REFERENCE})\z")
_IN_TITLE = patterns.compile(rf"\A\[({_REFERENCE})\]|\[({_REFERENCE})\]\z")
LONG = 500  # Characters of a text that every vendor keeps.


def footer(reference: str) -> str:
    """Return the line with the reference."""
    return f"Reference: {reference}"


def add_footer(text: str, reference: str) -> str:
    """Add the line with the reference to a text."""
    if not text:
        return footer(reference)
    return f"{footer(reference)}\n\n{text}" if len(text) > LONG else f"{text}\n\n{footer(reference)}"


def has_footer(text: str, reference: str) -> bool:
    """Return whether a text begins or ends with the line with the reference, in any markup."""
    # Vendors may return a text in another markup than it was sent in, so canonical forms are compared.
    plain, line = texts.canonical(text), texts.canonical(footer(reference))
    return plain.startswith(line) or plain.endswith(line)


def add_tag(title: str, reference: str) -> str:
    """Put the reference before a title."""
    return f"[{reference}] {title}"


def remove_tag(title: str, reference: str) -> str:
    """Remove the reference from the beginning or the end of a title."""
    tag = f"[{reference}]"
    return title.strip().removeprefix(tag).removesuffix(tag).strip()


def has_tag(title: str, reference: str) -> bool:
    """Return whether a title begins with the reference, or ends with it, as in earlier versions."""
    plain, tag = texts.canonical(title), f"[{reference}]"
    return plain.startswith(tag) or plain.endswith(tag)


def check_reference(actual: str, reference: str) -> None:
    """Raise ``Unanswered`` if the response to an open is about another incident, as from a broken proxy."""
    if actual and actual != reference:
        raise errors.Unanswered(f"the answer is about another incident, with the reference {actual}")


def find_in_text(text: str) -> str:
    """Return the reference at the beginning or end of a text; empty if there is none."""
    return _find(_IN_TEXT, text)


def find_in_title(title: str) -> str:
    """Return the reference at the beginning or end of a title; empty if there is none."""
    return _find(_IN_TITLE, title)


def _find(pattern: patterns.Pattern, text: str) -> str:
    match = pattern.search(patterns.encode(texts.canonical(text)))
    return (match.group(1) or match.group(2)).decode() if match else ""
