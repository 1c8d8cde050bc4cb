"""Every file in tests/data/rules is a case: a good one loads, a bad one is refused with the messages it announces."""

import pathlib

import pytest

from router.rules import load
from router.rules.conditions import registry

FOLDER = pathlib.Path(__file__).parents[2] / "data" / "rules"
GOOD = sorted(FOLDER.glob("*.good.yaml"))
BAD = sorted(FOLDER.glob("*.bad.yaml"))
MARK = "# expected: "


def alone(path, folder):
    made = folder / "rules"
    made.mkdir()
    (made / path.name).write_bytes(path.read_bytes())
    return made


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_good_file_is_loaded(path, destinations, tmp_path):
    assert load.load(alone(path, tmp_path), destinations).rules


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_a_bad_file_is_refused_with_every_message_it_announces(path, destinations, tmp_path):
    lines = path.read_text().splitlines()
    expected = sorted(line.removeprefix(MARK) for line in lines if line.startswith(MARK))
    with pytest.raises(load.Refused) as refused:
        load.load(alone(path, tmp_path), destinations)
    told = sorted(f"{one.line}:{one.column}: {one.message}" for one in refused.value.problems)
    assert told == expected


@pytest.mark.parametrize("name", registry.CONDITIONS)
def test_every_condition_has_a_good_and_a_bad_case(name):
    assert (FOLDER / f"{name}.good.yaml").is_file()
    assert (FOLDER / f"{name}.bad.yaml").is_file()
