"""The events of incidents and of the router, and how far each notifier has got with them.

Two writers work on one subject without waiting for each other. The reconciler appends events, guarded by what was
announced before. The delivery loop records progress, guarded by its own lease.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from router.domain import announcements, events, notification, router_state, times
from router.domain.times import Timestamp
from router.domain.undecodable import Undecodable
from router.store import client, damage, keys
from router.store.connection import Connection

_encode = msgspec.msgpack.Encoder().encode
_decode_announced = msgspec.msgpack.Decoder(announcements.Announced).decode
_decode_router_state = msgspec.msgpack.Decoder(router_state.RouterState).decode
_decode_event = msgspec.msgpack.Decoder(events.Recorded).decode
_decode_progress = msgspec.msgpack.Decoder(dict[str, notification.Progress]).decode
_MAX_EVENTS = 1000  # Events that are kept of one subject.


class SubjectLease(NamedTuple):
    """A subject whose events this worker delivers for a while; ``claimed_at`` is the server's time, in microseconds.

    ``sequence`` is that of the newest event when the lease was given.
    """

    subject: str
    fence: int
    sequence: int
    progress: Mapping[str, notification.Progress]
    claimed_at: Timestamp


class Notifications:
    """The events of all subjects."""

    def __init__(self, connection: Connection, *, lease_seconds: float = 30.0) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts
        self._lease = times.from_seconds(lease_seconds)

    async def read_announced(self, subject: str) -> bytes:
        """Read the announced state of a subject, packed; empty if there is none."""
        async with client.translate_errors():
            answer: Any = self._redis.hget(keys.notifications(subject), "s")
            return await answer or b""

    async def announce(
        self, subject: str, before: bytes, after: msgspec.Struct, recorded_events: Sequence[events.Recorded]
    ) -> bytes | None:
        """Store the announced state with its events. Return None if another worker was first.

        ``before`` is the state that the caller has read. Returns the new state, packed. The store sets the sequence
        numbers of the events.
        """
        packed = _encode(after)
        names = [keys.notifications(subject), keys.events(subject), keys.notify(subject)]
        arguments = [before, packed, subject, *(_encode(event) for event in recorded_events)]
        async with client.translate_errors():
            sequence = int(await self._scripts.run_confirmed("append_events", names, arguments))
        return None if sequence < 0 else packed

    async def events(self, subject: str, after: int = -1, count: int = _MAX_EVENTS) -> list[events.Recorded]:
        """Read the events of a subject with sequence numbers above ``after``, in order."""
        async with client.translate_errors():
            # An entry's ID is `SEQUENCE-0`. The largest second part makes Redis begin with the next sequence number.
            start = f"({max(after, 0)}-{2**64 - 1}"
            entries: Any = await self._redis.xrange(keys.events(subject), min=start, count=count)
        recorded = []
        for identity, fields in entries:
            try:
                event = _decode_event(fields.get(b"e", b""))
            except Undecodable as error:
                damage.report(keys.events(subject), f"entry {identity!r} can't be read: {error}")
                continue
            # The script assigns the sequence number when it appends the event, so the packed event doesn't have it.
            recorded.append(msgspec.structs.replace(event, sequence=int(identity.split(b"-")[0])))
        return recorded

    async def claim(self, count: int) -> list[SubjectLease]:
        """Take the leases of up to ``count`` subjects of each shard that have events to deliver."""
        calls: list[tuple[list[str], list[Any]]] = [
            ([timers], [prefix, self._lease, count]) for timers, prefix in keys.notification_shards()
        ]
        async with client.translate_errors():
            answers = await self._scripts.run_all_confirmed("claim_deliveries", calls)
        return [_lease(Timestamp(int(now)), member) for now, *members in answers for member in members]

    async def record(self, lease: SubjectLease, progress: Mapping[str, notification.Progress]) -> bool:
        """Store the progress and keep the lease; False if another worker holds the lease by now."""
        return await self._record_delivery(lease, progress, self._lease, 0)

    async def release(self, lease: SubjectLease, progress: Mapping[str, notification.Progress], due: int) -> bool:
        """Store the progress and give the lease back; deliver next at ``due``, 0 for when there are new events."""
        return await self._record_delivery(lease, progress, 0, due)

    async def _record_delivery(
        self, lease: SubjectLease, progress: Mapping[str, notification.Progress], seconds: int, due: int
    ) -> bool:
        names = [keys.notifications(lease.subject), keys.notify(lease.subject)]
        arguments = [lease.fence, _encode(progress), lease.subject, seconds, due, lease.sequence]
        async with client.translate_errors():
            return bool(await self._scripts.run_confirmed("record_delivery", names, arguments))

    async def rewind(self, subject: str, name: str, sequence: int) -> None:
        """Have a notifier's events after a sequence number delivered again, whatever is under way."""
        names = [keys.notifications(subject), keys.notify(subject)]
        while True:
            async with client.translate_errors():
                answer: Any = self._redis.hget(keys.notifications(subject), "d")
                packed = await answer or b""
                seconds, micros = await self._redis.time()
            progress = _progress(subject, packed)
            next_progress = notification.Progress(sequence, rewound_at=Timestamp(seconds * 1_000_000 + micros))
            # The notifier's own state stays, such as the ID of the message that it updates.
            state = progress[name].state if name in progress else {}
            after = {**progress, name: msgspec.structs.replace(next_progress, state=state)}
            async with client.translate_errors():
                # The script refuses if a worker has recorded progress since the read. Otherwise, it ends that worker's
                # lease.
                if await self._scripts.run_confirmed("rewind_delivery", names, [packed, _encode(after), subject]):
                    return

    async def wake(self, subject: str) -> None:
        """Have a subject's events delivered now."""
        async with client.translate_errors():
            await self._redis.zadd(keys.notify(subject), {subject: 0})


def unpack_announced(data: bytes) -> announcements.Announced | None:
    """Read the announced state of an incident; None if there is none, or if it can't be read."""
    try:
        return _decode_announced(data) if data else None
    except Undecodable:
        return None


def unpack_router_state(data: bytes) -> router_state.RouterState | None:
    """Read the announced state of the router; None if there is none, or if it can't be read."""
    try:
        return _decode_router_state(data) if data else None
    except Undecodable:
        return None


def _lease(now: Timestamp, answer: Sequence[Any]) -> SubjectLease:
    member, fence, sequence, packed = answer
    subject = member.decode(errors="replace")
    return SubjectLease(subject, int(fence), int(sequence), _progress(subject, packed), now)


def _progress(subject: str, packed: bytes) -> dict[str, notification.Progress]:
    try:
        return _decode_progress(packed) if packed else {}
    except Undecodable as error:
        damage.report(keys.notifications(subject), f"the progress of its notifiers can't be read: {error}")
        return {}
