"""Every command that changes shared state records who acts and why."""

import pytest

from tests.structure.test_command_reference import COMMANDS, SHOWS, list_options

CHANGES_NOTHING = {
    *(words for words in COMMANDS if words.rpartition(" ")[2] in SHOWS),
    # Start processes, which the configuration controls.
    "run", "web", "worker", "simulate", "demo",
    # Read only, or write only local files.
    "check", "test", "explain", "schema", "publishing status", "sources parse", "sources snippet", "rules declare",
    "deliveries export", "deliveries replay",
    # Send data that is marked as a test.
    "sources send", "notifiers test",
}  # fmt: skip
CHANGES = sorted(set(COMMANDS) - CHANGES_NOTHING)


def test_listed_commands_exist():
    assert set(COMMANDS) >= CHANGES_NOTHING


@pytest.mark.parametrize("words", CHANGES)
def test_command_that_changes_something_takes_actor_and_reason(words):
    assert list_options(words) >= {"--by", "--reason"}
