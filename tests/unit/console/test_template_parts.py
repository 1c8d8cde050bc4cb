"""Comparison templates: only differences are shown, with both sides, and hostile text is escaped."""

import re
import urllib.parse

import jinja2
import pytest


@pytest.fixture
def part():
    environment = jinja2.Environment(loader=jinja2.PackageLoader("router.console"), autoescape=True)
    environment.filters["link"] = urllib.parse.quote
    return environment.get_template("parts.html").module


def get_words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_update_shows_changes_with_before_and_after(part):
    before = {"title": "It is slow", "message": "We look.", "components": {"API": "degraded_performance"}}
    after = {"title": "It is down", "message": "We look.", "components": {"API": "full_outage"}, "page": "EU"}
    assert get_words(part.changes(before, after)) == (
        "Changes title before: It is slow now: It is down "
        "components before: API: degraded performance now: API: full outage page before: none now: EU"
    )


def test_update_invisible_to_customers_is_labeled(part):
    assert get_words(part.changes({"title": "It is slow"}, {"title": "It is slow"})) == (
        "Changes none Customers read the same text as before."
    )


def test_comparison_shows_only_fields_that_differ(part):
    shown = {"name": "n", "summary": "old", "gone": "g"}
    assert get_words(part.compared(shown, {"name": "n", "summary": "new", "added": True})) == (
        "field observed desired summary old new added none yes gone g none"
    )


@pytest.mark.parametrize("macro", ["changes", "compared"])
def test_hostile_text_is_escaped(part, macro):
    told = getattr(part, macro)({"title": "<script>1</script>"}, {"title": "<img src=x onerror=1>"})
    assert "<script" not in told
    assert "<img" not in told
