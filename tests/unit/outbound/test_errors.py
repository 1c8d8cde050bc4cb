"""Error classes: each determines the next step, and the diagram at the top of the module is correct."""

import inspect
import re

import pytest

from router.outbound import errors


def test_diagram_contains_every_error_class():
    drawn = set(re.findall(r"^(?:[│ ]*[├└]── )?([A-Z]\w+)", errors.__doc__.partition("\n\n")[2], re.MULTILINE))
    defined = {name for name, member in inspect.getmembers(errors, inspect.isclass) if not name.startswith("_")}
    assert drawn == defined


@pytest.mark.parametrize(
    "kind", [errors.Temporary, errors.Denied, errors.Throttled, errors.Unanswered, errors.Permanent]
)
def test_failure_text_is_its_message(kind):
    failure = kind("the vendor was not reached")
    assert str(failure) == failure.message == "the vendor was not reached"
    assert isinstance(failure, errors.Failure)


def test_unknown_parts_of_a_rejection_are_empty():
    refusal = errors.Permanent("no")
    assert (refusal.status, refusal.field, refusal.request_id) == (0, "", "")
