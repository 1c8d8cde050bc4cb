"""API calls below a source's URL are stored without loss and read again."""

import json

import hypothesis
import pytest
from hypothesis import strategies as st

from router.sources import base, calls, registry
from tests.unit.sources import parsing


@hypothesis.given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.text("ab/%2F", max_size=12).map(lambda path: f"/{path}"),
    query=st.text("ab=&%2F", max_size=12),
)
def test_stored_call_is_read_unchanged(method, path, query):
    call = calls.Call(method, path, query)
    assert calls.unwrap(json.loads(calls.wrap(call, b'{"a": 1}'))) == (call, {"a": 1})


def test_path_segments_are_decoded_separately():
    assert calls.Call("POST", "/v2/alerts/lock%2F3%3F/close/").segments == ("v2", "alerts", "lock/3?", "close")


def test_last_value_of_a_query_parameter_applies():
    call = calls.Call("POST", "/a", "x=1&identifierType=id&identifierType=alias")
    assert (call.parameter("identifierType"), call.parameter("y")) == ("alias", "")


@pytest.mark.parametrize("line", ["", "POST", "POST v2", "POST /a b", 7, None])
def test_body_without_a_request_line_is_plain(line):
    whole = {"request": line, "body": {}}
    assert calls.unwrap(whole) == (None, whole)


def test_body_with_additional_members_is_plain():
    whole = {"request": "POST /v2/alerts", "body": {}, "message": "m"}
    assert calls.unwrap(whole) == (None, whole)


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_empty_body_is_stored_as_null(body):
    assert json.loads(calls.wrap(calls.Call("GET", "/a"), body)) == {"body": None, "request": "GET /a"}


def test_create_request_without_message_is_explained():
    with pytest.raises(base.Unparsable, match="message: missing or empty: required in a create request"):
        parsing.parse("opsgenie-api", {"alias": "lock/3"})


def test_create_request_without_a_body_is_unparsable():
    with pytest.raises(base.Unparsable, match="body: missing: required in a create request"):
        parsing.parse("opsgenie-api", {"request": "POST /v2/alerts", "body": None})


def test_stored_call_with_unsupported_path_is_unparsable():
    with pytest.raises(base.Unparsable, match=r"request: this source serves POST /v2/alerts, .*"):
        parsing.parse("opsgenie-api", {"request": "GET /v2/schedules", "body": None})


def test_alert_without_alias_is_identified_by_its_message():
    def key(**body: object) -> str:
        return parsing.parse("opsgenie-api", {"message": "m", "entity": "pump", **body}).alerts[0].fingerprint

    assert key(details={"value": "97"}) == key(details={"value": "98"}, priority="P1")
    assert len({key(), key(message="n"), key(entity="lock"), key(source="s")}) == 4


@pytest.mark.parametrize("named", [{"teams": [{"name": "canal"}]}, {"responders": [{"name": "canal"}, 7, {}]}])
def test_responders_become_a_label(named):
    (alert,) = parsing.parse("opsgenie-api", {"message": "m", **named}).alerts
    assert alert.labels == {"responders": "canal"}


def test_missing_priority_is_opsgenie_s_default():
    assert parsing.parse("opsgenie-api", {"message": "m"}).alerts[0].severity == "P3"


def test_only_the_kind_s_authentication_scheme_is_accepted():
    kind, key = registry.KINDS["opsgenie-api"].config(bearer=["k"]), registry.KINDS["json"].config(bearer=["k"])
    accepts, refuses = kind.verifier().accepts, key.verifier().accepts
    assert [accepts(scheme + b" k") for scheme in (b"GenieKey", b"geniekey", b"Bearer")] == [True] * 3
    assert (accepts(b"GenieKey x"), accepts(b"Basic k"), refuses(b"GenieKey k")) == (False, False, False)
