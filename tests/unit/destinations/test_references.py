"""References are recognized wherever they are written, and no other text is mistaken for one."""

import pytest

from router.destinations import references

REFERENCES = ["IR-4R3YMT7A", "IR-4R3YMT7A-A1B4T9"]


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("text", ["", "5xx above 20%", "x" * 600, "* a\n* b"])
def test_reference_of_a_signed_text_is_found(reference, text):
    assert references.find_in_text(references.add_footer(text, reference)) == reference


@pytest.mark.parametrize("reference", REFERENCES)
def test_reference_of_a_tagged_title_is_found(reference):
    assert references.find_in_title(references.add_tag("Down", reference)) == reference
    assert references.find_in_title(f"Down [{reference}]") == reference


@pytest.mark.parametrize(
    "text",
    ["", "Down", "see IR-4R3YMT7A", "Reference: IR-4R3YMT7", "xReference: IR-4R3YMT7A", "[IR-4R3YMT7L] Down",
     "a [IR-4R3YMT7A] b", "a Reference: IR-4R3YMT7A b", "Reference: IR-4R3YMT7A-A1B4T9X"],
)  # fmt: skip
def test_text_without_a_valid_reference_has_none(text):
    assert references.find_in_text(text) == references.find_in_title(text) == ""
