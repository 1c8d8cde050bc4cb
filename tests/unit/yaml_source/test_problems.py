from router.yaml_source import documents, problems


def test_problem_shows_line_and_caret():
    document = documents.parse(b"rules:\n  - nmae: x\n", "rules/a.yaml")
    assert str(document.problem("unknown key", ("rules", 0, "nmae"), key=True)) == (
        "rules/a.yaml:2:5: unknown key\n      - nmae: x\n        ^"
    )


def test_caret_is_under_its_column_after_tabs():
    shown = str(problems.LocatedProblem("f", 1, 3, "wrong", "\t\tx"))
    assert shown.splitlines()[1:] == ["    \t\tx", "    \t\t^"]


def test_long_line_is_truncated_around_the_column():
    text = "a" * 500 + "!" + "b" * 500
    _, line, caret = str(problems.LocatedProblem("f", 1, 501, "wrong", text)).splitlines()
    assert len(line) == 4 + 160
    assert line[caret.index("^")] == "!"


def test_caret_is_correct_at_ends_of_long_lines():
    for column, letter in ((1, "<"), (1000, ">")):
        text = "<" + "-" * 998 + ">"
        _, line, caret = str(problems.LocatedProblem("f", 1, column, "wrong", text)).splitlines()
        assert line[caret.index("^")] == letter


def test_control_characters_do_not_reach_the_terminal():
    shown = str(problems.LocatedProblem("f", 1, 1, "wrong", "a\x1b[31mb"))
    assert "\x1b" not in shown
    assert "a\ufffd[31mb" in shown


def test_problem_of_a_whole_file_names_only_file():
    assert str(problems.LocatedProblem("f", 0, 0, "can't be read")) == "f: can't be read"


def test_problems_sort_by_file_line_and_column():
    unsorted = [
        problems.LocatedProblem("b", 1, 1, "x"),
        problems.LocatedProblem("a", 10, 1, "x"),
        problems.LocatedProblem("a", 9, 7, "x"),
        problems.LocatedProblem("a", 9, 1, "x"),
    ]
    ordered = sorted(unsorted, key=lambda one: one.order)
    assert [one.place for one in ordered] == ["a:9:1", "a:9:7", "a:10:1", "b:1:1"]
