"""Names that are the same after any crash: references, idempotency keys, episode ids."""

import hashlib
import uuid
from typing import Protocol

_NAMESPACE = uuid.UUID("6f1d7c0e-5a0b-5d3c-9d6e-0c2b8f4a7e11")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to misread.
_REFERENCE_LENGTH = 8


class Randomness(Protocol):
    """Where random bits come from; ``random.Random`` and ``random.SystemRandom`` both fit."""

    def getrandbits(self, k: int, /) -> int:
        """Return ``k`` random bits as an integer."""
        ...


def new_id(randomness: Randomness) -> str:
    """Make a random id of 128 bits, 32 hexadecimal digits: an episode's or a delivery's."""
    return f"{randomness.getrandbits(128):032x}"


def reference(episode: str) -> str:
    """The short name of an episode that people and searches see, for example ``IR-7F3K2QXM``.

    It is derived from the episode's id, so the successor of a crashed worker searches for the same one.
    """
    number = int.from_bytes(hashlib.blake2b(episode.encode(), digest_size=8).digest(), "big")
    letters = []
    for _ in range(_REFERENCE_LENGTH):
        number, digit = divmod(number, 32)
        letters.append(_ALPHABET[digit])
    return "IR-" + "".join(letters)


def idempotency_key(episode: str, destination: str, number: int) -> str:
    """The key of one vendor call: a UUIDv5 of (episode, destination, operation number)."""
    return str(uuid.uuid5(_NAMESPACE, f"{episode}/{destination}/{number}"))
