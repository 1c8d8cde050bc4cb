"""The models of rule files, and the rules that result from validating them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import pydantic

from router.domain import decisions, severities
from router.domain.times import Duration
from router.rules import fields, groups, inhibitions, intervals, severity_mapping, templates
from router.yaml_source import quantities

_NAME = re.compile(r"[A-Za-z0-9._-]+")

Word = Literal["critical", "major", "minor", "info"]
Publish = Literal["shadow", "review", "auto"]
Name = Annotated[
    str, pydantic.Field(min_length=1, max_length=100, json_schema_extra={"pattern": r"^[A-Za-z0-9_.\-]*$"})
]
FieldName = Annotated[str, pydantic.Field(json_schema_extra={"pattern": fields.PATTERN})]
"""A field's name. The pattern is for editors; the parser reports a wrong name."""


_MINUTE = 60_000_000


class ReviewShape(pydantic.BaseModel):
    """How long a review may take, and what happens then."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    timeout: quantities.Duration = pydantic.Field(
        default=Duration(0), description="how long a post may await a review; without it, forever"
    )
    on_timeout: Literal["publish", "dismiss"] = pydantic.Field(
        default="dismiss",
        description="the action at the deadline: publish the post with the rule's text, or dismiss it",
    )
    remind_every: quantities.Duration = pydantic.Field(
        default=Duration(0), description="how often notifiers are reminded of the review while it waits"
    )
    escalate_after: quantities.Duration = pydantic.Field(
        default=Duration(0), description="how long the review may wait before it is escalated"
    )
    escalate_to: list[str] = pydantic.Field(
        default=[], description="with escalate_after: further notifiers that receive the review"
    )

    @pydantic.model_validator(mode="after")
    def _check_combination(self) -> Self:
        if "on_timeout" in self.model_fields_set and not self.timeout:
            raise ValueError('"on_timeout" needs "timeout"')
        if bool(self.escalate_after) != bool(self.escalate_to):
            raise ValueError('"escalate_after" and "escalate_to" must be set together')
        if not self.timeout and not self.remind_every and not self.escalate_after:
            raise ValueError('set "timeout", "remind_every", or "escalate_after"')
        if 0 < self.remind_every < _MINUTE:
            raise ValueError('"remind_every" must be at least 1m')
        return self


class AcknowledgementShape(pydantic.BaseModel):
    """When operators are reminded of an open incident."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    remind_every: quantities.Duration = pydantic.Field(
        default=Duration(0), description="how often notifiers are reminded of the incident while it isn't acknowledged"
    )
    stale_after: quantities.Duration = pydantic.Field(
        default=Duration(0),
        description="how long an acknowledgement stops the reminders; without it, until the incident ends",
    )

    @pydantic.model_validator(mode="after")
    def _check_combination(self) -> Self:
        if not self.remind_every and not self.stale_after:
            raise ValueError('set "remind_every" or "stale_after"')
        for name, value in self.durations().items():
            if value < _MINUTE:
                raise ValueError(f'"{name}" must be at least 1m')
        return self

    def durations(self) -> dict[str, Duration]:
        """Return the settings that are present, by the field names of ``decisions.Reminders``."""
        durations: dict[str, Duration] = self.model_dump(exclude_unset=True)
        return durations


class ResolveShape(pydantic.BaseModel):
    """How a post that customers see ends once nothing fires."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    monitor_for: quantities.Duration = pydantic.Field(
        default=Duration(0), description="how long the post is monitored before it is resolved, if nothing fires again"
    )
    message: str | None = pydantic.Field(
        default=None, min_length=1, description="with monitor_for: the text of the monitored post"
    )
    review: bool = pydantic.Field(default=False, description="true: the resolution awaits a review")

    @pydantic.model_validator(mode="after")
    def _check_combination(self) -> Self:
        if bool(self.monitor_for) != (self.message is not None):
            raise ValueError('"monitor_for" and "message" must be set together')
        if not self.monitor_for and not self.review:
            raise ValueError('write "monitor_for" with a "message", or "review: true"')
        return self


def _kind_of_resolve(value: Any) -> str:
    return "whole" if isinstance(value, dict | ResolveShape) else "word"


Resolve = Annotated[
    Annotated[Literal["review"], pydantic.Tag("word")] | Annotated[ResolveShape, pydantic.Tag("whole")],
    pydantic.Discriminator(_kind_of_resolve),
]
"""The word ``review``, or how a post ends in full."""


class OpenShape(pydantic.BaseModel):
    """One entry of ``open``; every further key belongs to the destination, whose own model checks it."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    at: str = pydantic.Field(description="the destination, by its name in the configuration")
    publish: Publish | None = pydantic.Field(
        default=None,
        description="for public destinations: shadow (only in the timeline), review, or auto (immediately)",
    )
    review: ReviewShape | None = pydantic.Field(
        default=None, description="the deadline of a review, and what happens then; no deadline by default"
    )
    resolve: Resolve | None = pydantic.Field(
        default=None,
        description="how a post ends after the last alert: review, or monitor_for and message; by default immediately",
    )
    retrospective: bool = pydantic.Field(
        default=False,
        description="true: an incident that ended before it was published may be published afterwards, as resolved",
    )
    fallback: dict[str, Any] = pydantic.Field(
        default_factory=dict, description="literal fields that replace texts with values that must not be public"
    )


class MappedShape(pydantic.BaseModel):
    """A severity that follows a field of the alert."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    from_: FieldName = pydantic.Field(alias="from", description="the field whose value decides")
    map: dict[str, Word] = pydantic.Field(min_length=1, description="its values, each with a severity")
    default: Word | None = pydantic.Field(
        default=None, description="for any other value; by default the sender's severity applies"
    )


def _kind_of_severity(value: Any) -> str:
    return "mapped" if isinstance(value, dict | MappedShape) else "word"


Severity = Annotated[
    Annotated[Word, pydantic.Tag("word")] | Annotated[MappedShape, pydantic.Tag("mapped")],
    pydantic.Discriminator(_kind_of_severity),
]
"""A word of the ladder, or a mapping onto it."""


class FlappingShape(pydantic.BaseModel):
    """When an incident counts as flapping, so that it stays open until its alerts stay resolved."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    changes: int = pydantic.Field(ge=2, le=100, description="how often its state changed")
    window: quantities.Duration = pydantic.Field(description="the period in which the changes are counted")
    quiet: quantities.Duration = pydantic.Field(description="how long all alerts have to be resolved before it ends")


class TimingShape(pydantic.BaseModel):
    """When an incident opens, ends, and is the same again."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    open_after: quantities.Duration = pydantic.Field(
        default=Duration(0), description="how long an alert has to fire before the incident opens"
    )
    resolve_after: quantities.Duration = pydantic.Field(
        default=Duration(0), description="how long all alerts have to be resolved before the incident ends"
    )
    reopen_within: quantities.Duration = pydantic.Field(
        default=Duration(0), description="an alert that fires within this time reopens the incident"
    )
    stale_after: quantities.Duration = pydantic.Field(
        default=Duration(0), description="an alert that isn't repeated for this long has ended"
    )
    max_hold: quantities.Duration = pydantic.Field(
        default=Duration(0),
        description="an alert that fires and resolves repeatedly opens its incident after this time",
    )
    heartbeat: quantities.Duration = pydantic.Field(
        default=Duration(0), description="how often a matching alert has to arrive; the incident opens if none does"
    )
    flapping: FlappingShape | None = pydantic.Field(
        default=None, description="how many state changes keep the incident open until its alerts stay resolved"
    )

    @pydantic.model_validator(mode="after")
    def _check_heartbeat(self) -> Self:
        others = sorted(self.model_fields_set - {"heartbeat"})
        if self.heartbeat and others:
            raise ValueError(f'"heartbeat" excludes {", ".join(others)}')
        return self

    def durations(self) -> dict[str, Duration]:
        """Return the settings that are present, by the field names of ``decisions.Timing``."""
        durations: dict[str, Duration] = self.model_dump(exclude_unset=True, exclude={"flapping"})
        if self.flapping is not None:
            durations |= {f"flap_{name}": value for name, value in self.flapping.model_dump().items()}
        return durations


class CopiedShape(pydantic.BaseModel):
    """A label that gets the text of a field."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    from_: FieldName = pydantic.Field(alias="from", description="the field whose value the label gets")


def _kind_of_label(value: Any) -> str:
    return "copied" if isinstance(value, dict | CopiedShape) else "text"


LabelShape = Annotated[
    Annotated[str, pydantic.Tag("text")] | Annotated[CopiedShape, pydantic.Tag("copied")],
    pydantic.Discriminator(_kind_of_label),
]
"""The text of a label, or its source."""


class InhibitedShape(pydantic.BaseModel):
    """A rule whose alerts inhibit, and the fields in which both alerts must have the same values."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    rule: str = pydantic.Field(description="the rule whose firing alerts mute this rule's alerts")
    equal: list[FieldName] = pydantic.Field(
        default_factory=list, description="the fields in which both alerts must have the same values"
    )


def _kind_of_inhibitor(value: Any) -> str:
    return "over" if isinstance(value, dict | InhibitedShape) else "name"


Inhibitor = Annotated[
    Annotated[str, pydantic.Tag("name")] | Annotated[InhibitedShape, pydantic.Tag("over")],
    pydantic.Discriminator(_kind_of_inhibitor),
]
"""A rule's name, or a rule and the fields that must be equal."""


class InhibitShape(pydantic.BaseModel):
    """One entry of ``inhibit_rules``."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Name = pydantic.Field(description="the name of the inhibition, shown with the alerts that it mutes")
    source_match: dict[str, Any] = pydantic.Field(
        min_length=1, description="conditions as under when: alerts that inhibit while they fire"
    )
    target_match: dict[str, Any] = pydantic.Field(
        description="conditions as under when: alerts that are muted; {} is every alert of the rules in scope"
    )
    equal: list[FieldName] = pydantic.Field(
        default_factory=list, description="the fields in which both alerts must have the same values"
    )

    @pydantic.field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        return _plain_name(name)


def _plain_name(name: str) -> str:
    """Return the name if it is valid. It is part of incident keys, inhibition keys, metric labels, and log lines."""
    if _NAME.fullmatch(name) is None:
        raise ValueError("a rule's name consists of letters, digits, '-', '_', and '.'")
    return name


class PublicShape(pydantic.BaseModel):
    """The allowed values of a variable in a public text: exactly one of the three fields is set."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, json_schema_extra={"minProperties": 1})

    in_: str | None = pydantic.Field(default=None, alias="in", description="one of the texts of this list")
    values: list[str] | None = pydantic.Field(default=None, min_length=1, description="one of these texts")
    pattern: str | None = pydantic.Field(
        default=None, description="an RE2 pattern of plain characters, from ^ to $, such as ^[a-z]{2}-[a-z]+-[0-9]$"
    )


class SharedShape(pydantic.BaseModel):
    """The settings that a rule or ``defaults`` may have for incidents."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    severity: Severity | None = pydantic.Field(
        default=None, description="the severity, or a mapping of a field's values onto severities"
    )
    group_by: list[FieldName] | None = pydantic.Field(
        default=None, description="the fields that distinguish the incidents of a rule"
    )
    follow_severity: bool | None = pydantic.Field(
        default=None, description="true: the severity falls again as the worst alerts resolve"
    )
    timing: TimingShape | None = pydantic.Field(default=None, description="when the incident opens, ends, and reopens")
    labels: dict[str, LabelShape] = pydantic.Field(
        default_factory=dict, description="labels to set on the alert, or to copy from another field"
    )
    public: dict[str, PublicShape] = pydantic.Field(
        default_factory=dict, description="the variables that may be public, each with its allowed values"
    )
    allow_text: list[str] = pydantic.Field(
        default_factory=list, description="texts in public fields that check does not warn about"
    )
    owner: str = pydantic.Field(default="", description="the team that owns the rule")
    runbook: str = pydantic.Field(default="", description="instructions, or a link to them")
    notify: list[str] | None = pydantic.Field(
        default=None, description="notifiers that receive every event of the incident, beside those of the settings"
    )
    acknowledgement: AcknowledgementShape | None = pydantic.Field(
        default=None, description="when operators are reminded of the incident while it is open"
    )


class DefaultsShape(SharedShape):
    """``defaults``. ``open`` maps destinations to default fields; it opens nothing."""

    publish: Publish | None = pydantic.Field(default=None, description="the default for rules that don't set it")
    open: dict[str, dict[str, Any]] = pydantic.Field(
        default_factory=dict, description="by destination: default fields of rules that open there"
    )


def _conditions(value: Any) -> Any:
    """Raise ``ValueError`` for a list or a text, such as Alertmanager's matchers.

    The message shows the router's syntax.
    """
    if isinstance(value, list | str):
        raise ValueError(  # noqa: TRY004 - pydantic reports it with its place.
            "conditions are a mapping of fields here: {labels.service: checkout, severity: [critical, page]}"
        )
    return value


class RuleShape(SharedShape):
    """One entry of ``rules``."""

    name: Name = pydantic.Field(description="the name of the rule, unique over all files")
    when: Annotated[dict[str, Any], pydantic.BeforeValidator(_conditions)] = pydantic.Field(
        description="the conditions, all of which have to match; {} matches every alert"
    )
    unless: Annotated[dict[str, Any], pydantic.BeforeValidator(_conditions)] = pydantic.Field(
        default_factory=dict, description="conditions as under when: if all of them match, the rule does not match"
    )
    expr: str | None = pydantic.Field(
        default=None, description="an expression in CEL, for what conditions can't express"
    )
    during: Any = pydantic.Field(default=None, description="the times at which the rule applies")
    except_during: Any = pydantic.Field(default=None, description="the times at which the rule does not apply")
    continue_: bool = pydantic.Field(
        default=False, alias="continue", description="true: later rules may add destinations"
    )
    ignore: str | None = pydantic.Field(
        default=None, min_length=1, description="the reason why the rule's alerts are ignored; instead of open"
    )
    mute_during: Any = pydantic.Field(
        default=None,
        description="the times at which the rule's alerts are muted; alerts that still fire at the end are processed",
    )
    inhibited_by: list[Inhibitor] = pydantic.Field(
        default_factory=list, description="rules that mute this rule's alerts while they fire"
    )
    open: list[OpenShape] = pydantic.Field(
        default_factory=list, description="the destinations of the incident; [] for none"
    )

    @pydantic.field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        return _plain_name(name)


class FileShape(pydantic.BaseModel):
    """A rule file; its parts are checked one by one, so that one mistake does not hide another."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    defaults: Any = pydantic.Field(default=None, description="default values for the rules")
    lists: Any = pydantic.Field(default=None, description="named lists of texts, for the condition in")
    time_intervals: Any = pydantic.Field(
        default=None, description="named time intervals, for during, except_during, and mute_during"
    )
    inhibit_rules: list[Any] | None = pydantic.Field(
        default=None, description="which alerts mute which alerts of the rules below while they fire"
    )
    rules: list[Any] = pydantic.Field(default_factory=list, description="the rules, in order")
    tests: list[Any] = pydantic.Field(default_factory=list, description="tests of the rules")


class FolderShape(pydantic.BaseModel):
    """``folder.yaml``: what holds for all files of its folder and of those below."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    isolate: bool = pydantic.Field(default=False, description="true: a mistake in this folder affects only this folder")
    defaults: Any = pydantic.Field(default=None, description="default values for the rules")
    lists: Any = pydantic.Field(default=None, description="named lists of texts, for the condition in")
    time_intervals: Any = pydantic.Field(
        default=None, description="named time intervals, for during, except_during, and mute_during"
    )
    inhibit_rules: list[Any] | None = pydantic.Field(
        default=None, description="which alerts mute which alerts of the rules below while they fire"
    )


@dataclass(frozen=True, slots=True)
class CommonFields:
    """The validated settings for a rule's incidents. A setting that is None or empty is absent.

    ``labels`` are set or copied onto the alert if a rule matches. ``public`` are the variables that customers may see,
    with their permitted values. ``allow_text`` are texts in public fields that cause no warning.
    """

    severity: severities.Severity | severity_mapping.SeverityMapping | None = None
    group_by: tuple[fields.Field, ...] | None = None
    timing: Mapping[str, Duration] = field(default_factory=dict)
    labels: Mapping[str, str | fields.Field] = field(default_factory=dict)
    public: Mapping[templates.Variable, decisions.Allowed] = field(default_factory=dict)
    owner: str = ""
    runbook: str = ""
    follow_severity: bool | None = None
    allow_text: tuple[str, ...] = ()
    notify: tuple[str, ...] | None = None
    reminders: Mapping[str, Duration] = field(default_factory=dict)

    def with_defaults(self, other: "CommonFields") -> "CommonFields":
        """Return these settings. Absent settings come from ``other``."""
        if other is NO_COMMON_FIELDS:
            return self
        return CommonFields(
            other.severity if self.severity is None else self.severity,
            other.group_by if self.group_by is None else self.group_by,
            {**other.timing, **self.timing},
            {**other.labels, **self.labels},
            {**other.public, **self.public},
            self.owner or other.owner,
            self.runbook or other.runbook,
            other.follow_severity if self.follow_severity is None else self.follow_severity,
            (*other.allow_text, *self.allow_text),
            other.notify if self.notify is None else self.notify,
            {**other.reminders, **self.reminders},
        )


NO_COMMON_FIELDS = CommonFields()
"""No setting is present."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A valid rule, which matches if all ``conditions`` and ``other_conditions`` hold. ``place`` is ``file:line``.

    ``common.severity`` is None if the sender's severity decides. ``ignore_reason`` is set if the rule's alerts are
    ignored. ``inhibited_by`` are rules whose incidents mute this rule's alerts. ``rule_inhibitions`` name rules whose
    alerts mute them. ``label_inhibitions`` are those of the rule's file and folders.
    """

    name: str
    place: str
    conditions: tuple[groups.Asked, ...]
    other_conditions: groups.OtherConditions = groups.NO_OTHER_CONDITIONS
    targets: tuple[decisions.Target, ...] = ()
    common: CommonFields = NO_COMMON_FIELDS
    ignore_reason: str = ""
    should_continue: bool = False
    inhibited_by: tuple[str, ...] = ()
    rule_inhibitions: tuple[inhibitions.RuleInhibition, ...] = ()
    label_inhibitions: tuple[inhibitions.Inhibition, ...] = ()
    mute_during: tuple[intervals.NamedIntervals, ...] = ()
