"""Any JSON, mapped by configuration: JMESPath expressions locate the title, status, labels, and other fields.

Forms, queries, and CloudEvents use the same mapping. Without a mapping the router's own simple format is read; every
setting replaces one part of that format.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import msgspec
import pydantic

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, body, cloudevents, decoding, forms, mapping, objects, paths, reading

_FIRING = (
    "firing alerting alarm alert open opened triggered trigger acknowledged active problem down started critical crit "
    "fatal emergency error err warning warn trouble missing failing failed failure fail unhealthy degraded unavailable "
    "unreachable offline outage"
)
_RESOLVED = (
    "resolved resolve ok okay closed close recovered recovery inactive up cleared clear ended normal success "
    "successful succeeded healthy passed passing fixed available online operational restored"
)
_WORDS: dict[str, alerts.Status] = {
    **dict.fromkeys(_FIRING.split(), "firing"),
    **dict.fromkeys(_RESOLVED.split(), "resolved"),
}
_ANNOTATIONS = {mapping.ALL: "annotations", "description": "description || message || annotations.description"}
_NO_TITLE = "there is none: send one, or set title to its path"
_SHORTEST = 60_000_000  # Microseconds. A firing alert's end that is nearer to its start or to now doesn't count.

_decode = msgspec.json.Decoder().decode


class StatusConfig(mapping.Fact):
    """The place of the status and the meaning of its words, in addition to the known words.

    ``otherwise`` applies to a missing or unknown word; without it, the body can't be parsed.
    """

    # A word may be a number in the sender's body, and in YAML.
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    path: mapping.Path = "status"
    firing: tuple[mapping.Word, ...] = ()
    resolved: tuple[mapping.Word, ...] = ()
    otherwise: alerts.Status | None = None

    @property
    def words(self) -> dict[str, alerts.Status]:
        """Return every known word in lower case, with its meaning."""
        return {**_WORDS, **dict.fromkeys(self.firing, "firing"), **dict.fromkeys(self.resolved, "resolved")}


class SeverityConfig(mapping.Fact):
    """The place of the severity and the mapping of its words; words that ``map`` doesn't have are kept.

    ``otherwise`` applies if there is no severity.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    path: mapping.Path = "severity"
    map: dict[mapping.Word, str] = pydantic.Field(default_factory=dict)
    otherwise: str = ""


class Condition(mapping.Fact):
    """A condition under which a delivery or alert is ignored: the value is one of ``values`` or, without them, true.

    As in JMESPath, a value is true unless it is null, false, or empty.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    values: tuple[mapping.Word, ...] = ()

    def matches(self, value: Any) -> bool:
        """Return whether the value meets the condition, so that the alert or delivery is ignored."""
        if self.values:
            return paths.text(value).strip().casefold() in self.values
        return not paths.is_nothing(value)


def _to_list(value: Any) -> Any:
    values = [value] if isinstance(value, str | dict) else value
    return [mapping.expand_path(path) for path in values] if isinstance(values, list | tuple) else values


def _make_fact(path: str) -> mapping.Fact:
    return mapping.Fact(path=path)


class Config(base.Config):
    """A source of any JSON, and the places of its values.

    ``alerts`` is the path of the list of alerts in the body; without it, the body is an alert or a list of alerts.
    All other paths begin at an alert, except ``{body: PATH}`` and those of ``body_labels``. With the ``encoding``
    ``query``, the source reads the query of the URL instead of the body.
    """

    kind: Literal["json"] = "json"
    encoding: Literal["body", "query"] = "body"
    decode: decoding.Encoded = pydantic.Field(default_factory=dict)
    ignore_when: Annotated[
        tuple[Condition, ...],
        pydantic.BeforeValidator(_to_list, json_schema_input_type=str | Condition | list[str | Condition]),
    ] = ()
    alerts: mapping.Path | None = None
    title: mapping.PathOrFact = _make_fact("title || message || description")
    status: Annotated[
        StatusConfig, pydantic.BeforeValidator(mapping.expand_path, json_schema_input_type=str | StatusConfig)
    ] = StatusConfig()
    fingerprint: mapping.PathOrFact = _make_fact("dedup_key || deduplication_key || alert_uid || fingerprint")
    severity: Annotated[
        SeverityConfig, pydantic.BeforeValidator(mapping.expand_path, json_schema_input_type=str | SeverityConfig)
    ] = SeverityConfig()
    labels: mapping.Facts = pydantic.Field(default_factory=lambda: {mapping.ALL: _make_fact("labels || metadata")})
    body_labels: dict[str, mapping.Path] = pydantic.Field(default_factory=dict)
    annotations: mapping.Facts = pydantic.Field(
        default_factory=lambda: {name: _make_fact(path) for name, path in _ANNOTATIONS.items()}
    )
    starts_at: mapping.PathOrTime = mapping.Time(path="starts_at")
    ends_at: mapping.PathOrTime = mapping.Time(path="ends_at")
    expires_at: mapping.PathOrTime = mapping.Time(path="expires_at")
    link: mapping.PathOrFact = _make_fact("link || url || source_url || links[0].url || links[0].href")

    @pydantic.model_validator(mode="after")
    def _check_signature(self) -> Self:
        # A valid signature of an empty body would authenticate any query.
        if self.in_query and self.signature is not None:
            raise ValueError("a signature covers the body, not the query: use token, bearer, or basic")
        return self

    @property
    def in_query(self) -> bool:
        """Return whether the query of the URL is read instead of a body."""
        return self.encoding == "query"

    @property
    def reads_query(self) -> bool:
        """Return whether the mapping reads a part of the query in addition to the body."""
        return any(fact.is_in_query for fact in self._facts())

    @property
    def named_headers(self) -> frozenset[bytes]:
        """Return the headers that the mapping reads."""
        return frozenset(fact.header.lower().encode() for fact in self._facts() if fact.header)

    def _facts(self) -> list[mapping.Fact]:
        single = [self.title, self.status, self.fingerprint, self.severity, self.link]
        times = [self.starts_at, self.ends_at, self.expires_at]
        return [*single, *times, *self.ignore_when, *self.labels.values(), *self.annotations.values()]


class _Item(msgspec.Struct, frozen=True):
    """The place of one alert in a delivery, or the reason why none can be read there.

    ``place`` is its path in the delivery, ``origin`` the position of the list member that contains it. ``ignored``: a
    condition of ``ignore_when`` holds.
    """

    place: str
    scope: mapping.Scope
    shared: dict[str, str]
    origin: int
    ignored: bool = False


class Json:
    """Reads one sender's deliveries by the mapping in its configuration."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self._in_query = config.in_query
        self._open = decoding.decoder(config.decode)
        # Getters are built once, because compiling an expression takes longer than evaluating it.
        self._alert_conditions = [
            (condition, condition.getter()) for condition in config.ignore_when if condition.is_of_alert
        ]
        self._body_conditions = [
            (condition, condition.getter()) for condition in config.ignore_when if not condition.is_of_alert
        ]
        self._alerts = paths.compile(config.alerts) if config.alerts else None
        self._status = config.status.getter()
        self._words = config.status.words
        self._otherwise = config.status.otherwise
        self._labels = mapping.collector(config.labels)
        self._body_labels = mapping.collector({name: _make_fact(path) for name, path in config.body_labels.items()})
        self._annotations = mapping.collector(config.annotations)
        self._title = config.title.getter()
        self._fingerprint = config.fingerprint.getter()
        self._severity = config.severity.getter()
        self._severities = config.severity.map
        self._no_severity = config.severity.otherwise
        self._starts_at = config.starts_at.reader()
        self._ends_at = config.ends_at.reader()
        self._expires_at = config.expires_at.reader()
        self._link = config.link.getter()

    def parse(
        self, body: bytes, headers: Mapping[bytes, bytes], now: Timestamp, max_alerts: int = base.MAX_ALERTS
    ) -> base.Parsed:
        """Turn a delivery into alerts. Raises ``base.Unparsable`` with the alert and the setting that found nothing."""
        try:
            # A source that reads the query has no event in its body.
            events = not self._in_query and cloudevents.is_event(headers)
            document = cloudevents.read(body, headers) if events else self._decode_body(body, headers)
            return self.read(document, headers, reading.Reading(self.name, now, max_alerts), raw=body, events=events)
        # Evaluating an expression can also exceed Python's recursion limit, not only decoding.
        except RecursionError as error:
            raise base.Unparsable("", "the JSON is nested too deeply") from error

    def read(
        self,
        document: Any,
        headers: Mapping[bytes, bytes],
        delivery: reading.Reading,
        *,
        raw: bytes = b"",
        events: bool = False,
    ) -> base.Parsed:
        """Turn a decoded body into alerts. ``raw`` is the body as received, to keep if some alerts are unreadable."""
        request = mapping.Scope(None, None, headers, mapping.query_of(headers, delivery))
        items = [item for group in self._groups(document, request, delivery, events=events) for item in group]
        items_to_read = [item for item in items if not self._is_ignored(item, delivery)]
        # Ignored deliveries are accepted, so the sender doesn't repeat them.
        if items and not items_to_read:
            return delivery.close(objects.no_alert("ignore_when"))
        # A single unreadable alert makes the whole delivery unreadable.
        if len(items_to_read) == 1:
            return delivery.close(base.Parsed([self._alert(items_to_read[0], delivery)]))
        return delivery.close(self._several(items_to_read, document, raw, delivery))

    def _decode_body(self, raw: bytes, headers: Mapping[bytes, bytes]) -> Any:
        """Decode JSON, whatever its content type; a form only if the content type declares one."""
        if self._in_query:
            return forms.decode_fields(forms.parse_urlencoded(raw))
        # Some senders declare a form and send JSON.
        if forms.is_form(forms.media_type(headers)) and not forms.is_json(raw):
            return forms.decode_fields(forms.fields(raw, headers))
        return body.decode(_decode, raw)

    def _groups(
        self, document: Any, request: mapping.Scope, delivery: reading.Reading, *, events: bool
    ) -> Iterator[list[_Item]]:
        """Yield the items of each body: there is one body, unless the delivery is a batch of events."""
        if not events or not isinstance(document, list):
            yield self._items(cloudevents.flatten(document) if events else document, request, delivery)
            return
        for position, event in enumerate(delivery.limit(document, "")):
            try:
                yield self._items(cloudevents.flatten(event), request, delivery, (f"[{position}]", position))
            except base.Unparsable as error:
                # The error is kept as the item's content and raised later, with those of other unreadable items.
                placed = base.Unparsable(f"[{position}].{error.where}".rstrip("."), error.problem)
                yield [_Item("", _scope(request, None, placed), {}, position)]

    def _items(
        self, document: Any, request: mapping.Scope, delivery: reading.Reading, at: tuple[str, int] = ("", -1)
    ) -> list[_Item]:
        place, origin = at
        # Encoded parts are decoded first, so that every path of the mapping can lead into them.
        if self._open is not None:
            document = self._open(document, delivery)
        scope = _scope(request, document, document)
        # Before the alerts are searched: an ignored body may have none.
        if self._is_any_met(self._body_conditions, scope, delivery):
            return [_Item(place, scope, {}, origin, ignored=True)]
        shared = self._body_labels(scope, "body_labels", delivery)
        selected = document if self._alerts is None else mapping.find(self._alerts, document, "alerts")
        # Without `alerts`, the body itself is the alert.
        if self._alerts is None and isinstance(selected, dict):
            return [_Item(place, scope, shared, origin)]
        # Some senders unwrap a list of one alert.
        if isinstance(selected, dict):
            selected = [selected]
        if not isinstance(selected, list):
            expected = "must be an object or a list of objects"
            raise base.Unparsable("alerts", f"{expected}, not {paths.kind_of(selected)}")
        alone = self._alerts is None
        return [
            _Item(f"{place}[{position}]", _scope(request, document, item), shared, position if alone else origin)
            for position, item in enumerate(delivery.limit(selected, "alerts"))
        ]

    def _several(self, items: list[_Item], document: Any, raw: bytes, delivery: reading.Reading) -> base.Parsed:
        """Read each alert separately. If the body is a list, the unreadable members become a list of their own."""

        def alone(bad: list[_Item]) -> Any:
            # Only the members of a list can be quarantined apart from the others.
            if not isinstance(document, list) or any(item.origin < 0 for item in bad):
                return msgspec.Raw(raw) if raw else document
            return [document[origin] for origin in sorted({item.origin for item in bad})]

        read_alerts, rejected = objects.several(
            delivery, items, "", lambda item, _where: self._alert(item, delivery), alone
        )
        return base.Parsed(read_alerts, rejected=rejected)

    def _is_ignored(self, item: _Item, delivery: reading.Reading) -> bool:
        return item.ignored or self._is_any_met(self._alert_conditions, item.scope, delivery)

    def _is_any_met(
        self, conditions: list[tuple[Condition, mapping.Getter]], scope: mapping.Scope, delivery: reading.Reading
    ) -> bool:
        """Return whether a condition of ``ignore_when`` holds.

        One that can't be evaluated doesn't, so no alert is lost.
        """
        for condition, getter in conditions:
            try:
                if condition.matches(getter(scope)):
                    return True
            except paths.EvaluationError as error:
                delivery.note("field_ignored", "ignore_when", f"{error}; the condition is ignored")
        return False

    def _alert(self, item: _Item, delivery: reading.Reading) -> alerts.Alert:
        scope, place = item.scope, f"{item.place}." if item.place else ""
        content = scope.item
        # The event could not be opened. Its problem is reported here, so that the other events are still read.
        if isinstance(content, base.Unparsable):
            raise content
        if not isinstance(content, dict):
            raise base.Unparsable(item.place, f"expected an object, not {paths.kind_of(content)}")
        status = self._read_status(scope, place)
        title = mapping.any_text(self._title, scope, f"{place}title", delivery)
        # An alert's own label is more specific than a label of the whole body.
        labels = {**item.shared, **self._labels(scope, f"{place}labels", delivery)}
        key = mapping.any_text(self._fingerprint, scope, f"{place}fingerprint", delivery) or cloudevents.key(content)
        fingerprint = key or _identify(title, labels, status, place)
        if status == "firing" and not title:
            # A poor title is better than an outage without an incident.
            title = key or ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
            delivery.note("field_ignored", f"{place}title", f"{_NO_TITLE}; the alert is named {title[:80]!r}")
        starts_at = self._starts_at(scope, f"{place}starts_at", delivery) or delivery.now
        # Only a firing alert expires. A resolved alert has an end.
        if status == "firing":
            ends_at = self._expiry(scope, place, starts_at, delivery)
        else:
            ends_at = self._ends_at(scope, f"{place}ends_at", delivery) or delivery.now
        return alerts.Alert(
            self.name,
            fingerprint,
            status,
            starts_at,
            ends_at,
            title,
            labels,
            self._annotations(scope, f"{place}annotations", delivery),
            self._read_severity(scope, place, delivery),
            mapping.optional_text(self._link, scope, f"{place}link", delivery),
        )

    def _expiry(self, scope: mapping.Scope, place: str, starts_at: Timestamp, delivery: reading.Reading) -> Timestamp:
        """Return when a firing alert ends unless it is repeated; 0 if the sender doesn't specify it.

        Many senders use one time for every kind of event, and many set a meaningless end. So ``ends_at`` counts only if
        it is well after both the start and the receipt; if the sender's clock is ahead, even the start is in the
        future. ``expires_at`` is an announced end, and counts if it is in the future.
        """
        now = delivery.now
        expires_at = self._expires_at(scope, f"{place}expires_at", delivery)
        if expires_at > now:
            return expires_at
        if expires_at:
            delivery.ignore(f"{place}expires_at", "the time has passed, but the alert is firing")
        # An unreadable end isn't reported here.
        ends_at = self._ends_at(scope, "", None)
        return ends_at if ends_at >= max(starts_at, now) + _SHORTEST else Timestamp(0)

    def _read_status(self, scope: mapping.Scope, place: str) -> alerts.Status:
        word = mapping.text(self._status, scope, f"{place}status").strip()
        status = self._words.get(word.casefold(), self._otherwise)
        if status is None:
            problem = f"{word[:40]!r} isn't a known status" if word else "there is none"
            remedy = "list it under status.firing or status.resolved, or set status.otherwise"
            raise base.Unparsable(f"{place}status", f"{problem}: {remedy}")
        return status

    def _read_severity(self, scope: mapping.Scope, place: str, delivery: reading.Reading) -> str:
        word = mapping.optional_text(self._severity, scope, f"{place}severity", delivery)
        # An unmapped word is kept, because a rule may map it itself.
        return self._severities.get(word.strip().casefold(), word) or self._no_severity


def _scope(request: mapping.Scope, document: Any, item: Any) -> mapping.Scope:
    return mapping.Scope(item, document, request.headers, request.query)


def _identify(title: str, labels: Mapping[str, str], status: alerts.Status, place: str) -> str:
    """Return a fingerprint of the labels, as in Alertmanager, or of the title if there are no labels.

    Titles often contain readings ("CPU 97%"), which differ in the resolved alert.
    """
    if not title and not labels:
        if status == "firing":
            raise base.Unparsable(
                f"{place}title", f"{_NO_TITLE}, and neither a fingerprint nor labels to use as its name"
            )
        problem = "there is none, and neither title nor labels to derive it from: send dedup_key, or set fingerprint"
        raise base.Unparsable(f"{place}fingerprint", problem)
    return objects.digest(sorted(labels.items())) if labels else objects.digest(title)


KIND = base.Kind(
    name="json",
    config=Config,
    make=Json,
    summary="Any JSON, form, query or CloudEvent, mapped by JMESPath expressions",
    unparsable_status=422,
    events=True,
)
