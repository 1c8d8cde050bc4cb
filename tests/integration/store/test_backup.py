"""A backup has all data of the router, and a restored router continues from the state of the backup."""

import asyncio
import contextlib
import gzip
import io
import re
import shutil

import pytest
import redis

from router.domain import access
from router.store import backup, backup_file, embedded, errors, keys, schema
from router.store.store import Store
from tests.integration import vendor, workers
from tests.integration.store.test_inbox import accept, list_ids

HEADER = backup_file.Header(backup_file.FORMAT, schema.VERSION, 1_700_000_000_000_000, "test")


async def back_up(store, header=HEADER) -> bytes:
    out = io.BytesIO()
    writer = backup_file.Writer(out, header)
    async for record in store.backup.records():
        writer.write(record)
    writer.finish()
    return out.getvalue()


async def restore(store, data: bytes, *, replace: bool = False) -> backup.RestoreResult:
    return await store.backup.restore(backup_file.Reader(io.BytesIO(data)), replace=replace)


async def delete_all(store) -> None:
    async for name in store.redis.scan_iter("*"):
        await store.redis.delete(name)


def table() -> dict[str, str]:
    """Return a key of each kind in the table of ``keys``, with its type."""
    rows = re.findall(r"^\| ``(ir:\S+)`` +\| (\w+) +\|", keys.__doc__, re.MULTILINE)
    return {re.sub(r"\{sN\}", "{s3}", name): kind for name, kind in rows}


SAMPLES = {
    "string": [("SET", b"\x00value")],
    "hash": [("HSET", "v", 7, "d", b"\xff\x00packed")],
    "set": [("SADD", "one", b"\xfe")],
    "zset": [("ZADD", 1.5, "one", "inf", "two", 1_700_000_000_000_001, "three")],
    "stream": [("XADD", "1-1", "h", b"\x80", "b", b"{}"), ("XADD", "1700000000000-3", "e", b"x"), ("XDEL", "1-1")],
}


async def content(store, name: str, kind: str):
    match kind:
        case "string":
            return await store.redis.get(name)
        case "hash":
            return await store.redis.hgetall(name)
        case "set":
            return await store.redis.smembers(name)
        case "zset":
            return dict(await store.redis.zrange(name, 0, -1, withscores=True))
        case "stream":
            told = await store.redis.xinfo_stream(name)
            return await store.redis.xrange(name), told["last-generated-id"]
    raise AssertionError(kind)


def test_every_kind_of_key_is_restored_or_excluded(with_redis):
    async def body(store):
        kinds = table()
        assert len(kinds) > 40
        for name, kind in kinds.items():
            for command, *arguments in SAMPLES[kind]:
                await store.redis.execute_command(command, name, *arguments)
        expected = {
            name: await content(store, name, kind)
            for name, kind in kinds.items()
            if not backup.is_excluded(name.encode())
        }
        assert len(expected) > 20
        await store.redis.set("another:program's", 1)
        data = await back_up(store)
        await delete_all(store)
        restored = await restore(store, data)
        assert restored == (len(expected), 0)
        assert {name: await content(store, name, kinds[name]) for name in expected} == expected
        left = {name.decode() async for name in store.redis.scan_iter("*")} - expected.keys()
        assert {re.sub(r"\{s\d+\}", "{sN}", name) for name in left} == {
            keys.SCHEMA,
            keys.MARKER,
            "ir:{sN}:timers",
            "ir:{sN}:incidents",
            "ir:{sN}:names",
            "ir:{sN}:published",
        }

    with_redis(body)


def test_restored_keys_keep_their_expiry_time(with_redis):
    async def body(store):
        await store.redis.set("ir:{vendors}:id:soon", 1, px=3_600_000)
        await store.redis.set("ir:{vendors}:id:never", 1)
        at = await store.redis.pexpiretime("ir:{vendors}:id:soon")
        data = await back_up(store)
        records = list(backup_file.Reader(io.BytesIO(data)).records())
        await delete_all(store)
        assert await restore(store, data) == (2, 0)
        assert abs(await store.redis.pexpiretime("ir:{vendors}:id:soon") - at) < 5000
        assert await store.redis.pttl("ir:{vendors}:id:never") == -1
        out = io.BytesIO()
        writer = backup_file.Writer(out, HEADER)
        for record in records:
            record.expires_at = min(record.expires_at, 1_700_000_000_000)
            writer.write(record)
        writer.finish()
        assert await restore(store, out.getvalue(), replace=True) == (1, 1)

    with_redis(body)


def test_large_keys_are_copied_in_parts(with_redis):
    async def body(store):
        homes = {f"alert {number}".encode(): b"x" * 50 for number in range(30_000)}
        await store.redis.hset("ir:{s1}:homes:9", mapping=homes)
        pipeline = store.redis.pipeline(transaction=False)
        for number in range(3000):
            pipeline.xadd(keys.AUDIT, {"a": b"line"}, id=f"{number + 1}-0")
        await pipeline.execute()
        data = await back_up(store)
        parts = list(backup_file.Reader(io.BytesIO(data)).records())
        assert max(len(part.items) + len(part.entries) for part in parts) < 5000
        await delete_all(store)
        assert await restore(store, data) == (2, 0)
        assert await store.redis.hgetall("ir:{s1}:homes:9") == homes
        assert await store.redis.xlen(keys.AUDIT) == 3000

    with_redis(body)


def test_restored_incident_resolves_without_opening_again(with_redis):
    async def body(store):
        at = vendor.Vendor()
        on = workers.WorkerHarness(store, vendor.on_call(at))
        await on.deliver(workers.firing())
        await on.turn()
        assert at.states() == ["open"]
        token = access.Token("id", "ann", access.Role.ADMIN, "hash", 1)
        await store.tokens.save(token)
        data = await back_up(store)
        await delete_all(store)
        await restore(store, data)
        again = workers.WorkerHarness(store, vendor.on_call(at))
        [(key, reference)] = (await again.incidents.find("do", 2)).items()
        assert (key, await again.incidents.find(reference[:8], 2)) == ("down", {"down": reference})
        await again.deliver(workers.firing())
        await again.turn()
        assert at.states() == ["open"]
        await again.deliver(workers.resolved())
        await again.turn()
        assert at.states() == ["resolved"]
        assert await store.tokens.read() == [token]
        assert await again.incidents.names() == ["down"]

    with_redis(body)


def test_restored_incident_continues_its_timers(with_redis):
    """Timers are not copied: every incident is reconciled once, which resets its timer."""

    async def body(store):
        at = vendor.Vendor()
        on = workers.WorkerHarness(store, vendor.on_call(at))
        await on.deliver(workers.firing())
        await on.fold()
        assert at.states() == []
        data = await back_up(store)
        await delete_all(store)
        await restore(store, data)
        await workers.WorkerHarness(store, vendor.on_call(at)).turn()
        assert at.states() == ["open"]

    with_redis(body)


def test_pending_delivery_is_read_again_after_restore(with_redis):
    async def body(store):
        reader = await accept(store, "read", "unread")
        await reader.read(1, 100)
        data = await back_up(store)
        await delete_all(store)
        await restore(store, data)
        other = store.make_inbox_reader("w2")
        await other.prepare()
        assert list_ids(await other.read(10, 100)) == ["read", "unread"]
        assert await store.redis.zrange(keys.WORKERS, 0, -1) == []

    with_redis(body)


def test_each_incident_is_copied_atomically(with_redis):
    """The publications belong to one version of the document. Reads at different times could be inconsistent."""

    async def body(store):
        number = [0]
        known = [f"incident {position}" for position in range(40)]

        async def write():
            number[0] += 1
            for key in known:
                pipeline = store.redis.pipeline(transaction=True)
                pipeline.hset(keys.incident(key), mapping={"v": number[0], "d": b"d"})
                pipeline.hset(keys.publications(key), mapping={"d": number[0], "until": 99, "wake": 1})
                await pipeline.execute()

        async def keep_writing():
            while True:
                await write()

        await write()
        writing = asyncio.create_task(keep_writing())
        try:
            data = await back_up(store)
        finally:
            writing.cancel()
        found = {}
        for record in backup_file.Reader(io.BytesIO(data)).records():
            fields = dict(zip(record.items[::2], record.items[1::2], strict=True))
            assert not fields.keys() & {b"until", b"wake"}, "a lease holds for a process that lives"
            found.setdefault(keys.incident_key(record.name.decode()), []).append(fields.get(b"v") or fields[b"d"])
        assert found.keys() == set(known)
        assert all(len(pair) == 2 and pair[0] == pair[1] for pair in found.values()), found

    with_redis(body)


def test_damaged_incident_does_not_stop_the_backup(with_redis):
    """The damaged document is copied unchanged."""

    async def body(store):
        await store.redis.set(keys.incident("bad"), "of a wrong type")
        await store.redis.hset(keys.publications("bad"), mapping={"d": b"d"})
        await store.redis.hset(keys.incident("good"), mapping={"v": 1, "d": b"d"})
        data = await back_up(store)
        await delete_all(store)
        assert await restore(store, data) == (3, 0)
        assert await store.redis.get(keys.incident("bad")) == b"of a wrong type"
        assert await store.redis.hget(keys.incident("good"), "v") == b"1"

    with_redis(body)


@pytest.fixture
def two_key_backup(with_redis):
    """Create a small backup."""

    async def body(store):
        await store.redis.set("ir:{vendors}:id:a", b"value")
        await store.redis.hset(keys.incident("down"), mapping={"v": 1, "d": b"d"})
        return await back_up(store)

    return with_redis(body)


def test_restore_into_nonempty_store_needs_an_option(with_redis, two_key_backup):
    async def body(store):
        await store.redis.set("ir:{vendors}:id:b", 1)
        with pytest.raises(backup.BackupError, match="not empty: add --replace"):
            await restore(store, two_key_backup)
        assert await store.redis.exists("ir:{vendors}:id:b")
        await store.redis.set("another:program's", 1)
        await restore(store, two_key_backup, replace=True)
        assert not await store.redis.exists("ir:{vendors}:id:b")
        assert await store.redis.exists("another:program's")
        await store.schema.ensure()

    with_redis(body)


def test_data_of_a_later_version_is_refused(with_redis):
    async def body(store):
        data = await back_up(store, backup_file.Header(1, schema.VERSION + 1, 1, "9.9.9"))
        with pytest.raises(backup.BackupError, match=r"has version \d, .*works with \d: .*made it \(9.9.9\)"):
            await restore(store, data)
        assert await store.redis.keys("ir:*") == []

    with_redis(body)


def test_restored_data_of_earlier_version_is_migrated(with_redis):
    async def body(store):
        on = workers.WorkerHarness(store)
        await on.deliver(workers.firing())
        await on.fold()
        await store.redis.set(f"ir:{{s{keys.shard('am/9')}}}:home:am/9", "down")
        data = await back_up(store, backup_file.Header(1, 1, 1, "0.0.1"))
        await delete_all(store)
        await restore(store, data)
        assert await store.schema.read_version() == schema.VERSION
        assert await store.incidents.owners.find(["am/9"]) == {"am/9": "down"}
        assert await store.incidents.names() == ["down"]

    with_redis(body)


@pytest.mark.parametrize("how", ["cut", "cut inside", "flipped", "longer", "another", "empty", "later", "renamed"])
def test_damaged_backup_file_is_refused(with_redis, two_key_backup, how):
    """No process uses the partly restored data."""
    plain = gzip.decompress(two_key_backup)
    trailer = plain.rindex(b"T", 0, plain.rindex(b"keys"))
    damaged = {
        "cut": two_key_backup[:-20],
        "cut inside": gzip.compress(plain[:trailer]),
        "flipped": gzip.compress(plain.replace(b"value", b"valve")),
        "longer": two_key_backup + gzip.compress(b"x"),
        "another": gzip.compress(b"x" * 100),
        "empty": b"",
        "later": gzip.compress(plain.replace(b"format\x01", b"format\x02")),
        "renamed": b"not a backup at all",
    }[how]

    async def body(store):
        await delete_all(store)
        with pytest.raises(backup_file.CorruptBackupError):
            backup_file.Reader(io.BytesIO(damaged)).check()
        with pytest.raises(backup_file.CorruptBackupError):
            await restore(store, damaged)
        if await store.redis.keys("ir:*"):
            with pytest.raises(errors.Unavailable, match="restore was interrupted"):
                await store.schema.ensure()
        await restore(store, two_key_backup, replace=True)
        await store.schema.ensure()

    with_redis(body)


def test_concurrent_write_fails_the_restore(with_redis):
    async def body(store):
        await accept(store, "a")
        data = await back_up(store)
        await delete_all(store)
        await store.redis.xadd(keys.INBOX, {"h": b"", "b": b""})
        load = backup._Load(store, 0)
        for record in backup_file.Reader(io.BytesIO(data)).records():
            await load.add(record)
        with pytest.raises(backup.BackupError, match="stop every web and worker"):
            await load.flush()

    with_redis(body)


PROGRAMS = [embedded.find_program(), pytest.param("redis-server", marks=pytest.mark.debian("redis-server"))]


@contextlib.contextmanager
def server(program, folder, monkeypatch):
    monkeypatch.setattr(embedded, "find_program", lambda: shutil.which(program))
    with embedded.running(folder) as running:
        yield running.url


@pytest.mark.parametrize("target", PROGRAMS, ids=["Valkey", "Redis"])
@pytest.mark.parametrize("source", PROGRAMS, ids=["Valkey", "Redis"])
def test_backup_fits_redis_and_valkey(source, target, tmp_path, monkeypatch):
    async def copied(url):
        store = Store.connect(url)
        async with contextlib.aclosing(store):
            for name, kind in table().items():
                for command, *arguments in SAMPLES[kind]:
                    await store.redis.execute_command(command, name, *arguments)
            return await back_up(store)

    async def restored(url, data):
        store = Store.connect(url)
        async with contextlib.aclosing(store):
            return (await restore(store, data)).keys

    with server(source, tmp_path / "source", monkeypatch) as url:
        data = asyncio.run(copied(url))
    with server(target, tmp_path / "target", monkeypatch) as url:
        assert asyncio.run(restored(url, data)) == backup_file.Reader(io.BytesIO(data)).check().keys
    with server(target, tmp_path / "target", monkeypatch) as url, redis.Redis.from_url(url) as connection:
        assert connection.get(keys.SCHEMA) == str(schema.VERSION).encode()
        assert connection.hget("ir:{s3}:incident:KEY", "v") == b"7"
