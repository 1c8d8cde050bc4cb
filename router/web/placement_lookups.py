"""Look-ups of the incidents that hold the alerts of a delivery, for responses that explain."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from router.domain import deliveries
from router.domain.times import Timestamp
from router.store import errors
from router.web import ports

PLACEMENT_SECONDS = 0.5  # The response waits at most this long for its optional part.

Find = Callable[[], Awaitable[Sequence[ports.Placement]]]
"""Waits for the incidents; none if they aren't found in time, since the delivery is accepted already."""


def start(placements: ports.Placements, delivery: deliveries.Delivery, now: Timestamp) -> Find:
    """Start looking up the incidents that hold the alerts, while the delivery is written."""
    routed = deliveries.unpack_all(delivery)
    lookup = placements.look_up(routed)

    async def find() -> Sequence[ports.Placement]:
        try:
            async with asyncio.timeout(PLACEMENT_SECONDS):
                return await placements.find(routed, now, lookup)
        # The delivery is stored already, so its sender must get the 202 without this part.
        except (TimeoutError, errors.StoreError):
            return ()

    return find


async def nothing() -> Sequence[ports.Placement]:
    """Find nothing: a look-up for a response that doesn't explain."""
    return ()
