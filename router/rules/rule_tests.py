"""Parses the ``tests:`` of rule files: timed alerts, actions of reviewers and operators, and expectations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, get_args

import pydantic

from router.domain import events, publications, silences
from router.domain.times import Duration
from router.rules import destination_info, parse_context
from router.yaml_source import documents, problems, quantities, suggestions

Severity = Literal["critical", "major", "minor", "info"]
_START = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)  # A Monday at noon, as an unsurprising default.
Kind = publications.Kind | Literal["retrospective"]
_KINDS: tuple[Kind, ...] = ("open", "update", "publish", "monitor", "resolve", "dismiss", "retract", "retrospective")
_STRICT = pydantic.ConfigDict(extra="forbid", frozen=True)


class ExpectedDecision(pydantic.BaseModel):
    """The expected decision. An absent field allows any value."""

    model_config = _STRICT

    rule: str | None = pydantic.Field(default=None, description="the rule that decides; none for an ignored alert")
    severity: Severity | None = pydantic.Field(default=None, description="the severity")
    key: str | None = pydantic.Field(default=None, description="the incident key")
    ignored: str | None = pydantic.Field(default=None, description="a part of the reason why the alert is ignored")
    at: list[str] | None = pydantic.Field(default=None, description="the destinations of the incident, in any order")


class ScheduledAlert(pydantic.BaseModel):
    """One alert of a test, and the time of its arrival after the start."""

    model_config = _STRICT

    at: quantities.Duration = pydantic.Field(default=Duration(0), description="the time of arrival, from the start")
    status: Literal["firing", "resolved"] = pydantic.Field(
        default="firing", description="whether it fires or has resolved"
    )
    title: str = pydantic.Field(default="", description="its title")
    source: str = pydantic.Field(default="test", description="the source")
    severity: str = pydantic.Field(default="", description="the severity in the sender's words")
    link: str = pydantic.Field(default="", description="the sender's link")
    labels: dict[str, str] = pydantic.Field(default={}, description="its labels")
    annotations: dict[str, str] = pydantic.Field(default={}, description="its annotations")
    fingerprint: str = pydantic.Field(
        default="", description="its identity; by default derived from the source and the labels"
    )
    expect: ExpectedDecision | None = pydantic.Field(default=None, description="the expected decision for this alert")


Verb = Literal["approve", "edit", "dismiss", "retract", "silence", "end_silence", "freeze", "thaw"]
_VERBS: tuple[Verb, ...] = get_args(Verb)


class OperatorAction(pydantic.BaseModel):
    """An action of a reviewer or an operator: one of ``Verb``."""

    model_config = _STRICT

    at: quantities.Duration = pydantic.Field(default=Duration(0), description="the time, from the start")
    approve: str | None = pydantic.Field(
        default=None, description="the destination where all posts that await a review are approved"
    )
    edit: str | None = pydantic.Field(
        default=None, description="the destination where they are approved with the texts in fields"
    )
    fields: dict[str, Any] = pydantic.Field(
        default={}, description="with edit: the fields that replace those of the rule"
    )
    dismiss: str | None = pydantic.Field(
        default=None, description="the destination where all posts that await a review are dismissed"
    )
    retract: str | None = pydantic.Field(
        default=None, description="the destination where every post is retracted, published or not"
    )
    message: str = pydantic.Field(
        default="", description="with retract: the text of the resolution, on a page where a post can't be taken down"
    )
    silence: list[str] | None = pydantic.Field(
        default=None, min_length=1, description="the matchers of a silence that begins, as for silences add"
    )
    for_: quantities.Duration = pydantic.Field(
        default=Duration(0), alias="for", description="with silence: how long it lasts; by default until it is ended"
    )
    end_silence: list[str] | None = pydantic.Field(
        default=None, min_length=1, description="the matchers of a silence that ends"
    )
    freeze: str | None = pydantic.Field(
        default=None, min_length=1, description="the reason for a publishing freeze that begins"
    )
    thaw: Annotated[Literal["true"] | None, pydantic.WithJsonSchema({"const": True})] = pydantic.Field(
        default=None, description="true: the publishing freeze ends"
    )

    @pydantic.model_validator(mode="after")
    def _check_single(self) -> Self:
        if len(self._present_verbs()) != 1:
            raise ValueError(f"name one action: {', '.join(_VERBS)}")
        if bool(self.fields) != (self.edit is not None):
            raise ValueError('"edit" and "fields" must be set together')
        if self.for_ and self.silence is None:
            raise ValueError('"for" needs "silence"')
        if self.message and self.retract is None:
            raise ValueError('"message" needs "retract"')
        return self

    @pydantic.field_validator("silence", "end_silence")
    @classmethod
    def _check_matchers(cls, matchers: list[str] | None) -> list[str] | None:
        for text in matchers or ():
            silences.matcher(text)  # Its error is a ValueError with a message for users.
        return matchers

    def _present_verbs(self) -> list[Verb]:
        return [verb for verb in _VERBS if getattr(self, verb) is not None]

    @property
    def verb(self) -> Verb:
        """Return the verb of this action."""
        return self._present_verbs()[0]

    @property
    def destination(self) -> str | None:
        """Return the destination of a decision; None for actions without a destination."""
        return self.approve or self.edit or self.dismiss or self.retract

    @property
    def matchers(self) -> tuple[silences.Matcher, ...]:
        """Return the matchers of the silence that begins or ends."""
        return tuple(silences.matcher(text) for text in self.silence or self.end_silence or ())


class ExpectedOperation(pydantic.BaseModel):
    """One expected operation; every further key is a field that it must have, with every text rendered."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    at: quantities.Duration | None = pydantic.Field(default=None, description="the time, from the start")
    open: str | None = pydantic.Field(default=None, description="the destination where an incident or a post is opened")
    update: str | None = pydantic.Field(default=None, description="the destination where it is updated")
    publish: str | None = pydantic.Field(default=None, description="the destination where a draft is published")
    monitor: str | None = pydantic.Field(
        default=None, description="the destination where a post is set to monitoring, before it is resolved"
    )
    resolve: str | None = pydantic.Field(default=None, description="the destination where it is resolved")
    dismiss: str | None = pydantic.Field(default=None, description="the destination where a draft is dismissed")
    retract: str | None = pydantic.Field(default=None, description="the destination where a post is retracted")
    retrospective: str | None = pydantic.Field(
        default=None,
        description="the destination where an incident that has ended is published as a retrospective incident",
    )

    @pydantic.model_validator(mode="after")
    def _check_single(self) -> "ExpectedOperation":
        if len(self._present_kinds()) != 1:
            raise ValueError(f"an operation names one destination with one of {', '.join(_KINDS)}")
        return self

    def _present_kinds(self) -> list[tuple[Kind, str]]:
        acts = [(kind, getattr(self, kind)) for kind in _KINDS]
        return [(kind, name) for kind, name in acts if name is not None]

    @property
    def what(self) -> tuple[Kind, str]:
        """Return the kind and the destination."""
        return self._present_kinds()[0]


class Notification(pydantic.BaseModel):
    """One expected notification: an event that a notifier receives."""

    model_config = _STRICT

    at: quantities.Duration | None = pydantic.Field(default=None, description="when it is received, from the start")
    to: str = pydantic.Field(description="the notifier that receives it")
    event: str = pydantic.Field(description="the event type, such as review.waiting")
    destination: str | None = pydantic.Field(default=None, description="the destination of its review or operation")


class ExpectedResult(ExpectedDecision):
    """The expected result of a test. An expected decision applies to each firing alert."""

    incidents: int | None = pydantic.Field(default=None, ge=0, description="the number of opened incidents")
    operations: list[ExpectedOperation] | None = pydantic.Field(default=None, description="all operations, in order")
    notifications: list[Notification] | None = pydantic.Field(default=None, description="all notifications, in order")


class PageDraft(pydantic.BaseModel):
    """The draft that a page creates for each incident, by the names of a rule's fields."""

    model_config = _STRICT

    title: str = pydantic.Field(default="", description="the draft's title")
    message: str = pydantic.Field(default="", description="its first text")
    impact: str = pydantic.Field(default="", description="its impact, in the vendor's words")
    components: dict[str, str] = pydantic.Field(default={}, description="the status of each of its components")


class RuleTestShape(pydantic.BaseModel):
    """One entry of ``tests``."""

    model_config = _STRICT

    name: str = pydantic.Field(min_length=1, description="the expected behavior")
    starts: datetime = pydantic.Field(
        default=_START, description="the start of the clock; by default a Monday at noon UTC"
    )
    alerts: list[ScheduledAlert] = pydantic.Field(min_length=1, description="the alerts, in any order")
    drafts: dict[str, PageDraft] = pydantic.Field(
        default={}, description="the drafts that pages create for each incident that they follow, by destination"
    )
    people: list[OperatorAction] = pydantic.Field(default=[], description="the actions of reviewers and operators")
    until: quantities.Duration = pydantic.Field(default=Duration(0), description="the time at which the test ends")
    expect: ExpectedResult = pydantic.Field(default=ExpectedResult(), description="the expected result")


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test, its document, and the path ``at`` in the document."""

    shape: RuleTestShape
    document: documents.Document
    at: tuple[str | int, ...]

    @property
    def place(self) -> str:
        """Return the position of the test as ``file:line``."""
        return f"{self.document.file}:{self.document.position(self.at)[0]}"

    def problem(self, message: str, *path: str | int) -> problems.LocatedProblem:
        """Return a problem at a path in the test."""
        return self.document.problem(message, (*self.at, *path))


def read(
    document: documents.Document,
    destinations: destination_info.Destinations,
    all_problems: list[problems.LocatedProblem],
) -> Iterator[RuleTest]:
    """Yield the valid tests of a file. Append the problems of invalid tests to ``all_problems``."""
    entries = document.data.get("tests") if isinstance(document.data, dict) and not document.problems else None
    for index, data in enumerate(entries if isinstance(entries, list) else ()):
        name = data.get("name") if isinstance(data, dict) else None
        context = parse_context.Context(
            document, ("tests", index), all_problems, f'test "{name}": ' if isinstance(name, str) else ""
        )
        # Keep numbers and Booleans as text in their original form, since labels and fields are compared as text.
        shape = context.validate(RuleTestShape, context.raw_text())
        if shape is not None and _names_exist(context, shape, destinations):
            yield RuleTest(shape, document, context.path)


def _names_exist(
    context: parse_context.Context, shape: RuleTestShape, destinations: destination_info.Destinations
) -> bool:
    before = len(context.problems)
    for path, name in _used_names(shape):
        if name not in destinations:
            context.report(f'there is no destination "{name}"{suggestions.hint(name, destinations)}', *path)
    notifiers = destination_info.notifiers_of(destinations)
    for index, notification in enumerate(shape.expect.notifications or ()):
        inside = context.child("expect", "notifications", index)
        if notifiers is not None and notification.to not in notifiers:
            inside.report(f'unknown notifier "{notification.to}"{suggestions.hint(notification.to, notifiers)}', "to")
        if notification.event not in events.TOPICS:
            inside.report(
                f'unknown event "{notification.event}"{suggestions.hint(notification.event, events.TOPICS)}', "event"
            )
    return len(context.problems) == before


def _used_names(shape: RuleTestShape) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for name in shape.drafts:
        yield ("drafts", name), name
    for index, person in enumerate(shape.people):
        if person.destination is not None:
            yield ("people", index, person.verb), person.destination
    expected: Mapping[tuple[str | int, ...], ExpectedDecision | None] = {
        ("expect",): shape.expect,
        **{("alerts", index, "expect"): alert.expect for index, alert in enumerate(shape.alerts)},
    }
    for path, decided in expected.items():
        for position, name in enumerate((decided.at if decided is not None else None) or ()):
            yield (*path, "at", position), name
    for index, operation in enumerate(shape.expect.operations or ()):
        kind, name = operation.what
        yield ("expect", "operations", index, kind), name
    for index, notification in enumerate(shape.expect.notifications or ()):
        if notification.destination is not None:
            yield ("expect", "notifications", index, "destination"), notification.destination


def as_text(value: Any) -> Any:
    """Return a value for comparison with a test's expectation: numbers and Booleans become text, as in a rule file."""
    return documents.from_data(value).raw_text()
