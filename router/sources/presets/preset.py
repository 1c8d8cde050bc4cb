"""What all presets are made of: settings of the kind `json`, and the little that a mapping cannot say.

A delivery is tidied (what its sender left unfilled goes, tags become labels), then read by that mapping.
"""

import html
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec
import pydantic

from router.sources import base, forms, json, objects, paths
from router.sources.presets import tags

_encode = msgspec.json.Encoder().encode


class Preset(msgspec.Struct, frozen=True):
    """How one sender's bodies are read.

    ``mapping`` are settings of the kind ``json``. ``no_alert`` is an expression that finds the reason in a body which
    is about no alert. ``placeholder`` matches what stands where the sender had no value. ``tags`` leads to a list of
    tags, in the place of which the mapping finds an object of labels. ``escaped``: the sender writes texts as HTML.
    """

    mapping: Mapping[str, Any]
    no_alert: str = ""
    placeholder: str = ""
    tags: str = ""
    escaped: bool = False


class Config(base.Config):
    """A source that is read by a preset; ``mapping`` are settings of the kind ``json`` that take its parts' places.

    Of settings that have several members (labels, annotations, status) those that are named are replaced or added.
    """

    sender: ClassVar[Preset]
    mapping: dict[str, Any] = pydantic.Field(default_factory=dict)

    @pydantic.field_validator("mapping")
    @classmethod
    def _can_be_read(cls, value: dict[str, Any]) -> dict[str, Any]:
        foreign = value.keys() & base.Config.model_fields.keys()
        if foreign:
            raise ValueError(f"{min(foreign)} is a setting of the source, not of its mapping")
        try:
            cls.mapped(value)
        except pydantic.ValidationError as error:
            # Where a setting may be one thing or another there is a problem for each: the deepest is of what was meant.
            told = max(error.errors(include_url=False, include_input=False), key=lambda one: len(one["loc"]))
            raise ValueError(f"{told['loc'][0]}: {told['msg']}") from None
        return value

    @classmethod
    def mapped(cls, own: Mapping[str, Any]) -> json.Config:
        """The whole mapping, with a source's own settings in it; ``pydantic.ValidationError`` where these are wrong."""
        settings = dict(cls.sender.mapping)
        for name, value in own.items():
            known = settings.get(name)
            settings[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
        return json.Config(auth="none", **settings)


class Source:
    """Reads what one sender posts: a JSON object, or a form with the same fields."""

    def __init__(self, name: str, config: Config) -> None:
        """Take checked settings."""
        preset = config.sender
        self.name = name
        self._preset = preset
        self._json = json.Json(name, config.mapped(config.mapping))
        self._no_alert = paths.compile(preset.no_alert) if preset.no_alert else None
        self._placeholder = re.compile(preset.placeholder) if preset.placeholder else None

    def parse(self, body: bytes, headers: Mapping[bytes, bytes], now: int) -> base.Parsed:
        """Turn a delivery into alerts; ``base.Unparsable`` names the setting of the mapping that found nothing."""
        try:
            whole = objects.decode(body) if forms.is_json(body) else dict(forms.fields(body, headers))
            reason = self._reason(whole)
            return objects.no_alert(reason) if reason else self._json.parse(_encode(self._tidied(whole)), {}, now)
        except RecursionError as error:
            raise base.Unparsable("", "the JSON is nested too deeply") from error

    def _reason(self, whole: objects.Members) -> str:
        """Why a body is about no alert; empty where it is."""
        try:
            found = self._no_alert(whole) if self._no_alert else None
        except paths.EvaluationError as error:
            raise base.Unparsable("", str(error)) from error
        return found if isinstance(found, str) else ""

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
        return whole

    def _unfilled(self, value: Any) -> bool:
        return self._placeholder is not None and isinstance(value, str) and bool(self._placeholder.fullmatch(value))


def kind(config: type[Config], summary: str, unparsable_status: Literal[202, 422] = 202) -> base.Kind:
    """The line of the registry for a preset; most senders send nothing again, so that a 4xx would tell nobody."""
    name = config.model_fields["kind"].default
    return base.Kind(name=name, config=config, make=Source, summary=summary, unparsable_status=unparsable_status)
