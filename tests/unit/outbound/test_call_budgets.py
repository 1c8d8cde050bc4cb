"""A client with a budget shares the connections and the quota, and limits only its own calls."""

import asyncio

import pytest

from router.outbound import call_policy, errors


class BusyQuota:
    """Asks each caller to wait half a second."""

    def __init__(self) -> None:
        self.turns: list[call_policy.Turn] = []

    async def admit(self, turn: call_policy.Turn) -> call_policy.Admission:
        self.turns.append(turn)
        return call_policy.Admission(0.5)

    async def pause(self, _seconds: float, _endpoint: str) -> None:
        raise AssertionError("no call asks for a pause")


def test_call_does_not_wait_beyond_its_budget(wire):
    quota = BusyQuota()

    async def body(http):
        http.quota = quota
        ends_at = asyncio.get_running_loop().time() + 0.1
        with pytest.raises(errors.Queued):
            await http.within(call_policy.CallBudget(0.4, ends_at)).call("GET", "/v1/things")

    wire.run(body)
    assert [turn.floor for turn in quota.turns] == [0.4]
    assert wire.received == []


def test_clients_with_budgets_share_a_connection(wire):
    wire.answer(200, b"{}")
    wire.answer(200, b"{}")

    async def body(http):
        await http.within(call_policy.CallBudget(operation="open")).call("GET", "/v1/things")
        await http.within(call_policy.CallBudget(operation="resolve")).call("GET", "/v1/things")
        assert http.budget == call_policy.UNLIMITED

    wire.run(body)
    assert wire.connections == 1
