"""The backup file format: frames inside gzip. The last frame proves that the file is complete and unchanged.

A frame is one letter, the length of its content as 4 bytes (big-endian), and the content as MessagePack:

| letter | content                                                                    | how many      |
| ------ | -------------------------------------------------------------------------- | ------------- |
| ``H``  | ``Header``, a map: format, schema version, creation time, router version   | the first     |
| ``R``  | ``Record``, an array: one part of a key; the parts of a key are in order   | any number    |
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
MAX_BYTES = 1 << 30  # Maximum size of a frame. A larger length means that the file is corrupt.
_HEAD = struct.Struct(">cI")

Kind = Literal["string", "hash", "set", "zset", "stream"]


class Header(msgspec.Struct):
    """File header. ``schema`` is the schema version of the data; ``created_at`` is in microseconds since the epoch."""

    format: int
    schema: int
    created_at: int
    version: str


class Record(msgspec.Struct, array_like=True):
    """A key, or one part of it.

    ``items`` holds the value of a string, the fields and values of a hash, the members of a set, or members and scores
    in turn. ``entries`` holds the IDs of stream entries with their fields and values. ``expires_at`` is in milliseconds
    since the epoch, 0 for never. ``last_id`` is the stream's last generated ID, in its last part.
    """

    name: bytes
    kind: Kind
    expires_at: int
    items: list[bytes] = []
    entries: list[tuple[bytes, list[bytes]]] = []
    last_id: bytes = b""


class Trailer(msgspec.Struct):
    """Number of keys and records, and the SHA-256 of all preceding frames."""

    keys: int
    records: int
    sha256: str


class CorruptBackupError(Exception):
    """The file isn't a backup, or is incomplete or corrupt."""


class Writer:
    """Writes a backup to a binary stream. The backup is complete only after ``finish``."""

    def __init__(self, stream: IO[bytes], header: Header) -> None:
        # Without a time in the gzip header, the same records give the same bytes.
        self._gzip = gzip.GzipFile(fileobj=stream, mode="wb", mtime=0)
        self._hash = hashlib.sha256()
        self._records = 0
        self._keys = 0
        self._before = b""
        self._frame(b"H", header)

    def write(self, record: Record) -> None:
        """Write a record. The records of one key must be written one after the other."""
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
    """Reads a backup from a binary stream. Raises ``CorruptBackupError``.

    The file is known to be complete only when ``records`` is exhausted.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._gzip = gzip.GzipFile(fileobj=stream, mode="rb")
        self._hash = hashlib.sha256()
        letter, content = self._frame()
        if letter != b"H":
            raise CorruptBackupError("it is not a backup of incident-router")
        self.header = _decode(content, Header)
        if self.header.format > FORMAT:
            raise CorruptBackupError(
                f"it has format {self.header.format}, and this version of incident-router reads {FORMAT}"
            )
        self.trailer: Trailer | None = None

    def records(self) -> Iterator[Record]:
        """Iterate over all records, then verify the trailer."""
        records, keys, before = 0, 0, b""
        while True:
            # Reading a frame adds it to the hash. The trailer isn't part of its own digest, so take the digest before
            # each frame.
            digest = self._hash.hexdigest()
            letter, content = self._frame()
            if letter == b"T":
                break
            if letter != b"R":
                raise CorruptBackupError("it has an unknown frame")
            record = _decode(content, Record)
            records += 1
            keys += record.name != before
            before = record.name
            yield record
        trailer = _decode(content, Trailer)
        if (trailer.keys, trailer.records) != (keys, records):
            raise CorruptBackupError(
                f"it should hold {trailer.keys} keys in {trailer.records} records, not {keys} in {records}"
            )
        if trailer.sha256 != digest:
            raise CorruptBackupError("its checksum does not match")
        # Reading to the end also makes gzip compare its own checksum.
        if self._read(1):
            raise CorruptBackupError("it has data after its end")
        self.trailer = trailer

    def check(self) -> Trailer:
        """Read the backup to its end and return its trailer. Raises ``CorruptBackupError``."""
        for _ in self.records():
            pass
        assert self.trailer is not None  # noqa: S101 - set at the end of the records
        return self.trailer

    def _frame(self) -> tuple[bytes, bytes]:
        head = self._read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise CorruptBackupError("it ends before its trailer: the backup was not finished")
        letter, length = _HEAD.unpack(head)
        # A corrupt length must not make the reader allocate gigabytes.
        content = self._read(length) if length <= MAX_BYTES else b""
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


def _decode(content: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.msgpack.decode(content, type=shape)
    except msgspec.MsgspecError as error:
        raise CorruptBackupError(f"it holds a {shape.__name__.lower()} that can't be read: {error}") from error
