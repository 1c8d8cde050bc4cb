"""Text comparison ignores a vendor's markup and whitespace changes, but not changed words."""

import pytest

from router.domain import texts
from router.simulator import awkward

TEXT = "We don't know why - yet:\n\n- payments & refunds\n- the `job_queue`  (all of it)\n\nSorry <5 minutes>."
STYLES = ["strip", "fold", "crlf", "escape", "bullets", "paragraph", "backslash"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("further", STYLES)
def test_text_rewritten_by_a_vendor_is_equal(style, further):
    rewritten = awkward.normalize_texts({"body": TEXT}, style, 60)
    assert texts.alike(awkward.normalize_texts(rewritten, further, 60)["body"], TEXT)
    assert texts.mark(rewritten["body"]) == texts.mark(TEXT)


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("payments", "payouts"),
        TEXT.replace("(all of it", "(some of it"),
        TEXT.replace("don't", "do"),
        TEXT + " More soon.",
        TEXT.replace("Sorry ", ""),
        TEXT.replace("<5", "<6"),
        TEXT.replace("yet:", "yet!"),
        "",
    ],
)
def test_changed_words_are_an_edit(other):
    assert not texts.alike(other, TEXT)
    assert texts.mark(other) != texts.mark(TEXT)


def test_comparison_signs_are_not_markup():
    assert texts.canonical("if a<b and c>d") == "if a<b and c>d"


@pytest.mark.parametrize("length", [25, 60, len(TEXT) - 1])
def test_truncated_text_is_recognized_by_its_beginning(length):
    assert texts.is_cut(TEXT[:length], TEXT)
    assert texts.is_cut(TEXT[:length] + "…", TEXT)
    assert not texts.is_cut("X" + TEXT[:length], TEXT)


def test_short_text_is_not_a_truncation():
    assert not texts.is_cut("We don't know", TEXT)


def test_title_has_one_line():
    assert texts.title(" Unavailable  in \n") == "Unavailable in"
