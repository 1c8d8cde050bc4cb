"""The checks for ``check --online`` of custom fields, roles, and escalation paths: whether they exist, and fit."""

from collections.abc import Mapping
from typing import Any

from router.destinations import name_lookup
from router.destinations.incident_io import names, wire
from router.outbound import errors

# The kinds of values that each type of custom field accepts.
_TAKES = {
    "link": {"value_link"},
    "numeric": {"value_numeric"},
    "text": {"value_text"},
    "single_select": {"value_option_id", "value_catalog_entry_id"},
    "multi_select": {"value_option_id", "value_catalog_entry_id"},
}


async def check_custom_fields(lookups: names.Names, entries: Any) -> list[str]:
    """Return every problem with a rule's custom field entries. The results of templates aren't checked."""
    problems: list[str] = []
    for entry in entries if isinstance(entries, list | tuple) else ():
        name = entry.get("custom_field_id") if isinstance(entry, Mapping) else None
        if not name:
            continue
        try:
            custom_field = await lookups.custom_fields.find(name, field="custom_field_entries")
        except errors.Failure as problem:
            problems.append(problem.message)
            continue
        problems += await _check_values(lookups, custom_field, entry.get("values"))
    return problems


async def check_roles(known: names.Names, assignments: Any) -> list[str]:
    """Return every problem with a rule's role assignments."""
    role_names = [
        assignment.get("incident_role_id") for assignment in assignments or () if isinstance(assignment, Mapping)
    ]
    lookups = [known.roles.find(name, field="incident_role_assignments") for name in role_names if name]
    return [problem for lookup in lookups for problem in await name_lookup.list_problems(lookup)]


async def check_escalation(lookups: names.Names, escalation: Any) -> list[str]:
    """Return the problem with a rule's escalation path. Users aren't checked: they are given by ID."""
    name = escalation.get("path") if isinstance(escalation, Mapping) else None
    return await name_lookup.list_problems(lookups.escalation_paths.find(name, field="escalation")) if name else []


async def _check_values(known: names.Names, custom_field: wire.CustomField, values: Any) -> list[str]:
    values_of_fields = [entry for entry in values or () if isinstance(entry, Mapping)]
    takes = _TAKES.get(custom_field.field_type)
    problems = []
    for kind in sorted({kind for entry in values_of_fields for kind in entry if kind.startswith("value_")}):
        # A type that the router doesn't know isn't checked.
        if takes is not None and kind not in takes:
            fit = " or ".join(sorted(takes))
            problems.append(
                f'custom field "{custom_field.name}" is of type {custom_field.field_type}: it takes {fit}, not {kind}'
            )
    option_ids = [entry["value_option_id"] for entry in values_of_fields if entry.get("value_option_id")]
    # If the kind of value is wrong, its options can't be looked up.
    if not option_ids or problems:
        return problems
    options = name_lookup.NameLookup("option", lambda: known.options(custom_field.id), ids=wire.IDS)
    lookups = [options.find(option, field="custom_field_entries") for option in option_ids]
    lookup_problems = [problem for lookup in lookups for problem in await name_lookup.list_problems(lookup)]
    return [f'custom field "{custom_field.name}": {problem}' for problem in lookup_problems]
