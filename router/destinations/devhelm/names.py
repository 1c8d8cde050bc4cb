"""Looks up the IDs of status pages and components at DevHelm by name."""

from collections.abc import Sequence

from router.destinations import name_lookup
from router.destinations.devhelm import account, wire
from router.outbound import client

PAGES = "/api/v1/status-pages"


class Names:
    """Names of one account's pages and components, fetched on first use and cached."""

    def __init__(self, http: client.Client, caches: name_lookup.Caches | None = None) -> None:
        self._http = http
        self._caches = caches if caches is not None else name_lookup.Caches()
        self.pages = name_lookup.NameLookup(
            "status page",
            self._pages,
            ids=wire.IDS,
            also_called=lambda page: [page.slug] if page.slug else [],
            cache=self._caches.get("status page"),
        )

    async def component_id(self, page_id: str, component: str) -> str:
        """Return the ID of a page's component, given its name or ID."""
        return await self._component_lookup(page_id).id_of(component, field="components")

    async def components(self, page_id: str) -> Sequence[wire.Component]:
        """Return a page's components as the vendor shows them now."""
        path = f"{PAGES}/{client.segment(page_id)}/components"
        pages = account.read_pages(self._http, path, wire.Component, noun="component")
        return [component async for page in pages for component in page]

    def _component_lookup(self, page_id: str) -> name_lookup.NameLookup[wire.Component]:
        async def fetch() -> Sequence[wire.Component]:
            return await self.components(page_id)

        return name_lookup.NameLookup(
            "component", fetch, ids=wire.IDS, cache=self._caches.get(f"component of {page_id}")
        )

    async def _pages(self) -> Sequence[wire.Page]:
        return [
            status_page
            async for page in account.read_pages(self._http, PAGES, wire.Page, noun="status page")
            for status_page in page
        ]
