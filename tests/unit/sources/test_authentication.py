"""Senders need one of the secrets, unless the settings disable authentication."""

import base64
import hmac

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.sources import authentication


def verifier(bearer=(), basic=(), auth="required") -> authentication.Verifier:
    return authentication.verifier(
        [pydantic.SecretStr(secret) for secret in bearer], [pydantic.SecretStr(secret) for secret in basic], auth
    )


def basic(pair: str) -> bytes:
    return b"Basic " + base64.b64encode(pair.encode())


def test_each_of_several_tokens_and_pairs_is_accepted():
    both = verifier(["old", "new"], ["ann:old", "ann:new"])
    assert all(both.accepts(header) for header in (b"Bearer old", b"Bearer new", basic("ann:old"), basic("ann:new")))


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer secre",
        b"Bearer secrets",
        b"Bearer SECRET",
        b"Bearer secret, Bearer other",
        b"Basic secret",
        b"Token secret",
        b"secret",
        b"Bearer\tsecret",
        b"\xff\xfe",
        basic("secret"),
        basic("ann:secret "),
        basic("ann"),
        basic(":word"),
    ],
)
def test_other_credentials_are_refused(header):
    assert not verifier(["secret"], ["ann:word"]).accepts(header)


@pytest.mark.parametrize("header", [b"bearer secret", b"BEARER secret", b"Bearer   secret", b" Bearer secret "])
def test_scheme_ignores_case_and_extra_blanks(header):
    assert verifier(["secret"]).accepts(header)
    assert verifier(basic=["ann:word"]).accepts(basic("ann:word").replace(b"Basic", b"bAsIc"))


def test_password_may_have_colons_and_any_letters():
    assert verifier(basic=["ann:a:b:ü"]).accepts(basic("ann:a:b:ü"))


def test_trailing_line_break_of_secret_file_is_ignored():
    assert verifier(["secret\n"]).accepts(b"Bearer secret")
    assert verifier(basic=["ann:word\r\n"]).accepts(basic("ann:word"))


def test_auth_none_accepts_any_sender():
    anyone = verifier(auth="none")
    assert anyone.accepts(None)
    assert anyone.accepts(b"Bearer whatever")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "no credentials: set bearer"),
        ({"auth": "none", "bearer": ["x"]}, "remove `auth: none`"),
        ({"auth": "none", "basic": ["a:b"]}, "remove `auth: none`"),
        ({"bearer": [""]}, "bearer token is empty"),
        ({"bearer": [" \n"]}, "bearer token is empty"),
        ({"bearer": ["two words"]}, "space"),
        ({"bearer": ["a\nb"]}, "control character"),
        ({"basic": ["nocolon"]}, "user:password"),
        ({"basic": [":word"]}, "user:password"),
        ({"basic": ["ann:"]}, "user:password"),
    ],
)
def test_contradictory_settings_are_refused_with_advice(settings, says):
    with pytest.raises(ValueError, match=says):
        verifier(**settings)


def test_challenge_names_the_accepted_schemes():
    assert verifier(["x"]).challenge == b"Bearer"
    assert verifier(basic=["a:b"]).challenge.startswith(b"Basic realm=")
    assert verifier(["x"], ["a:b"]).challenge.startswith(b"Bearer, Basic realm=")


def test_every_secret_is_compared_even_after_a_match(monkeypatch):
    compared = []
    monkeypatch.setattr(
        authentication.hmac, "compare_digest", lambda a, b, real=hmac.compare_digest: compared.append(b) or real(a, b)
    )
    assert verifier(["one", "two", "three"]).accepts(b"Bearer one")
    assert compared == [b"Bearer one", b"Bearer two", b"Bearer three"]


@given(st.binary(max_size=40))
def test_forged_header_is_refused_without_errors(header):
    assert verifier(["a-token-nobody-guesses"], ["ann:nor-this"]).accepts(header) is False


def test_repr_counts_secrets_without_showing_them():
    assert repr(verifier(["hunter2"], ["ann:hunter2"])) == "Verifier(2 secrets)"
    assert repr(verifier(auth="none")) == "Verifier(anyone)"
