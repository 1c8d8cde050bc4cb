"""The file of a backup: frames inside gzip, the last of which proves that the others are complete and unchanged.

A frame is one letter, the length of its content as 4 bytes (big-endian), and the content as MessagePack:

| letter | content                                                                    | how many      |
| ------ | -------------------------------------------------------------------------- | ------------- |
| ``H``  | ``Header``, a map: which format and schema, when, by which version         | the first     |
| ``R``  | ``Record``, an array: a part of one key; the parts of a key follow in order | any number    |
| ``T``  | ``Trailer``, a map: keys, records, and SHA-256 of all frames before        | the last      |
"""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Any, Literal

import msgspec

FORMAT = 1
MOST_BYTES = 1 << 30  # Of one frame: a larger length is damage.
_HEAD = struct.Struct(">cI")

Kind = Literal["string", "hash", "set", "zset", "stream"]


class Header(msgspec.Struct):
    """What the file is. ``schema`` is the version of the data, ``created_at`` microseconds since the epoch."""

    format: int
    schema: int
    created_at: int
    version: str


class Record(msgspec.Struct, array_like=True):
    """A part of one key, or all of it.

    ``items`` are the value of a string, fields and values, members, or members and scores in turn. ``entries`` are the
    IDs of a stream's entries with their fields and values. ``expires_at`` is in milliseconds since the epoch, 0 for
    never. ``last_id`` is the newest ID that the stream ever had, in the last part of it.
    """

    name: bytes
    kind: Kind
    expires_at: int
    items: list[bytes] = []
    entries: list[tuple[bytes, list[bytes]]] = []
    last_id: bytes = b""


class Trailer(msgspec.Struct):
    """How many keys and records precede it, and the SHA-256 of all frames before."""

    keys: int
    records: int
    sha256: str


class CorruptBackupError(Exception):
    """The file is not a backup, or not all of one."""


class Writer:
    """Writes a backup to a binary stream; complete only after ``finish``."""

    def __init__(self, stream: IO[bytes], header: Header) -> None:
        self._gzip = gzip.GzipFile(fileobj=stream, mode="wb", mtime=0)
        self._hash = hashlib.sha256()
        self._records = 0
        self._keys = 0
        self._before = b""
        self._frame(b"H", header)

    def write(self, record: Record) -> None:
        """Add a record; the records of one key have to follow each other."""
        self._records += 1
        self._keys += record.name != self._before
        self._before = record.name
        self._frame(b"R", record)

    def finish(self) -> Trailer:
        """Write the trailer and return it."""
        trailer = Trailer(self._keys, self._records, self._hash.hexdigest())
        self._frame(b"T", trailer)
        self._gzip.close()
        return trailer

    def _frame(self, letter: bytes, content: msgspec.Struct) -> None:
        packed = msgspec.msgpack.encode(content)
        for part in (_HEAD.pack(letter, len(packed)), packed):
            self._hash.update(part)
            self._gzip.write(part)


class Reader:
    """Reads a backup from a binary stream. ``Damaged`` as soon as something is wrong.

    ``records`` has to be read to its end: only then is the file known to be complete.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._gzip = gzip.GzipFile(fileobj=stream, mode="rb")
        self._hash = hashlib.sha256()
        letter, content = self._frame()
        if letter != b"H":
            raise CorruptBackupError("it is not a backup of incident-router")
        self.header = _decoded(content, Header)
        if self.header.format > FORMAT:
            raise CorruptBackupError(
                f"it has format {self.header.format}, and this version of incident-router reads {FORMAT}"
            )
        self.trailer: Trailer | None = None

    def records(self) -> Iterator[Record]:
        """Go through all records; at the end, check the trailer."""
        records, keys, before = 0, 0, b""
        while True:
            digest = self._hash.hexdigest()
            letter, content = self._frame()
            if letter == b"T":
                break
            if letter != b"R":
                raise CorruptBackupError("it has an unknown frame")
            record = _decoded(content, Record)
            records += 1
            keys += record.name != before
            before = record.name
            yield record
        trailer = _decoded(content, Trailer)
        if (trailer.keys, trailer.records) != (keys, records):
            raise CorruptBackupError(
                f"it should hold {trailer.keys} keys in {trailer.records} records, not {keys} in {records}"
            )
        if trailer.sha256 != digest:
            raise CorruptBackupError("its checksum does not match")
        if self._read(1):
            raise CorruptBackupError("there is something after its end")
        self.trailer = trailer

    def check(self) -> Trailer:
        """Read the backup to its end and return its trailer; ``Damaged``."""
        for _ in self.records():
            pass
        assert self.trailer is not None  # noqa: S101 - set at the end of the records
        return self.trailer

    def _frame(self) -> tuple[bytes, bytes]:
        head = self._read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise CorruptBackupError("it ends before its trailer: the backup was not finished")
        letter, length = _HEAD.unpack(head)
        content = self._read(length) if length <= MOST_BYTES else b""
        if len(content) < length:
            raise CorruptBackupError("it ends within a record: the backup was not finished")
        self._hash.update(head)
        self._hash.update(content)
        return letter, content

    def _read(self, size: int) -> bytes:
        try:
            return self._gzip.read(size)
        except gzip.BadGzipFile as error:
            raise CorruptBackupError(f"it is not a backup of incident-router, or damaged: {error}") from error
        except (EOFError, zlib.error) as error:
            raise CorruptBackupError(f"it is damaged or was not finished: {error}") from error


def _decoded(content: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.msgpack.decode(content, type=shape)
    except msgspec.MsgspecError as error:
        raise CorruptBackupError(f"it holds a {shape.__name__.lower()} that can't be read: {error}") from error
