"""Status pages in HTML as customers see them, with arbitrary content."""

from router.simulator import pages, vendor

HOSTILE = '<script>alert("x")</script>&'


def page(*posts: vendor.Post, components=(("Shop", "Checkout API", "operational"),)) -> vendor.Page:
    return vendor.Page("acme", "Acme", tuple(components), tuple(posts))


def post(title: str = "Checkout is down", *, resolved: bool = False, text: str = "We look.") -> vendor.Post:
    updates = (vendor.Update(1_750_000_000_000_000, "investigating", text),)
    return vendor.Post("p1", title, "investigating", "critical", resolved, (("Checkout API", "major outage"),), updates)


def test_page_without_open_posts_is_operational():
    html = pages.page(page(), "devhelm")
    assert "All systems operational" in html
    assert "Past incidents" not in html


def test_open_post_is_in_banner_and_resolved_below():
    html = pages.page(page(post("Checkout is down"), post("Search was slow", resolved=True)), "devhelm")
    assert '<div class="banner bad">Checkout is down</div>' in html
    assert html.index("Past incidents") < html.index("Search was slow")
    assert "2025-06-15 15:06:40 UTC" in html


def test_page_content_is_escaped():
    hostile = page(post(HOSTILE, text=HOSTILE), components=[(HOSTILE, HOSTILE, HOSTILE)])
    for html in (pages.page(hostile, HOSTILE), pages.index({HOSTILE: [hostile]})):
        assert "<script>" not in html


def test_index_links_every_page_with_its_state():
    html = pages.index({"devhelm": [page(post())], "incident-io": [page()]})
    assert 'href="/pages/devhelm/acme"' in html
    assert 'href="/pages/incident-io/acme"' in html
    assert "1 open" in html
    assert "operational" in html


def test_states_have_a_color_and_a_name():
    states = [("", "a", "operational"), ("", "b", "partial outage"), ("", "c", "degraded performance")]
    html = pages.page(page(components=states), "devhelm")
    for colour, word in [("good", "operational"), ("bad", "partial outage"), ("warn", "degraded performance")]:
        assert f'<span class="{colour}">{word}</span>' in html
