"""Simulated vendors keep their state between runs, also across versions of the simulator."""

import pytest

from router.simulator import app, options, snapshot


@pytest.fixture
def vendors():
    return app.create_app(options.Options()).state.vendors


def test_snapshot_restores_the_vendors(vendors, tmp_path):
    vendors["incident-io"].subscribers = 7
    snapshot.save(vendors, tmp_path / "memory")
    loaded = snapshot.load(tmp_path / "memory")
    assert loaded["incident-io"].subscribers == 7


@pytest.mark.parametrize(
    ("name", "missing"), [("devhelm", ["channels"]), ("devhelm", ["_windows"]), ("incident-io", ["windows"])]
)
def test_attribute_of_later_version_gets_its_initial_value(vendors, tmp_path, name, missing):
    held = vendors[name]
    state = held._state
    for attribute in missing:
        del vars(held)[attribute]
    snapshot.save(vendors, tmp_path / "memory")
    loaded = snapshot.load(tmp_path / "memory")[name]
    assert all(hasattr(loaded, attribute) for attribute in missing)
    assert vars(loaded._state).keys() == vars(state).keys()


def test_state_of_an_earlier_version_is_completed(vendors, tmp_path):
    attribute = next(iter(vars(vendors["devhelm"]._state)))
    del vars(vendors["devhelm"]._state)[attribute]
    snapshot.save(vendors, tmp_path / "memory")
    assert hasattr(snapshot.load(tmp_path / "memory")["devhelm"]._state, attribute)


def test_unreadable_snapshot_is_ignored(tmp_path):
    (tmp_path / "memory").write_bytes(b"junk")
    assert snapshot.load(tmp_path / "memory") is None
