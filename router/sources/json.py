"""Any JSON, mapped by configuration: JMESPath expressions say where title, status, labels and the rest are found.

Forms, queries and CloudEvents go through the same mapping. Without any mapping it reads the router's own simple shape;
every setting replaces one part of that.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

import msgspec
import pydantic

from router.domain import alert as alerts
from router.sources import base, body, cloudevents, forms, mapping, objects, paths

_FIRING = "firing alerting alarm alert open opened triggered trigger acknowledged active problem down started"
_RESOLVED = "resolved resolve ok closed close recovered recovery inactive up cleared ended normal"
_WORDS: dict[str, alerts.Status] = {
    **dict.fromkeys(_FIRING.split(), "firing"),
    **dict.fromkeys(_RESOLVED.split(), "resolved"),
}
_ANNOTATIONS = {mapping.ALL: "annotations", "description": "description || message || annotations.description"}

_decode = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.Encoder(order="sorted").encode


class StatusConfig(pydantic.BaseModel):
    """Where the status is, and which words mean what; the words given here come on top of those that are known.

    ``otherwise`` is what a missing or unknown word means; without it such a body cannot be parsed.
    """

    # A word may be a number to the sender, and to YAML.
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    path: mapping.Path = "status"
    firing: tuple[mapping.Word, ...] = ()
    resolved: tuple[mapping.Word, ...] = ()
    otherwise: alerts.Status | None = None

    @property
    def words(self) -> dict[str, alerts.Status]:
        """Every known word in lower case, with its meaning."""
        return {**_WORDS, **dict.fromkeys(self.firing, "firing"), **dict.fromkeys(self.resolved, "resolved")}


class SeverityConfig(pydantic.BaseModel):
    """Where the severity is, and what the sender's words for it become; a word that ``map`` does not have stays.

    ``otherwise`` stands in where the sender says none.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    path: mapping.Path = "severity"
    map: dict[mapping.Word, str] = pydantic.Field(default_factory=dict)
    otherwise: str = ""


class Config(base.Config):
    """A sender of any JSON, and where things are in it.

    ``alerts`` leads to the list of alerts in the body; without it the body is the alert, or the list. All other
    paths begin at one alert, but those of ``body_labels``, which begin at the body and hold for all its alerts.
    Of a sender with the ``encoding`` ``query`` it is not the body that is read, but the query of the address.
    """

    kind: Literal["json"] = "json"
    encoding: Literal["body", "query"] = "body"
    alerts: mapping.Path | None = None
    title: mapping.Path = "title || message || description"
    status: StatusConfig = StatusConfig()
    fingerprint: mapping.Path = "dedup_key || deduplication_key || alert_uid || fingerprint || alias"
    severity: SeverityConfig = SeverityConfig()
    labels: mapping.Paths = "labels || metadata"
    body_labels: dict[str, mapping.Path] = pydantic.Field(default_factory=dict)
    annotations: mapping.Paths = pydantic.Field(default_factory=lambda: dict(_ANNOTATIONS))
    starts_at: mapping.Path = "starts_at"
    ends_at: mapping.Path = "ends_at"
    link: mapping.Path = "link || url || source_url || links[0].url || links[0].href"

    @pydantic.model_validator(mode="after")
    def _signed_is_what_is_read(self) -> Self:
        if self.in_query and self.signature is not None:
            raise ValueError("a signature is of the body and says nothing of the query: use a token, bearer or basic")
        return self

    @property
    def in_query(self) -> bool:
        """Whether the query of the address is read in the place of a body."""
        return self.encoding == "query"

    @pydantic.field_validator("status", "severity", mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class _Item(msgspec.Struct, frozen=True):
    """What should be one alert, or why there is none to be read.

    ``place`` is where it stands in the delivery, ``origin`` the member of a list that it came from.
    """

    place: str
    found: Any
    shared: dict[str, str]
    origin: int


class Json:
    """Reads what one sender posts, by the mapping in its configuration."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self._in_query = config.in_query
        self._alerts = paths.compile(config.alerts) if config.alerts else None
        self._status = paths.compile(config.status.path)
        self._words = config.status.words
        self._otherwise = config.status.otherwise
        self._labels = mapping.collector(config.labels)
        self._body_labels = mapping.collector(config.body_labels)
        self._annotations = mapping.collector(config.annotations)
        self._title = paths.compile(config.title)
        self._fingerprint = paths.compile(config.fingerprint)
        self._severity = paths.compile(config.severity.path)
        self._severities = config.severity.map
        self._no_severity = config.severity.otherwise
        self._starts_at = paths.compile(config.starts_at)
        self._ends_at = paths.compile(config.ends_at)
        self._link = paths.compile(config.link)

    def parse(self, body: bytes, headers: Mapping[bytes, bytes], now: int) -> base.Parsed:
        """Turn a delivery into alerts; ``base.Unparsable`` names the alert and the setting that found nothing."""
        try:
            events = not self._in_query and cloudevents.is_event(headers)
            whole = cloudevents.read(body, headers) if events else self._decoded(body, headers)
            items = [item for group in self._groups(whole, events=events) for item in group]
            if len(items) == 1:
                return base.Parsed([self._alert(items[0], now)])
            return self._several(items, whole, body, now)
        except RecursionError as error:
            raise base.Unparsable("", "the JSON is nested too deeply") from error

    def _decoded(self, raw: bytes, headers: Mapping[bytes, bytes]) -> Any:
        """JSON, whatever its content type says; a form only where it says so."""
        if self._in_query:
            return forms.opened(forms.urlencoded(raw))
        if forms.is_form(forms.media_type(headers)) and not forms.is_json(raw):
            return forms.opened(forms.fields(raw, headers))
        return body.decode(_decode, raw)

    def _groups(self, whole: Any, *, events: bool) -> Iterator[list[_Item]]:
        """The items of each body: there is one, unless it is a batch of events."""
        if not events or not isinstance(whole, list):
            yield self._items(cloudevents.opened(whole) if events else whole)
            return
        for position, event in enumerate(whole):
            try:
                yield self._items(cloudevents.opened(event), f"[{position}]", position)
            except base.Unparsable as error:
                placed = base.Unparsable(f"[{position}].{error.where}".rstrip("."), error.problem)
                yield [_Item("", placed, {}, position)]

    def _items(self, whole: Any, place: str = "", origin: int = -1) -> list[_Item]:
        shared = self._body_labels(whole, "body_labels")
        found = whole if self._alerts is None else mapping.find(self._alerts, whole, "alerts")
        if self._alerts is None and isinstance(found, dict):
            return [_Item(place, found, shared, origin)]
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            expected = "an object or a list of objects is expected here"
            raise base.Unparsable("alerts", f"{expected}, not {mapping.kind_of(found)}")
        alone = self._alerts is None
        return [
            _Item(f"{place}[{position}]", item, shared, position if alone else origin)
            for position, item in enumerate(found)
        ]

    def _several(self, items: list[_Item], whole: Any, raw: bytes, now: int) -> base.Parsed:
        """Each alert by itself; of what cannot be read a list of its own is made where the body is one."""

        def alone(bad: list[_Item]) -> Any:
            if not isinstance(whole, list) or any(item.origin < 0 for item in bad):
                return msgspec.Raw(raw)
            return [whole[origin] for origin in sorted({item.origin for item in bad})]

        found, rejected = objects.several(items, "", lambda item, _where: self._alert(item, now), alone)
        return base.Parsed(found, rejected=rejected)

    def _alert(self, item: _Item, now: int) -> alerts.Alert:
        found, place = item.found, f"{item.place}." if item.place else ""
        if isinstance(found, base.Unparsable):
            raise found
        if not isinstance(found, dict):
            raise base.Unparsable(item.place, f"an object is expected here, not {mapping.kind_of(found)}")
        status = self._read_status(found, place)
        firing = status == "firing"
        title = mapping.text(self._title, found, f"{place}title")
        if firing and not title:
            raise base.Unparsable(f"{place}title", "there is none: send one, or set title to the path that leads to it")
        labels = {**item.shared, **self._labels(found, f"{place}labels")}
        fingerprint = mapping.text(self._fingerprint, found, f"{place}fingerprint") or cloudevents.key(found)
        return alerts.Alert(
            self.name,
            fingerprint or _identify(title, labels, place),
            status,
            mapping.moment(self._starts_at, found, f"{place}starts_at") or now,
            self._end(found, place, now, firing=firing),
            title,
            labels,
            self._annotations(found, f"{place}annotations"),
            self._read_severity(found, place),
            mapping.text(self._link, found, f"{place}link"),
        )

    def _end(self, item: Any, place: str, now: int, *, firing: bool) -> int:
        """When a resolved alert ended, or when a firing one will end by itself: 0 where that is not in the future."""
        if not firing:
            return mapping.moment(self._ends_at, item, f"{place}ends_at") or now
        with contextlib.suppress(base.Unparsable):
            ends_at = mapping.moment(self._ends_at, item, "")
            return ends_at if ends_at > now else 0
        return 0

    def _read_status(self, item: Any, place: str) -> alerts.Status:
        word = mapping.text(self._status, item, f"{place}status").strip()
        status = self._words.get(word.casefold(), self._otherwise)
        if status is None:
            problem = f"{word[:40]!r} is no known status" if word else "there is none"
            remedy = "list it under status.firing or status.resolved, or set status.otherwise"
            raise base.Unparsable(f"{place}status", f"{problem}: {remedy}")
        return status

    def _read_severity(self, item: Any, place: str) -> str:
        word = mapping.text(self._severity, item, f"{place}severity")
        return self._severities.get(word.strip().casefold(), word) or self._no_severity


def _identify(title: str, labels: Mapping[str, str], place: str) -> str:
    """A fingerprint for a sender that has none: the same for the same title and labels."""
    if not title and not labels:
        problem = "there is none, and neither title nor labels to derive it from: send dedup_key, or set fingerprint"
        raise base.Unparsable(f"{place}fingerprint", problem)
    return hashlib.blake2b(_pack([title, labels]), digest_size=8).hexdigest()


KIND = base.Kind(
    name="json",
    config=Config,
    make=Json,
    summary="Any JSON, form, query or CloudEvent, mapped by JMESPath expressions",
    unparsable_status=422,
    events=True,
)
