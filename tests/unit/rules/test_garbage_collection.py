"""Loading rules excludes rule objects from garbage collection and leaves no garbage."""

import asyncio
import gc
import json
import weakref

import pytest

from router.bootstrap import processes
from router.rules import garbage_collection, load, reload

RULES = [
    {"name": f"r{n}", "when": {"labels.service": f"s{n}", "severity": ["page", "critical"]}, "open": []}
    for n in range(1_500)
]


@pytest.fixture
def collections():
    """The garbage-collected generations since the start of the test."""
    found: list[int] = []

    def note(phase, details):
        if phase == "start":
            found.append(details["generation"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


@pytest.fixture
def thresholds():
    """Set Python's default thresholds during the test."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_loading_collects_only_young_objects(thresholds, collections):
    load.build(RULES, {})
    assert set(collections) <= {0}
    assert len(collections) < 10
    assert gc.get_threshold() == (700, 10, 10)


def test_thresholds_are_restored_after_a_failure(thresholds):
    with pytest.raises(load.RulesRefused):
        load.build([{"name": "r"}], {})
    assert gc.get_threshold() == (700, 10, 10)


def test_disabled_collector_stays_disabled(thresholds):
    gc.set_threshold(0)
    with garbage_collection.limit_collection():
        assert gc.get_threshold()[0] == 0
    assert gc.get_threshold()[0] == 0


def test_replaced_rules_need_no_garbage_collection():
    gc.collect()
    gc.disable()
    try:
        rules = load.build(RULES, {})
        freed = weakref.ref(rules)
        parts = rules.parts()
        assert len(parts) >= len(RULES) * 2
        del rules
        assert freed() is None
    finally:
        gc.enable()


class Webhooks:
    """A fake webhook server with the two functions that a reload replaces."""

    decide = labels_named = None


def write(folder, comment):
    (folder / "a.yaml").write_text(f"# {comment}\n{json.dumps({'rules': RULES})}")


def test_reload_frees_old_rules_without_full_collection(tmp_path, thresholds, collections):
    write(tmp_path, "first")
    webhooks = Webhooks()
    rules = reload.Rules(tmp_path, {}, changed=lambda loaded: processes.put_in_force(webhooks, loaded))
    processes.put_in_force(webhooks, rules.in_force)
    before, old = rules.in_force.version, weakref.ref(rules.in_force)
    write(tmp_path, "second")
    collections.clear()
    asyncio.run(rules.reload(lambda: 1.0))
    assert rules.in_force.version != before
    assert old() is None
    # asyncio.run may trigger collections of the youngest generations. Only a full collection scans all rules.
    assert 2 not in collections
    gc.unfreeze()
