"""Reviews on a phone, from the webhook to the public page: approve, edit, dismiss, and concurrent decisions."""

import pytest
from playwright.sync_api import expect

from tests.browser import stage
from tests.end_to_end import harness

pytestmark = pytest.mark.debian("chromium")
PHONE = {"viewport": stage.PHONE, "has_touch": True, "is_mobile": True}


def open_review_on_phone(visit, console, case):
    """Return a visitor on a phone who opened the reviews, and the review of this case."""
    console.send_alert(case)
    console.waiting(case)
    visitor = visit(**PHONE)
    visitor.page.get_by_role("link", name="Reviews").tap()
    return visitor, visitor.page.get_by_role("article").filter(has_text=f'"{case}"')


def expect_decision(visitor, words):
    expect(visitor.page.get_by_role("status")).to_have_text(words)


def get_newest_post(console, visitor):
    """Return the newest post on the public page."""
    visitor.page.goto(f"{console.simulator}/pages/incident-io/acme-status")
    return visitor.page.locator("article p").first.text_content()


def events(console, case):
    (key,) = [item["key"] for item in console.ask("/incidents?status=all")[1]["items"] if f'"{case}"' in item["key"]]
    return [event["text"] for event in console.ask(f"/incidents/{stage.quote_url(key)}")[1]["timeline"]]


def test_approval_publishes_the_exact_text(console, visit):
    visitor, review = open_review_on_phone(visit, console, "tap")
    seen = review.get_by_role("group", name="Preview for customers").locator(".message").text_content()
    assert seen == stage.MESSAGE
    before = len(console.shown(stage.TITLE))
    review.get_by_role("button", name="Approve").tap()
    expect_decision(visitor, "Approved. The post is being published.")
    harness.eventually("the page shows the post", lambda: len(console.shown(stage.TITLE)) > before)
    assert stage.MESSAGE in get_newest_post(console, visitor)


def test_approval_publishes_the_edited_text(console, visit):
    visitor, review = open_review_on_phone(visit, console, "words")
    review.get_by_text("Edit the text").tap()
    review.get_by_label("Title").fill("Paying is slow & we know")
    review.get_by_label("Message").fill('Own words: "quoted" <i>plain</i>')
    review.get_by_role("button", name="Approve").tap()
    expect(visitor.page.get_by_role("status")).to_contain_text("Approved. The post is being published.")
    harness.eventually("the page shows the post", lambda: console.shown("Paying is slow & we know"))
    assert 'Own words: "quoted" <i>plain</i>' in get_newest_post(console, visitor)


def test_dismissed_post_stays_hidden_with_its_reason(console, visit):
    visitor, review = open_review_on_phone(visit, console, "dismiss")
    review.get_by_label("Reason").fill("only our own office")
    review.get_by_role("button", name="Dismiss").tap()
    expect_decision(visitor, "Dismissed. The post is not published.")
    expect(review).to_have_count(0)
    words = "Dismissed at public-page by first try: only our own office"
    harness.eventually("the timeline has the dismissal", lambda: words in events(console, "dismiss"))


def test_late_reviewer_sees_the_first_decision(console, visit):
    visitor, review = open_review_on_phone(visit, console, "race")
    expect(review).to_be_visible()
    waits = console.waiting("race")
    wanted = {"incident": waits["incident"], "destination": waits["destination"], "seen": waits["digest"]}
    status, answer = console.ask("/review", {**wanted, "decision": "dismiss", "reason": "mine"})
    assert status == 200, answer
    review.get_by_role("button", name="Approve").tap()
    expect(visitor.page.get_by_role("alert")).to_contain_text("first try decided first")
    assert "412" in visitor.wrong.pop()  # The browser's console reports every status above 400.


def test_review_buttons_are_large_enough_for_touch(console, visit):
    visitor, review = open_review_on_phone(visit, console, "thumb")
    for name in ("Approve", "Dismiss"):
        box = review.get_by_role("button", name=name).bounding_box()
        assert box["height"] >= 48
        assert box["width"] >= 140
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= stage.PHONE["width"]
