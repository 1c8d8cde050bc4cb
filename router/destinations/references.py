"""Where an episode's reference stands in what we open, and how it is found there again.

A vendor without idempotency keys is searched for it after an answer was lost. It therefore stands where a vendor that
cuts long texts can't cut it: in front of a title and of a long text. A short text has it in its last line, which reads
better.
"""

from router.domain import texts

LONG = 500  # Characters: no vendor keeps fewer of a text.


def foot(reference: str) -> str:
    """Return the line that has the reference."""
    return f"Reference: {reference}"


def signed(text: str, reference: str) -> str:
    """Add the line with the reference to a text."""
    if not text:
        return foot(reference)
    return f"{foot(reference)}\n\n{text}" if len(text) > LONG else f"{text}\n\n{foot(reference)}"


def is_signed(text: str, reference: str) -> bool:
    """Whether a text begins or ends with the line that has the reference, whatever a vendor has made of its markup."""
    plain, line = texts.canonical(text), texts.canonical(foot(reference))
    return plain.startswith(line) or plain.endswith(line)


def tagged(title: str, reference: str) -> str:
    """Put the reference in front of a title."""
    return f"[{reference}] {title}"


def is_tagged(title: str, reference: str) -> bool:
    """Whether a title has the reference at its beginning, or at its end as titles of earlier versions do."""
    plain, tag = texts.canonical(title), f"[{reference}]"
    return plain.startswith(tag) or plain.endswith(tag)
