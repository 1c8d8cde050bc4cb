"""Parses a vendor's list row by row, so that a row that can't be parsed doesn't block the others."""

import json
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from router.outbound import errors
from router.telemetry import log, metrics

Row = TypeVar("Row")


def parse_rows(listed: Iterable[Any], shape: type[Row], what: str, *, wanted: str = "") -> list[Row]:
    """Return the rows that can be parsed. ``what`` names one row in messages.

    An unparsable row that contains ``wanted`` may be the one that is searched for. If no other row contains it, raise
    ``Temporary``: "not found" would be a guess.
    """
    found = []
    doubt = ""
    is_found = False
    for row in listed:
        has_wanted = bool(wanted) and wanted in json.dumps(row)
        try:
            found.append(msgspec.convert(row, shape))
        except msgspec.ValidationError as problem:
            doubt = doubt or (str(problem) if has_wanted else "")
            metrics.unreadable_rows.labels(what).inc()
            log.get("vendor").warning("row_unreadable", list=what, reason=str(problem))
        else:
            is_found = is_found or has_wanted
    if doubt and not is_found:
        raise errors.Temporary(f"the {what} with {wanted} can't be read: {doubt}")
    return found
