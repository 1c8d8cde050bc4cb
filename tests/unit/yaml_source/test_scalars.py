import pytest

from router.yaml_source import scalars


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("12", 12),
        ("-3", -3),
        ("+4", 4),
        ("007", 7),
        ("0o17", 15),
        ("0x1f", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-1e3", -1000.0),
        ("1.", 1.0),
    ],
)
def test_core_schema_scalars_are_read(text, value):
    assert scalars.value(text) == value
    assert type(scalars.value(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["yes", "no", "on", "off", "NO", "1:30", "2031-05-01", "1_000", "-", ".", "+", "1.2.3", "nan", ".inf", "e5"]
)
def test_yaml_1_1_special_values_remain_text(text):
    assert scalars.value(text) == text


def test_number_with_thousands_of_digits_remains_text():
    text = "9" * 5000
    assert scalars.value(text) == text
