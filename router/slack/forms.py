"""The form for editing a post before approval. It contains the version that it shows.

A field's block ID contains the version, because Slack keeps a user's input in a block with an unchanged ID. Otherwise,
the form of a new version would show the earlier text.
"""

from collections.abc import Mapping
from typing import Any

from router.domain import visible
from router.notifiers import slack_blocks, slack_reviews
from router.services import models
from router.slack import payloads, replies

CALLBACK = "review_edit_form"
_MAX_LENGTH = 3000  # The most characters that a field of a form holds.
_LABELS = {"title": "Title", "message": "Message", "update_message": "Message", "resolve_message": "Message"}
_REASON = "reason"


def fields_of(review: models.Review) -> dict[str, str]:
    """Return the current texts that a reviewer may change, by field."""
    # Each kind of work posts another field of the rule.
    match review.what:
        case "retraction":
            return {}
        case "resolution":
            return {"resolve_message": review.message}
        case "monitoring":
            return {"update_message": review.message}
    return {name: str(review.fields[name]) for name in ("title", "message") if name in review.fields}


def is_editable(review: models.Review) -> bool:
    """Return whether a form can hold the texts and a message can show the whole review."""
    texts = fields_of(review)
    fits = all(len(text) <= _MAX_LENGTH for text in texts.values())
    return bool(texts) and fits and slack_reviews.is_complete(replies.to_review_view(review).review)


def edit(review: models.Review, own_texts: Mapping[str, str] | None = None, reason: str = "") -> dict[str, Any]:
    """Build the form for a review. ``own_texts`` has the reviewer's texts for an earlier version, by field."""
    where = slack_blocks.escape(review.destination)
    blocks: list[slack_blocks.Block] = []
    # The reviewer's text was written for an earlier version, so the new version is shown above it.
    if own_texts is not None:
        notice = "The post has changed since the form was opened. Nothing was recorded. This waits now:"
        blocks += [
            slack_blocks.section(f":warning: {notice}"),
            *slack_reviews.content(replies.to_review_view(review).review),
        ]
        blocks.append(slack_blocks.context("Your text is below. Approve it only if it still fits."))
    blocks.append(slack_blocks.context(f"Customers will see this at *{where}*, as it is written here."))
    for name, text in fields_of(review).items():
        element = {"multiline": name != "title", **_initial((own_texts or {}).get(name, text))}
        blocks.append(_input(f"{name}:{review.digest}", _LABELS[name], element))
    blocks.append(
        _input(f"{_REASON}:{review.digest}", "Reason, for the timeline", _initial(reason)) | {"optional": True}
    )
    subject = slack_reviews.ButtonSubject(review.reference, review.destination, review.digest)
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": subject.value,
        "title": slack_blocks.plain("Edit and approve"),
        "submit": slack_blocks.plain("Approve"),
        "close": slack_blocks.plain("Cancel"),
        "blocks": blocks,
    }


def texts(submission: payloads.Submission) -> dict[str, str]:
    """Return the post's texts in a submitted form, by field. The reason isn't one of them."""
    return {name: text for name, text in _values(submission).items() if name in _LABELS}


def reason(submission: payloads.Submission) -> str:
    """Return the reason in a submitted form; empty if the reviewer gave none."""
    return _values(submission).get(_REASON, "").strip()


def changes(submission: payloads.Submission, review: models.Review) -> dict[str, str]:
    """Return the submitted fields that differ from the review, ignoring leading and trailing white space."""
    submitted_texts = texts(submission)
    changed_fields = {}
    for name, text in fields_of(review).items():
        # Slack trims and rewrites white space. An unchanged text must not count as the reviewer's own.
        if name in submitted_texts and submitted_texts[name].strip() != _line_breaks(text).strip():
            changed_fields[name] = submitted_texts[name]
    return changed_fields


def blank(fields: Mapping[str, str]) -> list[str]:
    """Return the names of the fields without a visible character."""
    return [name for name, text in fields.items() if not visible.visible(text).strip()]


def map_errors(submission: payloads.Submission, wrong: Mapping[str, str]) -> dict[str, str]:
    """Map errors by field to errors by block. Show the error of an unknown field at the form's first field."""
    blocks = {block.partition(":")[0]: block for block in submission.values}
    first = next(iter(blocks.values()), "")
    texts_by_field: dict[str, str] = {}
    for name, text in wrong.items():
        # Slack rejects errors for blocks that the form doesn't have.
        block = blocks.get(name, first)
        line = text if name in blocks else f"{name}: {text}"
        texts_by_field[block] = f"{texts_by_field[block]}; {line}" if block in texts_by_field else line
    return texts_by_field


def _input(block: str, label: str, element: Mapping[str, Any]) -> slack_blocks.Block:
    shape = {"type": "plain_text_input", "action_id": "text", "max_length": _MAX_LENGTH}
    return {"type": "input", "block_id": block, "label": slack_blocks.plain(label), "element": {**shape, **element}}


def _initial(text: str) -> dict[str, str]:
    return {"initial_value": text} if text else {}


def _values(submission: payloads.Submission) -> dict[str, str]:
    return {block.partition(":")[0]: _line_breaks(text) for block, text in submission.values.items()}


def _line_breaks(text: str) -> str:
    return text.replace("\r\n", "\n")
