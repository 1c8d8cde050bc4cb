"""Apprise: email, chat, push, and SMS services, each configured by a URL.

Apprise calls block, so each runs in its own thread, at most ``AT_ONCE`` at a time. A thread that exceeds its time limit
is abandoned, and occupies its slot until it ends. Deliveries are recorded for each URL, so a retry calls only the URLs
that failed.
"""

import asyncio
import functools
import hashlib
import importlib.util
import logging
import re
import threading
import urllib.parse
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import pydantic

from router.domain import events
from router.notifiers import base, plain_text
from router.outbound import call_policy, errors
from router.yaml_source import suggestions

T = TypeVar("T")

AT_ONCE = 4
"""The most concurrent calls of one notifier, including abandoned calls."""
_LOAD_SECONDS = 60.0  # Loading takes about one second, and longer on a busy machine.
_PACKAGE = "apprise"
_FIRST = "first"  # Key in the state: the sequence number of the first event that some URL hasn't received.
_SCHEME = re.compile(r"([a-z0-9]+)://", re.IGNORECASE)
_STATUS = re.compile(r"error=([1-5][0-9]{2})\b")
# Apprise URLs have secrets in any part: as a user, a host, a path, or a parameter.
_BETWEEN = re.compile(r"[/:@?&=,;+#]")
_MIN_MASKED_LENGTH = 4  # Shorter parts aren't secrets. Masking them would make messages unreadable.
_MAX_CHARACTERS = 200

# Excluded: services that act on the router's machine (desktops, syslog, files), social networks, because their readers
# are the public, and services that open incidents.
EMAIL = "mailto mailtos azure o365 brevo mailersend mailgun postmark resend sendgrid sendpulse ses smtp2go sparkpost"
CHATS = (
    "workflow workflows discord slack gchat wxteams webex mmost mmosts rocket rockets zulip matrix matrixs tgram "
    "signal signals threema nctalk nctalks synology synologys cliq zohocliq lark feishu dingtalk wecombot line twist "
    "revolt flock guilded ryver ringc zoom"
)
PUSH = (
    "ntfy ntfys pover gotify gotifys bark barks join pbul prowl pushy pushme pushed psafer psafers simplepush spush "
    "onesignal notica noticas hassio hassios"
)
SMS = (
    "twilio vonage nexmo clicksend clickatell msgbird plivo sinch sns seven voipms bulksms d7sms telnyx httpsms 46elks "
    "atalk freemobile kavenegar burstsms sfr smsmanager msg91 bulkvs"
)
GENERIC = "json jsons form forms xml xmls apprise apprises"
SCHEMES = frozenset(" ".join((EMAIL, CHATS, PUSH, SMS, GENERIC)).split())
"""The accepted URL schemes."""
# Reject parameters that read files, follow redirects to other hosts, or retry calls: the router retries.
_REFUSED_PARAMETERS = frozenset({"redirect", "retry", "wait", "template", "store", "attach"})


class Config(base.Config):
    """Services by URL. Messages name a URL by its position, because it contains secrets."""

    kind: Literal["apprise"] = "apprise"
    urls: tuple[pydantic.SecretStr, ...] = pydantic.Field(min_length=1, max_length=20)
    timeout_seconds: float = pydantic.Field(default=15.0, gt=0, le=30)
    per_minute: int = pydantic.Field(default=60, ge=10)

    @pydantic.field_validator("kind")
    @classmethod
    def _check_installed(cls, kind: str) -> str:
        if importlib.util.find_spec(_PACKAGE) is None:
            raise ValueError('notifiers of this kind need the package apprise: pip install "incident-router[apprise]"')
        return kind

    @pydantic.field_validator("urls")
    @classmethod
    def _check_urls(cls, urls: tuple[pydantic.SecretStr, ...]) -> tuple[pydantic.SecretStr, ...]:
        for url in urls:
            _check(url.get_secret_value())
        return urls


def _check(url: str) -> None:
    """Raise ``ValueError`` for a rejected URL. The message contains only the scheme, because the rest may be secret."""
    match = _SCHEME.match(url)
    if match is None:
        raise ValueError("expected an Apprise URL, such as mailtos://user:password@smtp.example.com")
    scheme = match.group(1).lower()
    # Only listed schemes are accepted, so that a later version of Apprise can't add one that acts on this machine.
    if scheme not in SCHEMES:
        raise ValueError(f'the scheme "{scheme}" is not accepted{suggestions.hint(scheme, SCHEMES)}')
    try:
        parameters = {name.lower() for name, _ in urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)}
    except ValueError:
        raise ValueError("the URL can't be read") from None
    if refused_parameters := sorted(parameters & _REFUSED_PARAMETERS):
        raise ValueError(f'the parameter "{refused_parameters[0]}" is not accepted in a URL')


class _Service(NamedTuple):
    """One URL. ``key`` identifies it in the state, ``label`` in messages. Messages mask the texts in ``masked``."""

    url: str
    key: str
    label: str
    masked: tuple[str, ...]


class Apprise:
    """Sends one message about all pending events of an episode to every URL."""

    def __init__(self, name: str, config: Config, connection: base.NotifierConnection) -> None:
        """Defer importing Apprise to the first call, because loading it takes about one second."""
        self._name = name
        self._services = [_service(name, url.get_secret_value(), place) for place, url in enumerate(config.urls, 1)]
        self._console = connection.console
        self._quota = connection.quota
        self._timeout_seconds = config.timeout_seconds
        self._threads = _Threads(AT_ONCE, name)
        self._is_loaded = False

    async def deliver(self, batch: base.Batch) -> base.Delivered:
        """Send the events to the URLs that haven't received them. Raise the first failure if every URL fails.

        If only some URLs accept the message, return a state that records them. The next call sends to the others.
        """
        recorded_events = _take_one_episode(batch.events)
        newest = recorded_events[-1].sequence
        state = self._recorded_deliveries(batch.state, recorded_events[0].sequence)
        # A URL that has received the newest event is omitted, so a retry sends no message twice.
        pending = [receiver for receiver in self._services if _last_received(state, receiver) < newest]
        outcomes = await asyncio.gather(
            *(self._send(receiver, _after(recorded_events, _last_received(state, receiver))) for receiver in pending)
        )
        failures = [failure for failure in outcomes if failure is not None]
        for receiver, failure in zip(pending, outcomes, strict=True):
            if failure is None:
                state[receiver.key] = str(newest)
        # The state is needed only between a partial failure and its retry.
        if not failures:
            return base.Delivered(newest, {})
        # No further URL has accepted the message, so the recorded state stays as it is.
        if len(failures) == len(pending):
            raise failures[0]
        # The sequence number before the first event says that the events are still undelivered, although the state has
        # changed.
        return base.Delivered(recorded_events[0].sequence - 1, {**state, _FIRST: str(recorded_events[0].sequence)})

    def _recorded_deliveries(self, state: Mapping[str, str], first: int) -> dict[str, str]:
        """Return the recorded deliveries of the configured URLs.

        If the events begin before the recorded ones, an operator has requested a redelivery. Then return nothing, so
        that every URL receives them again.
        """
        if first < _number(state.get(_FIRST, "")):
            return {}
        return {service.key: state[service.key] for service in self._services if service.key in state}

    async def aclose(self) -> None:
        """Do nothing, because no connection outlives a call."""

    async def _send(self, service: _Service, recorded_events: Sequence[events.Recorded]) -> errors.Failure | None:
        """Send one message to one URL. Return the failure, or None if the message was delivered."""
        message = plain_text.render(recorded_events, self._console)
        try:
            # Each URL is a separate call, so each takes a separate place in the quota.
            if self._quota is not None:
                await call_policy.wait_for_quota(self._quota, call_policy.Turn(0.0), service.label)
            if not self._is_loaded:
                await self._threads.run(load, service.label, _LOAD_SECONDS)
                self._is_loaded = True
            call = functools.partial(_notify, service, message)
            failure = await self._threads.run(call, service.label, self._timeout_seconds)
        except errors.Failure as problem:
            return problem
        return failure


def _service(name: str, url: str, place: int) -> _Service:
    match = _SCHEME.match(url)
    scheme = match.group(1).lower() if match is not None else ""
    # The state is stored in Redis, so it contains a hash instead of the URL.
    key = hashlib.blake2b(url.encode(), digest_size=4).hexdigest()
    return _Service(url, key, f"{name}: URL {place} ({scheme}://)", tuple(_secrets(url)))


def _secrets(url: str) -> list[str]:
    """Return the parts of a URL that may be secret, quoted and unquoted, longest first."""
    parts = _BETWEEN.split(url.partition("://")[2])
    forms = {form for part in parts for form in (part, urllib.parse.unquote(part), urllib.parse.unquote_plus(part))}
    return sorted((form for form in forms if len(form) >= _MIN_MASKED_LENGTH), key=len, reverse=True)


def _last_received(state: Mapping[str, str], service: _Service) -> int:
    """Return the sequence number of the last event that the URL has received while others failed; 0 if none."""
    return _number(state.get(service.key, ""))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _after(recorded_events: Sequence[events.Recorded], sequence: int) -> Sequence[events.Recorded]:
    return [entry for entry in recorded_events if entry.sequence > sequence]


def _take_one_episode(recorded_events: Sequence[events.Recorded]) -> Sequence[events.Recorded]:
    """Return the events before the next opening, because a message covers one episode."""
    openings = (at for at, entry in enumerate(recorded_events) if at and isinstance(entry.event, events.IncidentOpened))
    return recorded_events[: next(openings, len(recorded_events))]


def load() -> None:
    """Import Apprise with its services. Disable its logger, because its messages may contain parts of a URL."""
    logger = logging.getLogger(_PACKAGE)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=_PACKAGE)
    import apprise

    apprise.Apprise.instantiate("json://localhost", asset=_asset())


def _asset() -> Any:
    """Return settings that disable storage, plugins from files, redirects, and changes to the text."""
    import apprise

    return apprise.AppriseAsset(
        storage_mode="memory",
        service_timeout=0,
        async_mode=False,
        http_redirects=False,
        interpret_escapes=False,
        interpret_emojis=False,
        pgp_autogen=False,
        pem_autogen=False,
        app_id="incident-router",
        app_desc="incident-router",
        app_url="",
        image_url_mask="",
        image_url_logo="",
    )


def _notify(service: _Service, message: plain_text.PlainMessage) -> errors.Failure | None:
    """Send one message from a worker thread. Return the failure, or None if the message was delivered.

    Each call creates its own service object, because service objects aren't thread-safe.
    """
    import apprise

    asset = _asset()
    service_sender = apprise.Apprise.instantiate(service.url, asset=asset)
    if service_sender is None:
        return errors.Permanent(f"{service.label}: Apprise does not accept the URL, or lacks a package for it")
    # Splitting would send several messages, each of which could fail on its own.
    service_sender.overflow_mode = apprise.OverflowMode.TRUNCATE
    sender = apprise.Apprise(asset=asset)
    sender.add(service_sender)
    result = sender.notify(
        message.body,
        message.title,
        apprise.NotifyType(message.tone),
        body_format=apprise.NotifyFormat.TEXT,
        log_level=logging.WARNING,
    )
    return None if result else _failure(service, [entry.message for entry in result.logs()])


def _failure(service: _Service, lines: Sequence[str]) -> errors.Failure:
    """Map a failed call to a failure, by the HTTP status in Apprise's warnings."""
    text = " ".join(" ".join(lines).split()) or "not delivered"
    # The status is read before masking, which could hide it.
    match = _STATUS.search(text)
    for secret in service.masked:
        text = text.replace(secret, "***")
    message = f"{service.label}: {text[:_MAX_CHARACTERS]}"
    status = int(match.group(1)) if match is not None else 0
    # The service is healthy and asks for a pause, so the circuit breaker must stay closed.
    if status in {425, 429}:
        return errors.Throttled(message)
    # An operator can correct the credentials, so the events wait for that.
    if status in {401, 403}:
        return errors.Denied(message, status=status)
    if status in {404, 410}:
        return errors.NotFound(message, status=status)
    # The same message would be refused again.
    if 400 <= status < 500 and status != 408:
        return errors.Permanent(message, status=status)
    # Apprise doesn't say whether the message was sent, so a retry may repeat it.
    return errors.Unanswered(message)


class _Threads:
    """Runs blocking calls, each in its own daemon thread, which doesn't delay the exit of the process.

    A thread can't be stopped. After a timeout, it keeps its slot until it ends, so a hanging service can't exhaust the
    threads of the process.
    """

    def __init__(self, max_threads: int, name: str) -> None:
        self._slots = asyncio.Semaphore(max_threads)
        self._name = name

    async def run(self, function: Callable[[], T], description: str, seconds: float) -> T:
        """Run a function in a thread and return its result. Raise ``Unanswered`` if it takes longer than ``seconds``.

        Raise ``Queued`` if no slot becomes free within half of ``seconds``. The call was not made then.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        try:
            # The other half of the time is left for the call itself.
            async with asyncio.timeout(seconds / 2):
                await self._slots.acquire()
        except TimeoutError:
            raise errors.Queued(f"{description}: earlier calls have not ended yet", seconds / 2) from None
        result: asyncio.Future[T] = loop.create_future()

        def end(outcome: Callable[[], None]) -> None:
            # The slot becomes free only when the thread ends, even if the caller has stopped waiting.
            self._slots.release()
            if not result.done():
                outcome()

        def work() -> None:
            try:
                value = function()
                outcome = functools.partial(result.set_result, value)
            except Exception as problem:  # noqa: BLE001 - a service may raise any exception; pass it to the caller
                outcome = functools.partial(result.set_exception, _foreign(description, problem))
            try:
                loop.call_soon_threadsafe(end, outcome)
            except RuntimeError:
                return  # The loop is closed, because the process is ending.

        threading.Thread(target=work, name=f"notifier-{self._name}", daemon=True).start()
        try:
            async with asyncio.timeout_at(ends_at):
                return await result
        except TimeoutError:
            raise errors.Unanswered(f"{description}: no answer within {seconds:g} s") from None


def _foreign(description: str, problem: Exception) -> errors.Failure:
    """Map a service's exception to a failure. Name only its type, because its text may contain secrets."""
    return errors.Unanswered(f"{description}: {type(problem).__name__}")


KIND = base.Kind(
    name="apprise",
    config=Config,
    make=Apprise,
    summary="email, Teams, Discord, Telegram, Matrix, ntfy, Pushover, SMS, and other services by URL",
)
