"""An operator acknowledges an incident and takes a review on a touch screen, and other visitors see it."""

import pytest
from playwright.sync_api import expect

from tests.browser import stage
from tests.end_to_end import harness

pytestmark = pytest.mark.debian("chromium")
PHONE = {"viewport": stage.PHONE, "has_touch": True, "is_mobile": True}


def test_incident_is_acknowledged_and_withdrawn(console, visit):
    console.send_alert("ack")
    waits = console.waiting("ack")
    visitor = visit(**PHONE)
    visitor.page.goto(f"{console.url}/incident?key={stage.quote_url(waits['incident'])}")
    about = visitor.page.get_by_role("region", name="Acknowledgement")
    about.get_by_label("Note").fill("on it")
    about.get_by_role("button", name="Acknowledge").tap()
    expect(visitor.page.get_by_role("status")).to_have_text("Acknowledged. Reminders stop.")
    expect(about).to_contain_text("Acknowledged by first try at")
    shown = console.ask(f"/incidents/{stage.quote_url(waits['incident'])}")[1]
    assert shown["acknowledgement"]["reason"] == "on it"
    about.get_by_text("Withdraw").first.tap()
    about.get_by_role("button", name="Withdraw").tap()
    expect(about).to_contain_text("Not acknowledged.")


def test_claimed_review_can_still_be_decided(console, visit):
    console.send_alert("take")
    console.waiting("take")
    visitor = visit(**PHONE)
    visitor.page.get_by_role("link", name="Reviews").tap()
    review = visitor.page.get_by_role("article").filter(has_text='"take"')
    review.get_by_role("button", name="Take for 15 minutes").tap()
    expect(review).to_contain_text("first try is working on this review until")
    assert console.waiting("take")["taken_by"] == "first try"
    review.get_by_role("button", name="Dismiss").tap()
    expect(visitor.page.get_by_role("status")).to_have_text("Dismissed. The post is not published.")
    harness.eventually("the review is not pending", lambda: '"take"' not in str(console.ask("/reviews")[1]["items"]))
