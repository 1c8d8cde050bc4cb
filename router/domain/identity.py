"""Names that are the same after any crash: references, idempotency keys, episode ids."""

import hashlib
import uuid
from typing import Protocol

_NAMESPACE = uuid.UUID("6f1d7c0e-5a0b-5d3c-9d6e-0c2b8f4a7e11")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to misread.
_REFERENCE_LENGTH = 8
_PREFIX = "IR-"
_MISREAD = str.maketrans("OIL", "011")
_PAIRS = [first + second for second in _ALPHABET for first in _ALPHABET]  # Two letters for each ten bits.
_ID_LENGTH = 32


class Randomness(Protocol):
    """Where random bits come from; ``random.Random`` and ``random.SystemRandom`` both fit."""

    def getrandbits(self, k: int, /) -> int:
        """Return ``k`` random bits as an integer."""
        ...


def new_id(randomness: Randomness) -> str:
    """Make a random id of 128 bits, 32 hexadecimal digits: an episode's."""
    return f"{randomness.getrandbits(128):032x}"


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
    """The short name of an episode that people and searches see, for example ``IR-7F3K2QXM``.

    It is derived from the episode's id, so the successor of a crashed worker searches for the same one.
    """
    number = int.from_bytes(hashlib.blake2b(episode.encode(), digest_size=8).digest(), "big")
    return _PREFIX + "".join([_PAIRS[number >> shift & 1023] for shift in range(0, 5 * _REFERENCE_LENGTH, 10)])


def read_reference(text: str) -> str:
    """A reference, or the beginning of one, as it is written: upper case, and no letter that stands for a digit.

    Empty if no reference begins so.
    """
    written = text.strip().upper()
    rest = written[len(_PREFIX) :].translate(_MISREAD)
    if not written.startswith(_PREFIX) or len(rest) > _REFERENCE_LENGTH or set(rest) - set(_ALPHABET):
        return ""
    return _PREFIX + rest


def mark(text: str) -> str:
    """What a posted text is known again by."""
    return hashlib.blake2b(text.strip().encode(), digest_size=6).hexdigest()


def idempotency_key(episode: str, destination: str, number: int) -> str:
    """The key of one vendor call: a UUIDv5 of (episode, destination, operation number)."""
    return str(uuid.uuid5(_NAMESPACE, f"{episode}/{destination}/{number}"))
