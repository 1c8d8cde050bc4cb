"""Modals: opening one with a trigger, filling it in, and applying the app's response to a submission."""

import json
from collections.abc import Mapping
from typing import Any

from router.simulator.options import Options
from router.simulator.slack import records
from router.simulator.slack.blocks import is_too_large, view_problem

_GIVEN = ("blocks", "private_metadata", "callback_id", "title", "submit", "close", "external_id")


class RefusedError(Exception):
    """Slack rejects a call with this error code, and with ``details`` in the response, if any."""

    def __init__(self, error: str, message: str = "") -> None:
        super().__init__(error)
        self.details = {"response_metadata": {"messages": [f"[ERROR] {message}"]}} if message else {}


def open_view(workspace: records.State, body: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """Open a modal for the user of the trigger. Raises ``RefusedError``."""
    view = _view(body)
    trigger = workspace.triggers.get(str(body.get("trigger_id", "")))
    if trigger is None:
        raise RefusedError("invalid_trigger_id" if body.get("trigger_id") else "invalid_arguments")
    # A trigger opens one modal. A repeated call fails, even if the response to the first one was lost.
    if trigger.is_exchanged:
        raise RefusedError("exchanged_trigger_id")
    # The app has only 3 seconds, so it must open the modal before any slow work.
    if options.clock() > trigger.expires_at:
        raise RefusedError("expired_trigger_id")
    trigger.is_exchanged = True
    identity = f"V{options.randomness.getrandbits(40):010X}"
    modal = records.Modal(identity, trigger.user, add_missing_ids(view), new_hash(options))
    workspace.modals.append(modal)
    return render(modal)


def update_view(workspace: records.State, body: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """Replace an open modal. Raises ``RefusedError``."""
    view = _view(body)
    view_ids = {str(body.get("view_id", "")), str(body.get("external_id", ""))} - {""}
    modal = next(
        (candidate for candidate in workspace.modals if {candidate.id, candidate.view.get("external_id")} & view_ids),
        None,
    )
    if modal is None:
        raise RefusedError("not_found")
    # The hash protects a newer view from an older request. Without a hash, the last update wins.
    if body.get("hash") and body["hash"] != modal.hash:
        raise RefusedError("hash_conflict")
    modal.view, modal.hash, modal.errors = add_missing_ids(view), new_hash(options), {}
    return render(modal)


def _view(body: Mapping[str, Any]) -> dict[str, Any]:
    view = body.get("view")
    try:
        # In a form, the view is a JSON text.
        view = json.loads(view) if isinstance(view, str) else view
    except ValueError:
        raise RefusedError("invalid_arguments", "view is not JSON") from None
    # The size has its own error code, so it is checked before the other limits.
    if is_too_large(view):
        raise RefusedError("view_too_large")
    if problem := view_problem(view):
        raise RefusedError("invalid_arguments", problem)
    new_view: dict[str, Any] = dict(view) if isinstance(view, dict) else {}
    return new_view


def add_missing_ids(view: Mapping[str, Any]) -> dict[str, Any]:
    """Add the missing IDs of blocks and input elements to a view, as Slack does."""
    blocks = []
    for position, block in enumerate(view.get("blocks", [])):
        block_with_id = {"block_id": f"b{position}", **block}
        if isinstance(block_with_id.get("element"), dict):
            block_with_id["element"] = {"action_id": f"a{position}", **block_with_id["element"]}
        blocks.append(block_with_id)
    return {**view, "blocks": blocks}


def new_hash(options: Options) -> str:
    """Return a new hash, which identifies one version of a view."""
    return f"{options.clock() // 1_000_000}.{options.randomness.getrandbits(32):08x}"


def render(modal: records.Modal, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a modal in the format of payloads and responses."""
    fields: dict[str, Any] = {name: modal.view.get(name, "" if "_id" in name else None) for name in _GIVEN}
    fields["private_metadata"] = modal.view.get("private_metadata", "")
    return {
        "id": modal.id,
        "team_id": records.TEAM,
        "type": "modal",
        **fields,
        "state": {"values": dict(values or {})},
        "hash": modal.hash,
        "clear_on_close": bool(modal.view.get("clear_on_close")),
        "notify_on_close": bool(modal.view.get("notify_on_close")),
        "root_view_id": modal.id,
        "previous_view_id": None,
        "app_id": records.APP,
        "app_installed_team_id": records.TEAM,
        "bot_id": records.BOT,
    }


def fill_in(modal: records.Modal, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of the inputs. ``texts`` maps block or action IDs to texts.

    Raises ``ValueError`` if Slack's client would not submit them.
    """
    values: dict[str, Any] = {}
    for block in modal.view["blocks"]:
        if block["type"] != "input":
            continue
        element = block["element"]
        text = texts.get(block["block_id"], texts.get(element["action_id"]))
        value = _value(element, text)
        is_empty = not next((member for name, member in value.items() if name != "type"), None)
        # Slack's client requires every input that isn't optional.
        if is_empty and not block.get("optional"):
            raise ValueError(f"{block['block_id']} is required")
        values[block["block_id"]] = {element["action_id"]: value}
    return values


def _value(element: Mapping[str, Any], text: str | None) -> dict[str, Any]:
    kind = element["type"]
    if kind == "plain_text_input":
        initial_text = element.get("initial_value") if text is None else text
        if initial_text and not element.get("min_length", 0) <= len(initial_text) <= element.get("max_length", 3000):
            raise ValueError(f"{element['action_id']} is too short or too long")
        # Slack sends null for an empty input.
        return {"type": kind, "value": initial_text or None}
    options = [option for option in element["options"] if text is not None and option["value"] in text.split(",")]
    if kind == "checkboxes":
        return {"type": kind, "selected_options": element.get("initial_options", []) if text is None else options}
    first = element.get("initial_option") if text is None else next(iter(options), None)
    return {"type": kind, "selected_option": first}


def initial(element: Mapping[str, Any]) -> set[str]:
    """Return the values of the initially selected options."""
    options = [*element.get("initial_options", [])]
    options += [element["initial_option"]] if "initial_option" in element else []
    return {option["value"] for option in options}


def apply(workspace: records.State, modal: records.Modal, response: Any, options: Options) -> str:
    """Apply the app's response to a submission. Return the error that the user sees; empty if nothing failed."""
    answer = response if isinstance(response, dict) else {}
    action = answer.get("response_action")
    # An empty response closes the modal.
    if not answer or action == "clear":
        workspace.modals.remove(modal)
        return ""
    if action == "errors":
        inputs = {block["block_id"] for block in modal.view["blocks"] if block["type"] == "input"}
        errors = answer.get("errors")
        # Errors belong to input blocks. For any other block, Slack shows a general error and drops the app's text.
        if not isinstance(errors, dict) or not errors or not errors.keys() <= inputs:
            return "We had some trouble connecting. Try again?"
        modal.errors = {name: str(text) for name, text in errors.items()}
        return ""
    if action in {"update", "push"} and not view_problem(answer.get("view")):
        modal.view, modal.hash, modal.errors = add_missing_ids(answer["view"]), new_hash(options), {}
        return ""
    return "We had some trouble connecting. Try again?"
