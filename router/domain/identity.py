"""Names that are the same after any crash: references, idempotency keys, episode ids."""

import hashlib
import uuid
from typing import Protocol

from router.domain import patterns

_NAMESPACE = uuid.UUID("6f1d7c0e-5a0b-5d3c-9d6e-0c2b8f4a7e11")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to misread.
_REFERENCE_LENGTH = 8
_PREFIX = "IR-"
_MISREAD = str.maketrans("OIL", "011")
_INSTALLATION_LENGTH = 2
_TAIL_LENGTH = 4
_OWNER_LENGTH = _REFERENCE_LENGTH + _INSTALLATION_LENGTH
_OWNED = patterns.compile(f"IR-([{_ALPHABET}]{{8}})-([{_ALPHABET}]{{2}})[{_ALPHABET}]{{4}}")
_PAIRS = [first + second for second in _ALPHABET for first in _ALPHABET]  # Two letters for each ten bits.
_ID_LENGTH = 32


class Randomness(Protocol):
    """Where random bits come from; ``random.Random`` and ``random.SystemRandom`` both fit."""

    def getrandbits(self, k: int, /) -> int:
        """Return ``k`` random bits as an integer."""
        ...


def new_id(randomness: Randomness) -> str:
    """Make a random ID of 128 bits, 32 hexadecimal digits."""
    return f"{randomness.getrandbits(128):032x}"


def owner(installation: str, incident_key: str) -> str:
    """Return the ten characters that name an incident key of an installation in the references of its episodes.

    The first eight are of the key, and the last two of the installation. They stay the same if the data in Redis is
    lost, so what is open at a vendor can be told by its reference.
    """
    return _letters(f"{installation}\0{incident_key}", _REFERENCE_LENGTH) + _of_installation(installation)


def new_episode(installation: str, incident_key: str, randomness: Randomness) -> str:
    """Make an episode's ID: its owner, a hyphen, and 96 random bits in hexadecimal."""
    return f"{owner(installation, incident_key)}-{randomness.getrandbits(96):024x}"


def owner_of(reference: str) -> str:
    """Return the owner that a reference names; empty for any other text, and for a reference of an earlier version."""
    found = _OWNED.fullmatch(patterns.encoded(reference))
    return (found.group(1) + found.group(2)).decode() if found else ""


def owner_part(reference: str) -> str:
    """Return the beginning that a reference shares with those of all episodes of its incident."""
    return reference[:-_TAIL_LENGTH]


def is_of_installation(owner: str, installation: str) -> bool:
    """Return whether an owner belongs to an installation; one of a thousand others has the same two characters."""
    return owner[_REFERENCE_LENGTH:] == _of_installation(installation)


def _of_installation(installation: str) -> str:
    return _letters(installation, _INSTALLATION_LENGTH)


def _letters(text: str, count: int) -> str:
    """Return so many characters that stand for a text: two for each ten bits of its hash."""
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(0, 5 * count, 10)])


def new_delivery_id(now: int, randomness: Randomness) -> str:
    """Make a delivery's id: a UUID of version 7 (RFC 9562), so that ids sort by their time and tell it."""
    milliseconds = (now // 1000) & (1 << 48) - 1
    number = milliseconds << 80 | 7 << 76 | randomness.getrandbits(12) << 64 | 2 << 62 | randomness.getrandbits(62)
    return f"{number:032x}"


def made_at(delivery_id: str) -> int:
    """When a delivery's id was made, in microseconds; 0 for what is no such id."""
    try:
        return (int(delivery_id, 16) >> 80) * 1000 if len(delivery_id) == _ID_LENGTH else 0
    except ValueError:
        return 0


def reference(episode: str) -> str:
    """The short name of an episode that people and searches see, for example ``IR-7F3K2QXM-A1B4T9``.

    It is derived from the episode's ID, so the successor of a crashed worker searches for the same one. It begins with
    the owner. Episodes of earlier versions name no owner; their references have eight characters.
    """
    of, hyphen, _ = episode.partition("-")
    if not hyphen or len(of) != _OWNER_LENGTH:
        return _PREFIX + _letters(episode, _REFERENCE_LENGTH)
    return f"{_PREFIX}{of[:_REFERENCE_LENGTH]}-{of[_REFERENCE_LENGTH:]}{_letters(episode, _TAIL_LENGTH)}"


def read_reference(text: str) -> str:
    """A reference, or the beginning of one, as it is written: upper case, and no letter that stands for a digit.

    Empty if no reference begins so.
    """
    written = text.strip().upper()
    if written == _PREFIX.rstrip("-"):
        return _PREFIX
    rest = written[len(_PREFIX) :].translate(_MISREAD)
    first, _, second = rest.partition("-")
    is_whole = len(first) == _REFERENCE_LENGTH or "-" not in rest
    fits = len(first) <= _REFERENCE_LENGTH and len(second) <= _INSTALLATION_LENGTH + _TAIL_LENGTH and is_whole
    if not written.startswith(_PREFIX) or not fits or set(first + second) - set(_ALPHABET):
        return ""
    return _PREFIX + rest


def mark(text: str) -> str:
    """What a posted text is known again by."""
    return hashlib.blake2b(text.strip().encode(), digest_size=6).hexdigest()


def idempotency_key(episode: str, destination: str, number: int) -> str:
    """The key of one vendor call: a UUIDv5 of (episode, destination, operation number)."""
    return str(uuid.uuid5(_NAMESPACE, f"{episode}/{destination}/{number}"))
