"""What all presets are made of: settings of the kind `json`, and the little that a mapping cannot say.

A delivery is tidied (what its sender left unfilled goes, tags become labels), then read by that mapping.
"""

import html
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import msgspec
import pydantic

from router.domain import alerts, patterns
from router.sources import base, forms, json, mapping, objects, paths, reading
from router.sources.presets import tags
from router.yaml_source import suggestions

_PLACES = frozenset({"path", "body", "header", "query"})


class Preset(msgspec.Struct, frozen=True):
    """How one sender's bodies are read.

    ``mapping`` are settings of the kind ``json``. ``ignored`` are the words of its status, in lower case, that say
    nothing of whether something fires; ``"*"`` stands for all that the mapping does not know. ``no_alert`` gives the
    reason where a body is about no alert at all.

    Before the body is mapped: what matches ``placeholder``, which begins with a literal character, goes, for the sender
    had no value there; texts that it
    wrote as HTML (``escaped``) become text; the list to which ``tags`` leads becomes an object of labels; and
    ``shape`` adds members that no expression finds.
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
    def _can_be_read(cls, value: dict[str, Any]) -> dict[str, Any]:
        # Who may send is the source's to say, and how bodies are encoded its preset's.
        foreign = value.keys() & {*base.Config.model_fields, "encoding"}
        if foreign:
            raise ValueError(f"{min(foreign)} is no part of a mapping")
        try:
            cls.mapped(value)
        except pydantic.ValidationError as error:
            raise ValueError(_first_problem(error)) from None
        return value

    @classmethod
    def mapped(cls, own: Mapping[str, Any]) -> json.Config:
        """The whole mapping, with a source's own settings in it; ``pydantic.ValidationError`` where these are wrong."""
        settings = dict(cls.sender.mapping)
        for name, value in own.items():
            known = settings.get(name)
            if isinstance(known, str) and isinstance(value, dict) and _PLACES.isdisjoint(value):
                known = {"path": known}  # For example a time zone for the time that the preset finds.
            settings[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
        return json.Config(auth="none", **settings)

    @property
    def reads_query(self) -> bool:
        """Whether the source's own mapping reads parameters of the query."""
        return self.mapped(self.mapping).reads_query

    @property
    def named_headers(self) -> frozenset[bytes]:
        """The headers in which the source's own mapping finds something."""
        return self.mapped(self.mapping).named_headers


class Source:
    """Reads what one sender posts: a JSON object, or a form with the same fields."""

    def __init__(self, name: str, config: Config) -> None:
        """Take checked settings."""
        mapped = config.mapped(config.mapping)
        self.name = name
        self._preset = config.sender
        self._json = json.Json(name, mapped)
        self._status = mapped.status.getter()
        self._words = mapped.status.words
        self._may_end = bool({"ends_at", "expires_at"} & config.mapping.keys()) or "expires_at" in config.sender.mapping
        # Most values are no placeholder, and to match each of them takes its time.
        self._mark = config.sender.placeholder.lstrip("\\")[:1]
        self._placeholder = patterns.compile(config.sender.placeholder) if config.sender.placeholder else None

    def parse(
        self, body: bytes, headers: Mapping[bytes, bytes], now: int, max_alerts: int = base.MAX_ALERTS
    ) -> base.Parsed:
        """Turn a delivery into alerts; ``base.Unparsable`` names the setting of the mapping that found nothing."""
        try:
            whole = objects.decode(body) if forms.is_json(body) else dict(forms.fields(body, headers))
            reason = self._reason(whole, headers)
            if reason:
                return objects.no_alert(reason)
            return self._endless(
                self._json.read(self._tidied(whole), headers, reading.Reading(self.name, now, max_alerts))
            )
        except RecursionError as error:
            raise base.Unparsable("", "the JSON is nested too deeply") from error

    def _reason(self, whole: objects.Members, headers: Mapping[bytes, bytes]) -> str:
        """Why a body is about no alert; empty where it is."""
        if self._preset.no_alert and (reason := self._preset.no_alert(whole)):
            return reason
        if not self._preset.ignored:
            return ""
        try:
            said = paths.text(self._status(mapping.Scope(whole, whole, headers, {}))).strip()
        except paths.EvaluationError as error:
            raise base.Unparsable("status", str(error)) from error
        word = said.casefold()
        ignored = word and word not in self._words and not self._preset.ignored.isdisjoint({word, "*"})
        return f"{said[:40]} says nothing of whether something fires" if ignored else ""

    def _tidied(self, whole: objects.Members) -> objects.Members:
        if self._placeholder:
            whole = {name: value for name, value in whole.items() if not self._unfilled(value)}
        if self._preset.escaped:
            whole = {name: html.unescape(value) if isinstance(value, str) else value for name, value in whole.items()}
        if self._preset.tags:
            *above, last = self._preset.tags.split(".")
            holder = whole
            for name in above:
                holder = objects.optional(holder.get(name))
            holder[last] = tags.labels(holder.get(last))
        return self._preset.shape(whole) if self._preset.shape else whole

    def _endless(self, parsed: base.Parsed) -> base.Parsed:
        """What fires without an end, unless the source's own mapping finds one.

        Senders have one time for what happened, be it a beginning or an end; by a clock that is ahead of ours, that of
        a beginning would be an end that is to come.
        """
        if self._may_end or not any(alert.ends_at and alert.status == "firing" for alert in parsed.alerts):
            return parsed
        return msgspec.structs.replace(parsed, alerts=[_without_end(alert) for alert in parsed.alerts])

    def _unfilled(self, value: Any) -> bool:
        if self._placeholder is None or not isinstance(value, str) or value[:1] != self._mark:
            return False
        return bool(self._placeholder.fullmatch(patterns.encoded(value)))


def _first_problem(error: pydantic.ValidationError) -> str:
    # Where a setting may be one thing or another there is a problem for each: the deepest is of what was meant.
    told = max(error.errors(include_url=False, include_input=False), key=lambda one: len(one["loc"]))
    name = str(told["loc"][0])
    if told["type"] == "extra_forbidden" and name not in json.Config.model_fields:
        return f"there is no setting {name}{suggestions.hint(name, json.Config.model_fields)}"
    return f"{name}: {told['msg'].removeprefix('Value error, ')}"


def _without_end(alert: alerts.Alert) -> alerts.Alert:
    return msgspec.structs.replace(alert, ends_at=0) if alert.status == "firing" else alert


def kind(
    config: type[Config],
    summary: str,
    unparsable_status: Literal[202, 422] = 202,
    answer: Callable[[base.Parsed, str], Mapping[str, str]] | None = None,
) -> base.Kind:
    """The line of the registry for a preset; most senders send nothing again, so that a 4xx would tell nobody."""
    name = config.model_fields["kind"].default
    return base.Kind(name, config, Source, summary, unparsable_status, answer)
