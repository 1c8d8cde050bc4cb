"""Lists of tags and of key-value pairs as labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.sources import pairs


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["env:prod", "team=web", "critical"], {"env": "prod", "team": "web", "critical": "true"}),
        ("env:prod, team = web,,critical", {"env": "prod", "team": "web", "critical": "true"}),
        ('["env:prod"]', {"env": "prod"}),
        ([{"key": "env", "value": "prod"}], {"env": "prod"}),
        ([{"name": "env", "value": 7}, {"label": "b", "value": None}], {"env": "7", "b": "true"}),
        ([{"tag": "env", "value": "prod"}, {"k": "a", "v": "b"}], {"env": "prod", "a": "b"}),
        (
            [{"key": "service.name", "value": {"stringValue": "shop"}}, {"key": "n", "value": {"intValue": "3"}}],
            {"service.name": "shop", "n": "3"},
        ),
        ([{"key": "a", "value": {"other": 1}}], {"a": '{"other":1}'}),
        ([{"env": "prod"}, {"team": "web"}], {"env": "prod", "team": "web"}),
        ([{"a": "1", "b": "2"}, {}, None, [], ["x"]], {}),
        (["url=https://x.example/a:b"], {"url": "https://x.example/a:b"}),
        ([":lonely", "=lonely2", "empty:"], {"lonely": "true", "lonely2": "true", "empty": "true"}),
        (["a:1", "a:2"], {"a": "1,2"}),
        ([7, True, 1.5], {"7": "true", "true": "true", "1.5": "true"}),
        ("[" * 100_000, {}),
        ("", {}),
        (None, {}),
        (7, {}),
        ({"a": "b"}, {}),
    ],
)
def test_tags_and_pairs_become_labels(value, expected):
    assert pairs.labels(value) == expected


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3) | st.text(max_size=9) | st.none())
)
def test_any_list_gives_only_named_labels(value):
    for name, text in pairs.labels(value).items():
        assert name == name.strip() != ""
        assert text
