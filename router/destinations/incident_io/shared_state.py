"""The state that all operations at an account share."""

from typing import NamedTuple, Self

from router.destinations import name_lookup
from router.destinations.incident_io import api_versions
from router.destinations.incident_io.config import IncidentConfig


class SharedState(NamedTuple):
    """The cached names of the account, and the version of the API that creates its incidents."""

    caches: name_lookup.Caches
    versions: api_versions.ApiVersion

    @classmethod
    def create(cls, name: str, config: IncidentConfig) -> Self:
        """Return the state of a destination that nothing is known of."""
        return cls(name_lookup.Caches(), api_versions.ApiVersion(name, config))
