"""Finds incidents that two would report: the router, and a vendor that reports to another vendor by itself.

DevHelm can open an incident at incident.io for each of its own. If the router opens incidents at both, one outage
becomes two incidents at incident.io, which neither the router nor DevHelm recognizes as one.
"""

from collections.abc import Mapping

from router.outbound import errors
from router.worker import configured_destinations


async def found(at: Mapping[str, configured_destinations.Bound]) -> list[str]:
    """Ask each vendor for its own channels; one text for each pair of destinations where incidents would be doubled."""
    texts: list[str] = []
    kinds = {place.kind.name for place in at.values()}
    for name, place in at.items():
        try:
            channels = await place.destination.channels()
        except errors.Failure as failure:
            if len(kinds) > 1:
                texts.append(f"{name}: can't check for double reporting: {failure.message}")
            continue
        texts += [
            f'double reporting: the alert channel "{channel.name}" reports incidents of "{name}" to incident.io, where'
            f' the router opens incidents at "{other}"; disable the channel, or remove one of the destinations'
            for channel in channels
            for other, there in at.items()
            if there.kind.name == channel.kind
        ]
    return texts
