"""The alert channels of the simulated DevHelm, to which DevHelm would send its alerts. The router only reads them."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import pydantic

from router.simulator.devhelm import answers, requests


class Config(requests.Request):
    """A channel's own settings, of which only the type matters here."""

    channel_type: Annotated[str, pydantic.StringConstraints(min_length=1)]


class CreateChannel(requests.Request):
    """``POST /api/v1/alert-channels``."""

    name: Annotated[str, pydantic.StringConstraints(max_length=255)]
    config: Config


class ListChannels(requests.Request):
    """The query of ``GET /api/v1/alert-channels``."""

    page: Annotated[int, pydantic.Field(ge=0)] = 0
    size: Annotated[int, pydantic.Field(ge=1, le=200)] = 20


@dataclass
class Channel:
    """One channel. ``created_at`` is microseconds since the epoch."""

    id: str
    name: str
    kind: str
    created_at: int
    enabled: bool = True

    def answer(self) -> dict[str, Any]:
        """Return the channel as ``AlertChannelDto``."""
        moment = answers.moment(self.created_at)
        return {
            "id": self.id,
            "name": self.name,
            "channelType": self.kind,
            "displayConfig": None,
            "enabled": self.enabled,
            "createdAt": moment,
            "updatedAt": moment,
            "configHash": None,
            "managedBy": "API",
            "lastDeliveryAt": None,
            "lastDeliveryStatus": None,
        }


@dataclass
class Channels:
    """All channels of one organization, in the order of their creation."""

    # The list is empty at first: a channel of type `incident_io` makes the router warn of double reporting.
    known: list[Channel] = field(default_factory=list)

    def create(self, identity: str, create_channel: CreateChannel, now: int) -> Channel:
        """Add an enabled channel."""
        channel = Channel(identity, create_channel.name, create_channel.config.channel_type, now)
        self.known.append(channel)
        return channel
