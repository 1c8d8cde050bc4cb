"""The version of incident.io's API that creates incidents: ``POST /v1/incidents`` while the vendor serves it, then v2.

The vendor has deprecated v1 and will remove it. The router switches only on definite evidence: v1 answers "not found"
in the vendor's own error format to a read, too, while v2 answers the read.

    POST /v1/incidents 404   GET /v1/incidents 404   GET /v2/incidents 200   from now on: v2
    POST /v1/incidents 404   GET /v1/incidents 200                           the 404 has another cause

An open with an unknown outcome is repeated with the version of its first attempt. Whether an idempotency key of one
version is valid for the other is undocumented.
"""

from typing import Literal

from router.destinations.incident_io.config import IncidentConfig
from router.outbound import client, errors
from router.telemetry import log

Version = Literal["v1", "v2"]
_ONE: dict[str, int] = {"page_size": 1}
_MAX_CACHED_VERSIONS = 1000


class ApiVersion:
    """The version that creates one account's incidents."""

    def __init__(self, name: str, config: IncidentConfig) -> None:
        self._name = name
        self._is_auto = config.api == "auto"
        self._version_by_key: dict[str, Version] = {}
        self._log = log.get("worker")
        self.current: Version = "v2" if config.api == "v2" else "v1"

    def choose(self, key: str, *, is_repeated: bool) -> Version:
        """Return the version for an open. A repeated open uses that of its first attempt; after a restart, v1.

        If v1 is removed by then, the vendor refuses the repeated open, and a search finds out whether the first attempt
        created an incident.
        """
        if is_repeated and self._is_auto:
            return self._version_by_key.get(key, "v1")
        # Forget the oldest open. If it is repeated after all, it uses v1, as after a restart.
        if len(self._version_by_key) >= _MAX_CACHED_VERSIONS:
            self._version_by_key.pop(next(iter(self._version_by_key)))
        self._version_by_key[key] = self.current
        return self.current

    async def is_gone(self, http: client.Client) -> bool:
        """Return whether v1 has just turned out to be removed. From then on, v2 is used."""
        if not self._is_auto or self.current == "v2":
            return False
        try:
            await http.call("GET", "/v1/incidents", query=_ONE)
        except errors.NotFound:
            pass
        else:
            return False
        try:
            await http.call("GET", "/v2/incidents", query=_ONE)
        # Neither version responds, so the 404s are no evidence about v1: the base URL or a proxy may be wrong.
        except errors.NotFound:
            return False
        self.current = "v2"
        self._log.warning("api_version_gone", destination=self._name, gone="v1", used="v2")
        return True

    async def detect(self, http: client.Client) -> None:
        """Find out at the start which version is served, and log a warning if it is deprecated."""
        if not await self.is_gone(http) and self.current == "v1":
            message = "incident.io has deprecated POST /v1/incidents; set `api: v2`, or keep `auto`"
            self._log.warning("api_deprecated", destination=self._name, version="v1", reason=message)
