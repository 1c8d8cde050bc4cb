"""The simulated workspace as a page: channels with their messages, buttons to click, and open modals."""

from collections.abc import Mapping
from html import escape
from typing import Any

from router.simulator import pages
from router.simulator.slack import interactions, modals, records, vendor

_STYLE = """<style>
article form { display: inline } button { font: inherit; padding: .2rem .8rem; margin: .2rem .4rem .2rem 0 }
pre { white-space: pre-wrap; font: inherit; margin: .3rem 0 } .reply { margin-left: 2rem }
textarea, input, select { font: inherit; width: 100%; box-sizing: border-box } dialog { position: static }
</style>"""


def workspace(slack: vendor.Slack, person: records.Person) -> str:
    """Render the workspace as HTML for one user."""
    state = slack.workspace
    people = " · ".join(
        f"<b>{escape(viewer.real_name)}</b>"
        if viewer is person
        else f'<a href="?as={viewer.id}">{escape(viewer.real_name)}</a>'
        for viewer in records.PEOPLE.values()
        if not viewer.is_deleted
    )
    parts = [_STYLE, "<h1>Simulated Slack</h1>", f"<small>You are {people}. {_format_connections(slack)}</small>"]
    failures = [failure["text"] for failure in state.failures if failure["user"] == person.id]
    parts += [f'<div class="banner bad">{escape(failures[-1])}</div>'] if failures else []
    opened = [modal for modal in state.modals if modal.user == person.id]
    parts += [_modal(modal) for modal in opened]
    for channel, name in records.CHANNELS.items():
        parts.append(f"<h2>#{escape(name)}</h2>")
        messages = [*state.messages, *(ephemeral for ephemeral in state.ephemerals if ephemeral.user == person.id)]
        messages = [message for message in messages if message.channel == channel]
        parts += [
            _message(message, person)
            # Replies follow the message that began their thread.
            for message in sorted(messages, key=lambda message: (message.thread_ts or message.ts, message.ts))
        ]
        parts.append(_command(name, person))
    # A page that reloads would empty the inputs of an open modal.
    return pages.document("Simulated Slack", "".join(parts), refreshes=not opened)


def _format_connections(slack: vendor.Slack) -> str:
    return f"Socket Mode connections: {slack.sockets.count}."


def _message(message: records.Message, person: records.Person) -> str:
    blocks = "".join(_block(block, message, person) for block in message.blocks)
    notes = ["only visible to you"] if message.user else []
    notes += ["edited"] if message.edits else []
    kind = "reply" if message.thread_ts else "message"
    content = blocks or f"<pre>{escape(message.text)}</pre>"
    return f'<article class="{kind}">{content}<small>{" · ".join([message.ts, *notes])}</small></article>'


def _block(block: Mapping[str, Any], message: records.Message | None, person: records.Person | None) -> str:
    match block["type"]:
        case "header":
            return f"<h3>{_words(block['text'])}</h3>"
        case "divider":
            return "<hr>"
        case "context":
            return f"<small><pre>{' · '.join(_words(element) for element in block['elements'])}</pre></small>"
        case "actions":
            return "".join(_button(element, message, person) for element in block["elements"])
    fields = [block["text"]] if "text" in block else []
    text = "\n".join(_words(field) for field in [*fields, *block.get("fields", [])])
    return f"<pre>{text}</pre>"


def _button(button: Mapping[str, Any], message: records.Message | None, person: records.Person | None) -> str:
    name = escape(interactions.label(button))
    # A link opens in the browser, so the page needs no form for it.
    if button.get("url"):
        return f'<a href="{escape(button["url"])}">{name}</a> '
    # Clicks in a modal aren't simulated, so a modal shows no buttons.
    if message is None or person is None:
        return ""
    hidden = {"channel": message.channel, "ts": message.ts, "user": person.id}
    hidden["action"] = button.get("action_id", interactions.label(button))
    return _form("clicks", hidden, f"<button>{name}</button>")


def _modal(modal: records.Modal) -> str:
    blocks = modal.view["blocks"]
    inputs = [_input(block, modal) if block["type"] == "input" else _block(block, None, None) for block in blocks]
    submit = _words(modal.view["submit"]) if "submit" in modal.view else "Submit"
    form = _form("submissions", {"view": modal.id}, f"{''.join(inputs)}<button>{submit}</button>")
    return f"<dialog open><h2>{_words(modal.view['title'])}</h2>{form}</dialog>"


def _input(block: Mapping[str, Any], modal: records.Modal) -> str:
    element, name = block["element"], f"values.{escape(block['block_id'])}"
    error = modal.errors.get(block["block_id"], "")
    if element["type"] == "plain_text_input":
        value = escape(element.get("initial_value", ""))
        field = f'<input name="{name}" value="{value}">'
        field = f'<textarea name="{name}" rows="6">{value}</textarea>' if element.get("multiline") else field
    else:
        initial = modals.initial(element)
        options = "".join(
            f'<option value="{escape(option["value"])}"{" selected" if option["value"] in initial else ""}>'
            f"{_words(option['text'])}</option>"
            for option in element["options"]
        )
        field = f'<select name="{name}">{options}</select>'
    return f'<p><label>{_words(block["label"])}{field}</label><span class="bad">{escape(error)}</span></p>'


def _command(channel: str, person: records.Person) -> str:
    hidden = {"channel": channel, "user": person.id}
    fields = '<input name="command" value="/incidents" size="12"> <input name="text" size="20">'
    return _form("commands", hidden, f"{fields} <button>Send</button>")


def _form(action: str, hidden: Mapping[str, str], content: str) -> str:
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items())
    return f'<form method="post" action="/workspace/{action}">{fields}{content}</form>'


def _words(text: Mapping[str, Any]) -> str:
    return escape(str(text.get("text", "")))
