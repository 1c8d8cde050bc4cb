"""The parts of every preset: settings of the kind `json`, and the few things that a mapping can't express.

A delivery is cleaned (unfilled placeholders are removed, tags become labels), then read by the mapping.
"""

import html
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import msgspec
import pydantic

from router.domain import alerts, patterns
from router.domain.times import Timestamp
from router.sources import base, forms, json, mapping, objects, paths, reading
from router.sources.presets import tags
from router.yaml_source import suggestions

_PLACES = frozenset({"path", "body", "header", "query"})


class Preset(msgspec.Struct, frozen=True):
    """The format of one sender's bodies.

    ``mapping`` are settings of the kind ``json``. ``ignored`` are the words of its status, in lower case, that don't
    indicate whether an alert fires; ``"*"`` stands for all words that the mapping doesn't know. ``no_alert`` returns
    the reason if a body isn't about an alert.

    The body is changed before mapping. Values that match ``placeholder``, which begins with a literal character, are
    removed, because the sender had no value there. ``escaped``: HTML entities in texts are decoded. The list at
    ``tags`` becomes an object of labels. ``shape`` adds members that no expression can find.
    """

    mapping: Mapping[str, Any]
    ignored: frozenset[str] = frozenset()
    no_alert: Callable[[objects.Members], str] | None = None
    placeholder: str = ""
    escaped: bool = False
    tags: str = ""
    shape: Callable[[objects.Members], objects.Members] | None = None


class Config(base.Config):
    """A source that is read by a preset; ``mapping`` are settings of the kind ``json`` that take its parts' places.

    Of settings that have several members (labels, annotations, status) those that are named are replaced or added.
    """

    sender: ClassVar[Preset]
    mapping: dict[str, Any] = pydantic.Field(default_factory=dict)

    @pydantic.field_validator("mapping")
    @classmethod
    def _check_mapping(cls, value: dict[str, Any]) -> dict[str, Any]:
        # The source's settings define authentication, and the preset the encoding of bodies.
        foreign = value.keys() & {*base.Config.model_fields, "encoding"}
        if foreign:
            raise ValueError(f"{min(foreign)} is not part of a mapping")
        try:
            cls.map_settings(value)
        except pydantic.ValidationError as error:
            raise ValueError(_first_problem(error)) from None
        return value

    @classmethod
    def map_settings(cls, settings_of_source: Mapping[str, Any]) -> json.Config:
        """Return the mapping with a source's own settings. Raises ``pydantic.ValidationError`` if these are invalid."""
        settings = dict(cls.sender.mapping)
        for name, value in settings_of_source.items():
            preset_value = settings.get(name)
            if isinstance(preset_value, str) and isinstance(value, dict) and _PLACES.isdisjoint(value):
                preset_value = {"path": preset_value}  # For example a time zone for the preset's time.
            settings[name] = (
                {**preset_value, **value} if isinstance(preset_value, dict) and isinstance(value, dict) else value
            )
        return json.Config(auth="none", **settings)

    @property
    def reads_query(self) -> bool:
        """Return whether the source's own mapping reads parameters of the query."""
        return self.map_settings(self.mapping).reads_query

    @property
    def named_headers(self) -> frozenset[bytes]:
        """Return the headers that the source's own mapping reads."""
        return self.map_settings(self.mapping).named_headers


class Source:
    """Reads one sender's deliveries: a JSON object, or a form with the same fields."""

    def __init__(self, name: str, config: Config) -> None:
        """Initialize from validated settings."""
        mapped = config.map_settings(config.mapping)
        self.name = name
        self._preset = config.sender
        self._json = json.Json(name, mapped)
        self._status = mapped.status.getter()
        self._words = mapped.status.words
        self._may_end = bool({"ends_at", "expires_at"} & config.mapping.keys()) or "expires_at" in config.sender.mapping
        # Most values aren't placeholders. Checking the first character is cheaper than matching.
        self._mark = config.sender.placeholder.lstrip("\\")[:1]
        self._placeholder = patterns.compile(config.sender.placeholder) if config.sender.placeholder else None

    def parse(
        self, body: bytes, headers: Mapping[bytes, bytes], now: Timestamp, max_alerts: int = base.MAX_ALERTS
    ) -> base.Parsed:
        """Turn a delivery into alerts. Raises ``base.Unparsable`` with the setting that found nothing."""
        try:
            members = objects.decode(body) if forms.is_json(body) else dict(forms.fields(body, headers))
            reason = self._reason(members, headers)
            if reason:
                return objects.no_alert(reason)
            return self._remove_ends(
                self._json.read(self._tidy(members), headers, reading.Reading(self.name, now, max_alerts))
            )
        except RecursionError as error:
            raise base.Unparsable("", "the JSON is nested too deeply") from error

    def _reason(self, members: objects.Members, headers: Mapping[bytes, bytes]) -> str:
        """Return why a body isn't about an alert; empty if it is."""
        if self._preset.no_alert and (reason := self._preset.no_alert(members)):
            return reason
        if not self._preset.ignored:
            return ""
        try:
            status = paths.text(self._status(mapping.Scope(members, members, headers, {}))).strip()
        except paths.EvaluationError as error:
            raise base.Unparsable("status", str(error)) from error
        word = status.casefold()
        ignored = word and word not in self._words and not self._preset.ignored.isdisjoint({word, "*"})
        return f"{status[:40]} doesn't show whether an alert fires" if ignored else ""

    def _tidy(self, members: objects.Members) -> objects.Members:
        if self._placeholder:
            members = {name: value for name, value in members.items() if not self._is_unfilled(value)}
        if self._preset.escaped:
            members = {
                name: html.unescape(value) if isinstance(value, str) else value for name, value in members.items()
            }
        if self._preset.tags:
            *above, last = self._preset.tags.split(".")
            holder = members
            for name in above:
                holder = objects.optional(holder.get(name))
            holder[last] = tags.labels(holder.get(last))
        return self._preset.shape(members) if self._preset.shape else members

    def _remove_ends(self, parsed: base.Parsed) -> base.Parsed:
        """Remove the ends of firing alerts, unless the source's own mapping sets an end.

        Senders use one time for starts and ends. If the sender's clock is ahead, the time of a start would be read as
        an end in the future.
        """
        if self._may_end or not any(alert.ends_at and alert.status == "firing" for alert in parsed.alerts):
            return parsed
        return msgspec.structs.replace(parsed, alerts=[_remove_end(alert) for alert in parsed.alerts])

    def _is_unfilled(self, value: Any) -> bool:
        if self._placeholder is None or not isinstance(value, str) or value[:1] != self._mark:
            return False
        return bool(self._placeholder.fullmatch(patterns.encode(value)))


def _first_problem(error: pydantic.ValidationError) -> str:
    # A setting with several types has one problem for each type. The one with the longest path is about the intended
    # type.
    problem = max(error.errors(include_url=False, include_input=False), key=lambda problem: len(problem["loc"]))
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden" and name not in json.Config.model_fields:
        return f"there is no setting {name}{suggestions.hint(name, json.Config.model_fields)}"
    return f"{name}: {problem['msg'].removeprefix('Value error, ')}"


def _remove_end(alert: alerts.Alert) -> alerts.Alert:
    return msgspec.structs.replace(alert, ends_at=0) if alert.status == "firing" else alert


def kind(
    config: type[Config],
    summary: str,
    unparsable_status: Literal[202, 422] = 202,
    answer: Callable[[base.Parsed, str], Mapping[str, str]] | None = None,
) -> base.Kind:
    """Return the registry entry of a preset. Most senders don't retry, so the default response is not a 4xx."""
    name = config.model_fields["kind"].default
    return base.Kind(name, config, Source, summary, unparsable_status, answer)
