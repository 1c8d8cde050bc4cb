"""An incident that soon fires again is reopened if the vendor supports that. Otherwise a new one is opened."""

import dataclasses

import msgspec
import pytest

from router.domain import decisions, operations
from tests.end_to_end import harness
from tests.integration import vendor, workers

PAGE = decisions.Target("page", {"title": "Down", "message": "Sorry."}, "auto")


class Reopening(vendor.Vendor):
    """A vendor that reopens resolved incidents, unless it is set to refuse."""

    lets = True

    async def open(self, call: operations.Operation) -> operations.VendorState:
        if not call.vendor_id or not self.lets or call.vendor_id not in self.incidents:
            return await super().open(call)
        self._called(call)
        self.incidents[call.vendor_id]["state"] = "open"
        return self._acted(call.vendor_id)

    async def find(self, call: operations.Operation) -> operations.VendorState | None:
        if self.incidents.get(call.vendor_id, {}).get("state") == "open":
            return operations.VendorState(call.vendor_id, "open")
        return await super().find(call)

    async def resolve(self, call: operations.Operation) -> operations.VendorState:
        was = self.incidents[call.vendor_id]["state"]
        seen = await super().resolve(call)
        return operations.VendorState(seen.vendor_id, seen.state, ended=was == "open")


def response(*more: decisions.Target) -> decisions.Response:
    one = workers.rule(decisions.Target("devhelm", {"title": "Down"}), *more)
    return msgspec.structs.replace(one, timing=decisions.Timing(reopen_within=workers.HOUR))


def make_reopening_place(one: vendor.Vendor, *, follows: str = ""):
    place = vendor.place("devhelm", one, follows=follows)
    return dataclasses.replace(place, kind=dataclasses.replace(place.kind, reopens=True))


async def run_episode(on, number: int, *, end: bool = True, of: decisions.Response | None = None) -> None:
    await on.deliver(workers.firing(starts_at=number * 1000), response=of or response())
    await on.turn()
    if end:
        await on.deliver(workers.resolved(starts_at=number * 1000), response=of or response())
        await on.turn()


def test_incident_reopens_each_time_it_fires(with_redis):
    at = Reopening(repeatable_open=False)

    async def play(on):
        for number in (1, 2, 3):
            await run_episode(on, number)
        assert at.kinds == ["open", "resolve"] * 3
        assert at.states() == ["resolved"]
        assert [call.vendor_id for call in at.calls if call.kind == "open"] == ["", "v1", "v1"]
        texts = [event.text for event in await on.incidents.timeline("down")]
        assert "Opened at devhelm: the incident fires again soon after it was resolved." in texts

    workers.run(with_redis, play, make_reopening_place(at))


def test_incident_resolved_by_person_is_not_reopened(with_redis):
    at = Reopening(repeatable_open=False)

    async def play(on):
        await run_episode(on, 1, end=False)
        at.incidents["v1"]["state"] = "resolved"
        await on.deliver(workers.resolved(starts_at=1000), response=response())
        await on.turn()
        await run_episode(on, 2, end=False)
        assert at.states() == ["resolved", "open"]

    workers.run(with_redis, play, make_reopening_place(at))


def test_refused_reopening_creates_a_new_incident(with_redis):
    at = Reopening(repeatable_open=False)
    at.lets = False

    async def play(on):
        await run_episode(on, 1)
        await run_episode(on, 2, end=False)
        assert at.states() == ["resolved", "open"]

    workers.run(with_redis, play, make_reopening_place(at))


def test_other_kinds_have_follow_ups(with_redis):
    at = Reopening(repeatable_open=False)

    async def play(on):
        for number in (1, 2):
            await run_episode(on, number, end=number == 1)
        assert at.states() == ["resolved", "open"]

    workers.run(with_redis, play, vendor.place("devhelm", at, public=False))


@pytest.mark.parametrize("acted", [True, False])
def test_unanswered_reopening_leaves_one_open_incident(with_redis, acted):
    at = Reopening(repeatable_open=False)

    async def play(on):
        await run_episode(on, 1)
        if acted:
            at.after.append(vendor.make_unanswered())
        else:
            at.before.append(vendor.make_unanswered())
        await run_episode(on, 2, end=False)
        await on.wait_until(lambda: at.states() == ["open"])
        await on.deliver(workers.resolved(starts_at=2000), response=response())
        await on.wait_until(lambda: at.states() == ["resolved"])

    workers.run(with_redis, play, dataclasses.replace(make_reopening_place(at), timeout_seconds=0.02))


def test_refiring_incident_waits_for_pending_resolution(with_redis):
    at = Reopening(repeatable_open=False)

    async def play(on):
        await run_episode(on, 1, end=False)
        await on.deliver(workers.resolved(starts_at=1000), response=response())
        await on.fold()
        await on.deliver(workers.firing(starts_at=2000), response=response())
        await on.turn()
        assert at.kinds == ["open", "resolve", "open"]
        assert at.states() == ["open"]

    workers.run(with_redis, play, make_reopening_place(at))


def test_page_gets_a_new_post_after_reopening(with_redis):
    at, page = Reopening(repeatable_open=False), vendor.Vendor()
    of = response(PAGE)

    async def play(on):
        await run_episode(on, 1, of=of)
        await run_episode(on, 2, of=of, end=False)
        assert (at.states(), page.states()) == (["open"], ["resolved", "open"])
        assert [(call.kind, call.linked_id) for call in page.calls if call.kind in {"adopt", "open"}] == [
            ("adopt", "v1"),
            ("open", "v1"),
            ("open", ""),
        ]

    pages = vendor.place("page", page, public=True, adopts=True, follows="devhelm")
    workers.run(with_redis, play, make_reopening_place(at), pages)


RULES = """
rules:
  - name: checkout-down
    when: {labels.service: checkout}
    timing: {reopen_within: 30m}
    open:
      - {at: devhelm, title: Checkout is down}
      - {at: devhelm-page, publish: auto, title: Checkout is unavailable, message: We are investigating.}
      - {at: on-call, name: Checkout is down}
"""


def test_devhelm_reopens_and_incident_io_follows_up(tmp_path):
    with harness.vendors() as at, harness.router(tmp_path, harness.configure(tmp_path, at, rules=RULES)) as router:
        router.send_alert()
        harness.eventually("the incident is open", lambda: at.incidents()["devhelm-page"] == ["open"])
        router.send_alert(status="resolved")
        harness.eventually(
            "the incident is resolved", lambda: all(found[:1] == ["resolved"] for found in list_states(at))
        )
        router.send_alert()
        harness.eventually(
            "it is open again", lambda: list_states(at) == [["open"], ["resolved", "open"], ["resolved", "open"]]
        )
        (incident,) = at.state()["devhelm"]["incidents"]
        assert incident["incident"]["reopenCount"] == 1
        router.send_alert(status="resolved")
        harness.eventually(
            "the incident is resolved again",
            lambda: list_states(at) == [["resolved"], ["resolved"] * 2, ["resolved"] * 2],
        )


def list_states(at: harness.Vendors) -> list[list[str]]:
    incidents = at.incidents()
    return [sorted(incidents[name], reverse=True) for name in ("devhelm", "devhelm-page", "on-call")]
