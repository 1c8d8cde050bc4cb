"""The calls of an operation keep to its budget. Operations share what is cached of an account."""

import asyncio

import pytest

from router.destinations import registry
from router.outbound import call_policy
from tests.unit.destinations import accounts, scripted

each_kind = pytest.mark.parametrize("kind", sorted(registry.KINDS))


class Quota:
    """Admits every call, and records who asked."""

    def __init__(self) -> None:
        self.turns: list[call_policy.Turn] = []

    async def admit(self, turn: call_policy.Turn) -> call_policy.Admission:
        self.turns.append(turn)
        return call_policy.Admission(0.0)

    async def pause(self, _seconds: float, _endpoint: str) -> None:
        raise AssertionError("no call asks for a pause")


def make_opening(kind: str):
    return scripted.operation("open", accounts.ACCOUNTS[kind].fields)


@each_kind
def test_every_call_of_an_operation_has_its_budget(kind):
    vendor, quota = accounts.scripted_account(kind, "open"), Quota()

    async def body(destination):
        destination._http.quota = quota
        ends_at = asyncio.get_running_loop().time() + 60
        await destination.within(call_policy.CallBudget(0.3, ends_at, "open")).open(make_opening(kind))

    vendor.run(kind, body, **accounts.ACCOUNTS[kind].settings)
    assert vendor.changes
    assert {turn.floor for turn in quota.turns} == {0.3}


@each_kind
def test_budget_ends_with_its_operation(kind):
    vendor, quota = accounts.scripted_account(kind, "open"), Quota()

    async def body(destination):
        destination._http.quota = quota
        destination.within(call_policy.CallBudget(0.3))
        await destination.open(make_opening(kind))

    vendor.run(kind, body, **accounts.ACCOUNTS[kind].settings)
    assert {turn.floor for turn in quota.turns} == {0.0}


@pytest.mark.parametrize("kind", ["incident-io", "incident-io-status-page", "devhelm-status-page"])
def test_operations_share_the_names_of_an_account(kind):
    vendor = accounts.scripted_account(kind, "open")
    read: list[int] = []

    async def body(destination):
        for _ in range(2):
            before = len(vendor.made)
            await destination.within(call_policy.CallBudget(0.3)).open(make_opening(kind))
            read.append(sum(call.startswith("GET") for call in vendor.made[before:]))

    vendor.run(kind, body, **accounts.ACCOUNTS[kind].settings)
    first, second = read
    assert second < first
