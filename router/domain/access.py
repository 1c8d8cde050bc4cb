"""Access of users and programs, who authenticate with a token or by signing in: roles, sessions, and the audit log."""

import enum
import hashlib
import secrets
from collections.abc import Callable

import msgspec

from router.domain.times import Timestamp

_PREFIX = "irt"
RandomText = Callable[[int], str]
"""Returns URL-safe text that is made from the given number of random bytes."""


class Role(enum.IntEnum):
    """A set of permissions.

    ``viewer`` reads, ``responder`` also acts on incidents, and ``admin`` also changes what affects the whole
    installation.
    """

    VIEWER = 1
    RESPONDER = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """Return the role's name in lower case."""
        return self.name.lower()


ROLES = {role.word: role for role in Role}


class Person(msgspec.Struct, frozen=True):
    """The authenticated caller: a name for the timeline and the audit log, a role, and the method of authentication."""

    name: str
    role: Role
    by: str = ""


class Token(msgspec.Struct, frozen=True, array_like=True):
    """A stored token: its name, its owner, and the hash of its secret. The secret itself is not stored.

    Times are microseconds since the epoch; 0 in ``expires_at`` means never.
    """

    id: str
    name: str
    role: Role
    digest: str
    created_at: Timestamp
    expires_at: Timestamp = Timestamp(0)

    def is_valid(self, secret: str, now: Timestamp) -> bool:
        """Return whether the secret is that of the token and the token has not expired."""
        return secrets.compare_digest(digest(secret), self.digest) and not self.is_expired(now)

    def is_expired(self, now: Timestamp) -> bool:
        """Return whether the token has expired."""
        return bool(self.expires_at) and now >= self.expires_at


class Session(msgspec.Struct, frozen=True, array_like=True):
    """The session of a signed-in user. Every form must carry ``csrf``. ``began_at`` is in microseconds.

    ``token`` is the ID of the token that the user signed in with; empty if a provider was used. The session ends when
    the token is deleted or expires.
    """

    name: str
    role: Role
    by: str
    csrf: str
    began_at: Timestamp
    token: str = ""


class AuditEntry(msgspec.Struct, frozen=True, array_like=True):
    """One line of the audit log: actor, action, object, time (microseconds), client address, and outcome.

    ``detail`` holds what can't be seen afterwards, such as the text that a correction replaced.
    """

    at: Timestamp
    who: str
    by: str
    address: str
    what: str
    subject: str = ""
    outcome: str = "done"
    reason: str = ""
    detail: dict[str, str] = {}


def digest(secret: str) -> str:
    """Return the hash of a secret to store.

    Secrets are long and random, so a plain hash can't be reversed by guessing.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def new_token(
    name: str, role: Role, now: Timestamp, expires_at: Timestamp, randomness: RandomText
) -> tuple[Token, str]:
    """Create a token. Its text is shown once and is not stored."""
    identity = randomness(6).replace("-", "x").replace("_", "y")
    secret = randomness(32)
    text = f"{_PREFIX}_{identity}_{secret}"
    return Token(identity, name, role, digest(secret), now, expires_at), text


def split_token(text: str) -> tuple[str, str]:
    """Split a token's text into its ID and its secret; both are empty if the text is not a token."""
    prefix, _, rest = text.strip().partition("_")
    identity, _, secret = rest.partition("_")
    return (identity, secret) if prefix == _PREFIX and identity and secret else ("", "")
