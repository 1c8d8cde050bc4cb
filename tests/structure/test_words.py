"""The tree is self-contained: nothing depends on, or mentions, the environment in which it was written."""

import re
from pathlib import Path

import pytest

from tests.structure import tree

# Concatenated, so that this file does not contain the words that it searches for.
PLACES = ["../" + "shared", "../" + ".library", "DEVELOPERS" + ".md", "closing" + " note", "/work" + "/"]
REGISTRIES = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "/simple" + "/"]
FORBIDDEN = re.compile("|".join(map(re.escape, PLACES + REGISTRIES)), re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|Not" + r"ImplementedError|mark\.(skip|xfail)\b")


def search(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    lines = [(path, number, line) for path in paths for number, line in enumerate(_text(path).splitlines(), 1)]
    return [
        f"{tree.format_place(path, number)}: {line.strip()[:80]}"
        for path, number, line in lines
        if pattern.search(line)
    ]


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")


def test_no_file_names_a_workplace_or_registry():
    assert search(FORBIDDEN, tree.list_files("*")) == []


def test_code_contains_no_unfinished_marks():
    assert search(UNFINISHED, tree.list_python_files("router", "tests")) == []


@pytest.mark.parametrize("word", PLACES + REGISTRIES)
def test_forbidden_word_is_found(tmp_path, word):
    (tmp_path / "page.md").write_text(f"first\nsee {word} there\n")
    [hit] = search(FORBIDDEN, [tmp_path / "page.md"])
    assert ":2: see" in hit


def test_walk_includes_only_our_hidden_folders(tmp_path):
    for name in [
        ".ci/run",
        ".venv/lib.py",
        "router/a.py",
        "router/__pycache__/a.pyc",
        "data/x",
        ".git/config",
        "tests/data/a",
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    seen = [str(path.relative_to(tmp_path)) for path in tree.list_files("*", root=tmp_path)]
    assert seen == [".ci/run", "router/a.py", "tests/data/a"]


def test_code_catches_undecodable_msgspec_bytes():
    """``msgspec.DecodeError`` doesn't cover text that isn't UTF-8, or JSON that is nested too deeply."""
    allowed = {"router/domain/undecodable.py", "router/sources/body.py", "router/sources/repairs.py"}
    found = {
        str(path.relative_to(tree.ROOT))
        for path in tree.list_python_files("router")
        if "msgspec.DecodeError" in path.read_text()
    }
    assert found - allowed == set()
