"""Who may look and act beside the senders of alerts: people and programs with a role, by token or by signing in."""

import enum
import hashlib
import secrets
from collections.abc import Callable

import msgspec

_PREFIX = "irt"
RandomText = Callable[[int], str]
"""Makes text for URLs from so many random bytes."""


class Role(enum.IntEnum):
    """What one may do: ``viewer`` looks, ``responder`` acts on incidents, ``admin`` also on what holds for all."""

    VIEWER = 1
    RESPONDER = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role's name as it is written."""
        return self.name.lower()


ROLES = {role.word: role for role in Role}


class Person(msgspec.Struct, frozen=True):
    """Who asks: a name for the timeline and the audit log, a role, and how it was proved."""

    name: str
    role: Role
    by: str = ""


class Token(msgspec.Struct, frozen=True, array_like=True):
    """A token as it is kept: what it is called and for whom, and the hash of its secret alone.

    Times are microseconds since the epoch; ``expires_at`` 0 is never.
    """

    id: str
    name: str
    role: Role
    digest: str
    created_at: int
    expires_at: int = 0

    def valid(self, secret: str, now: int) -> bool:
        """Whether this secret is the token's, and it has not run out."""
        return secrets.compare_digest(digest(secret), self.digest) and not self.over(now)

    def over(self, now: int) -> bool:
        """Whether it has run out."""
        return bool(self.expires_at) and now >= self.expires_at


class Session(msgspec.Struct, frozen=True, array_like=True):
    """Somebody who has signed in: ``csrf`` is what each form of theirs has to carry. ``began_at`` is microseconds.

    ``token`` is the id of the token they signed in with, empty with a provider; the session ends with the token.
    """

    name: str
    role: Role
    by: str
    csrf: str
    began_at: int
    token: str = ""


class Action(msgspec.Struct, frozen=True, array_like=True):
    """One line of the audit log: who did what to what, when (microseconds), from where, and with which outcome.

    ``detail`` holds what can't be seen afterwards, such as the text that a correction replaced.
    """

    at: int
    who: str
    by: str
    address: str
    what: str
    subject: str = ""
    outcome: str = "done"
    reason: str = ""
    detail: dict[str, str] = {}


def digest(secret: str) -> str:
    """What is kept of a secret. Secrets are random and long, so a plain hash can't be guessed backwards."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_token(name: str, role: Role, now: int, expires_at: int, randomness: RandomText) -> tuple[Token, str]:
    """Make a token; the text is shown once and kept nowhere."""
    identity = randomness(6).replace("-", "x").replace("_", "y")
    secret = randomness(32)
    text = f"{_PREFIX}_{identity}_{secret}"
    return Token(identity, name, role, digest(secret), now, expires_at), text


def split_token(text: str) -> tuple[str, str]:
    """The id and the secret of a token's text; empty where it is none."""
    prefix, _, rest = text.strip().partition("_")
    identity, _, secret = rest.partition("_")
    return (identity, secret) if prefix == _PREFIX and identity and secret else ("", "")
