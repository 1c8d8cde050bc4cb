"""Writes to a Redis whose memory is full.

Redis refuses commands that can need memory. What is accepted must be processed nevertheless, since only that frees
memory, and an operator must be able to act. So only commands that add deliveries are refused. All others run in a
script: Redis refuses a script only at its first write, and the first write here needs no memory.
"""

from typing import Any

from router.store import keys

FIRST_WRITE = "redis.call('DEL', 'ir:' .. string.match(KEYS[1], '{.-}') .. ':none')\n"
"""The first write of a script: it deletes a key that never exists, in the slot of ``KEYS[1]``."""
# Commands that Redis refuses when its memory is full, and that the router sends outside scripts.
_COMMANDS = {"HINCRBY", "HSET", "HSETNX", "SADD", "SET", "XADD", "XGROUP CREATE", "ZADD"}
# These add deliveries or bodies. Refusing them makes the sender retry, and leaves the memory to accepted deliveries.
_REFUSED = {("XADD", keys.INBOX), ("XADD", keys.QUARANTINE), ("XADD", keys.LARGE)}


def as_script(command: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return a write of one key as EVAL, or None if Redis may refuse it."""
    if command[0] not in _COMMANDS or command[:2] in _REFUSED:
        return None
    name, key, *arguments = command
    # Some commands have two words, such as XGROUP CREATE, which are two arguments of `redis.call`.
    words = "', '".join(name.split())
    return ("EVAL", f"{FIRST_WRITE}return redis.call('{words}', KEYS[1], unpack(ARGV))", 1, key, *arguments)
