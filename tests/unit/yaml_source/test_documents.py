import pytest

from router.yaml_source import composer, documents


def parse(text):
    return documents.parse(text.encode(), "f.yaml")


def messages(document):
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in document.problems]


def test_document_is_read_as_plain_data():
    document = parse("a: 1\nb: [x, 'y', null, true, 1.5]\nc: {d: {e: f}}\n")
    assert document.problems == []
    assert document.data == {"a": 1, "b": ["x", "y", None, True, 1.5], "c": {"d": {"e": "f"}}}


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n"])
def test_empty_document_has_no_data_and_no_problems(text):
    document = parse(text)
    assert (document.data, document.problems) == (None, [])


def test_every_value_and_key_has_its_position():
    document = parse("top:\n  - name: x\n    list: [1, 2]\n")
    assert document.position(("top", 0, "name")) == (2, 11)
    assert document.position(("top", 0, "name"), key=True) == (2, 5)
    assert document.position(("top", 0, "list", 1)) == (3, 15)
    assert document.position(("top", 0)) == (2, 5)
    assert document.position() == (1, 1)


def test_path_that_ends_early_uses_its_last_position():
    document = parse("top:\n  inner:\n    a: 1\n")
    assert document.position(("top", "inner", "missing")) == (2, 3)
    assert document.position(("top", "inner", "a", "deeper")) == (3, 5)
    assert document.position(("nothing",)) == (1, 1)


def test_data_without_a_file_has_no_positions():
    document = documents.from_data({"a": [1, True, None, 2.5, "x"]}, "given")
    problem = document.problem("wrong", ("a", 0))
    assert str(problem) == "given: wrong"
    assert document.raw_text(("a",)) == ["1", "true", None, "2.5", "x"]


def test_written_form_of_numbers_and_booleans_is_kept():
    document = parse("a: 007\nb: [1.10, true, 'no', null]\nc: 0x1F\n")
    assert document.raw_text() == {"a": "007", "b": ["1.10", "true", "no", None], "c": "0x1F"}
    assert document.raw_text(("nothing",)) is None


def test_keys_are_read_as_written_text():
    assert parse("404: a\ntrue: b\n1.10: c\n").data == {"404": "a", "true": "b", "1.10": "c"}


def test_bom_and_windows_line_endings_are_accepted():
    document = documents.parse(b"\xef\xbb\xbfa: 1\r\nb: [\r\n  x]\r\n", "f.yaml")
    assert document.data == {"a": 1, "b": ["x"]}
    assert document.position(("b", 0)) == (3, 3)
    assert document.problem("wrong", ("b", 0)).text == "  x]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b: c\n", "1:5: a text with a colon and a space needs quotes"),
        ("a: [1,\nb: 2\n", "3:1: expected ',' or ']' (while parsing a flow sequence that begins at line 1)"),
        ("a:\n\t- b\n", "2:1: YAML can't be indented with tabs; use spaces"),
        ('a: "x\n', "2:1: found unexpected end of stream (while scanning a quoted scalar that begins at line 1)"),
        ("a: @x\n", "1:4: found character '@' that can't start a value"),
        ("ok: 1\nbad: \x01\n", "2:6: a character that YAML does not allow: U+0001"),
    ],
)
def test_broken_syntax_is_one_problem_with_position(text, expected):
    document = parse(text)
    assert document.data is None
    assert len(document.problems) == 1
    assert messages(document)[0].startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", '3:1: duplicate key "a"; the first one is in line 1'),
        ("a: !thing x\n", "1:4: tags such as !thing are not allowed; put a text that looks like a number in quotes"),
        ("a: !!python/object:os.system x\n", "1:4: tags such as tag:yaml.org,2002:python/object:os.system are"),
        ("a: !!map {}\n", "1:4: tags such as tag:yaml.org,2002:map are not allowed"),
        ("a: {{ alert.title }}\n", "1:5: a key is plain text; a text with {{ … }} needs quotes"),
        ("? [a]\n: b\n", "1:3: a key is plain text"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "3:3: merge keys (<<) are not supported"),
        ("a: *nothing\n", '1:4: the alias "nothing" refers to no complete earlier value'),
        ("a: &x [*x]\n", '1:8: the alias "x" refers to no complete earlier value'),
        ("a\n--- \nb\n", "2:1: a file contains one YAML document; this begins a second one"),
        ("a: " + "[" * 80 + "]" * 80, "1:67: nested deeper than 64 levels"),
    ],
)
def test_ambiguous_yaml_features_are_refused(text, expected):
    assert messages(parse(text))[0].startswith(expected)


def test_all_errors_are_reported_together():
    document = parse("a: 1\na: 2\nb: !x y\nc: *z\n")
    assert [problem.line for problem in document.problems] == [2, 3, 4]


def test_quoted_merge_key_is_an_ordinary_key():
    assert parse('"<<": 1\n').data == {"<<": 1}


def test_alias_is_replaced_by_its_value():
    assert parse("a: &x [1, {b: 2}]\nc: *x\nd: &y text\ne: *y\n").data == {
        "a": [1, {"b": 2}],
        "c": [1, {"b": 2}],
        "d": "text",
        "e": "text",
    }


def test_aliases_that_grow_without_bound_are_refused():
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    document = parse("\n".join(lines))
    assert document.data is None
    assert "more than 1,000,000 values" in document.problems[-1].message


def test_number_of_reported_errors_is_limited():
    document = parse("a: 1\n" + "a: 2\n" * 5000)
    assert len(document.problems) == 100


def test_file_size_is_limited_to_one_mebibyte():
    content = b"a: 1\n#" + b"x" * (documents.MAX_BYTES - 7) + b"\n"
    assert len(content) == documents.MAX_BYTES
    assert documents.parse(content, "f.yaml").data == {"a": 1}
    problems = documents.parse(content + b"\n", "f.yaml").problems
    assert [str(problem) for problem in problems] == ["f.yaml: is larger than 1 MiB; split it into several files"]


def test_invalid_utf_8_is_reported_with_its_position():
    problems = documents.parse(b"a: 1\nb: \xff\n", "f.yaml").problems
    assert [str(problem) for problem in problems] == ["f.yaml:2:4: is not UTF-8 text"]


def test_read_file_keeps_its_bytes_and_name(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_bytes(b"a: 1\n")
    document = documents.read(path)
    assert (document.data, document.content, document.name) == ({"a": 1}, b"a: 1\n", "some.yaml")
    assert document.file == str(path)


def test_unreadable_file_is_a_problem_not_an_exception(tmp_path):
    missing = documents.read(tmp_path / "missing.yaml")
    assert missing.problems[0].message == "can't be read: No such file or directory"
    assert documents.read(tmp_path).problems[0].message == "can't be read: Is a directory"


def test_deeply_nested_document_is_refused():
    found = []
    assert composer.compose("[" * 5000, lambda *told: found.append(told[2])) is None
    assert found == ["nested deeper than 64 levels"]
