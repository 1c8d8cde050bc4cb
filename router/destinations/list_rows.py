"""Parses a vendor's list row by row, so that a row that can't be parsed doesn't block the others."""

import json
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from router.outbound import errors
from router.telemetry import log, metrics

Row = TypeVar("Row")


def parse_rows(rows: Iterable[Any], shape: type[Row], noun: str, *, vendor_id: str = "") -> list[Row]:
    """Return the rows that can be parsed. ``noun`` names one row in messages.

    An unparsable row that contains ``vendor_id`` may be the row that is searched for. If no other row has it, raise
    ``Temporary``: "not found" would be a guess.
    """
    parsed = []
    doubt = ""
    is_found = False
    for row in rows:
        # The row may not be decodable, so its whole text is searched for the ID.
        has_wanted = bool(vendor_id) and vendor_id in json.dumps(row)
        try:
            parsed.append(msgspec.convert(row, shape))
        except msgspec.ValidationError as problem:
            doubt = doubt or (str(problem) if has_wanted else "")
            metrics.unreadable_rows.labels(noun).inc()
            log.get("vendor").warning("row_unreadable", list=noun, reason=str(problem))
        else:
            is_found = is_found or has_wanted
    if doubt and not is_found:
        raise errors.Temporary(f"the {noun} with {vendor_id} can't be read: {doubt}")
    return parsed
