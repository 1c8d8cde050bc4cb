"""The sender's side of authentication, to test whether a source accepts deliveries."""

import base64
from typing import NamedTuple
from urllib import parse

import msgspec

from router.domain.times import Timestamp
from router.sources import base, signatures, tokens


class Proven(NamedTuple):
    """A body with its credentials: headers, and parameters of the URL. All three may contain secrets."""

    body: bytes
    headers: dict[str, str]
    query: dict[str, str]


def authenticate(config: base.Config, body: bytes, now: Timestamp, identity: str) -> Proven:
    """Authenticate ``body``, a JSON object or a form, to a source with these settings at ``now`` (microseconds).

    The first of several secrets is used. ``identity`` is the delivery's ID, for schemes that sign one. SNS signatures
    are omitted: only SNS can make them.
    """
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    # One of both is enough, as for a real sender.
    if config.bearer:
        headers["authorization"] = f"Bearer {config.bearer[0].get_secret_value().strip()}"
    elif config.basic:
        pair = config.basic[0].get_secret_value().strip("\r\n").encode()
        headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if config.token is not None:
        secret = config.token.values[0].get_secret_value().strip()
        # The token is added before the signature, which covers it.
        body = _add_token(body, config.token, secret)
        headers |= {config.token.header: secret} if config.token.header else {}
        query |= {config.token.query: secret} if config.token.query else {}
    if config.signature is not None:
        headers |= signatures.Signature(config.signature).sign(body, now, identity)
    return Proven(body, headers, query)


def _add_token(body: bytes, token: tokens.Config, secret: str) -> bytes:
    if token.member:
        return msgspec.json.encode({**msgspec.json.decode(body), token.member: secret})
    return body + f"&{parse.urlencode({token.form: secret})}".encode() if token.form else body
