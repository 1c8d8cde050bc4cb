"""Replies to users, as the bodies of messages, responses to commands, and forms."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from router.domain import events, times
from router.domain.times import Timestamp
from router.notifiers import slack_blocks, slack_reviews
from router.services import actions, models

_WARNINGS = 10


class Reply(NamedTuple):
    """A text of Slack markup, followed by blocks."""

    text: str
    blocks: Sequence[slack_blocks.Block] = ()

    def message(self) -> dict[str, Any]:
        """Return the reply as a message that only the user sees."""
        blocks = [slack_blocks.section(self.text), *self.blocks][: slack_blocks.BLOCKS]
        text = slack_blocks.cut_markup(self.text, slack_blocks.TEXT)
        return {"response_type": "ephemeral", "text": text, "blocks": blocks}

    def view(self) -> dict[str, Any]:
        """Return the reply as a form without fields."""
        blocks = [slack_blocks.section(self.text), *self.blocks][: slack_blocks.BLOCKS]
        title, close = slack_blocks.plain("Review"), slack_blocks.plain("Close")
        return {"type": "modal", "title": title, "close": close, "blocks": blocks}


class RepliedError(Exception):
    """The action was rejected; ``reply`` has the reason. ``now`` is the review that is pending instead, if any."""

    def __init__(self, reply: Reply, now: models.Review | None = None) -> None:
        super().__init__(reply.text)
        self.reply = reply
        self.now = now


def to_review_view(review: models.Review) -> slack_reviews.ReviewView:
    """Convert a review of the services to the form that the Slack notifier renders."""
    at = review.since or times.to_datetime(Timestamp(0))
    incident = events.Incident(review.incident, review.reference, review.title, review.severity, "open", at)
    return slack_reviews.ReviewView(
        incident,
        events.Review(
            review.destination,
            review.what,
            review.digest,
            review.explanation,
            review.title,
            review.message,
            dict(review.components),
            review.since,
            review.deadline_at,
            review.at_deadline if review.deadline_at is not None else "",
            dict(review.later),
            review.began_at,
            review.ended_at,
        ),
    )


def conflict(error: actions.SubjectChanged, person: str, renderer: slack_reviews.ReviewRenderer) -> RepliedError:
    """Explain why a user's decision was not recorded. Include the version that is pending now, if any."""
    # A repeated click is no conflict for the user, so the reply doesn't sound like one.
    if error.by == person:
        text = "You have already decided on this review."
    # Another reviewer was faster. The review is decided, whatever its content.
    elif error.by:
        by = slack_blocks.escape(error.by)
        text = f"{by} decided first. Your decision was not recorded."
    # The review ended without a decision, for example because the incident resolved.
    elif error.now is None:
        text = "No review is pending there any longer. Your decision was not recorded."
    else:
        text = "The post has changed since it was shown to you. Your decision was not recorded. This waits now:"
    blocks = renderer.blocks(to_review_view(error.now)) if error.now is not None else []
    return RepliedError(Reply(f":warning: {text}", blocks), error.now)


def with_warnings(text: str, warnings: Sequence[str]) -> Reply:
    """Return a reply that lists the parts of a reviewer's text that may not be fit for customers."""
    if not warnings:
        return Reply(text)
    lines = "\n".join(f"• {slack_blocks.escape(warning)}" for warning in warnings[:_WARNINGS])
    return Reply(f"{text} Check your text:\n{lines}")


def failure(reason: str) -> Reply:
    """Return a reply with the reason why the action was rejected."""
    return Reply(f":warning: {slack_blocks.escape(reason)}")


def errors(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the response to a submission that shows errors in the form, by block ID."""
    return {
        "response_action": "errors",
        "errors": {block: text[: slack_blocks.HEADER] for block, text in fields.items()},
    }


def update(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to a submission that replaces the form with ``view``."""
    return {"response_action": "update", "view": dict(view)}
