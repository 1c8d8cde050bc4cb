"""Authentication by the ``Authorization`` header, checked before the body is read.

A source accepts several bearer tokens and basic credentials, so that secrets can be rotated without a gap.
"""

import base64
import hmac
from collections.abc import Iterable, Sequence

import pydantic


class Verifier:
    """Verifies ``Authorization`` headers against those that a source accepts.

    Each accepted header is compared in constant time, even after a match, so that the duration reveals nothing about
    them. ``challenge`` is the ``WWW-Authenticate`` header for requests without valid credentials.
    """

    __slots__ = ("_accepted_headers", "_open", "challenge")

    def __init__(self, accepted: Iterable[bytes], *, anyone: bool = False, challenge: bytes = b"") -> None:
        self._accepted_headers = tuple(accepted)
        self._open = anyone
        self.challenge = challenge

    def __repr__(self) -> str:
        return f"Verifier({'anyone' if self._open else f'{len(self._accepted_headers)} secrets'})"

    @property
    def is_open(self) -> bool:
        """Return whether requests are accepted whatever their ``Authorization`` header."""
        return self._open

    def accepts(self, authorization: bytes | None) -> bool:
        """Return whether a request with this header is accepted. None stands for a request without the header."""
        if self._open:
            return True
        if authorization is None:
            return False
        # The header is compared as received first, because most senders write it the usual way.
        return self._matches_any(authorization) or self._matches_any(_normalize_scheme(authorization))

    def _matches_any(self, authorization: bytes) -> bool:
        holds = False
        for accepted in self._accepted_headers:
            holds |= hmac.compare_digest(authorization, accepted)
        return holds


def verifier(
    bearer: Iterable[pydantic.SecretStr],
    basic: Iterable[pydantic.SecretStr],
    auth: str,
    *,
    otherwise: bool = False,
    schemes: Sequence[str] = ("Bearer",),
) -> Verifier:
    """Build the verifier from a source's settings. Raises ``ValueError`` with the settings to use instead.

    ``otherwise``: a signature or a token authenticates requests, so credentials are optional. ``schemes`` are the
    authentication schemes under which a bearer token is accepted.
    """
    tokens = [_token(secret) for secret in bearer]
    pairs = [_pair(secret) for secret in basic]
    if auth == "none":
        # An operator who sets both may believe that the credentials are checked.
        if tokens or pairs or otherwise:
            raise ValueError("auth is none, but there are credentials: remove `auth: none`, or the credentials")
        return Verifier((), anyone=True)
    # A signature or a token proves each request, so the header isn't needed.
    if not tokens and not pairs and otherwise:
        return Verifier((), anyone=True)
    if not tokens and not pairs:
        raise ValueError(
            "no credentials: set bearer (a list of tokens), basic (a list of user:password), token or signature, "
            "or set `auth: none` to accept requests from anyone"
        )
    # Schemes are compared in the spelling of `_normalize_scheme`.
    accepted = [scheme.capitalize().encode() + b" " + token for token in tokens for scheme in schemes]
    accepted += [b"Basic " + base64.b64encode(pair) for pair in pairs]
    # Some clients send basic credentials only after a challenge.
    challenges = [scheme.encode() for scheme in schemes] if tokens else []
    challenges += [b'Basic realm="incident-router", charset="UTF-8"'] if pairs else []
    return Verifier(accepted, challenge=b", ".join(challenges))


def _token(secret: pydantic.SecretStr) -> bytes:
    # A secret read from a file often ends in a line break, which a header can't contain.
    token = secret.get_secret_value().strip()
    if not token or not token.isprintable() or " " in token:
        raise ValueError("a bearer token is empty, or contains a space or a control character")
    return token.encode()


def _pair(secret: pydantic.SecretStr) -> bytes:
    pair = secret.get_secret_value().strip("\r\n")
    # A password may contain colons, and a user name can't.
    user, colon, password = pair.partition(":")
    if not colon or not user or not password:
        raise ValueError("a basic credential is not of the form user:password")
    return pair.encode()


def _normalize_scheme(authorization: bytes) -> bytes:
    """Return the header with its scheme capitalized and one space after it.

    Senders may use any case and several spaces.
    """
    scheme, _, rest = authorization.strip().partition(b" ")
    return scheme.lower().capitalize() + b" " + rest.strip()
