"""Alerts of senders that send no resolution expire by the settings of their source."""

import json as standard_json

import pydantic
import pytest

from router.sources import base, json, registry

SECOND = 1_000_000
NOW = 1_772_450_000 * SECOND
FIRES = {"status": "firing", "title": "T"}


def source(resolve_after: str = "1h", **settings) -> base.Source:
    config = json.Config(auth="none", resolve_after=resolve_after, **settings)
    return registry.build("here", config).source


def parse(body, now: int = NOW, **settings):
    return source(**settings).parse(standard_json.dumps(body).encode(), {}, now)


def list_ends(body, now: int = NOW, **settings) -> list[int]:
    return [alert.ends_at for alert in parse(body, now, **settings).alerts]


def test_firing_alert_ends_within_sixteenth_of_resolve_after():
    for second in range(0, 4000, 100):
        now = NOW + second * SECOND
        (ends_at,) = list_ends(FIRES, now)
        assert 0 <= ends_at - now - 3600 * SECOND < 3600 * SECOND // 16


def test_repeats_mostly_have_the_same_end():
    assert len({list_ends(FIRES, NOW + second * SECOND)[0] for second in range(3600)}) <= 17


def test_resolved_alerts_and_own_ends_are_unchanged():
    resolved = {**FIRES, "status": "ok", "ends_at": 1_772_440_000}
    own = {**FIRES, "ends_at": 1_772_450_061}
    assert list_ends([resolved, own]) == [1_772_440_000 * SECOND, NOW + 61 * SECOND]


def test_alert_without_resolve_after_fires_until_resolved():
    assert list_ends(FIRES, resolve_after="0") == [0]
    assert not json.Config(auth="none").resolve_after


def test_rest_of_the_delivery_is_unchanged():
    read = parse([FIRES, 7])
    assert (len(read.alerts), read.rejected.where) == (1, "[1]")
    assert source().name == "here"
    with pytest.raises(base.Unparsable):
        parse({})


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_every_source_kind_accepts_resolve_after(kind):
    assert registry.KINDS[kind].config(auth="none", resolve_after="30m").resolve_after == 1800 * SECOND


def test_invalid_resolve_after_is_refused():
    with pytest.raises(pydantic.ValidationError, match="expected a duration"):
        json.Config(auth="none", resolve_after="soon")
