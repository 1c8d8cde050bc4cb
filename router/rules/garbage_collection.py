"""Keeps the garbage collector cheap while rules load.

Loading creates hundreds of thousands of objects, and nearly all of them stay. Python's collector would examine them
repeatedly: that takes as long as the loading, and stops the process for up to 100 ms each time.
"""

import contextlib
import gc
from collections.abc import Iterator

_OBJECTS = 20_000
"""New objects between two collections of the youngest generation; looking through them takes about 2 ms."""
_NEVER = 1_000_000_000


@contextlib.contextmanager
def limit_collection() -> Iterator[None]:
    """Collect only the youngest objects during the block, each object once."""
    before = gc.get_threshold()
    # A threshold of 0 means that collection is off, and must stay off.
    gc.set_threshold(max(_OBJECTS, before[0]) if before[0] else 0, _NEVER, _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
