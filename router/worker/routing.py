"""Routes each alert of a batch to its incident. An alert fires in only one incident, whatever several rule sets name.

During a rollout, two webhook servers may have different rules for a moment. The same alert then comes with two incident
keys, at two workers, in one millisecond. The incidents' documents are in different shards, so no script can read both.
These rules hold in every interleaving, also if a worker is killed between any two steps:

- An alert has one *home*, an incident key in the shard of the alert. The first message sets it.
- An alert is *live* in an incident if it fires there or is muted there. A message goes to the incident in which its
  alert is live. If there is none, it goes to the home, and nowhere else.
- A worker reads an incident first, then reads the home, and then commits over the version that it has read.
- An alert *moves* to another home in three steps: the move is recorded with the home (1), the document of the
  old home is committed once more as it is (2), and the new home is set (3). While a move is recorded, no worker places
  the alert; every worker that reads the move takes the remaining steps.

Why this is enough: say that a worker places the alert in the old home. If it read the home after step 1, it saw the
move and placed nothing. If it read the home before, it had read the document before that. So either its commit came
before step 2, which then finds the alert and aborts the move, or step 2 came first, and its commit is refused.

| worker 1, rules name "a" | worker 2, rules name "b" | home | "a" | "b" |
| --- | --- | --- | --- | --- |
| reads "a"; sets the home | | a | version 4 | |
| | finds home "a", reads "a": not live there; begins the move | a, moving to b | version 4 | |
| | commits "a" as it is | a, moving to b | version 5 | |
| commits over version 4: refused | | a, moving to b | | |
| | sets the home; reads "b", looks, commits | b | | live |
| reads again: live in "b", folds there | | b | | live |

Twins don't move each other back and forth: an alert whose home was set within the last hour, and that has not resolved
there since, joins that home.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from router.domain import decisions, fold, incidents, inhibition
from router.domain.notices import Notice
from router.domain.times import Timestamp
from router.store import alert_owners
from router.store.incidents import Change, StoredIncident
from router.store.store import Store

# The incident key of an alert that no rule matches: only the incident that holds it may receive its messages.
IGNORED = ""
_MAX_LOOKUPS = 4
_ABSENT = "-"


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """One alert of the batch with its decision, its identity, and when its delivery was accepted (microseconds).

    ``key`` is the incident key that the rules have named. ``fires``: the message says that the alert fires.
    """

    routed: decisions.Routed
    identity: str
    key: str
    fires: bool
    received_at: Timestamp
    delivery: str = ""
    trace: str = ""
    notices: tuple[Notice, ...] = ()
    overtaken_at: Timestamp = Timestamp(0)  # See ``domain.ending``.
    entry: bytes = b""


class Routing(NamedTuple):
    """The alerts by incident, and the incidents as they were read before their alerts' homes were read.

    ``moves`` are under way, or to be begun if they are in ``begun``; their alerts are in no group. ``unsure`` are
    further alerts to be routed again. ``ignored`` gets the sources of late deliveries, by incident. ``unreadable`` are
    incidents whose documents can't be read, and why; ``stuck`` are the alerts that belong to them.
    """

    groups: dict[str, list[Arrival]]
    held: dict[str, StoredIncident]
    moves: dict[str, alert_owners.Move]
    begun: list[alert_owners.Move]
    unsure: set[str]
    ignored: dict[str, list[str]]
    unreadable: dict[str, str]
    stuck: list[tuple[Arrival, str]]

    @property
    def again(self) -> set[str]:
        """Return the identities of the alerts to route again."""
        return self.unsure | self.moves.keys()


class Router:
    """Routes batches. ``new_token`` returns a unique text without spaces."""

    def __init__(self, store: Store, new_token: Callable[[], str]) -> None:
        self._store = store
        self._new_token = new_token

    async def route(self, arrivals: list[Arrival]) -> Routing:
        """Find the incident of each alert: the one in which it is live, else its home."""
        decided = {arrival.key for arrival in arrivals}
        unreadable: dict[str, str] = {}
        stored = await self._store.incidents.read(decided - {IGNORED}, unreadable)
        # The protocol needs documents to be read before homes.
        placed = [_is_placed(arrival, stored) for arrival in arrivals]
        unplaced = (arrival for arrival, is_placed in zip(arrivals, placed, strict=True) if not is_placed)
        homes = await self._store.incidents.owners.claim(_claims(unplaced))
        unsure: set[str] = set()
        # A document has to be read before the home that names it, so each home with an unread document is read again.
        for _ in range(_MAX_LOOKUPS):
            unread = {alert for alert, home in homes.items() if home.key not in stored and home.key not in unreadable}
            unsure = unread
            if not unread:
                break
            stored |= await self._store.incidents.read({homes[alert].key for alert in unread}, unreadable)
            unsure = {alert for alert in unread if not _is_live_in(stored.get(homes[alert].key), alert)}
            if not unsure:
                break
            homes |= await self._store.incidents.owners.claim({alert: alert_owners.Claim("") for alert in unsure})
        unsure = {alert for alert in unsure if homes[alert].key not in stored and homes[alert].key not in unreadable}
        routing = Routing({}, stored, {}, [], unsure, {}, unreadable, [])
        self._group(zip(arrivals, placed, strict=True), homes, routing)
        return routing

    def _group(
        self, arrivals: Iterable[tuple[Arrival, bool]], homes: Mapping[str, alert_owners.Owner], routing: Routing
    ) -> None:
        groups, stored, unsure, moves = routing.groups, routing.held, routing.unsure, routing.moves
        for arrival, is_placed in arrivals:
            identity, key = arrival.identity, arrival.key
            if is_placed:
                if key in stored:  # An inhibition key that can't be read inhibits nothing.
                    groups.setdefault(key, []).append(arrival)
                continue
            if identity in unsure or identity in moves:
                continue
            home = homes.get(identity)
            if home is not None and home.key == key and home.move is None and key in stored:  # The usual case.
                groups.setdefault(key, []).append(arrival)
            else:
                self._place(arrival, home, routing)
        # No rule matches these alerts, and no incident holds them.
        groups.pop(IGNORED, None)

    def _place(self, arrival: Arrival, home: alert_owners.Owner | None, routing: Routing) -> None:
        """Place an alert that isn't live in the incident decided for it: put it into its home, or move it."""
        key = home.key if home is not None else arrival.key
        # What the message changes is unknown, so its delivery becomes a dead letter.
        if key in routing.unreadable:
            routing.stuck.append((arrival, key))
        # Until the move is finished, the alert may be placed nowhere.
        elif home is not None and home.move is not None:
            routing.moves[arrival.identity] = home.move
        # The alert has no other home, or it stays with the incident that holds it.
        elif (
            home is None
            or key == arrival.key
            or should_stay(routing.held[key].incident, arrival.routed, home.claimed_at)
        ):
            routing.groups.setdefault(key, []).append(arrival)
        # An alert that moves to an unreadable incident would be lost.
        elif arrival.key in routing.unreadable:
            routing.stuck.append((arrival, arrival.key))
        else:
            # The alert fires again, and the rules name another incident now.
            routing.moves[arrival.identity] = move = self._move(routing.held[key].incident, arrival)
            routing.begun.append(move)

    def _move(self, origin: incidents.Incident, arrival: Arrival) -> alert_owners.Move:
        state = state_of(origin, arrival.identity)
        return alert_owners.Move(arrival.identity, origin.key, arrival.key, state, self._new_token())

    async def move(self, routing: Routing) -> None:
        """Take the remaining steps of the moves. Whatever the result, their alerts are routed again after this."""
        await self._store.incidents.owners.begin_moves(routing.begun)
        moves = routing.moves.values()
        stored = await self._store.incidents.read({move.origin for move in moves}, {})
        # The alert was placed in its old home since the move was decided, so it stays there.
        unlike = [move for move in moves if not _is_like(move, stored.get(move.origin))]
        await self._store.incidents.owners.abort_moves(unlike)
        like = [move for move in moves if move not in unlike]
        origins = {move.origin: stored[move.origin] for move in like}
        # A worker that read the home before the move commits over the old version, which this write makes fail.
        committed = [Change(origin.incident, origin.version, wake=False) for origin in origins.values()]
        refused_keys = set(await self._store.incidents.commit(committed))
        await self._store.incidents.owners.finish_moves([move for move in like if move.origin not in refused_keys])


def _is_like(move: alert_owners.Move, stored: StoredIncident | None) -> bool:
    """Return whether an incident still has the state of an alert that it had when the move was decided."""
    return stored is not None and state_of(stored.incident, move.alert) == move.state


def _claims(unplaced: Iterable[Arrival]) -> dict[str, alert_owners.Claim]:
    """Return the alerts whose homes have to be read, each with the home that it gets if it has none.

    A resolution also claims a home: a firing message that is folded later, and decided by other rules, finds it there.
    """
    claims: dict[str, alert_owners.Claim] = {}
    for arrival in unplaced:
        alert, fires = arrival.identity, arrival.fires
        claim = claims.get(alert)
        # A matched message decides the home before an ignored one, and a firing one before a resolution.
        if claim is None or not claim.key or (fires and not claim.fires):
            claims[alert] = alert_owners.Claim(arrival.key, fires)
    return claims


def _is_placed(arrival: Arrival, stored: Mapping[str, StoredIncident]) -> bool:
    """Return whether an alert goes to the incident decided for it, whatever its home is."""
    if inhibition.is_key(arrival.key):
        return True
    read = stored.get(arrival.key)
    return read is not None and read.version > 0 and is_live(read.incident, arrival.identity)


def _is_live_in(stored: StoredIncident | None, alert: str) -> bool:
    return stored is not None and is_live(stored.incident, alert)


def is_live(incident: incidents.Incident, alert: str) -> bool:
    """Return whether an alert fires in an incident, or is muted there."""
    state = incident.alerts.get(alert)
    return (state is not None and not state.resolved) or alert in incident.muted


def state_of(incident: incidents.Incident, alert: str) -> str:
    """Return a text without spaces that identifies an incident's state of an alert."""
    state, muted = incident.alerts.get(alert), incident.muted.get(alert)
    if state is None and muted is None:
        return _ABSENT
    return hashlib.blake2b(msgspec.msgpack.encode((state, muted)), digest_size=9).hexdigest()


def should_stay(incident: incidents.Incident, routed: decisions.Routed, claimed_at: Timestamp = Timestamp(0)) -> bool:
    """Return whether a message goes to its alert's home, though the rules name another incident now.

    It does while the alert is live there, if it is a resolution or a late delivery, and if the alert is recent: the
    home was set at ``claimed_at`` (0: more than an hour ago), and the alert has not resolved there since. Otherwise the
    alert fires again, and follows the rules.
    """
    alert = routed.alert
    if is_live(incident, alert.identity) or alert.status == "resolved":
        return True
    state = incident.alerts.get(alert.identity)
    # The home is recent. Two ``web`` processes with different rules must not move the alert back and forth.
    if claimed_at and (state is None or state.learned_at <= claimed_at):
        return True
    return state is not None and not fold.is_firing_again(state, routed)
