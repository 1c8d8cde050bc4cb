"""Every file in tests/data/config contains a mistake, and gives exactly the errors or warnings in its comments."""

import pathlib

import pytest

from router import configuration

CASES = sorted((pathlib.Path(__file__).parents[1] / "data" / "config").glob("*.bad.yaml"))
SECRETS = {"TOKEN": "a-token", "KEY": "a-key"}
MARKS = {"# expected: ": "error", "# warning: ": "warning"}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_invalid_file_gives_its_declared_messages(path):
    lines = path.read_text().splitlines()
    expected = sorted(
        (level, line.removeprefix(mark)) for mark, level in MARKS.items() for line in lines if line.startswith(mark)
    )
    try:
        found = configuration.doubtful(configuration.load(path, SECRETS))
    except configuration.InvalidConfiguration as refused:
        found = refused.problems
    assert expected
    assert (
        sorted((problem.level, f"{problem.line}:{problem.column}: {problem.message}") for problem in found) == expected
    )
