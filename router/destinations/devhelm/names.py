"""From the names in rules and configuration to DevHelm's ids: status pages and their components."""

from collections.abc import Sequence

from router.destinations import name_lookup
from router.destinations.devhelm import account, wire
from router.outbound import client

PAGES = "/api/v1/status-pages"


class Names:
    """What one account calls its pages and components; everything is fetched when first asked for, and kept."""

    def __init__(self, http: client.Client) -> None:
        self._http = http
        self.pages = name_lookup.NameLookup(
            "status page", self._pages, ids=wire.IDS, also_called=lambda page: [page.slug] if page.slug else []
        )
        self._components: dict[str, name_lookup.NameLookup[wire.Component]] = {}

    async def component_id(self, page_id: str, wanted: str) -> str:
        """The id of a page's component, called by its name or by its id."""
        known = self._components.get(page_id)
        if known is None:
            known = self._components[page_id] = self._directory_of(page_id)
        return await known.id_of(wanted, field="components")

    async def components(self, page_id: str) -> Sequence[wire.Component]:
        """A page's components as the vendor shows them now."""
        path = f"{PAGES}/{client.segment(page_id)}/components"
        listed = account.read_pages(self._http, path, wire.Component, what="component")
        return [one async for page in listed for one in page]

    def _directory_of(self, page_id: str) -> name_lookup.NameLookup[wire.Component]:
        async def fetch() -> Sequence[wire.Component]:
            return await self.components(page_id)

        return name_lookup.NameLookup("component", fetch, ids=wire.IDS)

    async def _pages(self) -> Sequence[wire.Page]:
        return [
            one async for page in account.read_pages(self._http, PAGES, wire.Page, what="status page") for one in page
        ]
