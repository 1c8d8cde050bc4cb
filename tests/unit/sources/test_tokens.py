"""Static tokens in a header or in the URL."""

import json
import time
from urllib import parse

import pydantic
import pytest

from router.sources import tokens


def make_token(*values, **place):
    return tokens.Token(tokens.Config(values=values, **place))


def test_only_the_header_s_token_is_accepted():
    token = make_token("old", "new", header="X-Api-Key")
    assert token.accepts({b"x-api-key": b"old"}, b"")
    assert token.accepts({b"x-api-key": b"new"}, b"")
    for headers in ({}, {b"x-api-key": b""}, {b"x-api-key": b"ne"}, {b"x-other": b"new"}):
        assert not token.accepts(headers, b"x-api-key=new")


def test_only_the_query_s_token_is_accepted():
    token = make_token("se cret&ü", query="auth_token")
    assert token.accepts({}, b"a=b&auth_token=se%20cret%26%C3%BC")
    assert token.accepts({}, b"auth_token=wrong&auth_token=se+cret%26%C3%BC")
    for query in (b"", b"auth_token", b"auth_token=", b"auth_token=se", b"token=se%20cret%26%C3%BC", b"%ff=\xff"):
        assert not token.accepts({b"auth_token": b"se cret"}, query)


def test_only_token_in_form_or_json_is_accepted():
    form = make_token("se cret", form="Token")
    assert form.in_body
    assert form.accepts_body(b"a=b&Token=se+cret")
    assert not form.accepts_body(b"a=se+cret")
    member = make_token("s1", "s2", member="routing_key")
    assert member.accepts_body(b'{"routing_key": "s2", "x": []}')
    for body in (b"", b"{", b"[]", b'{"routing_key": 1}', b'{"key": "s1"}', b'{"x": {"routing_key": "s1"}}', b'"s1"'):
        assert not member.accepts_body(body)


def test_token_is_masked_in_the_body():
    assert make_token("se cret", form="Token").mask(b"Token=se+cret&x=1") == b"Token=***&x=1"
    assert make_token('q"k', member="key").mask(b'{"key":"q\\"k"}') == b'{"key":"***"}'


@pytest.mark.parametrize(
    "wrong",
    [
        {"values": ["x"]},
        {"values": ["x"], "form": "a", "member": "b"},
        {"values": ["x"], "header": "a", "query": "b"},
        {"values": [], "header": "a"},
        {"values": [" "], "header": "a"},
    ],
)
def test_invalid_token_settings_are_refused(wrong):
    with pytest.raises(pydantic.ValidationError):
        tokens.Config.model_validate(wrong)


def test_repr_contains_the_place_but_no_secret():
    assert repr(make_token("hunter2", header="X-Api-Key")) == "Token(header x-api-key, 1 secrets)"
    assert make_token("hunter2", query="t").place == "query parameter t"


def test_token_is_removed_from_the_query():
    token = make_token("x", query="auth token")
    assert token.without(b"a=%31&auth+token=x&b&auth%20token&c=auth+token") == b"a=%31&b&c=auth+token"
    assert make_token("x", header="a").without(b"a=x") == b"a=x"


def test_form_with_too_many_fields_has_no_token():
    """The sender isn't authenticated, so only the token is decoded, regardless of the size of the body."""
    token = tokens.Token(tokens.Config.model_validate({"values": ["word"], "form": "to+ken"}))
    assert token.accepts_body(b"x=%20" * 5 + b"&to%2Bken=word&y=1")
    assert not token.accepts_body(b"a=1&" * 100 + b"to%2Bken=word")
    begun = time.process_time()
    assert not token.accepts_body(b"%41" * 5_000_000 + b"=%42")
    assert not token.accepts_body(b"&" * 16_000_000)
    assert time.process_time() - begun < 1


def test_only_token_of_a_json_body_is_decoded():
    token = tokens.Token(tokens.Config.model_validate({"values": ["word"], "member": "routing_key"}))
    assert token.accepts_body(b'{"x":' + b"[{}," * 10_000 + b"1" + b"]" * 10_000 + b',"routing_key":"word"}') is False
    assert token.accepts_body(b'{"x":[' + b"{}," * 10_000 + b'1],"routing_key":"word"}')
    assert not token.accepts_body(b'{"routing_key":["word"]}')


SECRET = "ab/cd+ef==\u00e4 (x)!*'&"
SPELLINGS = {
    "as it is": json.dumps({"key": SECRET}, ensure_ascii=False),
    "ASCII": json.dumps({"key": SECRET}),
    "PHP": json.dumps({"key": SECRET}).replace("/", "\\/"),
    "Go": json.dumps({"key": SECRET}).replace("&", "\\u0026"),
    "all escaped": '{"key": "' + "".join(f"\\u{ord(letter):04X}" for letter in SECRET) + '"}',
    "twice": '{"key": "x", "other": "'
    + json.dumps(SECRET)[1:-1].replace("/", "\\/")
    + '", "key": '
    + json.dumps(SECRET)
    + "}",
}


@pytest.mark.parametrize("body", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_member_is_masked_in_every_accepted_spelling(body):
    token = tokens.Token(tokens.Config.model_validate({"values": [SECRET], "member": "key"}))
    assert token.accepts_body(body.encode())
    masked = token.mask(body.encode())
    assert SECRET not in str(json.loads(masked))
    assert json.loads(masked)["key"] == "***"


def spelt_for_a_form(how):
    match how:
        case "standard":
            return parse.quote_plus(SECRET)
        case "JavaScript":
            return parse.quote(SECRET, safe="!*'()")
        case "blank":
            return parse.quote(SECRET, safe="")
    return "".join(f"%{byte:02x}" for byte in SECRET.encode())


@pytest.mark.parametrize("how", ["standard", "JavaScript", "blank", "all"])
def test_field_is_masked_in_every_accepted_spelling(how):
    token = tokens.Token(tokens.Config.model_validate({"values": [SECRET], "form": "key"}))
    body = f"a=1&key={spelt_for_a_form(how)}&b=%20".encode()
    assert token.accepts_body(body)
    assert token.mask(body) == b"a=1&key=***&b=%20"


def test_masking_takes_linear_time():
    token = tokens.Token(tokens.Config.model_validate({"values": [SECRET], "member": "key"}))
    form = tokens.Token(tokens.Config.model_validate({"values": [SECRET], "form": "key"}))
    for body in (
        b'{"a": "' + b"\\n" * 500_000 + b'"}',
        b'"' * 500_000 + b"\\",
        b'["\\n",' * 100_000,
        b"a=%20&" * 150_000,
    ):
        started = time.thread_time()
        token.mask(body)
        form.mask(body)
        assert time.thread_time() - started < 3
