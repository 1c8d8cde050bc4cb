"""Senders retry, send only consistent alerts, and record accepted deliveries in the ledger."""

import asyncio
import itertools
import random

import pytest

from router.outbound import client, errors
from tools.soak import load

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND


class Web(client.Client):
    """A webhook server with scripted responses: the ID of a delivery, or a failure."""

    def __init__(self, *answers: str | Exception) -> None:
        super().__init__(name="web", base_url="http://127.0.0.1:1", headers={}, timeout_seconds=1, now=lambda: NOW)
        self._answers = iter(answers)
        self.bodies: list[dict] = []

    async def call(self, method, path, *, json=None, query=None):  # noqa: ARG002 - as clients are called
        self.bodies.append(json)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return client.VendorResponse(202, {"delivery": answer, "alerts": []}, {})


def send_calls(web: Web, *, most: int, ticks=lambda: 0, seed: int = 1) -> load.Ledger:
    """Make this many calls with one sender of one alert."""
    ledger = load.Ledger()
    made = itertools.count(NOW, SECOND)
    sender = load.Sender(["k1-0"], [web], ledger, random.Random(seed), path="/", clock=lambda: next(made), ticks=ticks)

    async def main() -> None:
        stop = asyncio.Event()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(sender.send(10_000, stop))
            while ledger.accepted + len(ledger.refused) < most:
                await asyncio.sleep(0)
            stop.set()
        await web.aclose()

    asyncio.run(main())
    return ledger


def test_accepted_message_stays_in_the_ledger_until_seen():
    ledger = send_calls(Web("d1", *(f"more{number}" for number in range(9))), most=1)
    assert "d1" in ledger.open
    assert ledger.standing == {"k1-0": load.Standing(NOW // 1000, 0)}


@pytest.mark.parametrize("failure", [errors.Temporary("later"), errors.Unanswered("nothing")])
def test_refused_message_is_sent_again_unchanged(failure):
    web = Web(failure, failure, *(f"d{number}" for number in range(9)))
    ledger = send_calls(web, most=1)
    assert ledger.repeats == 2
    assert web.bodies[0] == web.bodies[1] == web.bodies[2]
    assert ledger.refused == []


def test_permanent_refusal_is_recorded_without_retries():
    ledger = send_calls(Web(errors.Permanent("no such source"), *(f"d{number}" for number in range(9))), most=1)
    assert ledger.refused == ["no such source"]
    assert ledger.repeats == 0


def test_router_that_stays_unavailable_is_reported():
    passing = itertools.count(0, load.PATIENCE_MICROS // 2)
    ledger = send_calls(Web(*(errors.Temporary("later") for _ in range(99))), most=1, ticks=lambda: next(passing))
    assert ledger.refused[0] == "k1-0 was not accepted within 60 s"


def test_latency_is_from_call_to_response():
    passing = itertools.count(0, SECOND // 4)
    ledger = send_calls(Web(*(f"d{number}" for number in range(9))), most=1, ticks=lambda: next(passing))
    assert list(ledger.spans[0])[:1] == [0.25]


def test_most_messages_repeat_and_some_change_state():
    number = 2_000
    web = Web(*(f"d{position}" for position in range(number + 50)))
    send_calls(web, most=number)
    seen = [(body["starts_at"], body.get("ends_at", 0)) for body in web.bodies[:number]]
    told = list(dict.fromkeys(seen))
    assert 5 <= len(told) <= 60
    for (began, ended), (then_began, then_ended) in itertools.pairwise(told):
        if ended:
            assert (then_began > ended, then_ended) == (True, 0)
        else:
            assert then_began == began
            assert then_ended > began


def test_message_contains_the_state_of_the_alert():
    fires, over = load.message("k7-1", load.Standing(5, 0)), load.message("k7-1", load.Standing(5, 9))
    assert (fires["status"], fires["dedup_key"], fires["starts_at"]) == ("firing", "k7-1", 5)
    assert "ends_at" not in fires
    assert (over["status"], over["ends_at"]) == ("resolved", 9)
    assert over["labels"] == {"env": "soak", "key": "k7"}


def test_every_incident_key_has_its_alerts():
    made = load.alerts(3)
    assert len(made) == 3 * load.ALERTS_A_KEY
    assert {load.key_of(alert) for alert in made} == {"k0", "k1", "k2"}


class TestLedger:
    def test_ledger_lists_keys_without_firing_alerts(self):
        ledger = load.Ledger()
        ledger.accept("k1-0", load.Standing(1, 0), "d1", 0.1)
        ledger.accept("k1-1", load.Standing(1, 5), "d2", 0.1)
        ledger.accept("k2-0", load.Standing(1, 5), "d3", 0.1)
        assert ledger.firing() == {"k1": {"k1-0"}, "k2": set()}

    def test_last_accepted_state_of_an_alert_applies(self):
        ledger = load.Ledger()
        ledger.accept("k1-0", load.Standing(1, 0), "d1", 0.1)
        ledger.accept("k1-0", load.Standing(1, 5), "d2", 0.1)
        assert ledger.firing() == {"k1": set()}
        assert ledger.accepted == 2

    def test_latencies_are_recorded_per_stretch(self):
        ledger = load.Ledger()
        ledger.accept("k1-0", load.Standing(1, 0), "d1", 0.5)
        ledger.begin_stretch()
        ledger.accept("k1-0", load.Standing(1, 0), "d2", 0.25)
        assert [list(stretch) for stretch in ledger.spans] == [[0.5], [0.25]]


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.001])
def test_wait_ends_after_its_duration(seconds):
    asyncio.run(load.wait(asyncio.Event(), seconds))


def test_wait_ends_when_stopped():
    async def main() -> None:
        stop = asyncio.Event()
        stop.set()
        async with asyncio.timeout(1):
            await load.wait(stop, 3600)

    asyncio.run(main())
