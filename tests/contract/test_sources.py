"""The contract of every kind of source. To add a case, add a file to ``tests/data/sources/<kind>/``."""

import functools
import json
from pathlib import Path

import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import alerts
from router.sources import base, reading, registry

DATA = Path(__file__).parent.parent / "data" / "sources"
CASES = sorted(DATA.glob("*/*.json"))
KINDS = sorted(registry.KINDS)
NOW = 1_772_450_000_000_000
TEN_YEARS = 10 * 365 * 86_400_000_000

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def source(kind: str, settings: dict | None = None) -> base.Source:
    return built(kind, json.dumps(settings or {}))


@functools.cache
def built(kind: str, settings: str) -> base.Source:
    """Return one source for all bodies, as in the router."""
    config = registry.KINDS[kind].config(kind=kind, auth="none", **json.loads(settings))
    return registry.build("here", config).source


@functools.cache
def load_cases(kind: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in CASES if path.parent.name == kind]


def parse_case(kind: str, case: dict, body: bytes | None = None) -> base.Parsed:
    body = json.dumps(case["body"]).encode() if body is None else body
    return source(kind, case.get("settings")).parse(body, {}, case.get("now", NOW))


def check_survival(kind: str, body: bytes, settings: dict | None = None) -> None:
    """Assert that a body gives storable alerts or an explanation."""
    problem = None
    found = []
    try:
        found = source(kind, settings).parse(body, {}, NOW).alerts
    except base.Unparsable as error:
        problem = error
    assert problem is None or msgspec.json.decode(msgspec.json.encode([problem.where, problem.problem]))[1]
    for alert in found:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(alert), type=alerts.Alert) == alert
        assert alert.fingerprint
        assert alert.starts_at > 0
        assert alert.ends_at > NOW or (alert.ends_at == 0 if alert.status == "firing" else alert.ends_at > 0)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_body_becomes_the_expected_alerts(path):
    case = json.loads(path.read_text())
    found = parse_case(path.parent.name, case)
    assert [msgspec.structs.asdict(alert) for alert in found.alerts] == [
        {"source": "here", "origin": alert.origin, **expected}
        for alert, expected in zip(found.alerts, case["alerts"], strict=True)
    ]
    assert found.truncated == case.get("truncated", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_firing_and_resolved_samples_share_a_fingerprint(kind):
    seen = {
        status: {
            alert["fingerprint"] for case in load_cases(kind) for alert in case["alerts"] if alert["status"] == status
        }
        for status in ("firing", "resolved")
    }
    assert seen["firing"] & seen["resolved"]


@pytest.mark.parametrize("kind", KINDS)
def test_repeated_parsing_gives_equal_alerts(kind):
    for case in load_cases(kind):
        assert parse_case(kind, case) == parse_case(kind, case)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_body_is_unparsable(kind):
    for case in load_cases(kind):
        body = json.dumps(case["body"]).encode()
        for length in range(0, len(body), 7):
            with pytest.raises(base.Unparsable):
                parse_case(kind, case, body[:length])


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary(max_size=300))
def test_any_bytes_give_alerts_or_unparsable(kind, body):
    check_survival(kind, body)


@pytest.mark.parametrize("kind", KINDS)
@hypothesis.settings(max_examples=40)  # Per kind. `make fuzz` runs more examples.
@given(body=anything)
def test_any_json_gives_alerts_or_unparsable(kind, body):
    check_survival(kind, json.dumps(body).encode())


@pytest.mark.parametrize("kind", KINDS)
@hypothesis.settings(max_examples=40)
@given(data=st.data())
def test_mutated_body_gives_alerts_or_unparsable(kind, data):
    case = data.draw(st.sampled_from(load_cases(kind)))
    body = json.loads(json.dumps(case["body"]))
    node = body
    while True:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
            node = node[key]
            continue
        node[key] = data.draw(anything)
        break
    check_survival(kind, json.dumps(body).encode(), case.get("settings"))


def times_in(node: object) -> list[tuple[dict | list, str | int]]:
    """The containers and keys of values in a body that look like times: texts, or numbers close to the current year."""
    found = []
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, dict | list):
            found += times_in(value)
        elif not isinstance(value, bool) and isinstance(value, str | int | float):
            at = reading.Reading("here", NOW).moment(value, "")
            found += [(node, key)] if abs(at - NOW) < TEN_YEARS else []
    return found


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_unreadable_time_never_loses_an_alert(path):
    """The time of receipt replaces it, and a notice reports it."""
    kind, case = path.parent.name, json.loads(path.read_text())
    usual = parse_case(kind, case)
    body = json.loads(json.dumps(case["body"]))
    for node, key in times_in(body):
        before, node[key] = node[key], "the day before yesterday"
        found = parse_case(kind, case, json.dumps(body).encode())
        node[key] = before
        assert [alert.identity for alert in found.alerts] == [alert.identity for alert in usual.alerts]
        if kind != "prometheus":  # Prometheus' status is the end time: without one, an alert fires.
            assert [alert.status for alert in found.alerts] == [alert.status for alert in usual.alerts]
        moved = [(alert.starts_at, alert.ends_at) for alert in found.alerts] != [
            (alert.starts_at, alert.ends_at) for alert in usual.alerts
        ]
        codes = {notice.code for notice in found.notices} - {notice.code for notice in usual.notices}
        assert not moved or codes == {"time_unreadable"}


HOSTILE = {
    "nothing": b"",
    "blanks": b" \r\n\t",
    "lists without end": b"[" * 200_000,
    "lists in lists": b"[" * 100_000 + b"]" * 100_000,
    "objects without end": b'{"a":' * 200_000,
    "a label without end": b'{"version":"4","status":"firing","title":"t","labels":' + b'{"a":' * 100_000,
    "not a number": b'{"version":"4","status":"firing","title":"t","starts_at":NaN,"alerts":[]}',
    "infinity": b'{"version":"4","status":"firing","title":"t","starts_at":-Infinity}',
    "a number beyond all bounds": b'{"status":"firing","title":"t","starts_at":1e999}',
    "half a character": b'{"version":"4","status":"firing","title":"\\ud800"}',
    "the other half": b'{"version":"4","status":"firing","title":"\\udc00x"}',
    "half a character in UTF-8": b'{"version":"4","status":"firing","title":"\xed\xa0\x80"}',
    "not UTF-8": b'{"version":"4","status":"firing","title":"\xff\xfe"}',
    "a byte order mark": b'\xef\xbb\xbf{"status":"firing","title":"t"}',
    "two documents": b'{"status":"firing","title":"t"}{}',
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_body_is_unparsable(kind, body):
    with pytest.raises(base.Unparsable):
        source(kind).parse(body, {}, NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_nesting_near_the_recursion_limit_never_crashes(kind):
    # A body at the limit of the decoder may be too deep for later steps, which need more stack.
    for depth in range(50, 1050, 3):
        deep = b"[" * depth + b"]" * depth
        check_survival(kind, b'{"version":"4","status":"firing","title":"t","alerts":[],"labels":{"a":' + deep + b"}}")


@pytest.mark.parametrize("kind", KINDS)
def test_registered_kind_is_complete(kind):
    entry = registry.KINDS[kind]
    assert entry.name == kind
    assert entry.summary
    assert entry.unparsable_status in {202, 422}
    assert entry.config(auth="none").kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_source_without_credentials_is_refused_with_advice(kind):
    with pytest.raises(ValueError, match=r"set bearer .*, basic .*, token or signature, or set `auth: none`"):
        registry.KINDS[kind].config()


@pytest.mark.parametrize("kind", KINDS)
def test_configuration_and_errors_reveal_no_secret(kind):
    config = registry.KINDS[kind].config
    good = config(bearer=["hunter2-token"], basic=["ann:hunter2-word"])
    endpoint = registry.build("here", good)
    assert "hunter2" not in f"{good!r} {good} {endpoint!r} {endpoint.verifier!r}"
    with pytest.raises(ValueError, match="no_such_setting") as caught:
        config(bearer=["hunter2-token"], no_such_setting="hunter2-too")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValueError, match="auth is none") as caught:
        config(bearer=["hunter2-token"], auth="none")
    assert "hunter2" not in str(caught.value)
