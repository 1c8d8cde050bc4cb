"""Roles and tokens: a stored token can't be used to authenticate."""

import itertools
import secrets

import hypothesis
import msgspec
import pytest
from hypothesis import strategies

from router.domain import access

NOW = 1_772_450_000_000_000
DAY = 86_400_000_000


def make_token(expires_at: int = 0) -> tuple[access.Token, str]:
    return access.new_token("ann", access.Role.RESPONDER, NOW, expires_at, secrets.token_urlsafe)


def test_role_includes_all_lower_roles():
    assert access.Role.VIEWER < access.Role.RESPONDER < access.Role.ADMIN


def test_roles_are_listed_by_name_in_order():
    assert list(access.ROLES) == ["viewer", "responder", "admin"]
    assert all(role.word == word for word, role in access.ROLES.items())


def test_token_text_contains_its_id_and_secret():
    token, text = make_token()
    identity, secret = access.split_token(text)
    assert identity == token.id
    assert token.is_valid(secret, NOW)


def test_white_space_around_a_pasted_token_is_ignored():
    token, text = make_token()
    assert access.split_token(f" {text}\n") == access.split_token(text)
    assert access.split_token(f" {text}\n")[0] == token.id


def test_stored_token_does_not_contain_its_secret():
    token, text = make_token()
    _, secret = access.split_token(text)
    assert secret not in repr(token)
    assert secret.encode() not in msgspec.msgpack.encode(token)


def test_wrong_or_empty_secret_is_invalid():
    token, text = make_token()
    _, secret = access.split_token(text)
    for wrong in ("", secret[:-1], f"{secret}x", secret.swapcase(), token.digest):
        assert not token.is_valid(wrong, NOW)


def test_token_is_invalid_from_its_expiry_time():
    token, text = make_token(NOW + DAY)
    _, secret = access.split_token(text)
    assert token.is_valid(secret, NOW + DAY - 1)
    assert not token.is_valid(secret, NOW + DAY)


def test_token_without_expiry_time_never_expires():
    token, text = make_token()
    assert token.is_valid(access.split_token(text)[1], NOW + 10_000 * DAY)


@pytest.mark.parametrize("random", ["-_-_-_-_", "________", "a_b-c_d-"])
def test_id_has_no_separator_characters(random):
    token, text = access.new_token("ann", access.Role.VIEWER, NOW, 0, lambda _: random)
    identity, secret = access.split_token(text)
    assert (identity, secret) == (token.id, random)
    assert token.is_valid(secret, NOW)


@pytest.mark.parametrize(
    "text",
    ["", "irt", "irt_", "irt__", "irt_id", "irt_id_", "irt__secret", "other_id_secret", "IRT_id_secret", "_id_s"],
)
def test_malformed_token_has_neither_id_nor_secret(text):
    assert access.split_token(text) == ("", "")


@hypothesis.given(strategies.text(max_size=200))
def test_any_text_can_be_parsed_as_a_token(text):
    identity, secret = access.split_token(text)
    assert bool(identity) == bool(secret)
    assert not make_token()[0].is_valid(text.encode("utf-8", "replace").decode(), NOW)


def test_new_tokens_have_distinct_ids_and_digests():
    numbers = itertools.count()

    def counted(size: int) -> str:
        return f"{next(numbers):0{size}}"

    first = access.new_token("ann", access.Role.VIEWER, NOW, 0, counted)
    second = access.new_token("ann", access.Role.VIEWER, NOW, 0, counted)
    assert first[0].id != second[0].id
    assert first[0].digest != second[0].digest


def test_digest_is_deterministic_and_hides_the_secret():
    assert access.digest("secret") == access.digest("secret") != access.digest("secreT")
    assert "secret" not in access.digest("secret")
