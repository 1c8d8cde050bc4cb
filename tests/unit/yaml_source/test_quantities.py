import re

import hypothesis
import pydantic
import pytest
from hypothesis import strategies as st

from router.yaml_source import quantities

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), (0, 0), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("1w", 604_800), ("250ms", 0.25)],
)
def test_duration_is_read_as_microseconds(text, seconds):
    assert quantities.duration(text) == seconds * SECOND


@pytest.mark.parametrize("text", ["", "90", 90, "s", "-5m", "5 m", "5m!", "1.5h", "five", True, None, "٣s"])
def test_invalid_duration_is_refused(text):
    with pytest.raises(ValueError, match="such as 90s, 5m, 1h30m, or 2d"):
        quantities.duration(text)


@pytest.mark.parametrize(
    ("text", "right"), [("0", True), ("90s", True), ("1h30m", True), ("90", False), ("5m!", False)]
)
def test_duration_schema_allows_every_valid_duration(text, right):
    zero, written = pydantic.TypeAdapter(quantities.Duration).json_schema()["anyOf"]
    assert zero["const"] == 0
    assert bool(re.search(written["pattern"], text)) is right


@pytest.mark.parametrize(
    ("text", "count"), [("17", 17), (17, 17), ("500kB", 500_000), ("256MiB", 256 * 2**20), ("1 GiB", 2**30)]
)
def test_size_is_read_as_bytes(text, count):
    assert quantities.size(text) == count


@pytest.mark.parametrize("text", ["", "many", "1.5MiB", "-1", "5mb", True, "٣"])
def test_invalid_size_is_refused(text):
    with pytest.raises(ValueError, match="such as 500kB, 256MiB, or 1GiB"):
        quantities.size(text)


@hypothesis.given(milliseconds=st.integers(min_value=0, max_value=10**9))
def test_displayed_duration_parses_to_the_same_duration(milliseconds):
    shown = quantities.format_duration(milliseconds * 1000)
    assert quantities.duration(shown) == milliseconds * 1000


def test_models_accept_durations_and_sizes():
    class Model(pydantic.BaseModel):
        after: quantities.Duration = 0
        most: quantities.Size = 0

    made = Model.model_validate({"after": "1m", "most": "1KiB"})
    assert (made.after, made.most) == (60 * SECOND, 1024)
    with pytest.raises(pydantic.ValidationError, match="as 90s, 5m"):
        Model.model_validate({"after": "soon"})
