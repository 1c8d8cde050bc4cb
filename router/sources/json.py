"""Any JSON, mapped by configuration: JMESPath expressions say where title, status, labels and the rest are found.

Without any mapping it reads the router's own simple shape; every setting replaces one part of that.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
import pydantic

from router.domain import alert as alerts
from router.sources import base, body, paths, times

Path = Annotated[str, pydantic.AfterValidator(paths.check)]
Paths = Path | dict[str, Path]
Word = Annotated[str, pydantic.AfterValidator(lambda word: word.strip().casefold())]

_FIRING = "firing alerting alarm alert open opened triggered trigger acknowledged active problem down started"
_RESOLVED = "resolved resolve ok closed close recovered recovery inactive up cleared ended normal"
_WORDS: dict[str, alerts.Status] = {
    **dict.fromkeys(_FIRING.split(), "firing"),
    **dict.fromkeys(_RESOLVED.split(), "resolved"),
}
_ALL = "*"  # In a mapping of names to paths: all members of the object that is found there.
_ANNOTATIONS = {_ALL: "annotations", "description": "description || message || annotations.description"}

_decode = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.Encoder(order="sorted").encode


class StatusConfig(pydantic.BaseModel):
    """Where the status is, and which words mean what; the words given here come on top of those that are known.

    ``otherwise`` is what a missing or unknown word means; without it such a body cannot be parsed.
    """

    # A word may be a number to the sender, and to YAML.
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    path: Path = "status"
    firing: tuple[Word, ...] = ()
    resolved: tuple[Word, ...] = ()
    otherwise: alerts.Status | None = None

    @property
    def words(self) -> dict[str, alerts.Status]:
        """Every known word in lower case, with its meaning."""
        return {**_WORDS, **dict.fromkeys(self.firing, "firing"), **dict.fromkeys(self.resolved, "resolved")}


class Config(base.Config):
    """A sender of any JSON, and where things are in it.

    ``alerts`` leads to the list of alerts in the body; without it the body is the alert, or the list. All other
    paths begin at one alert, but those of ``body_labels``, which begin at the body and hold for all its alerts.
    """

    kind: Literal["json"] = "json"
    alerts: Path | None = None
    title: Path = "title || message || description"
    status: StatusConfig = StatusConfig()
    fingerprint: Path = "dedup_key || deduplication_key || alert_uid || fingerprint || alias"
    severity: Path = "severity"
    labels: Paths = "labels || metadata"
    body_labels: dict[str, Path] = pydantic.Field(default_factory=dict)
    annotations: Paths = pydantic.Field(default_factory=lambda: dict(_ANNOTATIONS))
    starts_at: Path = "starts_at"
    ends_at: Path = "ends_at"
    link: Path = "link || url || source_url || links[0].url || links[0].href"

    @pydantic.field_validator("status", mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class Json:
    """Reads what one sender posts, by the mapping in its configuration."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self._alerts = paths.compile(config.alerts) if config.alerts else None
        self._status = paths.compile(config.status.path)
        self._words = config.status.words
        self._otherwise = config.status.otherwise
        self._labels = _collector(config.labels)
        self._body_labels = _collector(config.body_labels)
        self._annotations = _collector(config.annotations)
        self._title = paths.compile(config.title)
        self._fingerprint = paths.compile(config.fingerprint)
        self._severity = paths.compile(config.severity)
        self._starts_at = paths.compile(config.starts_at)
        self._ends_at = paths.compile(config.ends_at)
        self._link = paths.compile(config.link)

    def parse(self, body: bytes, headers: Mapping[bytes, bytes], now: int) -> base.Parsed:  # noqa: ARG002
        """Turn a delivery into alerts; ``base.Unparsable`` names the alert and the setting that found nothing."""
        whole = _read(body)
        try:
            return base.Parsed(self._all(whole, now))
        except RecursionError as error:
            raise base.Unparsable("", "the JSON is nested too deeply") from error

    def _all(self, whole: Any, now: int) -> list[alerts.Alert]:
        shared = self._body_labels(whole, "body_labels")
        many = self._alerts is not None or isinstance(whole, list)
        return [
            self._alert(item, f"[{position}]." if many else "", shared, now)
            for position, item in enumerate(self._items(whole))
        ]

    def _items(self, whole: Any) -> list[Any]:
        found = whole if self._alerts is None else _get(self._alerts, whole, "alerts")
        if isinstance(found, dict):
            return [found]
        if isinstance(found, list):
            return found
        raise base.Unparsable("alerts", f"an object or a list of objects is expected here, not {_kind_of(found)}")

    def _alert(self, item: Any, place: str, shared: dict[str, str], now: int) -> alerts.Alert:
        if not isinstance(item, dict):
            raise base.Unparsable(place.rstrip("."), f"an object is expected here, not {_kind_of(item)}")
        status = self._read_status(item, place)
        firing = status == "firing"
        title = _text(self._title, item, f"{place}title")
        if firing and not title:
            raise base.Unparsable(f"{place}title", "there is none: send one, or set title to the path that leads to it")
        labels = {**shared, **self._labels(item, f"{place}labels")}
        return alerts.Alert(
            self.name,
            _text(self._fingerprint, item, f"{place}fingerprint") or _identify(title, labels, place),
            status,
            _time(self._starts_at, item, f"{place}starts_at") or now,
            0 if firing else _time(self._ends_at, item, f"{place}ends_at") or now,
            title,
            labels,
            self._annotations(item, f"{place}annotations"),
            _text(self._severity, item, f"{place}severity"),
            _text(self._link, item, f"{place}link"),
        )

    def _read_status(self, item: Any, place: str) -> alerts.Status:
        word = _text(self._status, item, f"{place}status").strip()
        status = self._words.get(word.casefold(), self._otherwise)
        if status is None:
            problem = f"{word[:40]!r} is no known status" if word else "there is none"
            remedy = "list it under status.firing or status.resolved, or set status.otherwise"
            raise base.Unparsable(f"{place}status", f"{problem}: {remedy}")
        return status


Collector = Callable[[Any, str], dict[str, str]]


def _collector(wanted: str | Mapping[str, str]) -> Collector:
    """Make a function that collects named texts: all members of one object, or each from a path of its own."""
    named = {_ALL: wanted} if isinstance(wanted, str) else dict(wanted)
    everything = paths.compile(named.pop(_ALL)) if _ALL in named else None
    getters = [(name, paths.compile(path)) for name, path in named.items()]

    def collect(item: Any, where: str) -> dict[str, str]:
        texts = {} if everything is None else _members(_get(everything, item, where), where)
        for name, getter in getters:
            found = _text(getter, item, f"{where}.{name}")
            if found:
                texts[name] = found
        return texts

    return collect


def _members(found: Any, where: str) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise base.Unparsable(where, f"an object of names and values is expected here, not {_kind_of(found)}")
    return {name: paths.text(value) for name, value in found.items() if value is not None}


def _read(raw: bytes) -> Any:
    return body.decode(_decode, raw)


def _get(getter: paths.Getter, item: Any, where: str) -> Any:
    try:
        return getter(item)
    except paths.EvaluationError as error:
        raise base.Unparsable(where, str(error)) from error


def _text(getter: paths.Getter, item: Any, where: str) -> str:
    return paths.text(_get(getter, item, where))


def _time(getter: paths.Getter, item: Any, where: str) -> int:
    found = _get(getter, item, where)
    try:
        if isinstance(found, str):
            return times.from_text(found)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return times.from_number(found)
    except ValueError as error:
        raise base.Unparsable(where, str(error)) from error
    if found is None:
        return 0
    raise base.Unparsable(where, f"a time is expected here, not {_kind_of(found)}")


def _identify(title: str, labels: Mapping[str, str], place: str) -> str:
    """A fingerprint for a sender that has none: the same for the same title and labels."""
    if not title and not labels:
        problem = "there is none, and neither title nor labels to derive it from: send dedup_key, or set fingerprint"
        raise base.Unparsable(f"{place}fingerprint", problem)
    return hashlib.blake2b(_pack([title, labels]), digest_size=8).hexdigest()


def _kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


KIND = base.Kind(
    name="json",
    config=Config,
    make=Json,
    summary="Any JSON, mapped by JMESPath expressions",
    unparsable_status=422,
)
