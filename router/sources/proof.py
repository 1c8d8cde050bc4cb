"""The proof that a source asks its senders for, made: for who posts to a source to see whether it lets them in."""

import base64
from typing import NamedTuple
from urllib import parse

import msgspec

from router.sources import base, signatures, tokens


class Proven(NamedTuple):
    """A body with what proves that it may be posted: headers, and parameters of the address. All hold secrets."""

    body: bytes
    headers: dict[str, str]
    query: dict[str, str]


def of(config: base.Config, body: bytes, now: int, identity: str) -> Proven:
    """Prove to a source with these settings that ``body``, an object of JSON or a form, may be posted ``now``.

    ``now`` is in microseconds. The first of several secrets is used. ``identity`` is the delivery's, where a signature
    covers one. What SNS signs is not proven: nobody else can.
    """
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    if config.bearer:
        headers["authorization"] = f"Bearer {config.bearer[0].get_secret_value().strip()}"
    elif config.basic:
        pair = config.basic[0].get_secret_value().strip("\r\n").encode()
        headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if config.token is not None:
        secret = config.token.values[0].get_secret_value().strip()
        body = _with_token(body, config.token, secret)
        headers |= {config.token.header: secret} if config.token.header else {}
        query |= {config.token.query: secret} if config.token.query else {}
    if config.signature is not None:
        headers |= signatures.Signature(config.signature).sign(body, now, identity)
    return Proven(body, headers, query)


def _with_token(body: bytes, token: tokens.Config, secret: str) -> bytes:
    if token.member:
        return msgspec.json.encode({**msgspec.json.decode(body), token.member: secret})
    return body + f"&{parse.urlencode({token.form: secret})}".encode() if token.form else body
