"""Custom fields and roles of an open incident at incident.io: they follow the rule, unless a person has changed them.

A change is sent for single custom fields and roles: the vendor keeps those that a request doesn't name. The vendor's
response to the router's last change of a field is the base for comparing later reads.

    sent before   base         shown now    wanted       sent
    team: shop    shop         shop         team: pay    team: pay
    team: shop    shop         search       team: pay    nothing, a person has set it
    nothing       nothing      search       team: pay    nothing, a person has set it
    team: shop    shop         shop         nothing      team: cleared
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from router.destinations import observations, references
from router.destinations.incident_io import config, wire
from router.domain import operations, publications, texts

Shown = dict[str, list[str]]
"""The values of each custom field, or the person of each role, by the ID of the field or role."""

FIELDS = "custom_fields"
ROLES = "roles"
"""Where a view keeps what our changes have left."""
_OF_VALUES = (
    ("value_text", ""),
    ("value_link", ""),
    ("value_numeric", ""),
    ("value_option", "id"),
    ("value_catalog_entry", "id"),
)


NO_EDIT = wire.Edit()
"""An edit that changes nothing."""


class DetailChange(NamedTuple):
    """The custom fields and roles to send; None if nothing changes."""

    fields: list[dict[str, Any]] | None = None
    roles: list[dict[str, Any]] | None = None


def change(
    incident: wire.Incident,
    operation: operations.Operation,
    opening: config.IncidentOpening,
    before: config.IncidentOpening | None,
) -> DetailChange:
    """Return the custom fields and roles to send; none without ``before``, which reveals a person's changes."""
    if before is None:
        return DetailChange()
    wanted_fields, last_fields = _fields(opening), _fields(before)
    cleared = {
        last_field: {"custom_field_id": last_field, "values": []}
        for last_field in last_fields
        if last_field not in wanted_fields
    }
    followed = {**wanted_fields, **cleared}
    fields = _select_changed(followed, last_fields, _base(operation, FIELDS), shown_fields(incident), _list_values)
    # If the rule no longer assigns a role, its person keeps it.
    roles = _select_changed(_roles(opening), _roles(before), _base(operation, ROLES), shown_roles(incident), _person)
    return DetailChange(fields or None, roles or None)


def shown_fields(incident: wire.Incident | wire.Created) -> Shown:
    """Return the values that the vendor shows of each custom field."""
    texts_of_fields = {}
    for entry in _mappings(incident.custom_field_entries):
        custom_field = entry.get("custom_field")
        values = [_value(mapping) for mapping in _mappings(entry.get("values"))]
        if isinstance(custom_field, Mapping):
            texts_of_fields[str(custom_field.get("id", ""))] = sorted(filter(None, values))
    return texts_of_fields


def shown_roles(incident: wire.Incident | wire.Created) -> Shown:
    """Return the person that the vendor shows of each role."""
    texts_of_roles = {}
    for entry in _mappings(incident.incident_role_assignments):
        role, person = entry.get("role"), entry.get("assignee")
        if isinstance(role, Mapping):
            texts_of_roles[str(role.get("id", ""))] = [str(person.get("id", ""))] if isinstance(person, Mapping) else []
    return texts_of_roles


def collect_bases(
    incident: wire.Incident | wire.Created, operation: operations.Operation, sent: DetailChange
) -> dict[str, dict[str, list[str]]]:
    """Return the base of each field and role that was ever sent, by kind."""
    fields = {field["custom_field_id"] for field in sent.fields or ()}
    roles = {role["incident_role_id"] for role in sent.roles or ()}
    shown_of_fields, shown_of_roles = shown_fields(incident), shown_roles(incident)
    return {
        FIELDS: {**_base(operation, FIELDS), **{field: shown_of_fields.get(field, []) for field in sorted(fields)}},
        ROLES: {**_base(operation, ROLES), **{role: shown_of_roles.get(role, []) for role in sorted(roles)}},
    }


def report_unchangeable(
    opening: config.IncidentOpening, before: config.IncidentOpening | None
) -> tuple[operations.Omission, ...]:
    """Report a changed incident type: the vendor's API can't change the type of an open incident."""
    if before is None or before.incident_type == opening.incident_type:
        return ()
    detail = f'unchanged: incident.io never changes the type; "{opening.incident_type or ""}" is for new incidents'
    return (operations.Omission("incident_type", "left_out", detail),)


def make_base_view(
    incident: wire.Incident,
    operation: operations.Operation,
    view: publications.View | None,
    edit: wire.Edit = NO_EDIT,
) -> publications.View | None:
    """Return the base for comparing later reads: the router's own texts, without a person's changes.

    The first read after a call may still show the router's texts in another form.
    """
    before = operation.view
    if view is None or not before.fields:
        return view
    details_left = {name: view.fields[name] for name in ("status", FIELDS, ROLES)}
    fields, titles = {**view.fields, **before.fields, **details_left}, before.titles
    is_first = before.is_unconfirmed
    if edit.name is not None or (is_first and _is_same(incident.name, str(before.fields.get("title", "")))):
        fields["title"], titles = incident.name, view.titles
    if edit.summary is not None or (is_first and _is_same(incident.summary, str(before.fields.get("summary", "")))):
        fields["summary"] = incident.summary
    if edit.severity_id is not None and incident.severity is not None:
        fields["severity"] = incident.severity.id
    return msgspec.structs.replace(view, fields=fields, titles=titles)


def _is_same(text: str, our_text: str) -> bool:
    return texts.alike(text, our_text) or texts.is_cut(text, our_text)


def changed_name(
    incident: wire.Incident,
    operation: operations.Operation,
    opening: config.IncidentOpening,
    before: config.IncidentOpening | None,
    uncertain: Collection[config.IncidentOpening] = (),
) -> str | None:
    """Return the name to set; None if it is set already, or a person has changed it."""
    if texts.alike(incident.name, opening.name):
        return None
    if before is None:
        return opening.name
    # An uncertain update of ours has left this name. No person has set it.
    if any(texts.alike(incident.name, uncertain_opening.name) for uncertain_opening in uncertain):
        return opening.name
    # If the rule's name is unchanged, the vendor shows its own form of it, or a person's name. Both stay.
    if before.name == opening.name or observations.has_edited_title(operation, incident.name, {before.name}):
        return None
    return opening.name


def changed_summary(
    incident: wire.Incident,
    operation: operations.Operation,
    opening: config.IncidentOpening,
    before: config.IncidentOpening | None,
    uncertain: Collection[config.IncidentOpening] = (),
) -> str | None:
    """Return the summary to set; None if it is set, or is neither the one that was sent nor the one returned."""
    summary = references.add_footer(opening.summary, operation.reference)
    if texts.alike(incident.summary, summary):
        return None
    if any(
        texts.alike(incident.summary, references.add_footer(uncertain_opening.summary, operation.reference))
        for uncertain_opening in uncertain
    ):
        return summary
    last = references.add_footer(before.summary, operation.reference) if before is not None else summary
    returned = operation.view.fields.get("summary")
    # If the rule's summary is unchanged, the vendor shows its own form of it, or a person's summary. Both stay.
    if before is not None and before.summary == opening.summary:
        return None
    is_ours = (
        incident.summary == returned or texts.alike(incident.summary, last) or texts.is_cut(incident.summary, last)
    )
    return summary if is_ours or references.has_footer(incident.summary, operation.reference) else None


def describe_leftovers(
    incident: wire.Incident,
    operation: operations.Operation,
    opening: config.IncidentOpening,
    uncertain: Collection[config.IncidentOpening],
) -> set[str]:
    """Return which texts an uncertain update has left instead of the wanted ones."""
    differences = set()
    for uncertain_opening in uncertain:
        if texts.alike(incident.name, uncertain_opening.name) and not texts.alike(incident.name, opening.name):
            differences.add(f'the name is "{incident.name}", not "{opening.name}"')
        leftover, summary = (
            references.add_footer(incident_opening.summary, operation.reference)
            for incident_opening in (uncertain_opening, opening)
        )
        if texts.alike(incident.summary, leftover) and not texts.alike(incident.summary, summary):
            differences.add("the summary is an earlier one")
    return differences


def _select_changed(
    entries_by_id: Mapping[str, dict[str, Any]],
    before: Mapping[str, dict[str, Any]],
    base: Mapping[str, list[str]],
    shown_texts: Shown,
    describe: Callable[[dict[str, Any]], list[str]],
) -> list[dict[str, Any]]:
    changed = []
    for entry_id, entry in entries_by_id.items():
        last, now = before.get(entry_id), shown_texts.get(entry_id, [])
        # Changes by an earlier version of the router have no base. Then the sent value is the base.
        base_texts = base.get(entry_id, describe(last) if last is not None else [])
        # A value other than the base is a person's. Clearing an empty field needs no call.
        if entry != last and now == base_texts and not (now == [] and describe(entry) == []):
            changed.append(entry)
    return changed


def _fields(opening: config.IncidentOpening) -> dict[str, dict[str, Any]]:
    return {entry["custom_field_id"]: entry for entry in config.to_builtins(opening.custom_field_entries)}


def _roles(opening: config.IncidentOpening) -> dict[str, dict[str, Any]]:
    return {
        assignment["incident_role_id"]: assignment
        for assignment in config.to_builtins(opening.incident_role_assignments)
    }


def _base(operation: operations.Operation, kind: str) -> dict[str, list[str]]:
    previous = operation.view.fields.get(kind)
    return dict(previous) if isinstance(previous, Mapping) else {}


def _list_values(entry: dict[str, Any]) -> list[str]:
    return sorted(text for value in entry["values"] for kind, text in value.items() if kind != "id")


def _person(entry: dict[str, Any]) -> list[str]:
    return [str(entry["assignee"].get("id", ""))]


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _value(value: Mapping[str, Any]) -> str:
    for kind, inner in _OF_VALUES:
        text = value.get(kind)
        if text:
            return str(text.get(inner, "") if isinstance(text, Mapping) else text)
    return ""
