import time

import pytest

from router.domain import visible


@pytest.mark.parametrize(
    "text",
    [
        "Checkout is down",
        "Élèves, Übergrößen und 北京: tout va bien — 100 %.",
        "Line one\nline two\tand a tab",
        "\N{WOMAN}\u200d\N{PERSONAL COMPUTER} works, 1\ufe0f\u20e3, \N{HEAVY BLACK HEART}\ufe0f",
        "\u0645\u06cc\u200c\u062e\u0648\u0627",
        "",
    ],
)
def test_visible_text_is_unchanged(text):
    assert visible.visible(text) == text


HIDDEN = [
    0x200B, 0x200C, 0x200D, 0x200E, 0x202E, 0x2066, 0x2069, 0xAD, 0x2060, 0xFEFF, 0x34F, 0x3164, 0x115F, 0x2800, 0xFE0F,
    0xFE00, 0x61C, 0xE0041, 0xE0101, 0x1B, 0, 0x7F, 0x9B, 0xE000,
]  # fmt: skip


@pytest.mark.parametrize("letter", [chr(code) for code in HIDDEN], ids=[hex(code) for code in HIDDEN])
def test_invisible_characters_are_removed(letter):
    assert visible.visible(f"10.0{letter}.0.7") == "10.0.0.7"
    assert visible.is_hidden(letter)


def test_line_endings_are_normalized():
    assert visible.visible("a\r\nb\u2028c\u2029d") == "a\nb\nc\nd"


def test_texts_are_cleaned_in_nested_values():
    assert visible.everywhere({"a\u200b": ["b\u202e", ("c\u2060", 1, None, True)]}) == {
        "a": ["b", ["c", 1, None, True]]
    }


def test_cleaning_takes_linear_time():
    started = time.thread_time()
    visible.visible("\u200b\u200d\u202e" * 100_000)
    visible.visible("\u200da" * 100_000)
    assert time.thread_time() - started < 1
