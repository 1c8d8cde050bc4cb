"""The last accepted rule files. They are stored for a start with broken files."""

from collections.abc import Mapping
from typing import NamedTuple

from router.domain.times import Timestamp


class RuleFiles(NamedTuple):
    """Every file of a rule folder by its path below the folder, and the version of the resulting rules.

    ``kept_at`` is when they were stored, in microseconds since the epoch.
    """

    version: str
    files: Mapping[str, bytes]
    kept_at: Timestamp = Timestamp(0)
