"""Limits on one request. Some are checked before the body is read, others are applied to alerts before rules decide.

Limits truncate. An authentic delivery with too many alerts, or an alert with too many or too long labels, is cut, and
notices say what was cut. Only a body that can't be parsed safely, because it is nested too deeply or contains too many
values, is ``Unparsable`` and quarantined.
"""

import functools
import hashlib
import re
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from router.domain import alerts
from router.domain.notices import Code, Notice, limit
from router.domain.times import Timestamp
from router.sources import base, registry, repairs
from router.web import budget, problems

TEST = b"incident-router-test"
"""The header by which a sender says that a delivery is a test: ``true``, or ``dry-run``. Only ``false`` denies it."""

_ALIKE = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b'{}[]"'))
_NO_VALUES = bytes(set(range(256)) - set(b'{[,"'))
_TEXT = re.compile(rb'"[^"]*"')
_BYTES_A_VALUE = 16  # Real senders' alerts take about 25 bytes a value, names included.
_MIN_VALUES = 65_536
_FIRST = frozenset({"alertname", "severity", "test"})  # Labels that the router itself reads.
_BACKSLASH = ord("\\")
_SHOWN = 64  # Characters of a sender's text that a notice repeats.
_NAMED = 5  # Labels that a notice lists by name.
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # The decoder distinguishes them by their first bytes.
_MAX_MEMBERS = 100  # Of a gzip body. Each one copies the rest of the body.
_ENCODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})


@dataclass(frozen=True)
class RequestLimits:
    """All limits on one request; sizes in bytes."""

    body_bytes: int = 16 * 1024 * 1024
    depth: int = 32
    alerts: int = 20_000
    labels: int = 64
    value_bytes: int = 4096
    in_flight: int = 1000
    bytes_in_flight: int = 64 * 1024 * 1024

    @functools.cached_property
    def values(self) -> int:
        """Return the most JSON values in a body, so that the parsed values fit into the memory for bodies."""
        limit = min(self.body_bytes // _BYTES_A_VALUE, self.bytes_in_flight // budget.BYTES_PER_VALUE)
        return max(limit, _MIN_VALUES)


def read(
    endpoint: registry.ConfiguredSource,
    body: bytes,
    headers: Mapping[bytes, bytes],
    now: Timestamp,
    *,
    bounds: RequestLimits,
    labels_named: Callable[[], Collection[str]] = frozenset,
) -> base.Parsed:
    """Parse a body into alerts within the limits. Raises ``base.Unparsable``.

    ``labels_named`` returns the labels that rules name. Commands that parse a payload use this function, too, so that
    they show what is cut.
    """
    check_value_count(body, bounds.values)
    # Typed decoders have a fixed depth. Others recurse as deep as the body is nested.
    if not endpoint.kind.typed:
        check_depth(body, bounds.depth)
    parsed = _parse(endpoint, body, headers, now, bounds)
    if is_test(headers):
        parsed = msgspec.structs.replace(parsed, alerts=[_as_test(alert) for alert in parsed.alerts])
    return cut_to_limits(parsed, body, bounds, labels_named)


def is_test(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the sender marks a delivery as a test."""
    # An empty header or `false` comes from a sender whose configuration sets the header for all deliveries.
    return TEST in headers and headers[TEST].strip().lower() not in {b"", b"false"}


def _as_test(alert: alerts.Alert) -> alerts.Alert:
    """Mark an alert as a test. Its fingerprint differs, so that a resolved test never resolves a real alert."""
    labels = {**alert.labels, "test": "true"}
    return msgspec.structs.replace(alert, labels=labels, fingerprint=f"{alert.fingerprint} (test)")


def _parse(
    endpoint: registry.ConfiguredSource,
    body: bytes,
    headers: Mapping[bytes, bytes],
    now: Timestamp,
    bounds: RequestLimits,
) -> base.Parsed:
    """Parse the body. If the body, or one of its alerts, isn't valid JSON, repair it and parse it again."""
    try:
        parsed = endpoint.source.parse(body, headers, now, bounds.alerts)
        if parsed.rejected is None:
            return parsed
    except base.Unparsable:
        # Nothing to repair: the error is about the content, not the encoding.
        if (fixed := repairs.repair(body)) is None:
            raise
    else:
        if (fixed := repairs.repair(body)) is None:
            return parsed
    # A repair may change what counts as a bracket.
    check_depth(fixed.body, bounds.depth)
    parsed = endpoint.source.parse(fixed.body, headers, now, bounds.alerts)
    notice = Notice("body_repaired", "body", f"the body is not valid JSON: {'; '.join(fixed.changes)}")
    return msgspec.structs.replace(parsed, notices=(notice, *parsed.notices))


def inflate(body: bytes, encoding: bytes, limit: int) -> bytes:
    """Undo ``Content-Encoding``. Raises ``problems.Problem`` (400, 413, or 415) if that fails.

    At most ``limit`` bytes are inflated. A gzip body may consist of several members.
    """
    if encoding == b"identity":
        return body
    if encoding not in _ENCODINGS:
        raise problems.Problem(415, "encoding", "this content encoding is not supported: send gzip, deflate, or none")
    parts: list[bytes] = []
    try:
        _inflate_members(body, limit, parts)
        return b"".join(parts)
    finally:
        parts.clear()  # A traceback that is kept would keep them, too.


def _inflate_members(body: bytes, limit: int, parts: list[bytes]) -> None:
    """Inflate the members of a body into ``parts``. Raises ``problems.Problem`` (400 or 413)."""
    size = 0
    while body:
        inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            parts.append(inflater.decompress(body, limit - size + 1))
        except zlib.error as error:
            detail = f"the body does not match its content encoding: {error}"
            raise problems.Problem(400, "encoding", detail) from error
        size += len(parts[-1])
        if size > limit:
            raise too_large(limit)
        # A truncated body would lose the alerts at its end without notice.
        if not inflater.eof:
            raise problems.Problem(400, "encoding", "the compressed body ends too early")
        # Each member costs a decompressor, however small it is.
        if len(parts) > _MAX_MEMBERS:
            raise problems.Problem(400, "encoding", f"the compressed body has more than {_MAX_MEMBERS} members")
        body = inflater.unused_data.lstrip(b"\0")  # A gzip file may be padded with zeros.


def too_large(limit: int) -> problems.Problem:
    """Make the 413 for a body of more than ``limit`` bytes."""
    return problems.Problem(
        413,
        "too-large",
        f"the body is longer than the limit of {limit} bytes: send fewer alerts per delivery",
        limit_bytes=limit,
    )


def check_depth(body: bytes, depth: int) -> None:
    """Raise ``Unparsable`` if JSON is nested more than ``depth`` deep. Other bodies are left to their parser."""
    # Most bodies have few brackets, so texts need not be removed to count the depth.
    if body.count(b"{") + body.count(b"[") <= depth:
        return
    brackets = _without_texts(body.translate(_ALIKE), _OTHERS)
    too_deep = b"[" * (depth + 1)
    for _ in range(depth):
        if too_deep in brackets:  # The usual attack is found in one pass.
            break
        # Each round removes the innermost pairs, so the rest is nested one level less.
        shorter = brackets.replace(b"[]", b"")
        # The brackets don't pair, so the parser reports the error.
        if len(shorter) == len(brackets):
            return
        brackets = shorter
    if brackets:
        raise base.Unparsable("", f"the JSON is nested more than {depth} deep (web.max_depth)")


def check_value_count(body: bytes, limit: int) -> None:
    """Raise ``Unparsable`` if JSON contains more than ``limit`` values, which are counted before parsing.

    Parsed, ``[{},{},...]`` takes 25 times the memory of its text, and real alerts take 3 times as much.
    """
    # Both are upper bounds: each value has at least one byte, and brackets and commas in texts count, too.
    if len(body) <= limit or count_values(body) <= limit:
        return
    count = count_values(_without_texts(body, _NO_VALUES))
    if count > limit:
        limits = "web.max_body_bytes, web.max_bytes_in_flight"
        raise base.Unparsable("", f"the JSON holds {count} values, and the limit is {limit} ({limits})")


def count_values(body: bytes) -> int:
    """Count JSON values without parsing. The result is an upper bound, since texts may contain brackets and commas."""
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _without_texts(body: bytes, others: bytes) -> bytes:
    """Remove all texts from JSON, and the bytes of ``others``."""
    # replace() reads a run of backslashes in pairs from its start, as JSON does.
    body = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, others)
    return _TEXT.sub(b"", body.replace(b'""', b""))


def cut_to_limits(
    parsed: base.Parsed, body: bytes, bounds: RequestLimits, labels_named: Callable[[], Collection[str]] = frozenset
) -> base.Parsed:
    """Cut parsed alerts to the limits, with a notice about each cut.

    The first ``bounds.alerts`` alerts are kept. Of an alert with too many labels, these are kept: first the labels that
    the router itself reads, then those in ``labels_named`` (the rules name them), then the others; each group by name.
    """
    fitting = parsed.alerts
    is_short = _has_only_short_texts(parsed, body, bounds.value_bytes)
    if not parsed.notices and len(fitting) <= bounds.alerts and _all_fit(fitting, bounds, is_short=is_short):
        return parsed
    notices = list(parsed.notices)
    if len(fitting) > bounds.alerts:
        detail = f"{len(fitting)} alerts arrived, and the first {bounds.alerts} are read (web.max_alerts)"
        notices.append(Notice("alerts_truncated", "alerts", detail, count=len(fitting) - bounds.alerts))
        fitting = fitting[: bounds.alerts]
    cutting = _Cutting(bounds, labels_named, notices)
    fitting = [alert if _fits(alert, bounds, is_short=is_short) else cutting.cut(alert) for alert in fitting]
    if not notices:
        return parsed
    return msgspec.structs.replace(parsed, alerts=fitting, notices=limit(notices))


def _has_only_short_texts(parsed: base.Parsed, body: bytes, limit: int) -> bool:
    """Return whether all texts of all alerts have at most ``limit`` bytes; False if that takes long to find out."""
    # A short body contains no long text: decoding never makes a text longer.
    if len(body) <= limit:
        return True
    # A link may consist of two texts of the body. The body of a repaired delivery has other texts than its alerts.
    return parsed.is_verbatim and not parsed.notices and has_close_quotes(body, limit // 4)


def has_close_quotes(body: bytes, limit: int) -> bool:
    """Return whether all texts in JSON are shorter than ``limit`` bytes; False if that takes long to find out.

    A quote that no backslash precedes begins or ends a text. The texts are short if less than ``limit`` bytes lie
    between such quotes. For 8 KiB, this takes a microsecond.
    """
    position, end = 0, len(body) - limit
    while position <= end:
        quote = body.rfind(b'"', position, position + limit)
        if quote > 0 and body[quote - 1] == _BACKSLASH:
            quote = body.rfind(b'"', position, quote - 1)
        if quote < 0 or (quote > 0 and body[quote - 1] == _BACKSLASH):
            return False
        position = quote + 1
    return True


def _all_fit(found: Sequence[alerts.Alert], bounds: RequestLimits, *, is_short: bool) -> bool:
    limit = bounds.labels
    if is_short:  # Nearly every delivery takes this branch.
        return not any(len(alert.labels) > limit or len(alert.annotations) > limit for alert in found)
    return all(_fits(alert, bounds, is_short=False) for alert in found)


def _fits(alert: alerts.Alert, bounds: RequestLimits, *, is_short: bool) -> bool:
    """Return whether the alert is within all limits. Nearly every alert is, so this check is fast."""
    labels, annotations = alert.labels, alert.annotations
    # The number of labels is checked first, since it costs nothing.
    if len(labels) > bounds.labels or len(annotations) > bounds.labels:
        return False
    if is_short:
        return True
    limit = bounds.value_bytes
    texts = (*labels, *labels.values(), *annotations, *annotations.values())
    texts += (alert.fingerprint, alert.title, alert.severity, alert.link)
    if max(map(len, texts)) <= limit // 4:  # A character takes at most four bytes.
        return True
    return all(_size(text) <= limit for text in texts)


class _Cutting:
    """Cuts alerts, and adds a notice about each cut."""

    def __init__(
        self, bounds: RequestLimits, labels_named: Callable[[], Collection[str]], notices: list[Notice]
    ) -> None:
        self._bounds = bounds
        self._most = bounds.value_bytes
        self._labels_named = labels_named
        self._notices = notices
        self._long: list[tuple[str, int]] = []

    def cut(self, alert: alerts.Alert) -> alerts.Alert:
        """Return the alert within the limits."""
        self._long = []
        fingerprint = self._distinct("fingerprint", alert.fingerprint)
        labels = self._texts("labels", self._select("labels", alert.labels, fingerprint), self._distinct)
        annotations = self._select("annotations", alert.annotations, fingerprint)
        fitted = msgspec.structs.replace(
            alert,
            fingerprint=fingerprint,
            labels=labels,
            annotations=self._texts("annotations", annotations, self._shorten),
            title=self._shorten("title", alert.title),
            severity=self._shorten("severity", alert.severity),
            link=self._link(alert.link),
        )
        if self._long:
            where, size = self._long[0]
            more = f"; and {len(self._long) - 1} more texts" if len(self._long) > 1 else ""
            detail = f"{size} bytes, and at most {self._most} are kept (web.max_value_bytes){more}"
            self._note("value_truncated", where, detail, fingerprint, len(self._long))
        return fitted

    def _select(self, part: str, texts: Mapping[str, str], fingerprint: str) -> Mapping[str, str]:
        """Return the labels or annotations to keep: first those that the router or rules read, then by name."""
        limit = self._bounds.labels
        if len(texts) <= limit:
            return texts
        named_labels = self._labels_named()
        # The order is stable, so the same alert always loses the same labels and keeps its incident.
        names = sorted(texts, key=lambda name: (name not in _FIRST, name not in named_labels, name))
        left_out = [repr(name[:_SHOWN]) for name in names[limit : limit + _NAMED]]
        more = f" and {len(names) - limit - _NAMED} more" if len(names) > limit + _NAMED else ""
        detail = f"{len(names)} arrived, and {limit} are kept (web.max_labels); left out: {', '.join(left_out)}{more}"
        self._note("labels_truncated", part, detail, fingerprint, len(names) - limit)
        kept_names = frozenset(names[:limit])
        return {name: value for name, value in texts.items() if name in kept_names}

    def _texts(self, part: str, texts: Mapping[str, str], shortened: Callable[[str, str], str]) -> dict[str, str]:
        return {
            self._distinct(f"{part} (a name)", name): shortened(f"{part}.{name[:_SHOWN]}", value)
            for name, value in texts.items()
        }

    def _distinct(self, where: str, text: str) -> str:
        """Cut a text that identifies an alert or an incident. Two texts with the same beginning stay distinct."""
        size = _size(text)
        if size <= self._most:
            return text
        self._long.append((where, size))
        digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
        return f"{_beginning(text, self._most - len(digest) - len(_CUT.encode()))}{_CUT}{digest}"

    def _shorten(self, where: str, text: str) -> str:
        size = _size(text)
        if size <= self._most:
            return text
        self._long.append((where, size))
        return _beginning(text, self._most - len(_CUT.encode())) + _CUT

    def _link(self, link: str) -> str:
        """Return the link, or an empty one if it is too long: a truncated URL is useless."""
        size = _size(link)
        if size <= self._most:
            return link
        self._long.append(("link, which is omitted", size))
        return ""

    def _note(self, code: Code, where: str, detail: str, fingerprint: str, count: int) -> None:
        self._notices.append(Notice(code, where, detail, fingerprint, count))


_CUT = "…"


def _beginning(text: str, limit: int) -> str:
    return text.encode(errors="replace")[:limit].decode(errors="ignore")


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
