"""The limits of Block Kit that Slack enforces, for the block types that messages use."""

from typing import Any

_MOST_BLOCKS = 50
_HEADER, _SECTION, _FIELD, _FIELDS, _ELEMENTS = 150, 3000, 2000, 10, 10


def problem(blocks: Any) -> str:
    """Return Slack's errors about the blocks of a message; empty if Slack accepts them."""
    if not isinstance(blocks, list) or len(blocks) > _MOST_BLOCKS:
        return f"at most {_MOST_BLOCKS} blocks"
    return next(filter(None, (_problem(one) for one in blocks)), "")


def _problem(block: Any) -> str:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "header":
        return _text(block.get("text"), _HEADER, {"plain_text"})
    if kind == "section":
        if "text" not in block and not block.get("fields"):
            return "a section needs a text or fields"
        fields = block.get("fields", [])
        found = [_text(one, _FIELD) for one in fields]
        found += [_text(block["text"], _SECTION)] if "text" in block else []
        found += ["too many fields"] if len(fields) > _FIELDS else []
        return next(filter(None, found), "")
    if kind == "context":
        elements = block.get("elements", [])
        if not 1 <= len(elements) <= _ELEMENTS:
            return f"1 to {_ELEMENTS} elements"
        return next(filter(None, (_text(one, _FIELD) for one in elements)), "")
    return "" if kind == "divider" else f"unknown type {kind}"


def _text(text: Any, most: int, kinds: frozenset[str] | set[str] = frozenset({"plain_text", "mrkdwn"})) -> str:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        return "not a text object"
    length = len(str(text.get("text", "")))
    return "" if 1 <= length <= most else f"a text of {length} characters"
