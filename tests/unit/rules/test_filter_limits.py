"""Limits on the time and memory of templates, for any template and any label."""

import time
import tracemalloc

import pytest

from router.rules import filter_limits, templates

LONG = "'" + "a" * 60 + "'"
GREEDY = {
    "replace": "{{ " + LONG + f" | replace: 'a', {LONG}" * 7 + " }}",
    "join": "{{ (1..9000000) | join }}",
    "size": "{{ (1..9000000) | size }}",
    "loop": "{% for i in (1..9000000) %}x{% endfor %}",
    "loops": "{% for i in (1..90000) %}{% for j in (1..90000) %}x{% endfor %}{% endfor %}",
    "table": "{% tablerow i in (1..9000000) %}x{% endtablerow %}",
    "round": "{{ 5 | round: -100000000 }}",
    "times": "{{ 9 " + "| times: 999999999 " * 40 + "}}",
    "assign": "{% assign a = " + LONG + " %}" + "{% assign a = a | append: a %}" * 40,
    "capture": "{% assign a = " + LONG + " %}" + "{% capture a %}{{a}}{{a}}{% endcapture %}" * 40,
    "concat": "{% assign a = 'a,b' | split: ',' %}" + "{% assign a = a | concat: a %}" * 40,
    "split": "{{ '" + "a," * 4_000 + "' | split: '' | uniq | join: ',' }}",
    "open": "{{" * 4_900,
    "tags": "{%" * 4_900,
    "blanks": "{{ " + " " * 9_900 + "x",
    "blanks within": "{{ " + " " * 9_900 + "x }}",
    "raw": "{% raw %}" * 1_100,
    "depth": "{% if true %}" * 400 + "x" + "{% endif %}" * 400,
    "brackets": "{{ " + "a[" * 2_000 + "1" + "]" * 2_000 + " }}",
    "long": "{{ alert.title }}" * 1_000,
}


@pytest.mark.parametrize("text", GREEDY.values(), ids=GREEDY.keys())
def test_expensive_template_is_refused_immediately(text):
    started = time.thread_time()
    tracemalloc.start()
    problems = templates.problems(text)
    rendered = templates.render({"title": text}, templates.sample(), "instead")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problems
    assert rendered == {"title": "instead"}
    assert peak < 32 * 2**20
    assert time.thread_time() - started < 3


@pytest.mark.parametrize("pump", ["<script", "<", "<!--", "&", "</", "<a ", "<style>", "<script></", "-->"])
def test_tags_are_stripped_in_linear_time(pump):
    text = pump * (filter_limits.MAX_CHARACTERS // len(pump))
    started = time.thread_time()
    filter_limits.strip_html(text)
    filter_limits.strip_html(text + ">")
    assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("<p>Down &amp; out</p>", "Down &amp; out"),
        ("a < b and c > d", "a < b and c > d"),
        ("x<!-- <b> -->y<SCRIPT>alert(1)</script >z<style>p{}</style>", "xyz"),
        ("never <b ends", "never <b ends"),
        ("<script>open", "open"),
        ("", ""),
    ],
)
def test_tags_are_stripped_and_text_stays(text, stripped):
    assert filter_limits.strip_html(text) == stripped


def test_ordinary_template_is_rendered():
    text = "{{ alert.annotations.x | replace: 'a', 'bb' | truncate: 20 | upcase }} {{ 'a,b' | split: ',' | join: '-' }}"
    assert templates.problems(text) == ()
    context = templates.sample()
    context["alert"]["annotations"] = {"x": "banana"}
    assert templates.render({"t": text}, context) == {"t": "BBBNBBNBB a-b"}
