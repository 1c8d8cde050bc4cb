import pytest

from router.rules.conditions import condition, equality, regex, registry


def read_condition(value):
    (read,) = registry.read(value)
    return read


def test_text_is_equality_and_list_is_membership():
    assert read_condition("a") == equality.Equal("a") == read_condition({"equal": "a"})
    assert read_condition(["a", "b"]) == equality.OneOf(frozenset("ab")) == read_condition({"one_of": ["b", "a", "a"]})


@pytest.mark.parametrize("value", ["a", ["a", "b"], {"matches": "a"}, {"not": "a"}, {"not": {"matches": "a"}}])
def test_equivalent_conditions_are_equal_and_hash_equally(value):
    first, second = read_condition(value), read_condition(value)
    assert first == second
    assert hash(first) == hash(second)


def test_upper_and_lower_case_are_different():
    assert not read_condition("a").holds("A")
    assert not read_condition(["a"]).holds("A")
    assert read_condition({"matches": "(?i)a"}).holds("A")


@pytest.mark.parametrize(
    ("pattern", "text", "holds"),
    [
        ("b", "abc", True),
        ("^b", "abc", False),
        ("^abc$", "abc", True),
        ("ü+", "grüün", True),
        (r"^\p{L}$", "ü", True),
        ("^.$", "ü", True),
        ("x", "", False),
    ],
)
def test_pattern_matches_anywhere_unless_anchored(pattern, text, holds):
    assert read_condition({"matches": pattern}).holds(text) is holds


def test_pathological_pattern_is_evaluated_quickly():
    assert not read_condition({"matches": "^(a+)+$"}).holds("a" * 50_000 + "!")


def test_not_negates_any_condition():
    assert read_condition({"not": "a"}).holds("b")
    assert not read_condition({"not": ["a", "b"]}).holds("b")
    assert read_condition({"not": {"matches": "^a"}}).holds("ba")
    both = read_condition({"not": {"matches": "a", "not": "ab"}})
    assert [both.holds(text) for text in ("a", "ab", "b")] == [False, True, True]


@pytest.mark.parametrize(
    ("word", "wanted", "holding", "others"),
    [
        ("starts_with", "web-", ["web-", "web-1"], ["", "Web-1", "a web-1", "web"]),
        ("starts_with", ["web-", "db"], ["web-1", "db1", "db"], ["", "d", "api"]),
        ("ends_with", ".eu", ["x.eu", ".eu"], ["", "x.EU", "x.eu."]),
        ("ends_with", [".eu", "us"], ["x.eu", "us"], ["", "e"]),
        ("contains", "5xx", ["5xx", "many 5xx again"], ["", "5XX", "5x x"]),
        ("contains", ["5xx", "503"], ["503s", "5xx"], ["", "5"]),
        ("exists", "true", ["a", " ", "0", "false"], [""]),
        ("exists", "false", [""], ["a", "false"]),
        ("gt", "5", ["5.1", "6", " 6 ", "1e3"], ["5", "4", "-6", "", "six", "6%"]),
        ("gte", "0.2", ["0.2", ".2", "20e-2", "+1"], ["0.19", "", "0,3"]),
        ("lt", "-1", ["-1.5", "-2"], ["-1", "0", "", "x"]),
        ("lte", "7", ["7", "007", "7.0", "-8"], ["7.01", "", "x"]),
        (
            "cidr",
            "10.0.0.0/8",
            ["10.0.0.5", "10.0.0.5:9100", "::ffff:10.1.2.3"],
            ["", "11.0.0.1", "10.0.0", "w:1"],
        ),
        (
            "cidr",
            ["127.0.0.1", "2001:db8::/32"],
            ["127.0.0.1", "2001:db8::5", "[2001:db8::5]:80"],
            ["127.0.0.2", "::1"],
        ),
    ],
)
def test_each_condition_matches_only_its_texts(word, wanted, holding, others):
    asked = read_condition({word: wanted})
    assert [text for text in (*holding, *others) if asked.holds(text)] == holding
    turned = read_condition({"not": {word: wanted}})
    assert [text for text in (*holding, *others) if turned.holds(text)] == others


@pytest.mark.parametrize("word", ["gt", "gte", "lt", "lte"])
@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "1_0", "٣", "0x10", "", "\ud800", "9" * 100_000 + "x"])
def test_non_numeric_text_matches_no_comparison(word, text):
    assert not read_condition({word: "0"}).holds(text)
    assert not read_condition({word: "5"}).holds(text)


def test_only_finite_conditions_list_their_values():
    assert read_condition({"exists": "false"}).values == {""}
    assert read_condition({"exists": "true"}).values is None
    assert read_condition({"starts_with": "a"}).values is None
    assert read_condition("a").values == {"a"}
    assert read_condition(["a", "b"]).values == {"a", "b"}
    assert read_condition({"matches": "a"}).values is None
    assert read_condition({"not": "a"}).values is None


def test_all_conditions_on_one_field_must_hold():
    read = registry.read({"matches": "^web-", "not": "web-0"})
    assert [type(each) for each in read] == [regex.Matches, equality.Not]
    assert all(each.holds("web-1") for each in read)
    assert not all(each.holds("web-0") for each in read)


@pytest.mark.parametrize(
    ("value", "problem", "path"),
    [
        (None, 'the value is missing; for an absent label, write ""', ()),
        ({"not": {"one_of": ["a", None]}}, "the value is missing", ("not", "one_of", 1)),
        ({"matches": ["a"]}, "expected a text", ("matches",)),
        ({"atleast": "5"}, 'unknown condition "atleast"', ("atleast",)),
        ({"start_with": "5"}, 'unknown condition "start_with"; did you mean "starts_with"?', ("start_with",)),
        ({"gte": "five"}, "expected a number", ("gte",)),
        ({"cidr": ["10.0.0.0/8", "10.0.0.1/33"]}, "not a network", ("cidr", 1)),
        ({"contains": ["a", ""]}, "an empty text matches everything", ("contains", 1)),
        ({"not": {}}, "the condition is empty", ("not",)),
    ],
)
def test_invalid_condition_is_reported_with_its_path(value, problem, path):
    with pytest.raises(condition.InvalidCondition) as raised:
        registry.read(value)
    assert raised.value.problem.startswith(problem)
    assert raised.value.path == path


@pytest.mark.parametrize("name", registry.CONDITIONS)
def test_every_condition_has_a_summary(name):
    assert registry.CONDITIONS[name].summary


def test_re2_does_not_write_to_standard_error(capfd):
    with pytest.raises(condition.InvalidCondition):
        registry.read({"matches": "(" * 5})
    assert capfd.readouterr() == ("", "")
