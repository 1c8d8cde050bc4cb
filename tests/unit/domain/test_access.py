"""Roles, tokens and what is kept of them: nothing that would let somebody in."""

import itertools
import secrets

import hypothesis
import msgspec
import pytest
from hypothesis import strategies

from router.domain import access

NOW = 1_772_450_000_000_000
DAY = 86_400_000_000


def made(expires_at: int = 0) -> tuple[access.Token, str]:
    return access.new_token("ann", access.Role.RESPONDER, NOW, expires_at, secrets.token_urlsafe)


def test_a_role_may_all_that_the_roles_below_it_may():
    assert access.Role.VIEWER < access.Role.RESPONDER < access.Role.ADMIN


def test_a_role_is_written_as_its_word():
    assert list(access.ROLES) == ["viewer", "responder", "admin"]
    assert all(role.word == word for word, role in access.ROLES.items())


def test_a_token_s_text_leads_back_to_its_id_and_its_secret():
    token, text = made()
    identity, secret = access.split_token(text)
    assert identity == token.id
    assert token.valid(secret, NOW)


def test_whitespace_around_a_token_that_was_pasted_does_no_harm():
    token, text = made()
    assert access.split_token(f" {text}\n") == access.split_token(text)
    assert access.split_token(f" {text}\n")[0] == token.id


def test_what_is_kept_of_a_token_does_not_hold_its_secret():
    token, text = made()
    _, secret = access.split_token(text)
    assert secret not in repr(token)
    assert secret.encode() not in msgspec.msgpack.encode(token)


def test_another_secret_is_not_valid_nor_an_empty_one():
    token, text = made()
    _, secret = access.split_token(text)
    for wrong in ("", secret[:-1], f"{secret}x", secret.swapcase(), token.digest):
        assert not token.valid(wrong, NOW)


def test_a_token_is_of_no_use_from_the_moment_that_it_expires():
    token, text = made(NOW + DAY)
    _, secret = access.split_token(text)
    assert token.valid(secret, NOW + DAY - 1)
    assert not token.valid(secret, NOW + DAY)


def test_a_token_without_an_end_holds_for_ever():
    token, text = made()
    assert token.valid(access.split_token(text)[1], NOW + 10_000 * DAY)


@pytest.mark.parametrize("random", ["-_-_-_-_", "________", "a_b-c_d-"])
def test_an_id_has_no_character_that_would_part_the_text_elsewhere(random):
    token, text = access.new_token("ann", access.Role.VIEWER, NOW, 0, lambda _: random)
    identity, secret = access.split_token(text)
    assert (identity, secret) == (token.id, random)
    assert token.valid(secret, NOW)


@pytest.mark.parametrize(
    "text",
    ["", "irt", "irt_", "irt__", "irt_id", "irt_id_", "irt__secret", "other_id_secret", "IRT_id_secret", "_id_s"],
)
def test_what_is_no_token_has_neither_id_nor_secret(text):
    assert access.split_token(text) == ("", "")


@hypothesis.given(strategies.text(max_size=200))
def test_no_text_whatever_makes_the_reading_of_a_token_fail(text):
    identity, secret = access.split_token(text)
    assert bool(identity) == bool(secret)
    assert not made()[0].valid(text.encode("utf-8", "replace").decode(), NOW)


def test_two_tokens_are_never_alike():
    numbers = itertools.count()

    def counted(size: int) -> str:
        return f"{next(numbers):0{size}}"

    first = access.new_token("ann", access.Role.VIEWER, NOW, 0, counted)
    second = access.new_token("ann", access.Role.VIEWER, NOW, 0, counted)
    assert first[0].id != second[0].id
    assert first[0].digest != second[0].digest


def test_a_digest_is_always_the_same_and_tells_nothing():
    assert access.digest("secret") == access.digest("secret") != access.digest("secreT")
    assert "secret" not in access.digest("secret")
