"""Resolving names to IDs."""

import asyncio
import re

import msgspec
import pytest

from router.destinations import name_lookup
from router.outbound import errors


class Thing(msgspec.Struct, frozen=True):
    """An object with a name."""

    id: str
    name: str
    within: str = ""


def qualify(thing):
    return [f"{thing.within} / {thing.name}"] if thing.within else []


class Account:
    """An account whose objects may change between two fetches."""

    def __init__(self, *versions):
        self.versions = list(versions)
        self.fetched = 0

    async def fetch(self):
        version = self.versions[min(self.fetched, len(self.versions) - 1)]
        self.fetched += 1
        await asyncio.sleep(0)
        return version

    def directory(self):
        return name_lookup.NameLookup("thing", self.fetch, ids=re.compile("id-[0-9]+"), also_called=qualify)


THINGS = [Thing("id-1", "Critical"), Thing("id-2", "Minor"), Thing("id-3", "API", "EU"), Thing("id-4", "API", "US")]


@pytest.mark.parametrize(
    ("wanted", "found"), [("Critical", "id-1"), ("critical", "id-1"), ("EU / API", "id-3"), ("us / api", "id-4")]
)
def test_name_lookup_ignores_case(wanted, found):
    account = Account(THINGS)
    assert asyncio.run(account.directory().id_of(wanted, field="x")) == found


def test_exact_name_is_preferred():
    account = Account([Thing("id-1", "api"), Thing("id-2", "API")])
    assert asyncio.run(account.directory().id_of("API", field="x")) == "id-2"


def test_id_is_used_without_a_lookup():
    account = Account(THINGS)
    assert asyncio.run(account.directory().id_of("id-99", field="x")) == "id-99"
    assert account.fetched == 0


def test_names_are_fetched_once():
    account = Account(THINGS)

    async def body():
        known = account.directory()
        return await asyncio.gather(*(known.id_of("Minor", field="x") for _ in range(5)))

    assert asyncio.run(body()) == ["id-2"] * 5
    assert account.fetched == 1


def test_unknown_name_fetches_the_list_again():
    account = Account(THINGS, [*THINGS, Thing("id-9", "New")])

    async def body():
        known = account.directory()
        await known.id_of("Minor", field="x")
        return await known.id_of("New", field="x")

    assert asyncio.run(body()) == "id-9"
    assert account.fetched == 2


def test_unknown_name_after_a_fetch_is_not_refetched():
    account = Account(THINGS)
    with pytest.raises(errors.Permanent):
        asyncio.run(account.directory().id_of("Nothing", field="x"))
    assert account.fetched == 1


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("Critcal", 'thing "Critcal" does not exist; did you mean "Critical"?'),
        ("zzzzzzzzzz", 'does not exist; there are "API", "Critical", "EU / API"'),
        ("API", 'thing "API" could be any of EU / API (id-3), US / API (id-4)'),
    ],
)
def test_unknown_name_error_suggests_the_nearest_names(wanted, said):
    with pytest.raises(errors.Permanent, match=re.escape(said)) as caught:
        asyncio.run(Account(THINGS).directory().id_of(wanted, field="severity"))
    assert (caught.value.field, caught.value.status) == ("severity", 0)


def test_lookup_in_an_empty_account_is_refused():
    with pytest.raises(errors.Permanent, match="there are none"):
        asyncio.run(Account([]).directory().find("x", field="x"))


def test_many_names_are_not_all_listed():
    account = Account([Thing(f"id-{n}", f"Name {n}") for n in range(100)])
    with pytest.raises(errors.Permanent, match=r"…$") as caught:
        asyncio.run(account.directory().find("zzzzzzzzzzzzz", field="x"))
    assert len(caught.value.message) < 400


def test_lookup_check_lists_only_its_problems():
    account = Account(THINGS)

    async def body():
        known = account.directory()
        good = await name_lookup.list_problems(known.find("Minor", field="x"))
        bad = await name_lookup.list_problems(known.find("Mnor", field="x"))
        return good, bad

    good, bad = asyncio.run(body())
    assert good == []
    assert len(bad) == 1
