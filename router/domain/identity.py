"""References, idempotency keys, and episode IDs, which are the same after any crash."""

import functools
import hashlib
import uuid
from typing import Protocol

from router.domain import patterns
from router.domain.times import Timestamp

_NAMESPACE = uuid.UUID("6f1d7c0e-5a0b-5d3c-9d6e-0c2b8f4a7e11")
# Crockford's base 32, without I, L, O, and U, which are easy to misread.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_REFERENCE_LENGTH = 8
_PREFIX = "IR-"
_MISREAD = str.maketrans("OIL", "011")
_INSTALLATION_LENGTH = 2
_TAIL_LENGTH = 4
_OWNER_LENGTH = _REFERENCE_LENGTH + _INSTALLATION_LENGTH
_OWNED = patterns.compile(f"IR-([{_ALPHABET}]{{8}})-([{_ALPHABET}]{{2}})[{_ALPHABET}]{{4}}")
_PAIRS = [first + second for second in _ALPHABET for first in _ALPHABET]  # Two letters per ten bits.
_ID_LENGTH = 32


class Randomness(Protocol):
    """A source of random bits, such as ``random.Random`` or ``random.SystemRandom``."""

    def getrandbits(self, k: int, /) -> int:
        """Return ``k`` random bits as an integer."""
        ...


def new_id(randomness: Randomness) -> str:
    """Make a random ID of 128 bits, 32 hexadecimal digits."""
    return f"{randomness.getrandbits(128):032x}"


def owner(installation: str, incident_key: str) -> str:
    """Return the ten characters that identify an incident key of an installation in the references of its episodes.

    The first eight are of the key, and the last two of the installation. They stay the same if the data in Redis is
    lost, so open incidents at a vendor can be recognized by their references.
    """
    return _letters(f"{installation}\0{incident_key}", _REFERENCE_LENGTH) + _of_installation(installation)


def new_episode(installation: str, incident_key: str, randomness: Randomness) -> str:
    """Make an episode's ID: its owner, a hyphen, and 96 random bits in hexadecimal."""
    return f"{owner(installation, incident_key)}-{randomness.getrandbits(96):024x}"


def owner_of(reference: str) -> str:
    """Return the owner that a reference names; empty for any other text, and for a reference of an earlier version."""
    match = _OWNED.fullmatch(patterns.encode(reference))
    return (match.group(1) + match.group(2)).decode() if match else ""


def owner_part(reference: str) -> str:
    """Return the prefix that a reference shares with the references of all episodes of its incident."""
    return reference[:-_TAIL_LENGTH]


def is_of_installation(owner: str, installation: str) -> bool:
    """Return whether an owner belongs to an installation.

    One of a thousand other installations has the same two characters.
    """
    return owner[_REFERENCE_LENGTH:] == _of_installation(installation)


@functools.cache
def _of_installation(installation: str) -> str:
    return _letters(installation, _INSTALLATION_LENGTH)


def _letters(text: str, count: int) -> str:
    """Return ``count`` characters, at most 8, that stand for a text: two per ten bits of its hash."""
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    # A loop would take twice as long, and each new incident needs two of these.
    letters = _PAIRS[number & 1023] + _PAIRS[number >> 10 & 1023] + _PAIRS[number >> 20 & 1023]
    return (letters + _PAIRS[number >> 30 & 1023])[:count]


def new_delivery_id(now: Timestamp, randomness: Randomness) -> str:
    """Make a delivery's ID: a UUID of version 7 (RFC 9562), which contains its time, so that IDs sort by it."""
    milliseconds = (now // 1000) & (1 << 48) - 1
    random = randomness.getrandbits(74)  # In one call, because the operating system is asked for each.
    number = milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (1 << 62) - 1
    return f"{number:032x}"


def made_at(delivery_id: str) -> Timestamp:
    """Return when a delivery's ID was made, in microseconds; 0 if the text is no such ID."""
    try:
        return Timestamp((int(delivery_id, 16) >> 80) * 1000 if len(delivery_id) == _ID_LENGTH else 0)
    except ValueError:
        return Timestamp(0)


@functools.lru_cache(maxsize=4096)  # The timeline and the index of names both need that of a new episode.
def reference(episode: str) -> str:
    """Return the short name of an episode for people and searches, for example ``IR-7F3K2QXM-A1B4T9``.

    It is derived from the episode's ID, so the successor of a crashed worker searches for the same one. It begins with
    the owner. Episodes of earlier versions name no owner; their references have eight characters.
    """
    episode_id, hyphen, _ = episode.partition("-")
    if not hyphen or len(episode_id) != _OWNER_LENGTH:
        return _PREFIX + _letters(episode, _REFERENCE_LENGTH)
    return (
        f"{_PREFIX}{episode_id[:_REFERENCE_LENGTH]}-{episode_id[_REFERENCE_LENGTH:]}{_letters(episode, _TAIL_LENGTH)}"
    )


def read_reference(text: str) -> str:
    """Return a reference, or a prefix of one, in its normal form: upper case, without letters that stand for digits.

    Return an empty text if no reference begins like this.
    """
    normalized = text.strip().upper()
    if normalized == _PREFIX.rstrip("-"):
        return _PREFIX
    rest = normalized[len(_PREFIX) :].translate(_MISREAD)
    first, _, second = rest.partition("-")
    is_whole = len(first) == _REFERENCE_LENGTH or "-" not in rest
    fits = len(first) <= _REFERENCE_LENGTH and len(second) <= _INSTALLATION_LENGTH + _TAIL_LENGTH and is_whole
    if not normalized.startswith(_PREFIX) or not fits or set(first + second) - set(_ALPHABET):
        return ""
    return _PREFIX + rest


def mark(text: str) -> str:
    """Return the mark by which a posted text is recognized."""
    return hashlib.blake2b(text.strip().encode(), digest_size=6).hexdigest()


def idempotency_key(episode: str, destination: str, number: int) -> str:
    """Return the idempotency key of one vendor call: a UUIDv5 of (episode, destination, operation number)."""
    return str(uuid.uuid5(_NAMESPACE, f"{episode}/{destination}/{number}"))
