"""Renders a review for Slack: the post as customers will see it, and buttons that contain the shown version.

An approval covers only the content that the reviewer saw. So a review that exceeds a message has no approve button.
"""

import urllib.parse
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from router.domain import events
from router.domain.undecodable import Undecodable
from router.notifiers import slack_blocks

APPROVE, EDIT, DISMISS, OPEN = "review_approve", "review_edit", "review_dismiss", "review_open"
"""The action IDs of the buttons."""
_PARTS, _COMPONENTS, _LATER_PARTS = 10, 50, 2
_LATER = {"monitoring": "Once no alert fires:", "resolution": "When it is resolved:"}
_DISMISSED = {
    "opening": "Customers will see nothing of this incident there.",
    "update": "The post stays as it is now.",
    "monitoring": "The post stays as it is now.",
    "resolution": "The post stays open.",
    "retraction": "The post stays on the page.",
    "retrospective": "Customers will see nothing of this incident there.",
}


class ButtonSubject(msgspec.Struct, frozen=True, array_like=True):
    """The subject of a button: an incident's review at a destination, in the version that the message shows.

    ``incident`` is the reference, because an incident key may exceed the length limit of a button's value.
    """

    incident: str
    destination: str
    digest: str

    @property
    def value(self) -> str:
        """Encode the subject as the value of a button."""
        return msgspec.json.encode(self).decode()


def read_subject(value: str) -> ButtonSubject | None:
    """Decode the value of a button. Return None if it isn't a subject."""
    try:
        return msgspec.json.decode(value, type=ButtonSubject)
    except Undecodable:
        return None


class ReviewView(NamedTuple):
    """A review to render. ``decision`` is its outcome as text, empty while the review is pending."""

    incident: events.Incident
    review: events.Review
    decision: str = ""


class ReviewRenderer:
    """Renders reviews, with buttons if ``buttons`` is true. ``console`` is the console's URL, empty if unknown."""

    def __init__(self, console: str, *, buttons: bool) -> None:
        self._console = console.rstrip("/")
        self._buttons = buttons

    def blocks(self, view: ReviewView) -> list[slack_blocks.Block]:
        """Return the blocks of a review. A decided review has no buttons."""
        incident, review, decision = view
        icon = ":ballot_box_with_check:" if decision else ":eyes:"
        blocks = [
            slack_blocks.section(f"{icon} *{head(view)}* at *{slack_blocks.escape(review.destination)}*"),
            slack_blocks.context("This was shown for review:" if decision else "Customers will see:"),
            *content(review),
        ]
        if not decision and review.deadline is not None:
            outcome = "published" if review.at_deadline == "publish" else "dismissed"
            at = slack_blocks.moment(review.deadline)
            blocks.append(slack_blocks.context(f"Without a decision it is {outcome} at {at}."))
        if not decision and self._buttons:
            blocks += self._actions(incident, review)
        facts = [incident.reference, f"severity {incident.severity}", f"version {review.digest}"]
        blocks.append(slack_blocks.context(" · ".join((*facts, self._link()))))
        return blocks

    def _actions(self, incident: events.Incident, review: events.Review) -> Iterator[slack_blocks.Block]:
        if not is_complete(review):
            yield slack_blocks.context("This review is too long to show here in full. Decide in the console.")
        value = ButtonSubject(incident.reference, review.destination, review.digest).value
        buttons = []
        if is_complete(review):
            buttons.append(slack_blocks.button("Approve", APPROVE, value, "primary"))
        # A retraction has no text that a reviewer may change.
        if is_complete(review) and review.work != "retraction":
            buttons.append(slack_blocks.button("Edit", EDIT, value))
        buttons.append(slack_blocks.button("Dismiss", DISMISS, value, "danger", _confirmation(review)))
        buttons += slack_blocks.link_button("Open in console", OPEN, value, self._url(incident, review))
        yield {"type": "actions", "elements": buttons}

    def _url(self, incident: events.Incident, review: events.Review) -> str:
        query = urllib.parse.urlencode({"incident": incident.reference, "destination": review.destination})
        return f"{self._console}/review?{query}" if self._console else ""

    def _link(self) -> str:
        return f"<{self._console}/reviews|Open in the console>" if self._console else "see the console"


def head(view: ReviewView) -> str:
    """Return the outcome of a decided review, or the request for a decision."""
    return view.decision or f"A post waits for a reviewer ({view.review.work})"


def content(review: events.Review) -> list[slack_blocks.Block]:
    """Return the content that customers will see, now and at later stages."""
    block_content = [slack_blocks.title(review.title)] if review.title else []
    block_content += slack_blocks.verbatim(review.message)[:_PARTS]
    pairs = list(review.components.items())[:_COMPONENTS]
    block_content += slack_blocks.fields(
        f"*{slack_blocks.escape(name)}:* {slack_blocks.escape(status)}" for name, status in pairs
    )
    if review.began_at is not None and review.ended_at is not None:
        began, ended = slack_blocks.moment(review.began_at), slack_blocks.moment(review.ended_at)
        block_content.append(slack_blocks.context(f"The incident began at {began} and ended at {ended}."))
    for name, text in review.later.items():
        block_content.append(slack_blocks.context(_LATER.get(name, f"Later ({slack_blocks.escape(name)}):")))
        block_content += slack_blocks.verbatim(text)[:_LATER_PARTS]
    return block_content


def is_complete(review: events.Review) -> bool:
    """Return whether ``content`` shows everything that an approval publishes."""
    max_length = slack_blocks.TEXT
    cells = (f"*{slack_blocks.escape(name)}:* {status}" for name, status in review.components.items())
    return (
        len(review.title) <= max_length
        and len(review.message) <= _PARTS * max_length
        and len(review.components) <= _COMPONENTS
        and all(len(cell) <= slack_blocks.FIELD for cell in cells)
        and all(len(text) <= _LATER_PARTS * max_length for text in review.later.values())
    )


def _confirmation(review: events.Review) -> slack_blocks.Block:
    return {
        "title": slack_blocks.plain("Dismiss it?"),
        "text": slack_blocks.plain(_DISMISSED[review.work]),
        "confirm": slack_blocks.plain("Dismiss"),
        "deny": slack_blocks.plain("Cancel"),
        "style": "danger",
    }
