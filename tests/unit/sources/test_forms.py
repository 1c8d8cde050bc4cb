"""Form fields in both encodings. Invalid forms give an explanation."""

import contextlib
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.sources import base, forms

TYPE = {b"content-type": b'multipart/form-data; charset=utf-8; boundary="a b"'}


def part(name: str, text: str, more: str = "") -> str:
    return f'--a b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{text}\r\n'


def multipart(*parts: str) -> bytes:
    return ("".join(parts) + "--a b--\r\n").encode()


def test_multipart_form_keeps_the_last_value_per_name():
    raw = multipart(part("a", "1"), part("b", "é\r\n{}"), part("a", "2"), part("f", "x", '; filename="f.txt"'))
    assert forms.fields(raw, TYPE) == {"a": "2", "b": "é\r\n{}", "f": "x"}


def test_part_without_a_name_is_ignored():
    assert forms.fields(b"--a b\r\nX-Y: z\r\n\r\n1\r\n" + multipart(part("a", "2")), TYPE) == {"a": "2"}


@pytest.mark.parametrize("kind", [{}, {b"content-type": b"application/x-www-form-urlencoded"}])
def test_other_content_types_are_read_as_urlencoded(kind):
    assert forms.fields(b"a=1&b=%C3%A9+%7B%7D&a=2&c=&d", kind) == {"a": "2", "b": "é {}", "c": "", "d": ""}


@pytest.mark.parametrize(
    ("raw", "kind", "problem"),
    [
        (b"a=%FF", {}, "not UTF-8"),
        (b"&".join(b"a%d=1" % number for number in range(101)), {}, "more than 100 fields"),
        (multipart(part("a", "1")), {b"content-type": b"multipart/form-data"}, "names no boundary"),
        (b"--other", TYPE, "the form is malformed"),
        (multipart(part("a", "1")).replace(b"1", b"\xff"), TYPE, "not UTF-8"),
        (multipart(*(part(f"a{number}", "1") for number in range(101))), TYPE, "more than 100 fields"),
    ],
)
def test_invalid_form_is_refused_with_its_problem(raw, kind, problem):
    with pytest.raises(base.Unparsable, match=problem):
        forms.fields(raw, kind)


@pytest.mark.parametrize(
    ("raw", "json"), [(b"", True), (b" \n{", True), (b"[1]", True), (b"a=1", False), (b"--b", False), (b"%7B", False)]
)
def test_first_bytes_distinguish_json_from_forms(raw, json):
    assert forms.is_json(raw) == json


@given(
    raw=st.binary(max_size=200) | st.builds(lambda text: b"--b\r\n" + text, st.binary(max_size=100)),
    kind=st.sampled_from([b"", b"multipart/form-data; boundary=b", b"multipart/form-data;=;boundary", b"\xff"]),
)
def test_any_bytes_are_either_fields_or_unparsable(raw, kind):
    found: dict[str, str] = {}
    with contextlib.suppress(base.Unparsable):
        found = forms.fields(raw, {b"content-type": kind})
    assert all(isinstance(text, str) for text in (*found, *found.values()))


@given(st.dictionaries(st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=10), max_size=5))
def test_urlencoded_fields_are_decoded(fields):
    assert forms.parse_urlencoded(urllib.parse.urlencode(fields).encode()) == fields
