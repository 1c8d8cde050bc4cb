"""The rule files that were accepted last, as they are kept in the store for a start with broken ones."""

from collections.abc import Mapping
from typing import NamedTuple


class RuleFiles(NamedTuple):
    """Every file of a rule folder by its path below the folder, and the version of the rules that they make.

    ``kept_at`` is when they were kept, microseconds since the epoch.
    """

    version: str
    files: Mapping[str, bytes]
    kept_at: int = 0
