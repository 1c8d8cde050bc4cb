"""The open items that each kind of destination lists after the router has lost its state."""

import pytest

from router.destinations import references, registry
from router.outbound import errors
from tests.contract import simulated_destinations
from tests.unit.destinations import scripted

REFERENCE = scripted.operation("open", {}).reference


@pytest.fixture
def world(simulator):
    simulated_destinations.reset(simulator)
    return simulated_destinations.World(simulator)


def list_open(world, kind):
    return world.run(kind, lambda destination: destination.list_open())


@simulated_destinations.each_kind
def test_open_item_is_listed_until_it_is_resolved(world, kind):
    opened = world.do(kind, "open")
    (item,) = list_open(world, kind)
    assert item.vendor_id == opened.vendor_id
    assert item.opened_at == scripted.OPENED_AT + 1_000_000
    assert item.reference == (REFERENCE if registry.KINDS[kind].has_references else "")
    assert "Checkout fails" in item.title
    world.do(kind, "resolve", at=opened.vendor_id)
    assert list_open(world, kind) == []


@simulated_destinations.each_kind
def test_listing_changes_nothing(world, kind):
    world.do(kind, "open")
    before = world.changes()
    list_open(world, kind)
    assert world.changes() == before


@pytest.mark.parametrize("kind", simulated_destinations.PAGES)
def test_post_on_another_destination_s_page_is_not_listed(world, kind):
    """Two destinations of an account have different pages. A post on a third page may belong to either."""
    opened = world.do(kind, "open")
    mine, other = simulated_destinations.PAGES[kind], "Acme EU"

    def listed_by(page, *others, **settings):
        result = world.run(kind, lambda destination: destination.list_open(others), page=page, **settings)
        return [item.vendor_id for item in result]

    assert listed_by(mine, other) == [opened.vendor_id]
    assert listed_by(other, mine) == []
    assert listed_by(other, mine.upper()) == []
    assert listed_by("", mine) == []
    assert listed_by(mine, mine, other) == [opened.vendor_id]
    assert listed_by(other, mine, defaults={"page": mine}) == [opened.vendor_id]
    assert listed_by(other, "No such page") == [opened.vendor_id]


@simulated_destinations.each_kind
def test_failed_listing_raises_a_failure(world, kind):
    world.do(kind, "open")
    world.fault(kind, "drop", method="GET", count=1000)
    with pytest.raises(errors.Failure):
        list_open(world, kind)


@simulated_destinations.each_kind
def test_item_without_reference_is_recognized_by_its_text(world, kind):
    """Items of a kind with references are never recognized by their text."""
    world.do(kind, "open")
    (item,) = list_open(world, kind)
    same, others = (
        scripted.operation("open", {**simulated_destinations.FIELDS[kind], **more})
        for more in ({}, {"message": "Slow."})
    )

    async def recognized(destination):
        return destination.recognizes(item, same), destination.recognizes(item, others)

    if registry.KINDS[kind].has_references:
        same = others = scripted.operation("open", simulated_destinations.FIELDS[kind])
        assert world.run(kind, recognized) == (False, False)
    else:
        assert world.run(kind, recognized) == (True, False)


# An alert has its reference in the deduplication key.
IN_TEXTS = [name for name, kind in registry.KINDS.items() if kind.has_references and name != "incident-io-alert"]


@pytest.mark.parametrize("kind", IN_TEXTS)
def test_item_created_by_a_person_is_not_listed(world, kind, monkeypatch):
    monkeypatch.setattr(references, "add_tag", lambda title, _reference: title)
    monkeypatch.setattr(references, "add_footer", lambda text, _reference: text or "Nothing")
    world.do(kind, "open")
    assert len(world.objects(kind)) == 1
    assert list_open(world, kind) == []
