"""The reference of events and their JSON Schema match the event types."""

from tests.structure import event_reference


def test_reference_and_schema_are_current():
    """Run `make golden` after a change of the event types."""
    assert event_reference.PAGE.read_text() == event_reference.page()
    assert event_reference.SCHEMA.read_text() == event_reference.schema()
