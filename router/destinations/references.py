"""Where an episode's reference stands in what we open, and how it is found there again.

A vendor without idempotency keys is searched for it after an answer was lost. It therefore stands where a vendor that
cuts long texts can't cut it: in front of a title and of a long text. A short text has it in its last line, which reads
better.
"""

from router.domain import patterns, texts
from router.outbound import errors

_LETTERS = "[0-9A-HJKMNP-TV-Z]"
_REFERENCE = f"IR-{_LETTERS}{{8}}(?:-{_LETTERS}{{6}})?"
_IN_TEXT = patterns.compile(rf"\AReference: ({_REFERENCE})(?: |\z)|(?:\A| )Reference: ({_REFERENCE})\z")
_IN_TITLE = patterns.compile(rf"\A\[({_REFERENCE})\]|\[({_REFERENCE})\]\z")
LONG = 500  # Characters: no vendor keeps fewer of a text.


def footer(reference: str) -> str:
    """Return the line that has the reference."""
    return f"Reference: {reference}"


def add_footer(text: str, reference: str) -> str:
    """Add the line with the reference to a text."""
    if not text:
        return footer(reference)
    return f"{footer(reference)}\n\n{text}" if len(text) > LONG else f"{text}\n\n{footer(reference)}"


def has_footer(text: str, reference: str) -> bool:
    """Whether a text begins or ends with the line that has the reference, whatever a vendor has made of its markup."""
    plain, line = texts.canonical(text), texts.canonical(footer(reference))
    return plain.startswith(line) or plain.endswith(line)


def add_tag(title: str, reference: str) -> str:
    """Put the reference in front of a title."""
    return f"[{reference}] {title}"


def remove_tag(title: str, reference: str) -> str:
    """Return a title without the reference at its beginning or end, as a vendor makes one of another title of ours."""
    tag = f"[{reference}]"
    return title.strip().removeprefix(tag).removesuffix(tag).strip()


def has_tag(title: str, reference: str) -> bool:
    """Whether a title has the reference at its beginning, or at its end as titles of earlier versions do."""
    plain, tag = texts.canonical(title), f"[{reference}]"
    return plain.startswith(tag) or plain.endswith(tag)


def check_reference(found: str, reference: str) -> None:
    """Refuse the answer to an open that is about another incident of ours, as a broken proxy gives: ``Unanswered``."""
    if found and found != reference:
        raise errors.Unanswered(f"the answer is about another incident, with the reference {found}")


def find_in_text(text: str) -> str:
    """Return the reference that a text begins or ends with; empty if it has none."""
    return _found(_IN_TEXT, text)


def find_in_title(title: str) -> str:
    """Return the reference that a title begins or ends with; empty if it has none."""
    return _found(_IN_TITLE, title)


def _found(pattern: patterns.Pattern, text: str) -> str:
    found = pattern.search(patterns.encoded(texts.canonical(text)))
    return (found.group(1) or found.group(2)).decode() if found else ""
