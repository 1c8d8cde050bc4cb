"""The simulated status pages as minimal HTML, without scripts and with everything escaped."""

import datetime as dt
from collections.abc import Mapping, Sequence
from html import escape

from router.simulator import vendor

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --warn: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; --warn: #d29922; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0 } h2 { margin-top: 2rem } a { color: inherit }
.banner { border-radius: .5rem; padding: .8rem 1rem; color: #fff; margin: 1rem 0 }
ul { list-style: none; padding: 0; border: 1px solid var(--line); border-radius: .5rem }
li { display: flex; justify-content: space-between; gap: 1rem; padding: .6rem 1rem; border-top: 1px solid var(--line) }
li:first-child { border-top: 0 } article { border-left: 4px solid var(--line); padding-left: 1rem; margin: 1rem 0 }
.good { color: var(--good) } .bad { color: var(--bad) } .warn { color: var(--warn) } small { opacity: .7 }
.banner.good { background: var(--good) } .banner.bad { background: var(--bad) }
.banner.good, .banner.bad { color: #fff; font-weight: 600 } p { margin: .3rem 0 } h3 { margin: .2rem 0 }
@media (prefers-color-scheme: dark) { .banner.good, .banner.bad { color: #000 } }
"""


def index(pages: Mapping[str, Sequence[vendor.Page]]) -> str:
    """Return a list of all pages of all vendors, with the number of open posts on each page."""
    items = [
        f'<li><a href="/pages/{escape(name)}/{escape(page.slug)}">{escape(page.name)}</a>'
        f"<span>{escape(name)} · {_open(page)}</span></li>"
        for name, of_vendor in pages.items()
        for page in of_vendor
    ]
    # Slack has no status pages, so no vendor lists it.
    items.append('<li><a href="/workspace">Simulated Slack</a><span>slack</span></li>')
    return document("Simulated status pages", f"<h1>Simulated status pages</h1><ul>{''.join(items)}</ul>")


def page(simulated_page: vendor.Page, vendor_name: str) -> str:
    """Return one status page: active posts, components, and past posts."""
    open_posts = [post for post in simulated_page.posts if not post.resolved]
    past_posts = [post for post in simulated_page.posts if post.resolved]
    banner = (
        f'<div class="banner bad">{escape(open_posts[0].title)}</div>'
        if open_posts
        else '<div class="banner good">All systems operational</div>'
    )
    parts = [f"<h1>{escape(simulated_page.name)}</h1><small>simulated at {escape(vendor_name)}</small>", banner]
    parts += [_post(post) for post in open_posts]
    parts.append(
        f"<h2>Components</h2><ul>{''.join(_component(*component) for component in simulated_page.components)}</ul>"
    )
    if past_posts:
        parts.append("<h2>Past incidents</h2>" + "".join(_post(post) for post in past_posts))
    return document(simulated_page.name, "".join(parts))


def _open(simulated_page: vendor.Page) -> str:
    count = sum(not post.resolved for post in simulated_page.posts)
    return f'<span class="bad">{count} open</span>' if count else '<span class="good">operational</span>'


def _component(group: str, name: str, status: str) -> str:
    label = f"<small>{escape(group)} /</small> {escape(name)}" if group else escape(name)
    return f'<li><span>{label}</span><span class="{_colour(status)}">{escape(status)}</span></li>'


def _post(post: vendor.Post) -> str:
    affected = ", ".join(f"{escape(name)}: {escape(status)}" for name, status in post.components)
    updates = "".join(
        f"<p><b>{escape(update.status)}</b> {escape(update.text)}<br><small>{_time(update.at)}</small></p>"
        for update in post.updates
    )
    impact = f" · {escape(post.impact)}" if post.impact else ""
    head = f"<h3>{escape(post.title)}</h3><small>{escape(post.status)}{impact}</small>"
    return f"<article>{head}{updates}{f'<small>{affected}</small>' if affected else ''}</article>"


def _colour(status: str) -> str:
    if status == "operational":
        return "good"
    return "bad" if "outage" in status else "warn"


def _time(at: int) -> str:
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def document(title: str, body: str, *, refreshes: bool = True) -> str:
    """Return a whole HTML document. It reloads every five seconds if it ``refreshes``."""
    refresh = '<meta http-equiv="refresh" content="5">' if refreshes else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width">{refresh}'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )
