"""Finds vendor reports that duplicate the router's incidents and that the router doesn't control.

DevHelm can open an incident at incident.io for each of its own. If the router opens incidents at both, one outage
becomes two incidents at incident.io, which neither the router nor DevHelm recognizes as one. A DevHelm page in the mode
AUTOMATIC publishes the incidents that the router opens at DevHelm, regardless of rules and reviewers.
"""

from collections.abc import Collection, Iterator, Mapping

from router.destinations import base
from router.outbound import errors
from router.worker import configured_destinations


async def find(
    at: Mapping[str, configured_destinations.ConfiguredDestination], pages: Collection[str] | None = None
) -> list[str]:
    """Ask each vendor for its own channels. Return a warning for each pair of destinations that would both report.

    ``pages`` are the names of pages that rules name. If they are given, pages that publish automatically and are no
    destination get a warning, too.
    """
    texts: list[str] = []
    kinds = {place.kind.name for place in at.values()}
    for name, place in at.items():
        try:
            channels = await place.destination.channels()
        except errors.Failure as failure:
            # With one kind of destination, no report can be doubled, so the failed check hides nothing.
            if len(kinds) > 1:
                texts.append(f"{name}: can't check for double reporting: {failure.message}")
            continue
        for channel in channels:
            if not channel.page:
                texts += _describe_double_reports(name, channel, at)
            elif pages is not None and not _is_destination(channel, at, pages):
                texts.append(
                    f'{name}: page "{channel.name}" publishes the incidents that the router opens at "{name}"'
                    " (incidentMode AUTOMATIC), and is no destination: no rule or reviewer decides on its posts; set it"
                    " to MANUAL or REVIEW"
                )
    return texts


def _describe_double_reports(
    name: str, channel: base.Channel, at: Mapping[str, configured_destinations.ConfiguredDestination]
) -> Iterator[str]:
    for other, configured_destination in at.items():
        if configured_destination.kind.name == channel.kind:
            yield (
                f'double reporting: the alert channel "{channel.name}" reports incidents of "{name}" to incident.io,'
                f' where the router opens incidents at "{other}"; disable the channel, or remove a destination'
            )


def _is_destination(
    channel: base.Channel, at: Mapping[str, configured_destinations.ConfiguredDestination], pages: Collection[str]
) -> bool:
    """Return whether a destination or a rule names the page. Then the check of the destination covers its mode."""
    names = {place.page for place in at.values() if place.kind.name == channel.kind} | set(pages)
    return not names.isdisjoint(filter(None, channel.page))
