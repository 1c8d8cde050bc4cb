"""The console shows hostile texts of senders, and executes none of them."""

import pytest

from tests.browser import hostile

pytestmark = pytest.mark.debian("chromium")


def links(page):
    return page.evaluate("[...document.querySelectorAll('a[href], form')].map((one) => one.href ?? one.action)")


def test_script_in_alert_text_is_not_executed(full, visit):
    visitor = visit()
    shown = 0
    for path in full:
        page = visitor.open_page(path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate(hostile.MARK) is None, path
        assert page.locator("img, svg[onload], main script").count() == 0, path
        assert [link for link in links(page) if not link.startswith("http")] == [], path
        assert visitor.problems() == [], path
        shown += hostile.EVIL in (page.locator("main").text_content() or "")
    assert shown >= 9  # The text is shown unchanged.


def test_hostile_link_is_not_rendered(full, visit):
    visitor = visit()
    (path,) = [one for one in full if one.startswith("/delivery?")]
    page = visitor.open_page(path)
    assert page.get_by_role("link", name="tap").count() == 0
    assert hostile.LINK not in "".join(links(page))


def test_search_input_is_returned_as_text(full, visit):
    page = visit().open_page("/incidents", text=hostile.EVIL)
    assert page.get_by_label("Text in key").input_value() == hostile.EVIL


def test_playground_explains_a_hostile_payload(console, visit):
    visitor = visit()
    page = visitor.open_page("/playground")
    page.get_by_label("Source").select_option("json")
    body = f'{{"title": {hostile.json_text(hostile.EVIL)}, "status": "firing", "labels": {{"service": "checkout"}}}}'
    page.get_by_label("Payload").fill(body)
    page.get_by_role("button", name="Explain").click()
    page.get_by_role("heading", name="With the active rules").wait_for()
    assert hostile.EVIL in page.locator("main").text_content()
    assert page.get_by_label("Payload").input_value() == body
    assert page.evaluate(hostile.MARK) is None
