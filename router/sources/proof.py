"""The proof that a source asks its senders for, made: for who posts to a source to see whether it lets them in."""

import base64
from typing import NamedTuple

from router.sources import base, signatures


class Proof(NamedTuple):
    """What goes with a body: headers, and parameters of the address. Both hold secrets."""

    headers: dict[str, str]
    query: dict[str, str]


def of(config: base.Config, body: bytes, now: int, identity: str) -> Proof:
    """Prove to a source with these settings that ``body`` may be posted ``now`` (microseconds).

    The first of several secrets is used. ``identity`` is the delivery's, where a signature covers one.
    """
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    if config.bearer:
        headers["authorization"] = f"Bearer {config.bearer[0].get_secret_value().strip()}"
    elif config.basic:
        pair = config.basic[0].get_secret_value().strip("\r\n").encode()
        headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if config.token is not None:
        place, name = (headers, config.token.header) if config.token.header else (query, config.token.query)
        place[name] = config.token.values[0].get_secret_value().strip()
    if config.signature is not None:
        headers |= signatures.Signature(config.signature).sign(body, now, identity)
    return Proof(headers, query)
