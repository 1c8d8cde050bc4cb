"""Every command that changes what processes share says who acts and why."""

import pytest

from tests.structure.test_command_reference import COMMANDS, SHOWS, options

CHANGES_NOTHING = {
    *(words for words in COMMANDS if words.rpartition(" ")[2] in SHOWS),
    # Start processes, whose configuration says what they do.
    "run", "web", "worker", "simulate", "demo",
    # Read, or write files of this machine only.
    "check", "test", "explain", "schema", "publishing status", "sources parse", "sources snippet", "rules declare",
    "deliveries export", "deliveries replay",
    # Send something that is marked as a test.
    "sources send", "notifiers test",
}  # fmt: skip
CHANGES = sorted(set(COMMANDS) - CHANGES_NOTHING)


def test_listed_commands_exist():
    assert set(COMMANDS) >= CHANGES_NOTHING


@pytest.mark.parametrize("words", CHANGES)
def test_command_that_changes_something_takes_actor_and_reason(words):
    assert options(words) >= {"--by", "--reason"}
