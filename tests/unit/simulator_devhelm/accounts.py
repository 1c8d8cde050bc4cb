"""A simulated DevHelm account, called in this process through its ASGI routes, with a manual clock."""

import asyncio
from typing import Any

import httpx
from starlette import applications

from router.simulator import options
from router.simulator.devhelm import vendor

BEGIN_AT = 1_750_000_000_123_457
SECOND = 1_000_000
KEY = "dh-let-me-in"


class Account:
    """Calls return httpx responses. Pages are identified by slug, components by name."""

    def __init__(self, seed: int = 1, **settings: Any) -> None:
        self.now = BEGIN_AT
        self.key = KEY
        self.vendor = vendor.DevHelm(options.Options(seed=seed, clock=lambda: self.now, **settings))
        self._app = applications.Starlette(routes=self.vendor.routes())

    def call(self, method: str, path: str, body: Any = None, **others: Any) -> httpx.Response:
        """Make a call, one second after the previous one."""
        self.now += SECOND
        if body is not None:
            others["json"] = body
        return asyncio.run(self._send(method, path, others))

    async def _send(self, method: str, path: str, others: dict[str, Any]) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://vendor", headers=headers) as client:
            return await client.request(method, f"/api/v1{path}", **others)

    def expect(self, status: int, method: str, path: str, body: Any = None, **others: Any) -> Any:
        """Make a call whose response must have ``status``. Return the body, without ``data`` around a single object."""
        answer = self.call(method, path, body, **others)
        assert answer.status_code == status, answer.text
        if status == 204:
            assert answer.content == b""
            return None
        document = answer.json()
        return document["data"] if set(document) == {"data"} else document

    def page(self, slug: str) -> dict[str, Any]:
        """Return the page with this slug."""
        return next(page for page in self.expect(200, "GET", "/status-pages")["data"] if page["slug"] == slug)

    def posts_of(self, slug: str) -> str:
        """Return the path of a page's incidents."""
        return f"/status-pages/{self.page(slug)['id']}/incidents"

    def posts(self, slug: str, **query: Any) -> list[dict[str, Any]]:
        """Return the incidents on a page, newest first."""
        return self.expect(200, "GET", self.posts_of(slug), params=query)["data"]

    def components(self, slug: str) -> dict[str, str]:
        """Map each component's name to its ID."""
        found = self.expect(200, "GET", f"/status-pages/{self.page(slug)['id']}/components")["data"]
        return {item["name"]: item["id"] for item in found}

    def shown(self, slug: str) -> dict[str, str]:
        """Return the state of each component that isn't operational."""
        found = self.expect(200, "GET", f"/status-pages/{self.page(slug)['id']}/components")["data"]
        return {item["name"]: item["currentStatus"] for item in found if item["currentStatus"] != "OPERATIONAL"}

    def affected(self, slug: str, **states: str) -> list[dict[str, str]]:
        """Return ``affectedComponents`` of a body. In names, underscores stand for spaces."""
        components = self.components(slug)
        return [{"componentId": components[name.replace("_", " ")], "status": state} for name, state in states.items()]

    def open(self, title: str = "Checkout is down", severity: str = "DOWN", **others: Any) -> str:
        """Open an incident. Return its ID."""
        return self.expect(201, "POST", "/incidents", {"title": title, "severity": severity, **others})["incident"][
            "id"
        ]

    def post(self, slug: str = "acme", title: str = "Checkout fails", **others: Any) -> str:
        """Create a page incident. Return its ID."""
        body = {"title": title, "impact": "MAJOR", "body": "We are looking into it.", **others}
        return self.expect(201, "POST", self.posts_of(slug), body)["id"]
