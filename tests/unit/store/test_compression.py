"""Compressed data are restored exactly. Damaged data are refused without taking much memory."""

import random

import pytest

from router.store import compression, errors

TEXT = b'{"alertname": "HighErrorRate", "severity": "critical"}' * 100


@pytest.mark.parametrize("data", [TEXT, b"\0" * compression.SMALLEST, bytes(range(256)) * 5])
def test_compressed_data_are_restored_exactly(data):
    compressed = compression.compress(data)
    assert len(compressed) < len(data)
    assert compression.original_size(compressed) == len(data)
    assert compression.decompress(compressed) == data


@pytest.mark.parametrize("data", [b"", TEXT[: compression.SMALLEST - 1], random.Random(1).randbytes(5000)])
def test_data_that_would_not_shrink_stay_uncompressed(data):
    assert compression.compress(data) == b""


WHOLE = compression.compress(TEXT)


@pytest.mark.parametrize(
    "damaged",
    [b"", WHOLE[:3], WHOLE[:4], WHOLE[:-1], WHOLE + b"more", b"\1" + WHOLE[1:], WHOLE[:4] + b"\xff" * 100],
)
def test_damaged_data_are_refused(damaged):
    with pytest.raises(errors.UnreadableDocument):
        compression.decompress(damaged)


def test_forged_size_reserves_no_memory():
    with pytest.raises(errors.UnreadableDocument, match="can't be the compressed form of 2147483647 bytes"):
        compression.decompress(b"\xff\xff\xff\x7f" + WHOLE[4:])
