"""The limits of Block Kit that Slack enforces, for the block types and elements that messages and modals use."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# These are numbers of characters or entries. Slack refuses the whole message or modal if one of these limits is
# exceeded.
_MAX_BLOCKS, _MAX_BLOCKS_OF_A_MODAL = 50, 100
_HEADER, _SECTION, _FIELD, _FIELDS, _ELEMENTS = 150, 3000, 2000, 10, 10
_ACTIONS, _BUTTON, _VALUE, _ID, _URL = 25, 75, 2000, 255, 3000
_LABEL, _HINT, _INPUT, _OPTION, _OPTIONS = 2000, 2000, 3000, 75, 100
_TITLE, _METADATA, _MAX_BYTES = 24, 3000, 250_000
# Headers, buttons, labels, and titles take only plain text. Slack refuses `mrkdwn` there.
_BOTH: frozenset[str] = frozenset({"plain_text", "mrkdwn"})
_PLAIN: frozenset[str] = frozenset({"plain_text"})


def problem(blocks: Any) -> str:
    """Return Slack's errors about the blocks of a message; empty if Slack accepts them."""
    if not isinstance(blocks, list) or len(blocks) > _MAX_BLOCKS:
        return f"at most {_MAX_BLOCKS} blocks"
    return _first(_problems(blocks))


def view_problem(view: Any) -> str:
    """Return Slack's error for an invalid modal. Return an empty text if Slack accepts the modal."""
    if not isinstance(view, dict) or view.get("type") != "modal":
        return "not a modal"
    blocks = view.get("blocks")
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= _MAX_BLOCKS_OF_A_MODAL:
        return f"1 to {_MAX_BLOCKS_OF_A_MODAL} blocks"
    has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)
    return _first(
        iter(
            (
                _text(view.get("title"), _TITLE, _PLAIN),
                # Without a submit button, the user couldn't send the input.
                "a modal with an input needs submit" if has_input and "submit" not in view else "",
                _text(view["submit"], _TITLE, _PLAIN) if "submit" in view else "",
                _text(view["close"], _TITLE, _PLAIN) if "close" in view else "",
                _length(view, "private_metadata", _METADATA),
                _length(view, "callback_id", _ID),
                _length(view, "external_id", _ID),
                _first(_problems(blocks)),
            )
        )
    )


def is_too_large(view: Any) -> bool:
    """Return whether a view exceeds 250 kB."""
    return len(json.dumps(view).encode()) > _MAX_BYTES


def _first(found: Iterator[str]) -> str:
    return next(filter(None, found), "")


def _problems(blocks: list[Any]) -> Iterator[str]:
    # Values and errors of inputs are assigned by the ID of the block, so IDs must be unique. Slack adds missing ones.
    ids = [block["block_id"] for block in blocks if isinstance(block, dict) and block.get("block_id")]
    if len(ids) != len(set(ids)):
        yield "block_id is repeated"
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        check = _CHECKS.get(str(kind))
        if check is None:
            # Slack has more types of blocks. The router uses only these, so another type is more likely a mistake.
            yield f"unknown type {kind}"
            continue
        yield _length(block, "block_id", _ID)
        yield check(block)


def _header(block: Mapping[str, Any]) -> str:
    return _text(block.get("text"), _HEADER, _PLAIN)


def _section(block: Mapping[str, Any]) -> str:
    if "text" not in block and not block.get("fields"):
        return "a section needs a text or fields"
    fields = block.get("fields", [])
    problems = [_text(field, _FIELD) for field in fields]
    problems += [_text(block["text"], _SECTION)] if "text" in block else []
    problems += ["too many fields"] if len(fields) > _FIELDS else []
    problems += [_element(block["accessory"])] if "accessory" in block else []
    return _first(iter(problems))


def _context(block: Mapping[str, Any]) -> str:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= _ELEMENTS:
        return f"1 to {_ELEMENTS} elements"
    return _first(_text(element, _FIELD) for element in elements)


def _actions(block: Mapping[str, Any]) -> str:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= _ACTIONS:
        return f"1 to {_ACTIONS} elements"
    ids = [element.get("action_id") for element in elements if isinstance(element, dict) and element.get("action_id")]
    # Within a block, only the action ID says which button was clicked.
    if len(ids) != len(set(ids)):
        return "action_id is repeated"
    return _first(_element(element) for element in elements)


def _input(block: Mapping[str, Any]) -> str:
    problems = [_text(block.get("label"), _LABEL, _PLAIN), _element(block.get("element"))]
    problems += [_text(block["hint"], _HINT, _PLAIN)] if "hint" in block else []
    return _first(iter(problems))


def _divider(_block: Mapping[str, Any]) -> str:
    return ""


_CHECKS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "divider": _divider,
}


def _element(element: Any) -> str:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind == "button":
        problems = [_text(element.get("text"), _BUTTON, _PLAIN), _length(element, "value", _VALUE)]
        problems += [_length(element, "url", _URL), _length(element, "action_id", _ID)]
        problems += [] if element.get("style", "primary") in {"primary", "danger"} else ["unknown style"]
        return _first(iter(problems))
    if kind == "plain_text_input":
        max_length = element.get("max_length", _INPUT)
        is_whole = isinstance(max_length, int) and 1 <= max_length <= _INPUT
        problems = [
            _length(element, "action_id", _ID),
            _length(element, "initial_value", max_length if is_whole else _INPUT),
        ]
        return _first(iter([*problems, "" if is_whole else f"max_length is between 1 and {_INPUT}"]))
    if kind in {"static_select", "radio_buttons", "checkboxes"}:
        options = element.get("options", [])
        # Only a menu has room for 100 options. Radio buttons and checkboxes have at most 10.
        if not 1 <= len(options) <= (_OPTIONS if kind == "static_select" else _ELEMENTS):
            return "too few or too many options"
        return _first(_text(option.get("text"), _OPTION) or _length(option, "value", _OPTION) for option in options)
    return f"unknown element {kind}"


def _length(element: Mapping[str, Any], name: str, max_length: int) -> str:
    return "" if len(str(element.get(name, ""))) <= max_length else f"{name} has more than {max_length} characters"


def _text(text: Any, max_length: int, kinds: frozenset[str] = _BOTH) -> str:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        return "not a text object"
    length = len(str(text.get("text", "")))
    # Slack refuses empty texts, too.
    return "" if 1 <= length <= max_length else f"a text of {length} characters"
