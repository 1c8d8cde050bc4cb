"""A destination as the worker knows it: the vendor's side, and what the registry says of its kind."""

from dataclasses import dataclass

from router.destinations import base


@dataclass(frozen=True)
class Bound:
    """One configured destination.

    ``follows`` names the destination whose incidents this page may draft posts from (empty: none).
    ``timeout_seconds`` bounds each of its calls. ``account`` tells accounts at vendors apart, and is no secret.
    """

    name: str
    kind: base.Kind
    destination: base.Destination
    follows: str = ""
    timeout_seconds: float = 10.0
    account: str = ""
