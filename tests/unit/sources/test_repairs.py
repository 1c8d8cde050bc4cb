"""JSON with one wrong character or number is repaired if its meaning is certain, and refused otherwise."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.sources import repairs

WRONG = [
    (b'{"a": "Pr\xfcfung \x85 \x80"}', {"a": "Prüfung … €"}, "Windows-1252"),
    (b'{"a": "\xc3\xa9 \xe9"}', {"a": "é é"}, "Windows-1252"),
    (b'\xef\xbb\xbf{"a": "b"}', {"a": "b"}, "byte order mark"),
    ('{"a": "é"}'.encode("utf-16"), {"a": "é"}, "UTF-16"),
    (b'{"a": "b\nc\td\x01"}', {"a": "b\nc\td\x01"}, "control characters"),
    (b'{"a": [NaN, -Infinity, Infinity]}', {"a": [None, None, None]}, "null"),
    (b'{"a": 1e999, "b": -1e999}', {"a": "1e999", "b": "-1e999"}, "out of range"),
    (b'{"a": ' + b"1" * 5_000 + b"}", {"a": "1" * 5_000}, "out of range"),
    (b'{"a": "x\\ud800"}', {"a": "x�"}, "surrogates"),
    (b'{"a": 1}\0\0\n', {"a": 1}, "padding"),
]


@pytest.mark.parametrize(("body", "meant", "change"), WRONG)
def test_invalid_character_or_number_is_repaired(body, meant, change):
    fixed = repairs.repair(body)
    assert fixed is not None
    assert msgspec.json.decode(fixed.body) == meant
    assert change in "; ".join(fixed.changes)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a=b",
        b'{"a": 1',
        b'{"a": "b}',
        b'{"a": 1} {"a": 2}',
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"a":"\n"' + b" " * 2**20,
    ],
)
def test_ambiguous_body_is_not_repaired(body):
    assert repairs.repair(body) is None


def test_valid_json_is_not_repaired():
    assert repairs.repair('{"a": "é 😀", "b": [1.5, -0, null]}'.encode()) is None


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda inside: b'{"a": "' + inside + b'"}'))
def test_repair_gives_valid_json_or_nothing(body):
    fixed = repairs.repair(body)
    if fixed is not None:
        msgspec.json.decode(fixed.body)
        assert fixed.changes


def test_worst_case_body_is_repaired_in_bounded_time():
    body = b'{"a": "' + b"\xe9a" * 500_000 + b'"}'
    began = time.process_time()
    assert repairs.repair(body) is not None
    assert time.process_time() - began < 5
