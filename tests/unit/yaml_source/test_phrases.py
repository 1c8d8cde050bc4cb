"""Messages about invalid values name no Python types."""

import datetime as dt
import re
from typing import Literal

import pydantic
import pytest
from pydantic_core import _pydantic_core

from router.yaml_source import phrases

FOREIGN = re.compile(
    r"\b(input|string|dictionary|inputs) should\b|Field required|Extra inputs|Value error", re.IGNORECASE
)
KINDS = [one for one in _pydantic_core.list_all_errors() if "should" in one["example_message_python"]]


class Sample(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    text: str = pydantic.Field("", min_length=1, max_length=3)
    items: list[str] = pydantic.Field([], min_length=2, max_length=1)
    number: int = pydantic.Field(1, gt=0, le=5)
    choice: Literal["a", "b"] = "a"
    at: dt.datetime | None = None
    even: int = 0

    @pydantic.field_validator("even")
    @classmethod
    def _must_be_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("Odd numbers aren't allowed")
        return value


@pytest.mark.parametrize("one", KINDS, ids=lambda one: one["type"])
def test_no_error_message_names_python_types(one):
    limits = dict.fromkeys(("min_length", "max_length"), 2)
    told = phrases.phrase({"type": one["type"], "msg": one["example_message_python"], "ctx": limits})
    assert not FOREIGN.search(told)
    assert told[0].islower()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"text": ""}, "must not be empty"),
        ({"text": "long"}, "expected at most 3 characters"),
        ({"items": ["a"]}, "expected at least 2 entries"),
        ({"number": 0}, "must be greater than 0"),
        ({"number": 1.5}, "expected a whole number"),
        ({"choice": "c"}, "must be 'a' or 'b'"),
        ({"at": "soon"}, "must be a valid datetime or date, input is too short"),
        ({"even": 1}, "odd numbers aren't allowed"),
        ({"other": 1}, "unknown key"),
    ],
)
def test_phrases_describe_the_allowed_values(given, told):
    with pytest.raises(pydantic.ValidationError) as refused:
        Sample.model_validate(given)
    assert [phrases.phrase(error) for error in refused.value.errors()] == [told]
