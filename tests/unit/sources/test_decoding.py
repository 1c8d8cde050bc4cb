"""Texts that contain JSON or Base64 are decoded in place."""

import base64
import json

import pytest

from router.sources import base, decoding, reading

NOW = 1_772_450_000_000_000


def opened(body, **wanted):
    delivery = reading.Reading("here", NOW)
    decode = decoding.decoder({path.replace("__", "."): codecs for path, codecs in wanted.items()})
    return decode(body, delivery), delivery.close(base.Parsed([])).notices


def test_decoder_without_paths_is_none():
    assert decoding.decoder({}) is None


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(b'{"a": "\xc3\xbc?>"}').decode(),
        base64.urlsafe_b64encode(b'{"a": "\xc3\xbc?>"}').decode().rstrip("="),
        base64.encodebytes(b'{"a": "\xc3\xbc?>"}').decode(),
    ],
)
def test_base64_is_read_in_every_variant(text):
    assert opened({"data": text}, data=("base64", "json")) == ({"data": {"a": "ü?>"}}, ())


@pytest.mark.parametrize(
    ("codecs", "text", "named"),
    [
        (("base64",), "no base64!", "base64"),
        (("base64",), base64.b64encode(b"\xff").decode(), "base64"),
        (("base64", "json"), base64.b64encode(b"words").decode(), "json"),
        (("json",), "words", "json"),
    ],
)
def test_undecodable_text_is_kept_with_a_notice(codecs, text, named):
    body, notices = opened({"data": text}, data=codecs)
    assert body == {"data": text}
    assert [(notice.code, notice.where) for notice in notices] == [("field_ignored", "data")]
    assert f"is not {named}" in notices[0].detail


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("a[1].b", {"a": [0, {"b": "[1]"}]}, {"a": [0, {"b": [1]}]}),
        ("a[-1]", {"a": ["[0]", "[1]"]}, {"a": ["[0]", [1]]}),
        ("a[5]", {"a": ["[0]"]}, {"a": ["[0]"]}),
        ("a[*].b", {"a": [{"b": "{}"}, {}, 7]}, {"a": [{"b": {}}, {}, 7]}),
        ('"x y".b', {"x y": {"b": "[1]"}}, {"x y": {"b": [1]}}),
        ("a.b", {"a": "text"}, {"a": "text"}),
        ("a[]", {"a": {"b": "[1]"}}, {"a": {"b": "[1]"}}),
        ("a", {"a": ""}, {"a": ""}),
        ("a", [{"a": "[1]"}], [{"a": [1]}]),
        ("[0].a", [{"a": "[1]"}, {"a": "[1]"}], [{"a": [1]}, {"a": "[1]"}]),
    ],
)
def test_path_selects_every_existing_text(path, body, expected):
    delivery = reading.Reading("here", NOW)
    assert decoding.decoder({path: ("json",)})(json.loads(json.dumps(body)), delivery) == expected
