"""Reading a vendor's JSON: what may be missing, what may not, and what is said then."""

import pytest

from router.domain import alert as alerts
from router.sources import base, objects

NOW = 1_772_450_000_000_000


def said(call, *arguments) -> tuple[str, str]:
    with pytest.raises(base.Unparsable) as caught:
        call(*arguments)
    return caught.value.where, caught.value.problem


def echo(source, body, now):
    return base.Parsed([alerts.Alert(source, objects.scalar(body["key"]), "firing", now, 0)])


def too_deep(source, body, now):
    raise RecursionError


def test_a_source_gives_its_name_the_object_and_the_time_to_its_reader():
    [alert] = objects.Source("here", echo).parse(b'{"key": 7}', {}, NOW).alerts
    assert (alert.source, alert.fingerprint, alert.starts_at) == ("here", "7", NOW)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"[]", "Expected `object`, got `array`"),
        (b"", "the body is empty"),
        (b"key=7", "the body has to be JSON"),
        (b'{"key": "\xff"}', "not UTF-8"),
        (b'{"key": NaN}', "the body has to be JSON"),
    ],
)
def test_a_body_that_is_no_object_is_unparsable(raw, problem):
    where, said_of_it = said(objects.Source("here", echo).parse, raw, {}, NOW)
    assert where == ""
    assert problem in said_of_it


def test_a_reader_that_is_led_too_deep_is_an_unparsable_body():
    assert said(objects.Source("here", too_deep).parse, b"{}", {}, NOW) == ("", "the JSON is nested too deeply")


def test_a_delivery_without_an_alert_says_why():
    parsed = objects.no_alert("a test", monitor="7")
    assert parsed.alerts == []
    assert parsed.about == {"no_alert": "a test", "monitor": "7"}


def test_an_object_that_has_to_be_there_is_asked_for_by_name():
    assert objects.members({"a": 1}, "data") == {"a": 1}
    assert said(objects.members, None, "data") == ("data", "missing")
    assert said(objects.members, None, "data", "send it") == ("data", "missing: send it")
    assert said(objects.members, [1], "data") == ("data", "an object is expected here")


def test_an_object_that_may_be_there_is_empty_where_it_is_not():
    assert objects.optional({"a": 1}) == {"a": 1}
    assert [objects.optional(value) for value in (None, [], "x", 1)] == [{}] * 4


def test_a_value_that_has_to_be_there_is_asked_for_by_name():
    assert objects.required("x", "id") == "x"
    assert objects.required(7, "id") == "7"
    assert objects.required(0, "id") == "0"
    for nothing in (None, "", [], {"a": 1}):
        assert said(objects.required, nothing, "id") == ("id", "missing or empty")
    assert said(objects.required, "", "id", "set it") == ("id", "missing or empty: set it")


def test_texts_leave_out_what_says_nothing_and_keep_the_rest_as_text():
    found = objects.texts({"a": "x", "b": 1.5, "c": True, "d": None, "e": "", "f": {"g": [1]}, "h": 0})
    assert found == {"a": "x", "b": "1.5", "c": "true", "f": '{"g":[1]}', "h": "0"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, 0),
        ("", 0),
        (0, 0),
        ("2026-03-02T12:00:00Z", 1_772_452_800_000_000),
        ("2026-03-02T12:00:00.000+0000", 1_772_452_800_000_000),
        ("2026-03-02T12:00:00.0000000Z", 1_772_452_800_000_000),
        ("2026-03-02 12:00:00.000", 1_772_452_800_000_000),
        (1_772_452_800, 1_772_452_800_000_000),
        (1_772_452_800.5, 1_772_452_800_500_000),
        ("1772452800000", 1_772_452_800_000_000),
    ],
)
def test_a_moment_is_any_of_the_forms_that_vendors_write(value, expected):
    assert objects.moment(value, "at") == expected


@pytest.mark.parametrize("value", ["yesterday", True, [], {}, "1" * 41, 10**30, 1e300])
def test_what_is_no_moment_is_told_with_its_place(value):
    assert said(objects.moment, value, "at")[0] == "at"


def test_a_digest_is_the_same_for_the_same_parts_alone():
    assert objects.digest("a", {"b": 1}) == objects.digest("a", {"b": 1})
    assert len({objects.digest(*parts) for parts in (("a", "b"), ("ab",), ("b", "a"), ("a", "b", ""))}) == 4
    assert len(objects.digest()) == 16


def even(item, where):
    return alerts.Alert("here", objects.required(item, where), "firing", NOW, 0)


def test_each_alert_of_several_is_read_by_itself():
    found, rejected = objects.several([1, None, 2, []], "all", even, lambda bad: {"bad": bad})
    assert [alert.fingerprint for alert in found] == ["1", "2"]
    assert rejected == base.Rejected("all[1]", "missing or empty (and 1 more)", b'{"bad":[null,[]]}')


def test_a_single_bad_one_among_several_is_told_alone():
    assert objects.several([1, None], "all", even, list)[1] == base.Rejected("all[1]", "missing or empty", b"[null]")


def test_several_good_ones_leave_nothing_over_and_bad_ones_alone_are_unparsable():
    assert objects.several([], "all", even, list) == ([], None)
    assert objects.several([1], "all", even, list)[1] is None
    assert said(objects.several, [None, None], "all", even, list) == ("all[0]", "missing or empty")
