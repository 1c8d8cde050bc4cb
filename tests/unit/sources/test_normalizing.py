"""Titles have one line of visible characters. Links have a supported scheme."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import alerts
from router.sources import base, links, normalizing


class FixedSource:
    """A source with exactly these alerts."""

    name = "here"

    def __init__(self, *found: alerts.Alert) -> None:
        self.found = list(found)

    def parse(self, _body, _headers, _now, _max_alerts):
        return base.Parsed(self.found)


def alert(title: str = "t", link: str = "") -> alerts.Alert:
    return alerts.Alert("here", "f", "firing", 1, 0, title=title, link=link)


def parse(*found: alerts.Alert) -> base.Parsed:
    return normalizing.Normalizing(FixedSource(*found)).parse(b"", {}, 1)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Disk full on db-1: 97%", "Disk full on db-1: 97%"),
        ("two\r\nlines\tand\x0btabs", "two lines and tabs"),
        ("nul\x00 esc\x1b[31m", "nul esc[31m"),
        ("\u202egnp.exe\u202c \u2066x\u2069", "gnp.exe x"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("line\u2028separator\u0085next", "line separator next"),
        ("\u3164\u2800", ""),
        ("tag\U000e0041\U000e0042", "tag"),
        ("half \ud800 pair", "half pair"),
        ("soft\u00adhyphen", "softhyphen"),
        ("a\u200db", "ab"),
        ("👩\u200d👧 home", "👩\u200d👧 home"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("❤\ufe0f Überwachung 監視", "❤\ufe0f Überwachung 監視"),
        ("  padded\u00a0 ", "padded"),
    ],
)
def test_title_is_one_line_of_visible_text(title, shown):
    assert parse(alert(title)).alerts[0].title == shown


@given(st.text(max_size=40))
def test_no_title_has_controls_or_several_lines(title):
    shown = normalizing.clean_title(title)
    assert shown.splitlines() in ([], [shown])
    assert not any(letter < " " or "\u202a" <= letter <= "\u202e" for letter in shown)
    assert normalizing.clean_title(shown) == shown


@pytest.mark.parametrize(
    ("link", "followed"),
    [
        ("https://g.example/d/1", "https://g.example/d/1"),
        ("http://g.example", "http://g.example"),
        ("HTTPS://g.example/d", "https://g.example/d"),
        ("", ""),
        ("?orgId=1", ""),
        ("/d/1", ""),
        ("g.example/d/1", ""),
        ("//g.example/d", ""),
        ("javascript:alert(1)", ""),
        ("https:/[", ""),
    ],
)
def test_unusable_link_is_omitted_with_a_notice(link, followed):
    read = parse(alert(link=link), alert())
    assert read.alerts[0].link.replace("HTTPS", "https") == followed
    told = [(notice.code, notice.where, notice.fingerprint) for notice in read.notices]
    assert told == ([("field_ignored", "link", "f")] if link and not followed else [])


@pytest.mark.parametrize(
    ("link", "joined"),
    [
        ("?orgId=1", "https://g.example/sub/?orgId=1"),
        ("/d/1", "https://g.example/d/1"),
        ("d/1", "https://g.example/sub/d/1"),
        ("https://other.example", "https://other.example"),
        ("//[", ""),
        ("mailto:a@b.example", ""),
    ],
)
def test_relative_link_is_joined_to_the_sender_s_url(link, joined):
    assert links.absolute(link, "https://g.example/sub/") == joined


def test_normal_alerts_are_unchanged():
    found = [alert(), alert(link="https://g.example")]
    assert all(after is before for before, after in zip(found, parse(*found).alerts, strict=True))


def test_error_of_the_source_is_raised_unchanged():
    class Refuses:
        name = "here"

        def parse(self, *_):
            raise base.Unparsable("title", "none")

    with pytest.raises(base.Unparsable, match="title: none"):
        normalizing.Normalizing(Refuses()).parse(b"", {}, 1)
