"""Requirements for every page: accessibility, size, times in the viewer's time zone, and the selected theme."""

import re

import pytest
from axe_playwright_python import sync_playwright as axe
from playwright.sync_api import expect

from tests.browser import stage

pytestmark = pytest.mark.debian("chromium")
MOST_BYTES = 100_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [stage.WIDE, stage.PHONE], ids=["wide", "phone"])
def test_axe_finds_no_violation_and_pages_fit(full, visit, viewport, scheme):
    visitor = visit(viewport=viewport, color_scheme=scheme)
    found = []
    for path in ["/sign-in", *full]:
        page = visitor.open_page(path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        result = axe.Axe().run(page)
        found += [f"{path[:40]}: {result.generate_report()}"] if result.violations_count else []
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{path[:40]}: is {wide} wide"] if wide > viewport["width"] else []
    assert found == [], "\n".join(found)


def test_page_with_its_files_is_below_100_kb(full, visit):
    visitor = visit()
    weights = {}
    for path in full:
        page = visitor.open_page(path)
        loaded = "[...document.querySelectorAll('script[src], link[rel=stylesheet]')].map((one) => one.src || one.href)"
        parts = [page.request.get(url).body() for url in page.evaluate(loaded)]
        weights[path] = len(page.content().encode()) + sum(map(len, parts))
    assert {path[:40]: weight for path, weight in weights.items() if weight >= MOST_BYTES} == {}
    assert min(weights.values()) > 20_000  # The count covers scripts and styles.


def test_times_are_local_with_utc_as_title(full, visit):
    page = visit(timezone_id="Asia/Kolkata", locale="en-GB").open_page("/deliveries")
    time = page.locator("main time").first
    expect(time).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"))
    utc = time.get_attribute("title")
    shown = page.evaluate(
        "(utc) => new Date(utc.replace(' UTC', 'Z').replace(' ', 'T')).toLocaleTimeString('en-GB', "
        "{timeZone: 'Asia/Kolkata'})",
        utc,
    )
    assert shown in time.text_content()
    assert shown[:5] not in utc  # Kolkata's offset from UTC isn't a whole number of hours.


def test_selected_theme_persists(console, visit):
    visitor = visit(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = visitor.page.evaluate(ground)
    visitor.page.get_by_role("button", name="Switch theme").click()
    dark = visitor.page.evaluate(ground)
    assert dark != light
    assert visitor.open_page("/rules").evaluate(ground) == dark
    visitor.page.reload()
    assert visitor.page.evaluate(ground) == dark
