"""Checks the destinations that other destinations name: whether they exist, and whether they are of the right kind."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from router.destinations import base
from router.yaml_source import suggestions


class LinkProblem(NamedTuple):
    """What is wrong, and the setting of the destination at which it is."""

    destination: str
    setting: tuple[str | int, ...]
    message: str


def problems(found: Mapping[str, base.Config]) -> Iterator[LinkProblem]:
    """Yield the problems of all destinations."""
    for name, config in found.items():
        follows, attach_to = getattr(config, "follows", ""), getattr(config, "attach_to", "")
        if follows and follows not in found:
            message = f'follows an unknown destination "{follows}"{suggestions.hint(follows, found)}'
            yield LinkProblem(name, ("follows",), message)
        if attach_to and attach_to not in found:
            message = f'unknown destination "{attach_to}"{suggestions.hint(attach_to, found)}'
            yield LinkProblem(name, ("attach_to",), message)
        elif attach_to and found[attach_to].kind != "incident-io":
            message = f'"{attach_to}" is of kind {found[attach_to].kind}; alerts are attached to those of incident-io'
            yield LinkProblem(name, ("attach_to",), message)
