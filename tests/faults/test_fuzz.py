"""Every target of `make fuzz`, in a process with limits on memory and time."""

import pytest

from tests.fuzz import runs


@pytest.mark.timeout(900)
def test_targets_handle_bad_inputs_within_limits():
    found = list(runs.run(40.0, 20261130, list(runs.list_targets())))
    assert [(one.target, one.examples) for one in found if one.finds] == []
    assert all(one.tried for one in found)
