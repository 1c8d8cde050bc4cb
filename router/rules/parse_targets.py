"""Parses ``open`` of a rule: the destinations, their fields, and the texts in the fields."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import pydantic

from router.domain import decisions
from router.rules import defaults, destination_info, model, parse_context, parse_resolve, public_texts, templates
from router.yaml_source import suggestions, validation

_EMPTY = (
    ", for an alert without the labels and annotations that the template names; "
    'give it a default: "{{ alert.labels.x | default: alert.title }}"'
)
_OWN_KEYS = frozenset(model.OpenShape.model_fields)
_PARTS = "components_from"  # Resolved for each alert, so the destination never receives it.
_LATER = "missing"  # A field that is missing in the defaults may be set by the rule.
# Pydantic's error types for a text that the field doesn't accept. Errors of lists have other types.
_OF_TEXTS = frozenset(
    {"bool_parsing", "literal_error", "string_pattern_mismatch", "string_too_long", "string_too_short", "value_error"}
)


class TargetParser:
    """Parses the entries of ``open`` of one rule, including inherited fields."""

    def __init__(
        self,
        context: parse_context.Context,
        destinations: destination_info.Destinations,
        inherits: defaults.Defaults,
        declared: Mapping[templates.Variable, decisions.Allowed],
    ) -> None:
        """Store the rule's context, the configured destinations, and the variables that customers may see."""
        self._at = context
        self._destinations = destinations
        self._inherits = inherits
        self._public = declared

    def targets(self, entries: Any) -> Iterator[decisions.Target]:
        """Parse each entry and report its problems."""
        seen = set()
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if not isinstance(entry, dict) or not isinstance(entry.get("at"), str):
                continue
            name = entry["at"]
            if name in seen:
                self._at.report(f'opens at "{name}" twice', "open", index, "at")
            seen.add(name)
            destination = self._destinations.get(name)
            if destination is None:
                report_unknown_destination(self._at, name, self._destinations, "open", index, "at")
                continue
            own_fields = {key: value for key, value in entry.items() if key not in _OWN_KEYS}
            context = self._at.child("open", index)
            before = len(context.problems)
            check_texts(context, own_fields, destination, name, self._public)
            merged = {**self._inherits.fields.get(name, {}), **own_fields}
            check_fields(context, merged, destination)
            # A valid template may still render to an empty text, for an alert without the labels that the template
            # names.
            if len(context.problems) == before:
                check_rendered_fields(context, merged, destination)
            if len(context.problems) == before:
                self._check_fallback(context, merged, entry.get("fallback"), destination)
            resolve = entry.get("resolve")
            if isinstance(resolve, dict):
                check_texts(
                    context.child("resolve"), {"message": resolve.get("message")}, destination, name, self._public
                )
            ending = parse_resolve.read(context, resolve, merged, name, destination) or parse_resolve.AT_ONCE
            _check_retrospective(context, entry, destination, name)
            if isinstance(entry.get("review"), dict):
                notifiers = destination_info.notifiers_of(self._destinations)
                parse_context.check_notifiers(context.child("review"), entry["review"], "escalate_to", notifiers)
            yield self._target(name, merged, entry, ending)

    def _target(
        self, name: str, merged: dict[str, Any], entry: dict[str, Any], ending: decisions.Ending
    ) -> decisions.Target:
        publish = entry.get("publish") or self._inherits.publish
        parts = {**self._destinations[name].defaults, **merged}.get(_PARTS) or {}
        own_fields = {key: value for key, value in merged.items() if key != _PARTS}
        review = _review(entry.get("review"))
        allowed_values = (
            self._used_allowed_values({**own_fields, "resolve": ending.monitoring})
            if self._destinations[name].public
            else {}
        )
        return decisions.Target(
            name,
            own_fields,
            publish,
            review.timeout,
            review.on_timeout,
            entry.get("fallback") or {},
            parts,
            allowed_values,
            ending,
            retrospective=entry.get("retrospective") is True,
            remind_every=review.remind_every,
            escalate_after=review.escalate_after,
            escalate_to=tuple(review.escalate_to),
        )

    def _used_allowed_values(self, fields: Mapping[str, Any]) -> dict[str, decisions.Allowed]:
        """Return the permitted values of the variables in these texts. Unused variables aren't sent with alerts."""
        used_variables = dict.fromkeys(variable for text in _texts(fields) for variable in templates.variables(text))
        return {".".join(variable): self._public[variable] for variable in used_variables if variable in self._public}

    def _check_fallback(
        self,
        context: parse_context.Context,
        merged: dict[str, Any],
        fallback: Any,
        destination: destination_info.DestinationInfo,
    ) -> None:
        """Check the fallback texts. They must be literal, since they replace texts whose variables are invalid."""
        if not isinstance(fallback, dict):
            return
        inside = context.child("fallback")
        before = len(context.problems)
        for name, text in fallback.items():
            if isinstance(text, str) and templates.is_template(text):
                inside.report("other words are literal: a variable may contain the mistake", name)
        if len(context.problems) == before:
            check_fields(inside, {**merged, **fallback}, destination)


_NO_REVIEW = model.ReviewShape.model_construct(timeout=0)


def _review(data: Any) -> model.ReviewShape:
    """Return the settings of a review; the defaults if there are none."""
    try:
        return model.ReviewShape.model_validate(data) if data is not None else _NO_REVIEW
    except pydantic.ValidationError:  # Already reported with the rule's shape.
        return _NO_REVIEW


def _check_retrospective(
    context: parse_context.Context, entry: Mapping[str, Any], destination: destination_info.DestinationInfo, name: str
) -> None:
    """Report ``retrospective`` at a destination that doesn't accept retrospective incidents."""
    if not entry.get("retrospective") or destination.retrospective:
        return
    if destination.public:
        message = f'"{name}" (kind {destination.kind}) has no retrospective incidents: remove retrospective'
    else:
        message = f'customers don\'t see what is at "{name}" (kind {destination.kind}): leave out retrospective'
    context.report(message, "retrospective")


def report_unknown_destination(
    context: parse_context.Context,
    name: str,
    destinations: destination_info.Destinations,
    *path: str | int,
    key: bool = False,
) -> None:
    """Report a destination that isn't configured."""
    hint = suggestions.hint(name, destinations) if destinations else "; the configuration has no destinations"
    context.report(f'there is no destination "{name}"{hint}', *path, key=key)


def parse_defaults(
    context: parse_context.Context,
    entries: Any,
    destinations: destination_info.Destinations,
    declared: Collection[templates.Variable],
) -> dict[str, dict[str, Any]]:
    """Parse ``open`` of ``defaults``: fields by destination, which a rule may override."""
    defaults_of_destinations = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if not isinstance(entry, dict):
            continue
        destination = destinations.get(name)
        if destination is None:
            report_unknown_destination(context, name, destinations, "open", name, key=True)
            continue
        inside = context.child("open", name)
        check_texts(inside, entry, destination, name, declared)
        check_fields(inside, entry, destination, ignored=_LATER)
        defaults_of_destinations[name] = entry
    return defaults_of_destinations


def check_fields(
    context: parse_context.Context,
    own_fields: Mapping[str, Any],
    destination: destination_info.DestinationInfo,
    ignored: str = "",
) -> None:
    """Validate fields by the destination's model. Errors of the type ``ignored`` are omitted.

    A template may stand for any text. Its rendered text is validated when the incident opens.
    """
    _check(context, own_fields, destination, _is_rendered_later, ignored=ignored)


def check_rendered_fields(
    context: parse_context.Context, own_fields: Mapping[str, Any], destination: destination_info.DestinationInfo
) -> None:
    """Validate the rendered templates for an alert without labels. Optional fields may be empty then."""
    rendered = templates.render_sample(own_fields)
    if rendered == own_fields:  # No field is a template, so all fields are validated already.
        return
    declared = destination.opening.model_fields

    def is_spared(_kind: str, where: Sequence[str | int], value: Any) -> bool:
        field = declared.get(str(where[0])) if where else None
        return field is not None and not field.is_required() and isinstance(value, str) and not value.strip()

    _check(context, rendered, destination, is_spared, note=_EMPTY)


def _is_rendered_later(kind: str, _where: Sequence[str | int], value: Any) -> bool:
    return kind in _OF_TEXTS and isinstance(value, str) and templates.is_template(value)


def _check(
    context: parse_context.Context,
    fields: Mapping[str, Any],
    destination: destination_info.DestinationInfo,
    passes: Callable[[str, Sequence[str | int], Any], bool],
    *,
    note: str = "",
    ignored: str = "",
) -> None:
    try:
        destination.opening.model_validate({**destination.defaults, **fields}, context=destination.context)
    except pydantic.ValidationError as error:
        found = validation.problems_of(
            error,
            context.document,
            at=context.path,
            model=destination.opening,
            prefix=context.prefix,
            ignored=ignored,
            passes=passes,
        )
        context.problems.extend(dataclasses.replace(problem, message=problem.message + note) for problem in found)


def check_texts(
    context: parse_context.Context,
    value: Any,
    destination: destination_info.DestinationInfo,
    name: str,
    declared: Collection[templates.Variable],
) -> None:
    """Check the templates in a value. At public destinations they may use only declared variables."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if templates.is_template(str(key)):
                context.report("a name is literal here: no template is rendered in it", key, key=True)
            check_texts(context.child(key), inner, destination, name, declared)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            check_texts(context.child(index), inner, destination, name, declared)
    elif isinstance(value, str) and templates.is_template(value):
        wrong = templates.problems(value)
        for objection in wrong:
            context.report(objection)
        if destination.public and destination.declares and not wrong:
            _check_public(context, value, name, declared)


def _check_public(
    context: parse_context.Context, text: str, name: str, declared: Collection[templates.Variable]
) -> None:
    private = [
        parts for parts in templates.variables(text) if parts not in declared and parts not in public_texts.MADE_HERE
    ]
    for variable in dict.fromkeys(".".join(parts) for parts in private):
        if templates.LOOKED_UP in variable:
            context.report(f'"{name}" is public: a name that is looked up can\'t be declared as public')
        else:
            context.report(
                f'"{name}" is public, and {variable} is not declared as public; '
                f"if customers may see it, declare its values with public: {{{variable}: {{values: […]}}}}"
            )


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(inner)
