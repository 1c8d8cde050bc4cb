"""References and keys are stable across crashes and unique per installation, incident, and episode."""

import random
import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from router.domain import identity


def test_id_is_128_random_bits_in_hexadecimal():
    made = identity.new_id(random.Random(7))
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert made == identity.new_id(random.Random(7)) != identity.new_id(random.Random(8))


@given(st.text(st.characters(codec="utf-8", exclude_characters="-"), min_size=1))
def test_reference_is_short_and_unambiguous(episode):
    assert re.fullmatch(r"IR-[0-9A-HJKMNP-TV-Z]{8}(-[0-9A-HJKMNP-TV-Z]{6})?", identity.reference(episode))


def test_reference_is_stable_and_unique_per_episode():
    assert identity.reference("e1") == identity.reference("e1") != identity.reference("e2")


def test_reference_of_an_episode_never_changes():
    """Vendors are searched for the reference, so it must not change between versions of the router."""
    assert identity.reference("e1") == "IR-4R3YMT7A"


def test_ten_thousand_episodes_have_ten_thousand_references():
    source = random.Random(1)
    assert len({identity.reference(identity.new_id(source)) for _ in range(10_000)}) == 10_000


def test_idempotency_key_depends_on_episode_destination_and_number():
    key = identity.idempotency_key("e", "page", 1)
    assert uuid.UUID(key).version == 5
    assert key == identity.idempotency_key("e", "page", 1)
    others = {
        identity.idempotency_key("f", "page", 1),
        identity.idempotency_key("e", "other", 1),
        identity.idempotency_key("e", "page", 2),
    }
    assert len(others | {key}) == 4


def test_reference_starts_with_incident_key_and_installation():
    """After a loss of all data, the prefix identifies open incidents at a vendor, so it must never change."""
    episode = identity.new_episode("production", "down{service=checkout}", random.Random(1))
    assert identity.reference(episode) == "IR-B1HR8X2R-VTNK7G"
    assert identity.owner_of(identity.reference(episode)) == identity.owner("production", "down{service=checkout}")


@given(st.text(), st.text(), st.text(), st.text())
def test_owner_differs_by_incident_key_and_installation(installation, key, other_installation, other_key):
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{10}", identity.owner(installation, key))
    if (installation, key) != (other_installation, other_key) and "\0" not in installation + other_installation:
        assert identity.owner(installation, key) != identity.owner(other_installation, other_key)


def test_episodes_of_one_incident_have_distinct_references():
    source = random.Random(1)
    made = {identity.reference(identity.new_episode("", "down", source)) for _ in range(100)}
    assert len(made) == 100
    assert {identity.owner_of(reference) for reference in made} == {identity.owner("", "down")}


def test_references_of_earlier_versions_name_no_owner():
    assert [identity.owner_of(text) for text in ("IR-4R3YMT7A", "", "IR-4R3YMT7A-", "x IR-4R3YMT7A-A1B4T9")] == [""] * 4


def test_owner_identifies_its_installation():
    owner = identity.owner("production", "down")
    assert identity.is_of_installation(owner, "production")
    assert not identity.is_of_installation(owner, "staging")


@given(st.integers(0, 2**47), st.integers(0, 2**47))
def test_delivery_id_contains_its_time_and_sorts(first, second):
    source = random.Random(1)
    one, other = (identity.new_delivery_id(moment * 1000, source) for moment in (first, second))
    assert identity.made_at(one) == first * 1000
    assert uuid.UUID(one).version == 7
    assert uuid.UUID(one).variant == uuid.RFC_4122
    if first < second:
        assert one < other


def test_invalid_delivery_id_has_no_time():
    assert [identity.made_at(text) for text in ("", "x" * 32, "1234", "d1")] == [0, 0, 0, 0]
