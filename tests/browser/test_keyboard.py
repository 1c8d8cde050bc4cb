"""Sign-in and reviews with Tab and Enter only, and a focus that is always visible."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.debian("chromium")
_FOCUS = """() => {
    const one = document.activeElement;
    const name = one.getAttribute("aria-label") ?? one.labels?.[0]?.textContent ?? one.textContent ?? "";
    return [one.tagName, name.trim(), getComputedStyle(one).outlineStyle];
}"""


def tab_to(page, tag, name):
    """Press Tab until the element has the focus. Every element on the way must show its focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        found, text, outline = page.evaluate(_FOCUS)
        assert found == "BODY" or outline != "none", f"the focus on {found} {text!r} can't be seen"
        if found == tag and text.startswith(name):
            return
    raise AssertionError(f"no {tag} {name!r} is reached by Tab")


def test_reviewer_signs_in_and_approves_by_keyboard(console, visit_signed_out):
    console.send_alert("keyboard")
    console.waiting("keyboard")
    visitor = visit_signed_out()
    page = visitor.open_page("/reviews")
    tab_to(page, "INPUT", "Token")
    page.keyboard.type(console.token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Reviews")).to_be_visible()
    before = page.get_by_role("article").count()
    tab_to(page, "BUTTON", "Approve")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Approved. The post is being published.")
    expect(page.get_by_role("article")).not_to_have_count(before)


def test_first_tab_stop_skips_to_the_content(console, visit):
    page = visit().open_page("/rules")
    page.keyboard.press("Tab")
    assert page.evaluate(_FOCUS)[1] == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_wrong_token_is_reported_and_can_be_corrected(console, visit_signed_out):
    visitor = visit_signed_out()
    page = visitor.open_page("/sign-in")
    page.get_by_label("Token").fill("irt_nobody_knows")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Invalid or expired token")
    assert "401" in visitor.wrong.pop()
    page.get_by_label("Token").fill(console.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
