"""Pages update without a reload, and an update never discards what the user is typing."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.debian("chromium")


def test_new_incident_appears_without_a_reload(console, visit):
    page = visit().open_page("/incidents")
    page.evaluate("window.stayed = true")
    console.send_alert("live", service="search-live", title="The search answers 500")
    expect(page.get_by_role("link", name="The search answers 500")).to_be_visible(timeout=20_000)
    assert page.evaluate("window.stayed") is True


def test_every_open_browser_shows_a_new_incident(console, visit):
    first, second = visit().open_page("/incidents"), visit().open_page("/")
    console.send_alert("both", service="both", title="Seen by two")
    for page in (first, second):
        expect(page.get_by_role("link", name="Seen by two")).to_be_visible(timeout=20_000)


def test_update_does_not_interrupt_typing(console, visit):
    console.send_alert("typing")
    console.waiting("typing")
    page = visit().open_page("/reviews")
    review = page.get_by_role("article").filter(has_text='"typing"')
    why = review.get_by_label("Reason")
    why.fill("half a sen")
    console.send_alert("meanwhile")
    console.waiting("meanwhile")
    expect(page.get_by_role("button", name="Show changes")).to_be_visible(timeout=20_000)
    assert why.input_value() == "half a sen"
    why.press_sequentially("tence")
    assert why.input_value() == "half a sentence"
    page.get_by_role("button", name="Show changes").click()
    expect(page.get_by_role("article").filter(has_text='"meanwhile"')).to_be_visible()


def test_deadline_counts_down(console, visit):
    console.send_alert("deadline")
    console.waiting("deadline")
    page = visit().open_page("/reviews")
    left = page.get_by_role("article").filter(has_text='"deadline"').locator("[data-until]")
    expect(left).to_have_text("1 h 59 min")


def test_expired_session_stops_the_live_page_visibly(console, visit):
    visitor = visit()
    page = visitor.open_page("/incidents")
    visitor.context.clear_cookies()
    console.send_alert("over", service="over", title="Seen by no one")
    again = page.get_by_role("button", name="This page is out of date. Reload it.")
    expect(again).to_be_visible(timeout=20_000)
    again.click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.url.endswith("/sign-in?to=%2Fincidents")
    refused = [one for one in visitor.wrong if "401" in one or "Response Status Error" in one]
    assert refused == visitor.wrong
    visitor.wrong.clear()
