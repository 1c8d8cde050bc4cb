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


async def check_custom_fields(known: names.Names, entries: Any) -> list[str]:
    """Return every problem with a rule's custom field entries. The results of templates aren't checked."""
    problems: list[str] = []
    for entry in entries if isinstance(entries, list | tuple) else ():
        called = entry.get("custom_field_id") if isinstance(entry, Mapping) else None
        if not called:
            continue
        try:
            there = await known.custom_fields.find(called, field="custom_field_entries")
        except errors.Failure as problem:
            problems.append(problem.message)
            continue
        problems += await _of_values(known, there, entry.get("values"))
    return problems


async def check_roles(known: names.Names, assignments: Any) -> list[str]:
    """Return every problem with a rule's role assignments."""
    named = [one.get("incident_role_id") for one in assignments or () if isinstance(one, Mapping)]
    lookups = [known.roles.find(called, field="incident_role_assignments") for called in named if called]
    return [problem for lookup in lookups for problem in await name_lookup.list_problems(lookup)]


async def check_escalation(known: names.Names, escalation: Any) -> list[str]:
    """Return the problem with a rule's escalation path. Users aren't checked: they are given by ID."""
    called = escalation.get("path") if isinstance(escalation, Mapping) else None
    return await name_lookup.list_problems(known.escalation_paths.find(called, field="escalation")) if called else []


async def _of_values(known: names.Names, there: wire.CustomField, values: Any) -> list[str]:
    said = [one for one in values or () if isinstance(one, Mapping)]
    takes = _TAKES.get(there.field_type)
    problems = []
    for kind in sorted({kind for one in said for kind in one if kind.startswith("value_")}):
        if takes is not None and kind not in takes:
            fit = " or ".join(sorted(takes))
            problems.append(f'custom field "{there.name}" is of type {there.field_type}: it takes {fit}, not {kind}')
    wanted = [one["value_option_id"] for one in said if one.get("value_option_id")]
    if not wanted or problems:
        return problems
    options = name_lookup.NameLookup("option", lambda: known.options(there.id), ids=wire.IDS)
    lookups = [options.find(option, field="custom_field_entries") for option in wanted]
    found = [problem for lookup in lookups for problem in await name_lookup.list_problems(lookup)]
    return [f'custom field "{there.name}": {problem}' for problem in found]
