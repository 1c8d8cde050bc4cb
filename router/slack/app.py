"""The Slack app: handles the clicks, submitted forms, and slash commands of Slack's users.

Slack sends payloads by HTTP or through Socket Mode. Both transports authenticate and decode a payload before they call
``SlackApp.handle``.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from typing import Any, Literal

from router.configuration import sections
from router.domain import access
from router.notifiers import slack_api, slack_reviews
from router.services import actions, incident_names, notifier_events, queries
from router.slack import commands, forms, payloads, replies, response_urls, reviews, roles
from router.store.errors import Unavailable, UnreadableDocument
from router.telemetry import log

Kind = Literal["interactive", "slash_commands", "events"]
"""The kinds of payloads, named as in Socket Mode."""
ACK_SECONDS = 2.5
"""Slack waits 3 seconds for a response, including network time."""
_CALL_SECONDS = 2.0
_SLOW = replies.Reply(":hourglass: The router is still working on it. The message in the channel shows the result.")
_log = log.get("management")


class SlackApp:
    """Handles the payloads of one Slack app. Each response takes at most ``ack_seconds``."""

    def __init__(
        self,
        config: sections.SlackApp,
        query_service: queries.Queries,
        acting: actions.Actions,
        *,
        ack_seconds: float = ACK_SECONDS,
    ) -> None:
        """Defer connecting to Slack to the first call."""
        self._actions = acting
        self._ack_seconds = ack_seconds
        token = config.token.get_secret_value()
        self._api = slack_api.WebApi(
            "slack-app", config.base_url, token, query_service.clock, timeout_seconds=_CALL_SECONDS
        )
        self._requests = query_service.store.slack_requests
        self._roles = roles.Roles(config, self._api, query_service.clock)
        self._urls = response_urls.ResponseUrls(config.base_url, query_service.clock, timeout_seconds=_CALL_SECONDS)
        self._commands = commands.SlashCommands(query_service, acting)
        self._running: set[asyncio.Task[Any]] = set()

        async def hasten(incident: str) -> None:
            await notifier_events.announce_now(query_service.store, incident)

        self._reviews = reviews.SlackReviews(query_service, acting, self._api, hasten)

    @classmethod
    def from_settings(cls, query_service: queries.Queries, acting: actions.Actions) -> "SlackApp | None":
        """Create the configured Slack app. Return None if the settings have no ``slack_app``."""
        config = query_service.settings.slack_app
        return cls(config, query_service, acting) if config is not None else None

    async def handle(self, kind: Kind, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Handle an authenticated, decoded payload. Return the body of the acknowledgement, or None if it is empty.

        Slack waits 3 seconds for the acknowledgement. A slower action continues after this method returns. A repeated
        payload has no second effect.
        """
        # The router reacts to no events. Acknowledging them keeps Slack from repeating them.
        if kind == "events":
            return None
        # The action runs in a task, because it must not be canceled halfway when the time is up.
        task: asyncio.Task[Mapping[str, Any] | None] = self._start(self._once(kind, payload))
        finished, _ = await asyncio.wait({task}, timeout=self._ack_seconds)
        if finished:
            return task.result()
        if kind == "slash_commands":
            task.add_done_callback(lambda finished: self._send_late(finished, str(payload.get("response_url", ""))))
            return _SLOW.message()
        return replies.update(_SLOW.view()) if payload.get("type") == "view_submission" else None

    async def finish(self) -> None:
        """Wait for actions and replies in progress."""
        # A finished action may have started a reply, so wait until nothing is left.
        while self._running:
            await asyncio.wait(set(self._running))

    async def aclose(self) -> None:
        """Wait for actions and replies in progress, then close the connections to Slack."""
        await self.finish()
        await self._api.aclose()

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _once(self, kind: Kind, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Handle a new payload. For a repeated payload, return the earlier response."""
        try:
            # Slack may send a payload again, also to another process, so payloads are recorded in Redis.
            is_new, before = await self._requests.begin(kind, payload)
            if not is_new:
                _log.info("slack_request_repeated", kind=kind)
                return before if isinstance(before, dict) else None
            answer = await self._answer(kind, payload)
            await self._requests.finish(kind, payload, answer)
        except (Unavailable, UnreadableDocument) as error:
            _log.warning("slack_request_interrupted", kind=kind, reason=str(error))
            reason = f"The action may not have been done: {error}. Check the console, or try again."
        except payloads.MalformedError as error:
            _log.warning("slack_request_refused", kind=kind, reason=str(error))
            return None
        except Exception:  # noqa: BLE001 - the user needs a reply to any failure
            _log.exception("slack_request_failed", kind=kind)
            reason = "The router failed. See its log."
        else:
            return answer
        # If this fails, too, a repeated payload is rejected for some minutes, but a new click is accepted.
        with contextlib.suppress(Unavailable):
            await self._requests.delete(kind, payload)
        return self._deliver_reply(kind, payload, replies.failure(reason))

    def _deliver_reply(self, kind: Kind, payload: Mapping[str, Any], reply: replies.Reply) -> Mapping[str, Any] | None:
        """Return the response that shows a reply. If a response can't show it, send it to the response URL instead."""
        if kind == "slash_commands":
            return reply.message()
        if payload.get("type") == "view_submission":
            return replies.update(reply.view())
        self._reply(str(payload.get("response_url", "")), reply, is_ephemeral=False)
        return None

    async def _answer(self, kind: Kind, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if kind == "slash_commands":
            return (await self._command(payloads.read_command(payload))).message()
        interaction = payloads.read_interaction(payload)
        match interaction:
            case payloads.Click():
                if (reply := await self._click(interaction)) is not None:
                    self._reply(interaction.response_url, reply, is_ephemeral=interaction.is_ephemeral)
            case payloads.Submission() if interaction.callback == forms.CALLBACK:
                return await self._submit(interaction)
        return None

    async def _command(self, command: payloads.Command) -> replies.Reply:
        name = commands.name_of(command)
        # The command is checked before the user, so that a typing error causes no entry in the audit log.
        if name not in commands.ROLES:
            return replies.failure(f"The router has no command {command.name}.")
        try:
            person = await self._authorize(command.user, commands.ROLES[name], f"command {name}")
            return await self._commands.run(name, command.text, actions.Caller(person, reviews.ADDRESS))
        except replies.RepliedError as error:
            return error.reply
        except actions.InvalidRequest as error:
            return replies.failure(f"{str(error).capitalize()}.")

    async def _click(self, click: payloads.Click) -> replies.Reply | None:
        subject = slack_reviews.read_subject(click.value)
        try:
            # Messages of an earlier version may have other buttons.
            if click.action not in reviews.ROLES or subject is None:
                _log.warning("slack_request_refused", kind="interactive", reason=f"unknown button {click.action!r}")
                return None
            action = f"{click.action.removeprefix('review_')} {subject.incident} at {subject.destination}"
            person = await self._authorize(click.user, reviews.ROLES[click.action], action)
            return await self._reviews.click(reviews.ReviewRequest(person, subject), click)
        except replies.RepliedError as error:
            return error.reply
        except (actions.InvalidRequest, actions.SubjectNotFound, incident_names.Ambiguous) as error:
            return replies.failure(f"{error}. Nothing was changed.")

    async def _submit(self, submission: payloads.Submission) -> Mapping[str, Any]:
        subject = slack_reviews.read_subject(submission.metadata)
        if subject is None:
            raise payloads.MalformedError("the form has no subject")
        try:
            action = f"approve {subject.incident} at {subject.destination}"
            person = await self._authorize(submission.user, access.Role.RESPONDER, action)
            return await self._reviews.submit(reviews.ReviewRequest(person, subject), submission)
        except replies.RepliedError as error:
            return replies.update(error.reply.view())
        except (actions.InvalidRequest, actions.SubjectNotFound, incident_names.Ambiguous) as error:
            return replies.update(replies.failure(f"{error}. Nothing was changed.").view())

    async def _authorize(self, user: payloads.User, needed: access.Role, action: str) -> access.Person:
        """Return the user with the needed role. Otherwise, audit the refusal and raise ``replies.RepliedError``."""
        try:
            return await self._roles.authorize(user, needed)
        except roles.MissingRoleError as refused:
            caller = actions.Caller(self._roles.person(user, access.Role.VIEWER), reviews.ADDRESS)
            await self._actions.record_refusal(actions.ActionContext(caller, action), "slack", str(refused))
            text = f"You may not do this: {refused}. An operator grants roles under `slack_app` in the configuration."
            raise replies.RepliedError(replies.failure(text)) from refused

    def _send_late(self, task: asyncio.Task[Any], url: str) -> None:
        answer = task.result() if not task.cancelled() else None
        if answer is not None:
            self._start(self._urls.send(url, answer))

    def _reply(self, url: str, reply: replies.Reply, *, is_ephemeral: bool) -> None:
        """Send a reply that only the user sees. Replace an earlier reply, because its buttons would be stale."""
        self._start(self._urls.send(url, {**reply.message(), "replace_original": is_ephemeral}))
