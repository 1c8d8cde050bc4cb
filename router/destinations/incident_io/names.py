"""Lookup of incident.io's IDs by name, for severities, types, statuses, pages, components, and others."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from router.destinations import list_rows, name_lookup
from router.destinations.incident_io import account, wire
from router.outbound import client, errors

PAGE_SIZE = 250  # The vendor's maximum.
_PATHS = 25  # The vendor's maximum for escalation paths, which have many parts.


class PlacedComponent(msgspec.Struct, frozen=True):
    """A component and the name of its group or sub-page, which distinguishes components with the same name."""

    id: str
    name: str
    within: str = ""


class Names:
    """The names of one account. Each list is fetched on first use and cached."""

    def __init__(self, http: client.Client, caches: name_lookup.Caches | None = None) -> None:
        self._http = http
        self._caches = caches if caches is not None else name_lookup.Caches()
        self.severities = self._lookup("severity", self._severities)
        self.types = self._lookup("incident type", self._types)
        self.statuses = self._lookup("incident status", self._statuses)
        self.pages = self._lookup("status page", self._pages)
        self.custom_fields = self._lookup("custom field", self._custom_fields)
        self.roles = self._lookup("incident role", self._roles)
        self.timestamps = self._lookup("incident timestamp", self._timestamps)
        self.escalation_paths = self._lookup("escalation path", self._escalation_paths)

    def _lookup(
        self, noun: str, fetch: Callable[[], Awaitable[Sequence[name_lookup.Found]]]
    ) -> name_lookup.NameLookup[name_lookup.Found]:
        return name_lookup.NameLookup(noun, fetch, ids=wire.IDS, cache=self._caches.get(noun))

    async def page(self, page_name: str) -> wire.Page:
        """Return the page with this name or ID."""
        try:
            return await self.pages.find(page_name, field="page")
        except (errors.Permanent, errors.Denied):
            # A key may have permission to post on a page that it can't list.
            if wire.IDS.fullmatch(page_name):
                return wire.Page(id=page_name, name=page_name)
            raise

    async def component_id(self, page_id: str, component: str) -> str:
        """Return the ID of a page's component by its name, by ``group / name``, or by its ID."""
        return await self._component_lookup(page_id).id_of(component, field="components")

    def _component_lookup(self, page_id: str) -> name_lookup.NameLookup[PlacedComponent]:
        async def fetch() -> Sequence[PlacedComponent]:
            answer = await self._http.read(
                f"/v2/status_page_structures/{client.segment(page_id)}", wire.StructureAnswer
            )
            return list(_list_components(answer.current_structure.items))

        return name_lookup.NameLookup(
            "component", fetch, ids=wire.IDS, also_called=_qualify, cache=self._caches.get(f"component of {page_id}")
        )

    async def options(self, custom_field_id: str) -> Sequence[wire.Option]:
        """Fetch the options of a custom field, without caching."""
        query: dict[str, str | int] = {"custom_field_id": custom_field_id, "page_size": PAGE_SIZE}
        answers = account.list_pages(self._http, "/v1/custom_field_options", wire.Options, query)
        return [option async for answer in answers for option in answer.custom_field_options]

    async def _custom_fields(self) -> Sequence[wire.CustomField]:
        return (await self._http.read("/v2/custom_fields", wire.CustomFields)).custom_fields

    async def _roles(self) -> Sequence[wire.Role]:
        return (await self._http.read("/v2/incident_roles", wire.Roles)).incident_roles

    async def _timestamps(self) -> Sequence[wire.Timestamp]:
        answer = await self._http.read("/v2/incident_timestamps", wire.Timestamps)
        return list_rows.parse_rows(answer.incident_timestamps, wire.Timestamp, "incident timestamp")

    async def _severities(self) -> Sequence[wire.Severity]:
        return list_rows.parse_rows(
            (await self._http.read("/v1/severities", wire.Severities)).severities, wire.Severity, "severity"
        )

    async def _types(self) -> Sequence[wire.Type]:
        return list_rows.parse_rows(
            (await self._http.read("/v1/incident_types", wire.Types)).incident_types, wire.Type, "incident type"
        )

    async def _statuses(self) -> Sequence[wire.Status]:
        return list_rows.parse_rows(
            (await self._http.read("/v1/incident_statuses", wire.Statuses)).incident_statuses,
            wire.Status,
            "incident status",
        )

    async def _escalation_paths(self) -> Sequence[wire.EscalationPath]:
        answers = account.list_pages(self._http, "/v2/escalation_paths", wire.EscalationPaths, {"page_size": _PATHS})
        return [
            path
            async for answer in answers
            for path in list_rows.parse_rows(answer.escalation_paths, wire.EscalationPath, "escalation path")
        ]

    async def _pages(self) -> Sequence[wire.Page]:
        query: dict[str, str | int] = {"page_size": PAGE_SIZE}
        answers = account.list_pages(self._http, "/v2/status_pages", wire.Pages, query)
        return [
            page
            async for answer in answers
            for page in list_rows.parse_rows(answer.status_pages, wire.Page, "status page")
        ]


def _qualify(component: PlacedComponent) -> list[str]:
    return [f"{component.within} / {component.name}"] if component.within else []


def _list_components(items: Iterable[Any], within: str = "") -> Iterable[PlacedComponent]:
    for item in list_rows.parse_rows(items, wire.Item, "component"):
        if item.component is not None:
            yield PlacedComponent(item.component.id, item.component.name, within)
        if item.group is not None:
            yield from (
                PlacedComponent(part.id, part.name, item.group.name)
                for part in list_rows.parse_rows(item.group.components, wire.Component, "component")
            )
        if item.sub_page is not None:
            yield from _list_components(item.sub_page.items, item.sub_page.name)
