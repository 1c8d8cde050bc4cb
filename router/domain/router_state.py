"""Compares the router's own state with the announced state, and returns the events in between."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from router.domain import events, times
from router.domain.times import Timestamp


class Lock(msgspec.Struct, frozen=True, array_like=True):
    """The actor who froze the pages or tripped the guard, the time (microseconds; 0 if unknown), and the reason."""

    by: str
    at: Timestamp
    reason: str = ""


class RouterState(msgspec.Struct, frozen=True, array_like=True):
    """The announced state of the router.

    ``guards`` are the tripped guards by destination; the guard of all pages has an empty name. ``unfrozen`` and
    ``reset`` are the actors who last unfroze publishing and last reset the guard. ``dead_id`` is the newest dead
    delivery.
    """

    freeze: Lock | None = None
    guards: dict[str, Lock] = {}
    unfrozen: Lock | None = None
    reset: Lock | None = None
    dead_id: str = ""


@dataclass(frozen=True)
class ObservedRouter:
    """The state now, and the number of dead deliveries."""

    state: RouterState
    dead: int = 0


def announce(before: RouterState | None, observed: ObservedRouter, now: Timestamp) -> list[events.Event]:
    """Return the events between the announced state and the state now.

    If no state was announced yet, the current state is announced.
    """
    state = observed.state
    router_state = before if before is not None else RouterState(unfrozen=state.unfrozen, reset=state.reset)
    return [*_freeze(router_state, state), *_guards(router_state, state, now), *_dead(router_state, observed)]


def _freeze(before: RouterState, state: RouterState) -> Iterator[events.Event]:
    # A freeze may have ended, and another one begun, since the last look.
    if state.unfrozen != before.unfrozen or (before.freeze is not None and state.freeze is None):
        yield events.FreezeEnded(state.unfrozen.by if state.unfrozen is not None else "")
        before = msgspec.structs.replace(before, freeze=None)
    if state.freeze is not None and state.freeze != before.freeze:
        yield events.FreezeStarted(times.to_datetime(state.freeze.at), state.freeze.by, state.freeze.reason)


def _guards(before: RouterState, state: RouterState, now: Timestamp) -> Iterator[events.Event]:
    ended = before.guards if state.reset != before.reset else before.guards.keys() - state.guards.keys()
    by = state.reset.by if state.reset is not None else ""
    for destination in sorted(ended):
        yield events.GuardReset(by, destination)
    for destination, lock in sorted(state.guards.items()):
        if destination in ended or destination not in before.guards:
            yield events.GuardTripped(times.to_datetime(lock.at or now), lock.reason, destination)


def _dead(before: RouterState, observed: ObservedRouter) -> Iterator[events.Event]:
    newest = observed.state.dead_id
    if observed.dead and newest and _order(newest) > _order(before.dead_id):
        yield events.DeliveriesFailed(observed.dead, newest)


def _order(entry: str) -> tuple[int, ...]:
    """Return the key that orders the IDs of a stream's entries."""
    return tuple(int(part) for part in entry.split("-")) if entry else ()
