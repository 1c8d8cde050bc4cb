"""Files in tests/data/rules are test cases. Good ones load, and bad ones give their declared errors or warnings."""

import pathlib

import pytest

from router.rules import check, lint_warnings, load
from router.rules.conditions import registry

FOLDER = pathlib.Path(__file__).parents[2] / "data" / "rules"
GOOD = sorted(FOLDER.glob("*.good.yaml"))
BAD = sorted(FOLDER.glob("*.bad.yaml"))
MARKS = {"# expected: ": "error", "# warning: ": "warning"}
WORLD = lint_warnings.LintContext(("alertmanager", "json"), repeating=("alertmanager",))


def copy_alone(path, folder):
    made = folder / "rules"
    made.mkdir()
    (made / path.name).write_bytes(path.read_bytes())
    return made


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_good_file_is_loaded(path, destinations, tmp_path):
    assert load.load(copy_alone(path, tmp_path), destinations).rules


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_bad_file_gives_its_declared_messages(path, destinations, tmp_path):
    lines = path.read_text().splitlines()
    expected = sorted(
        (level, line.removeprefix(mark)) for mark, level in MARKS.items() for line in lines if line.startswith(mark)
    )
    found = check.check_folder(copy_alone(path, tmp_path), destinations, WORLD).problems
    told = sorted((problem.level, f"{problem.line}:{problem.column}: {problem.message}") for problem in found)
    assert expected
    assert told == expected


@pytest.mark.parametrize("name", registry.CONDITIONS)
def test_every_condition_has_good_and_bad_cases(name):
    assert (FOLDER / f"{name}.good.yaml").is_file()
    assert (FOLDER / f"{name}.bad.yaml").is_file()
