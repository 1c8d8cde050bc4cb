"""The version of stored data is set once, migrated stepwise, and never lowered."""

import asyncio
import contextlib

import pytest

from router.store import embedded, errors, keys, schema
from router.store.store import Store
from tests.end_to_end import harness
from tests.integration import vendor, workers
from tests.integration.worker import test_supervisor


async def version(store) -> int:
    return int(await store.redis.get(keys.SCHEMA) or 0)


def test_data_without_a_version_gets_the_current_one(with_redis):
    async def body(store):
        await store.schema.ensure()
        assert await version(store) == schema.VERSION

    with_redis(body)


def test_current_data_is_not_migrated(with_redis):
    async def body(store):
        ran = []
        await schema.Schema(store.connection, version=2).ensure()
        await schema.Schema(store.connection, version=2, steps={1: record_step(ran, 1)}).ensure()
        assert (await version(store), ran) == (2, [])

    with_redis(body)


def record_step(ran: list[int], number: int):
    async def step(store) -> None:
        ran.append(number)
        await store.redis.set(f"ir:{{schema}}:step-{number}", "done")

    return step


def test_older_data_is_migrated_stepwise_once(with_redis):
    async def body(store):
        ran: list[int] = []
        await schema.Schema(store.connection, version=1).ensure()
        newer = schema.Schema(store.connection, version=3, steps={2: record_step(ran, 2), 1: record_step(ran, 1)})
        await newer.ensure()
        await newer.ensure()
        assert (await version(store), ran) == (3, [1, 2])
        assert await store.redis.get("ir:{schema}:step-2") == b"done"

    with_redis(body)


def test_failed_migration_resumes_at_its_step(with_redis):
    async def body(store):
        ran: list[int] = []

        async def fails(_) -> None:
            raise ConnectionError("gone")

        await schema.Schema(store.connection, version=1).ensure()
        with pytest.raises(errors.Unavailable, match="gone"):
            await schema.Schema(store.connection, version=3, steps={1: record_step(ran, 1), 2: fails}).ensure()
        assert await version(store) == 2
        await schema.Schema(
            store.connection, version=3, steps={1: record_step(ran, 1), 2: record_step(ran, 2)}
        ).ensure()
        assert (await version(store), ran) == (3, [1, 2])

    with_redis(body)


def test_concurrent_migrations_never_lower_the_version(with_redis):
    async def body(store):
        waits = asyncio.Event()

        async def slow(_) -> None:
            await waits.wait()

        async def nothing(_) -> None:
            return

        await schema.Schema(store.connection, version=1).ensure()
        behind = asyncio.create_task(schema.Schema(store.connection, version=2, steps={1: slow}).ensure())
        await schema.Schema(store.connection, version=3, steps={1: nothing, 2: nothing}).ensure()
        waits.set()
        with pytest.raises(errors.SchemaTooNew):
            await behind
        assert await version(store) == 3

    with_redis(body)


def test_newer_data_is_refused_naming_both_versions(with_redis):
    async def body(store):
        await store.redis.set(keys.SCHEMA, 9)
        with pytest.raises(
            errors.SchemaTooNew,
            match=rf"has version 9, and this version of incident-router supports {schema.VERSION}",
        ):
            await store.schema.ensure()
        assert await version(store) == 9

    with_redis(body)


def test_every_data_version_has_a_migration():
    assert sorted(schema.STEPS) == list(range(1, schema.VERSION))


def test_worker_drains_and_exits_on_newer_data(with_redis):
    at = vendor.Vendor()

    async def body(store):
        on = workers.WorkerHarness(store, vendor.on_call(at))
        made, _ = test_supervisor.worker(on)
        async with asyncio.timeout(20):
            running = asyncio.create_task(made.run(asyncio.Event()))

            async def opened():
                return at.states() == ["open"]

            await on.deliver(workers.firing())
            await test_supervisor.wait_until(opened)
            assert await store.redis.zscore(keys.WORKERS, "w1")
            await store.redis.set(keys.SCHEMA, schema.VERSION + 1)
            with pytest.raises(errors.SchemaTooNew):
                await running
        assert await store.redis.zscore(keys.WORKERS, "w1") is None, "the worker has removed its heartbeat"
        assert await store.redis.xlen(keys.INBOX) == 0

    with_redis(body)


def test_worker_reads_no_newer_data(with_redis):
    async def body(store):
        on = workers.WorkerHarness(store)
        await on.deliver(workers.firing())
        await store.redis.set(keys.SCHEMA, schema.VERSION + 1)
        made, _ = test_supervisor.worker(on)
        async with asyncio.timeout(20):
            with pytest.raises(errors.SchemaTooNew):
                await made.run(asyncio.Event())
        assert await store.redis.xlen(keys.INBOX) == 1
        assert await store.redis.xinfo_groups(keys.INBOX) == [], "the worker has not created its consumer group"

    with_redis(body)


@contextlib.contextmanager
def deployment(folder):
    """Start a Valkey. Yield the server and a function that starts a router process with a configuration."""
    with (
        contextlib.ExitStack() as stack,
        harness.vendors() as at,
        embedded.running(folder / "valkey") as valkey,
    ):
        file = harness.configure(folder, at)

        def start(*arguments: str) -> harness.Process:
            command = [harness.COMMAND, *arguments, "--config", str(file)]
            process = harness.Process(command, folder, arguments[0], **harness.SECRETS, REDIS_URL=valkey.url)
            stack.callback(process.stop)
            return process

        yield valkey, start


def set_version(url: str, held: int) -> None:
    async def body() -> None:
        store = Store.connect(url)
        await store.redis.set(keys.SCHEMA, held)
        await store.aclose()

    asyncio.run(body())


REFUSAL = f"the data in Redis has version 7, and this version of incident-router supports {schema.VERSION}"


@pytest.mark.parametrize(
    "command", [["web"], ["worker", "--health-port", "0"], ["run", "--console-port", "0"], ["incidents", "list"]]
)
def test_every_command_exits_1_on_newer_data(tmp_path, command):
    """The error message is one sentence."""
    with deployment(tmp_path) as (valkey, start):
        set_version(valkey.url, 7)
        process = start(*command)
        assert process.wait_for_exit() == 1
        assert process.output.count(REFUSAL) == 1
        assert "Traceback" not in process.output


def test_running_worker_exits_1_on_newer_data(tmp_path):
    with deployment(tmp_path) as (valkey, start):
        process = start("worker", "--health-port", "0")
        process.wait_for_output(harness.STARTED)
        set_version(valkey.url, 7)
        assert process.wait_for_exit() == 1
        assert REFUSAL in process.output
        assert "Traceback" not in process.output


def test_running_web_accepts_deliveries_on_newer_data(tmp_path):
    """Later workers can read its writes, and no sender is refused during the upgrade."""
    with deployment(tmp_path) as (valkey, start):
        process = start("web", "--console-port", "0")
        url = process.wait_for_output(r"(http://127\.0\.0\.1:\d+)/v1/webhooks")[1]
        set_version(valkey.url, 7)
        body = {"title": "Checkout answers 5xx", "status": "firing", "dedup_key": "a"}
        assert harness.ask(f"{url}/v1/webhooks/json", body, harness.TOKEN)[0] == 202
        assert process.stop() == 0
