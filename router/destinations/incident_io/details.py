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


class Change(NamedTuple):
    """The custom fields and roles to send; None if nothing changes."""

    fields: list[dict[str, Any]] | None = None
    roles: list[dict[str, Any]] | None = None


def change(
    incident: wire.Incident,
    operation: operations.Operation,
    wanted: config.IncidentOpening,
    before: config.IncidentOpening | None,
) -> Change:
    """Return the custom fields and roles to send; none without ``before``, which reveals a person's changes."""
    if before is None:
        return Change()
    wanted_fields, last_fields = _fields(wanted), _fields(before)
    cleared = {one: {"custom_field_id": one, "values": []} for one in last_fields if one not in wanted_fields}
    followed = {**wanted_fields, **cleared}
    fields = _changed(followed, last_fields, _base(operation, FIELDS), shown_fields(incident), _said)
    # If the rule no longer assigns a role, its person keeps it.
    roles = _changed(_roles(wanted), _roles(before), _base(operation, ROLES), shown_roles(incident), _person)
    return Change(fields or None, roles or None)


def shown_fields(incident: wire.Incident | wire.Created) -> Shown:
    """Return the values that the vendor shows of each custom field."""
    found = {}
    for entry in _mappings(incident.custom_field_entries):
        about = entry.get("custom_field")
        values = [_value(one) for one in _mappings(entry.get("values"))]
        if isinstance(about, Mapping):
            found[str(about.get("id", ""))] = sorted(filter(None, values))
    return found


def shown_roles(incident: wire.Incident | wire.Created) -> Shown:
    """Return the person that the vendor shows of each role."""
    found = {}
    for entry in _mappings(incident.incident_role_assignments):
        about, person = entry.get("role"), entry.get("assignee")
        if isinstance(about, Mapping):
            found[str(about.get("id", ""))] = [str(person.get("id", ""))] if isinstance(person, Mapping) else []
    return found


def left(
    incident: wire.Incident | wire.Created, operation: operations.Operation, sent: Change
) -> dict[str, dict[str, list[str]]]:
    """Return the base of each field and role that was ever sent, by kind."""
    fields = {one["custom_field_id"] for one in sent.fields or ()}
    roles = {one["incident_role_id"] for one in sent.roles or ()}
    shown_of_fields, shown_of_roles = shown_fields(incident), shown_roles(incident)
    return {
        FIELDS: {**_base(operation, FIELDS), **{one: shown_of_fields.get(one, []) for one in sorted(fields)}},
        ROLES: {**_base(operation, ROLES), **{one: shown_of_roles.get(one, []) for one in sorted(roles)}},
    }


def unchangeable(
    wanted: config.IncidentOpening, before: config.IncidentOpening | None
) -> tuple[operations.Omission, ...]:
    """Report a changed incident type: the vendor's API can't change the type of an open incident."""
    if before is None or before.incident_type == wanted.incident_type:
        return ()
    detail = f'left as it was: incident.io changes no type, "{wanted.incident_type or ""}" is for new incidents'
    return (operations.Omission("incident_type", "left_out", detail),)


def base_view(
    incident: wire.Incident,
    operation: operations.Operation,
    shown: publications.View | None,
    edit: wire.Edit = NO_EDIT,
) -> publications.View | None:
    """Return the base for comparing later reads: what the router has left there, without people's changes.

    The first read after a call may still show the router's texts in another form.
    """
    before = operation.view
    if shown is None or not before.fields:
        return shown
    details_left = {name: shown.fields[name] for name in ("status", FIELDS, ROLES)}
    fields, titles = {**shown.fields, **before.fields, **details_left}, before.titles
    is_first = before.is_unconfirmed
    if edit.name is not None or (is_first and _is_same(incident.name, str(before.fields.get("title", "")))):
        fields["title"], titles = incident.name, shown.titles
    if edit.summary is not None or (is_first and _is_same(incident.summary, str(before.fields.get("summary", "")))):
        fields["summary"] = incident.summary
    if edit.severity_id is not None and incident.severity is not None:
        fields["severity"] = incident.severity.id
    return msgspec.structs.replace(shown, fields=fields, titles=titles)


def _is_same(text: str, ours: str) -> bool:
    return texts.alike(text, ours) or texts.is_cut(text, ours)


def changed_name(
    incident: wire.Incident,
    operation: operations.Operation,
    wanted: config.IncidentOpening,
    before: config.IncidentOpening | None,
    uncertain: Collection[config.IncidentOpening] = (),
) -> str | None:
    """Return the name to set; None if it is set already, or a person has changed it."""
    if texts.alike(incident.name, wanted.name):
        return None
    if before is None:
        return wanted.name
    if any(texts.alike(incident.name, one.name) for one in uncertain):
        return wanted.name
    if before.name == wanted.name or observations.edited_title(operation, incident.name, {before.name}):
        return None
    return wanted.name


def changed_summary(
    incident: wire.Incident,
    operation: operations.Operation,
    wanted: config.IncidentOpening,
    before: config.IncidentOpening | None,
    uncertain: Collection[config.IncidentOpening] = (),
) -> str | None:
    """Return the summary to set; None if it is set, or is neither the one that was sent nor the one returned."""
    summary = references.add_footer(wanted.summary, operation.reference)
    if texts.alike(incident.summary, summary):
        return None
    if any(texts.alike(incident.summary, references.add_footer(one.summary, operation.reference)) for one in uncertain):
        return summary
    last = references.add_footer(before.summary, operation.reference) if before is not None else summary
    returned = operation.view.fields.get("summary")
    if before is not None and before.summary == wanted.summary:
        return None
    is_ours = (
        incident.summary == returned or texts.alike(incident.summary, last) or texts.is_cut(incident.summary, last)
    )
    return summary if is_ours or references.has_footer(incident.summary, operation.reference) else None


def left_by_uncertain(
    incident: wire.Incident,
    operation: operations.Operation,
    wanted: config.IncidentOpening,
    uncertain: Collection[config.IncidentOpening],
) -> set[str]:
    """Return which texts an uncertain update has left instead of the wanted ones."""
    found = set()
    for one in uncertain:
        if texts.alike(incident.name, one.name) and not texts.alike(incident.name, wanted.name):
            found.add(f'the name is "{incident.name}", not "{wanted.name}"')
        left, summary = (references.add_footer(known.summary, operation.reference) for known in (one, wanted))
        if texts.alike(incident.summary, left) and not texts.alike(incident.summary, summary):
            found.add("the summary is an earlier one")
    return found


def _changed(
    wanted: Mapping[str, dict[str, Any]],
    before: Mapping[str, dict[str, Any]],
    base: Mapping[str, list[str]],
    shown: Shown,
    said: Callable[[dict[str, Any]], list[str]],
) -> list[dict[str, Any]]:
    found = []
    for one, entry in wanted.items():
        last, now = before.get(one), shown.get(one, [])
        # Changes by an earlier version of the router have no base. Then the sent value is the base.
        known = base.get(one, said(last) if last is not None else [])
        if entry != last and now == known and not (now == [] and said(entry) == []):
            found.append(entry)
    return found


def _fields(opening: config.IncidentOpening) -> dict[str, dict[str, Any]]:
    return {one["custom_field_id"]: one for one in config.to_builtins(opening.custom_field_entries)}


def _roles(opening: config.IncidentOpening) -> dict[str, dict[str, Any]]:
    return {one["incident_role_id"]: one for one in config.to_builtins(opening.incident_role_assignments)}


def _base(operation: operations.Operation, kind: str) -> dict[str, list[str]]:
    known = operation.view.fields.get(kind)
    return dict(known) if isinstance(known, Mapping) else {}


def _said(entry: dict[str, Any]) -> list[str]:
    return sorted(text for value in entry["values"] for kind, text in value.items() if kind != "id")


def _person(entry: dict[str, Any]) -> list[str]:
    return [str(entry["assignee"].get("id", ""))]


def _mappings(listed: Any) -> list[Mapping[str, Any]]:
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []


def _value(value: Mapping[str, Any]) -> str:
    for kind, inner in _OF_VALUES:
        said = value.get(kind)
        if said:
            return str(said.get(inner, "") if isinstance(said, Mapping) else said)
    return ""
