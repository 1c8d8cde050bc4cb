"""Buttons and forms of reviews. They decide through the same actions as the API and the console."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple

import pydantic

from router.domain import access
from router.notifiers import slack_api, slack_reviews
from router.outbound import errors
from router.services import actions, models, queries, request_bodies
from router.slack import forms, payloads, replies
from router.telemetry import log

ADDRESS = "slack"
"""The client address in the audit log, because requests come from Slack and not from the user's machine."""
ROLES = {
    slack_reviews.APPROVE: access.Role.RESPONDER,
    slack_reviews.EDIT: access.Role.RESPONDER,
    slack_reviews.DISMISS: access.Role.RESPONDER,
    slack_reviews.OPEN: access.Role.VIEWER,
}
"""The buttons, and the role that each requires."""
_log = log.get("management")
_DONE = {
    "approve": ":white_check_mark: Approved. The router publishes it now.",
    "dismiss": ":no_entry_sign: Dismissed. The router does not publish it.",
}


class ReviewRequest(NamedTuple):
    """An authorized user, and the review in the clicked button or the submitted form."""

    person: access.Person
    subject: slack_reviews.ButtonSubject

    def act(self, reason: str = "") -> actions.ActionContext:
        """Return the context of an action by this user, for the audit log."""
        caller = actions.Caller(self.person, ADDRESS)
        return actions.ActionContext(caller, f"{self.subject.incident} at {self.subject.destination}", reason)


class SlackReviews:
    """Records decisions from Slack. ``hasten`` makes a worker announce an incident's changes immediately."""

    def __init__(
        self,
        query_service: queries.Queries,
        acting: actions.Actions,
        api: slack_api.WebApi,
        hasten: Callable[[str], Awaitable[None]],
    ) -> None:
        self._queries = query_service
        self._actions = acting
        self._api = api
        self._hasten = hasten
        self._renderer = slack_reviews.ReviewRenderer(query_service.settings.management.public_url, buttons=True)

    async def click(self, condition: ReviewRequest, click: payloads.Click) -> replies.Reply | None:
        """Carry out a click and return the reply, if any. Raise ``replies.RepliedError`` if the action was rejected."""
        match click.action:
            case slack_reviews.APPROVE:
                return await self._decide(condition, "approve")
            case slack_reviews.DISMISS:
                return await self._decide(condition, "dismiss")
            case slack_reviews.EDIT:
                await self._open(condition, click.trigger)
            case _:
                await self._actions.record(condition.act(), "open review")
        return None

    async def submit(self, condition: ReviewRequest, submission: payloads.Submission) -> Mapping[str, Any]:
        """Approve a review with the form's texts. Return the response to the form. Raises ``replies.RepliedError``."""
        review = await self._review(condition)
        is_same = review is not None and review.digest == condition.subject.digest
        changed = forms.changes(submission, review) if review is not None and is_same else forms.texts(submission)
        if is_same and (blank := forms.blank(changed)):
            return replies.errors(forms.map_errors(submission, dict.fromkeys(blank, "must not be blank")))
        try:
            # The action compares the form's digest, because the review may change after this read.
            reply = await self._decide(condition, "approve", changed, forms.reason(submission))
        except replies.RepliedError as error:
            # The user's text isn't lost: the form opens again with the new version and the text.
            if error.now is not None and forms.is_editable(error.now):
                return replies.update(forms.edit(error.now, forms.texts(submission), forms.reason(submission)))
            raise
        except actions.InvalidRequest as invalid:
            wrong = {
                str(field_error.path[1]): field_error.detail
                for field_error in invalid.errors
                if len(field_error.path) > 1
            }
            return replies.errors(forms.map_errors(submission, wrong or {"": str(invalid)}))
        return replies.update(reply.view())

    async def _decide(
        self,
        condition: ReviewRequest,
        decision: Literal["approve", "dismiss"],
        fields: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> replies.Reply:
        subject = condition.subject
        try:
            body = request_bodies.Decide(
                incident=subject.incident,
                destination=subject.destination,
                seen=subject.digest,
                decision=decision,
                reason=reason,
                fields=dict(fields or {}),
            )
            decided = await self._actions.decide(condition.act(reason), body)
        except pydantic.ValidationError as error:
            raise replies.RepliedError(replies.failure("This button or form can't be read.")) from error
        except actions.SubjectChanged as error:
            if error.now is not None:
                await self._hasten(error.now.incident)
            raise replies.conflict(error, condition.person.name, self._renderer) from error
        return replies.with_warnings(_DONE[decision], decided.warnings)

    async def _open(self, condition: ReviewRequest, trigger: str) -> None:
        """Open the form for the version that the message shows. A trigger works once, within 3 seconds."""
        review = await self._review(condition)
        # The user must not edit a version that the message doesn't show.
        if review is None or review.digest != condition.subject.digest:
            await self._actions.record(condition.act(), "edit review", "refused: it has changed")
            if review is not None:
                await self._hasten(review.incident)
            raise replies.conflict(actions.SubjectChanged(review, ""), condition.person.name, self._renderer)
        if not forms.is_editable(review):
            raise replies.RepliedError(replies.failure("This review can't be edited in Slack. Use the console."))
        await self._actions.record(condition.act(), "edit review", "form opened")
        try:
            await self._api.call("views.open", {"trigger_id": trigger, "view": forms.edit(review)})
        except errors.Failure as failure:
            _log.warning("slack_form_not_opened", reason=failure.message)
            raise replies.RepliedError(
                replies.failure("Slack did not open the form in time. Click again.")
            ) from failure

    async def _review(self, condition: ReviewRequest) -> models.Review | None:
        subject = condition.subject
        return await self._queries.review(subject.incident, subject.destination, subject.digest)
