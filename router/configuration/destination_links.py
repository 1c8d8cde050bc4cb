"""Checks the destinations that other destinations name: whether they exist, and whether they are of the right kind."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from router.destinations import base, registry
from router.yaml_source import suggestions


class LinkProblem(NamedTuple):
    """A problem, and the destination's setting that causes it."""

    destination: str
    setting: tuple[str | int, ...]
    message: str


def problems(destinations: Mapping[str, base.Config], notifiers: Collection[str]) -> Iterator[LinkProblem]:
    """Yield the problems of all destinations. ``notifiers`` are the names of the configured notifiers."""
    for name, config in destinations.items():
        yield from _of_failover(name, config, destinations, notifiers)
        follows, attach_to = getattr(config, "follows", ""), getattr(config, "attach_to", "")
        if follows and follows not in destinations:
            message = f'follows an unknown destination "{follows}"{suggestions.hint(follows, destinations)}'
            yield LinkProblem(name, ("follows",), message)
        if attach_to and attach_to not in destinations:
            message = f'unknown destination "{attach_to}"{suggestions.hint(attach_to, destinations)}'
            yield LinkProblem(name, ("attach_to",), message)
        # Only incidents of this kind have alerts attached at the vendor.
        elif attach_to and destinations[attach_to].kind != "incident-io":
            message = (
                f'"{attach_to}" is of kind {destinations[attach_to].kind}; alerts are attached to those of incident-io'
            )
            yield LinkProblem(name, ("attach_to",), message)


def _of_failover(
    name: str, config: base.Config, destinations: Mapping[str, base.Config], notifiers: Collection[str]
) -> Iterator[LinkProblem]:
    """Yield the problems of a destination's failover."""
    if config.failover is None:
        return
    for place, notifier in enumerate(config.failover.notify):
        if notifier not in notifiers:
            message = f'unknown notifier "{notifier}"{suggestions.hint(notifier, notifiers)}'
            yield LinkProblem(name, ("failover", "notify", place), message)
    for place, other in enumerate(config.failover.publish):
        at = ("failover", "publish", place)
        if other not in destinations:
            yield LinkProblem(name, at, f'unknown destination "{other}"{suggestions.hint(other, destinations)}')
        elif other == name:
            yield LinkProblem(name, at, "a destination can't be its own failover")
        # An announcement to operators has internal texts.
        elif registry.KINDS[destinations[other].kind].public:
            yield LinkProblem(name, at, f'"{other}" is public: customers would see it')
        # The vendor that is down would also block the stand-in, and both would open once it is back.
        elif (destinations[other].kind, destinations[other].base_url) == (config.kind, config.base_url):
            message = f'"{other}" is of the same kind at the same vendor: the incident would be opened there twice'
            yield LinkProblem(name, at, message)
