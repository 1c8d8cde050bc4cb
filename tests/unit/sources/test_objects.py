"""Reading a vendor's JSON: optional members, required members, and error messages."""

import pytest

from router.domain import alerts
from router.sources import base, objects, reading

NOW = 1_772_450_000_000_000
DELIVERY = reading.Reading("here", NOW)


def expect_refusal(call, *arguments) -> tuple[str, str]:
    with pytest.raises(base.Unparsable) as caught:
        call(*arguments)
    return caught.value.where, caught.value.problem


def echo(delivery, body):
    return base.Parsed([alerts.Alert(delivery.source, objects.scalar(body["key"]), "firing", delivery.now, 0)])


def too_deep(delivery, body):
    raise RecursionError


def test_source_passes_its_name_and_time_to_readers():
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
def test_body_without_an_object_is_unparsable(raw, problem):
    where, said_of_it = expect_refusal(objects.Source("here", echo).parse, raw, {}, NOW)
    assert where == ""
    assert problem in said_of_it


def test_too_deep_recursion_is_an_unparsable_body():
    assert expect_refusal(objects.Source("here", too_deep).parse, b"{}", {}, NOW) == (
        "",
        "the JSON is nested too deeply",
    )


def test_delivery_without_an_alert_has_a_reason():
    parsed = objects.no_alert("a test", monitor="7")
    assert parsed.alerts == []
    assert parsed.about == {"no_alert": "a test", "monitor": "7"}


def test_missing_required_object_is_named():
    assert objects.members({"a": 1}, "data") == {"a": 1}
    assert expect_refusal(objects.members, None, "data") == ("data", "missing")
    assert expect_refusal(objects.members, None, "data", "send it") == ("data", "missing: send it")
    assert expect_refusal(objects.members, [1], "data") == ("data", "expected an object")


def test_missing_optional_object_is_empty():
    assert objects.optional({"a": 1}) == {"a": 1}
    assert [objects.optional(value) for value in (None, [], "x", 1)] == [{}] * 4


def test_missing_required_value_is_named():
    assert objects.require_text("x", "id") == "x"
    assert objects.require_text(7, "id") == "7"
    assert objects.require_text(0, "id") == "0"
    for nothing in (None, "", [], {"a": 1}):
        assert expect_refusal(objects.require_text, nothing, "id") == ("id", "missing or empty")
    assert expect_refusal(objects.require_text, "", "id", "set it") == ("id", "missing or empty: set it")


def test_empty_texts_are_omitted_and_others_converted():
    found = objects.texts({"a": "x", "b": 1.5, "c": True, "d": None, "e": "", "f": {"g": [1]}, "h": 0})
    assert found == {"a": "x", "b": "1.5", "c": "true", "f": '{"g":[1]}', "h": "0"}


def test_digest_is_equal_only_for_equal_parts():
    assert objects.digest("a", {"b": 1}) == objects.digest("a", {"b": 1})
    assert len({objects.digest(*parts) for parts in (("a", "b"), ("ab",), ("b", "a"), ("a", "b", ""))}) == 4
    assert len(objects.digest()) == 16


def require(item, where):
    return alerts.Alert("here", objects.require_text(item, where), "firing", NOW, 0)


def test_invalid_alerts_are_rejected_and_others_read():
    found, rejected = objects.several(DELIVERY, [1, None, 2, []], "all", require, lambda bad: {"bad": bad})
    assert [alert.fingerprint for alert in found] == ["1", "2"]
    assert rejected == base.Rejected("all[1]", "missing or empty (and 1 more)", b'{"bad":[null,[]]}')


def test_single_invalid_alert_is_reported_without_a_count():
    assert objects.several(DELIVERY, [1, None], "all", require, list)[1] == base.Rejected(
        "all[1]", "missing or empty", b"[null]"
    )


def test_delivery_with_only_invalid_alerts_is_unparsable():
    assert objects.several(DELIVERY, [], "all", require, list) == ([], None)
    assert objects.several(DELIVERY, [1], "all", require, list)[1] is None
    assert expect_refusal(objects.several, DELIVERY, [None, None], "all", require, list) == (
        "all[0]",
        "missing or empty",
    )


def test_notices_name_their_alert_even_if_refused():
    delivery = reading.Reading("here", NOW)

    def noted(item, where):
        delivery.ignore(f"{where}.link", "expected a text")
        return require(item, where)

    found, _ = objects.several(delivery, ["a", None, "b"], "all", noted, list)
    notices = delivery.close(base.Parsed(found)).notices
    assert [(notice.where, notice.fingerprint) for notice in notices] == [("all[0].link", "a"), ("all[2].link", "b")]


@pytest.mark.parametrize("value", [[], 7, "text", True])
def test_wrong_type_instead_of_texts_gives_a_notice(value):
    delivery = reading.Reading("here", NOW)
    assert objects.optional_texts(delivery, value, "annotations") == {}
    (notice,) = delivery.close(base.Parsed([])).notices
    assert (notice.code, notice.where) == ("field_ignored", "annotations")


def test_missing_optional_texts_give_no_notice():
    delivery = reading.Reading("here", NOW)
    assert objects.optional_texts(delivery, None, "annotations") == {}
    assert objects.optional_texts(delivery, {"a": 1, "b": None}, "annotations") == {"a": "1"}
    assert objects.optional_text(delivery, None, "link") == ""
    assert objects.optional_text(delivery, 5, "link") == "5"
    assert delivery.close(base.Parsed([])).notices == ()


def test_object_instead_of_text_is_ignored_with_notice():
    delivery = reading.Reading("here", NOW)
    assert objects.optional_text(delivery, {"href": "u"}, "link") == ""
    assert [notice.where for notice in delivery.close(base.Parsed([])).notices] == ["link"]
