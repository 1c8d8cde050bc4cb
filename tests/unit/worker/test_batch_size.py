"""The batch size of deliveries: bounded in number and bytes, and growing with the backlog."""

from router.store import inbox
from router.worker import batch_size


def batch(count: int, size: int = 100) -> list[inbox.InboxEntry]:
    return [inbox.InboxEntry(b"1-1", b"", size)] * count


def test_worker_without_backlog_reads_the_minimum():
    hunger = batch_size.BatchSizer(512, 4096)
    hunger.adapt(batch(3))
    assert hunger.count == 512


def test_batches_grow_with_the_inbox_and_shrink_immediately():
    hunger = batch_size.BatchSizer(512, 4096)
    counts = []
    for _ in range(5):
        counts.append(hunger.count)
        hunger.adapt(batch(hunger.count))
    assert counts == [512, 1024, 2048, 4096, 4096]
    hunger.adapt(batch(4095))
    assert hunger.count == 512


def test_batch_size_is_limited_by_delivery_size():
    hunger = batch_size.BatchSizer(512, 4096)
    hunger.adapt(batch(512, 100_000))
    assert hunger.count == batch_size.MAX_BYTES // 100_000
    hunger.adapt(batch(hunger.count, 2 * batch_size.MAX_BYTES))
    assert hunger.count == 1, "one is always read, however large"


def test_empty_read_keeps_the_batch_size():
    hunger = batch_size.BatchSizer(512, 4096)
    hunger.adapt(batch(512))
    hunger.adapt([])
    assert hunger.count == 1024
