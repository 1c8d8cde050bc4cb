"""Builds Block Kit blocks within Slack's limits.

Untrusted texts of alerts and posts are escaped, or sent as plain text, which Slack doesn't interpret.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from router.domain import visible

Block = dict[str, Any]
TEXT, FIELD, HEADER, VALUE = 3000, 2000, 150, 2000
"""The most characters of a section, of a field or a context, of a header, and of a button's value."""
FIELDS = 10
"""The most fields of a section."""
BLOCKS = 50
"""The most blocks of a message."""
_URL = 3000
_MAX_ENTITY_LENGTH = len("&amp;")


def escape(text: str) -> str:
    """Put untrusted text on one line, without invisible characters, and escape the characters of Slack markup.

    With line breaks, a reason could look like further events. With controls of the writing direction, Slack could show
    a text in another order than it is stored.
    """
    seen = visible.visible(" ".join(text.split())).strip()
    return seen.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str) -> str:
    """Return a link to an untrusted URL, or the escaped text if the text isn't a URL that Slack accepts in brackets."""
    label = escape(url)
    # A vertical bar would separate the URL from a text, with which a sender could disguise the target.
    is_url = label.startswith(("https://", "http://")) and not {" ", "|"} & set(label)
    return f"<{label}>" if is_url and len(label) <= _URL else label


def moment(at: dt.datetime) -> str:
    """Format a time as Slack markup that each reader sees in their own time zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def markdown(text: str) -> Block:
    """Return a text object that Slack reads as markup. The caller escapes untrusted text.

    In a verbatim text, Slack leaves bare URLs, ``@channel``, and names of channels as they are.
    """
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain(text: str) -> Block:
    """Return a text object that Slack doesn't interpret."""
    return {"type": "plain_text", "text": text, "emoji": False}


def section(text: str) -> Block:
    """Return a paragraph of Slack markup."""
    return {"type": "section", "text": markdown(cut_markup(text, TEXT))}


def context(text: str) -> Block:
    """Return a line of Slack markup in small type."""
    return {"type": "context", "elements": [markdown(cut_markup(text, FIELD))]}


def title(text: str) -> Block:
    """Return a title: a header, or a paragraph if the text is too long for a header."""
    if len(text) <= HEADER:
        return {"type": "header", "text": plain(text)}
    return {"type": "section", "text": plain(cut(text, TEXT))}


def verbatim(text: str) -> list[Block]:
    """Return a text unchanged, split over as many blocks as it needs."""
    parts = [text[first : first + TEXT] for first in range(0, len(text), TEXT)]
    return [{"type": "section", "text": plain(part)} for part in parts]


def fields(texts: Iterable[str]) -> list[Block]:
    """Return short texts in two columns, split over as many blocks as they need."""
    cells = [markdown(cut_markup(text, FIELD)) for text in texts]
    return [{"type": "section", "fields": cells[first : first + FIELDS]} for first in range(0, len(cells), FIELDS)]


def button(label: str, action: str, value: str, style: str = "", confirm: Block | None = None) -> Block:
    """Return a button. A click sends ``action`` and ``value``, after confirmation if ``confirm`` is a dialog."""
    block: Block = {"type": "button", "text": plain(label), "action_id": action, "value": value}
    return block | ({"style": style} if style else {}) | ({"confirm": confirm} if confirm else {})


def link_button(label: str, action: str, value: str, url: str) -> list[Block]:
    """Return a button that also opens a URL; an empty list if Slack would reject the URL."""
    return [{**button(label, action, value), "url": url}] if url and len(url) <= _URL else []


def cut(text: str, max_length: int) -> str:
    """Shorten the text to at most ``max_length`` characters."""
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"


def cut_markup(text: str, max_length: int) -> str:
    """Return a text in Slack's markup, shortened to ``max_length`` characters, and never within a link or an entity."""
    if len(text) <= max_length:
        return text
    head = text[: max_length - 1]
    opening, entity = head.rfind("<"), head.rfind("&")
    # A link that is cut has no closing bracket, and Slack would show its raw markup.
    if opening > head.rfind(">"):
        head = head[:opening]
    # Only a short rest can be the beginning of an entity. Any other ampersand is an earlier, complete one.
    elif entity > head.rfind(";") and len(head) - entity < _MAX_ENTITY_LENGTH:
        head = head[:entity]
    return f"{head}…"
