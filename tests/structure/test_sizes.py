"""Small files, small functions, few arguments, and at least as many lines of tests as of source."""

import re
import statistics
from pathlib import Path

import pytest

from tests.structure import tree

MOST_LINES_A_FILE = 500
MOST_LINES_A_FUNCTION = 60
MOST_MEDIAN_LINES_A_FUNCTION = 10
MOST_POSITIONAL_ARGUMENTS = 5
BAGS = re.compile(r"^(utils?|helpers?|common|misc|managers?|core|base_.+|.+_(utils?|helpers?|manager))$")
# A private function may have more arguments if a comment gives the reason: ruff requires only the code.
EXCUSED = re.compile(r"def _\w+\(.*# noqa: [A-Z0-9, ]*PLR0917[A-Z0-9, ]* - \w+")


def list_long_files(paths: list[Path]) -> list[str]:
    counted = [(tree.count_lines(path), path) for path in paths]
    return [f"{tree.format_place(path)} has {lines} lines" for lines, path in counted if lines > MOST_LINES_A_FILE]


def list_long_functions(paths: list[Path]) -> list[str]:
    return [
        f"{function.place} {function.name} has {function.lines} lines"
        for path in paths
        for function in tree.list_functions(path)
        if function.lines > MOST_LINES_A_FUNCTION
    ]


def list_argument_excess(paths: list[Path]) -> list[str]:
    found = []
    for path in paths:
        lines = path.read_text().splitlines()
        for function in tree.list_functions(path):
            line = lines[int(function.place.rpartition(":")[2]) - 1]
            if function.positional > MOST_POSITIONAL_ARGUMENTS and not EXCUSED.search(line):
                found.append(f"{function.place} {function.name} takes {function.positional} arguments by position")
    return found


def list_generic_modules(paths: list[Path], root: Path) -> list[str]:
    parts = {path: path.relative_to(root).with_suffix("").parts for path in paths}
    return [
        tree.format_place(path, root=root) for path, names in parts.items() if any(BAGS.match(name) for name in names)
    ]


@pytest.fixture(scope="module")
def source() -> list[Path]:
    return tree.list_python_files("router")


@pytest.fixture(scope="module")
def all_files() -> list[Path]:
    return tree.list_python_files("router", "tests", "scripts")


def test_files_have_at_most_500_lines(all_files):
    assert list_long_files(all_files) == []


def test_functions_have_at_most_60_lines(all_files):
    assert list_long_functions(all_files) == []


def test_median_function_has_at_most_ten_lines(source):
    lines = [function.lines for path in source for function in tree.list_functions(path)]
    assert statistics.median(lines) <= MOST_MEDIAN_LINES_A_FUNCTION


def test_functions_take_at_most_five_positional_arguments(source):
    assert list_argument_excess(source) == []


def test_no_module_has_a_generic_name(source):
    assert list_generic_modules(source, tree.ROOT) == []


def test_tests_are_at_least_as_long_as_source(source):
    tests = tree.list_python_files("tests")
    assert sum(map(tree.count_lines, tests)) >= sum(map(tree.count_lines, source))


class TestNegativeControl:
    """Negative control: each check finds a file that exceeds its limit by one."""

    @pytest.fixture
    def write(self, tmp_path):
        def write(text: str, name: str = "routes.py") -> list[Path]:
            (tmp_path / name).write_text(text)
            return [tmp_path / name]

        return write

    def test_file_of_501_lines_is_reported(self, write):
        assert list_long_files(write("x = 1\n" * 500)) == []
        assert len(list_long_files(write("x = 1\n" * 501))) == 1

    def test_function_of_61_lines_is_reported(self, write):
        assert list_long_functions(write("def f():\n" + "    x = 1\n" * 59)) == []
        long_functions = list_long_functions(write("class C:\n    async def f(self):\n" + "        x = 1\n" * 60))
        assert len(long_functions) == 1
        assert long_functions[0].endswith(":2 f has 61 lines")

    def test_sixth_positional_argument_is_reported(self, write):
        assert list_argument_excess(write("class C:\n    def f(self, a, b, c, d, e, *, g): ...\n")) == []
        assert len(list_argument_excess(write("class C:\n    def f(self, a, b, c, d, e, g): ...\n"))) == 1
        assert len(list_argument_excess(write("def f(a, b, /, c, d, e, g): ...\n"))) == 1
        assert len(list_argument_excess(write("class C:\n    @staticmethod\n    def f(a, b, c, d, e, g): ...\n"))) == 1

    def test_excuse_for_arguments_needs_a_reason(self, write):
        rest = "\n    a, b, c, d, e, g): ...\n"
        assert list_argument_excess(write(f"def _f(  # noqa: PLR0917 - each is another thing{rest}")) == []
        assert len(list_argument_excess(write(f"def _f(  # noqa: PLR0917{rest}"))) == 1
        assert len(list_argument_excess(write(f"def f(  # noqa: PLR0917 - each is another thing{rest}"))) == 1

    @pytest.mark.parametrize("name", ["utils.py", "helper.py", "common.py", "base_source.py", "source_manager.py"])
    def test_generic_module_name_is_reported(self, write, tmp_path, name):
        assert list_generic_modules(write("", name), tmp_path) == [name]

    @pytest.mark.parametrize("name", ["base.py", "commonality.py", "score.py"])
    def test_specific_module_name_is_accepted(self, write, tmp_path, name):
        assert list_generic_modules(write("", name), tmp_path) == []
