"""Records on the failure of a call what earlier calls of the same operation have changed at the vendor.

An update takes two calls at some vendors: one for the fields, one for the text. If the second call fails, and the
content changes back before a retry, the router must reset the fields.
"""

import contextlib
from collections.abc import Iterator

from router.domain import operations
from router.outbound import errors


@contextlib.contextmanager
def record_on_failure(state: operations.VendorState | None) -> Iterator[None]:
    """Record ``state``, the vendor's state before the block, on a failure in the block. None: nothing was changed."""
    try:
        yield
    except errors.Failure as problem:
        problem.partial_state = state
        raise
