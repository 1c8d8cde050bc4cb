"""Reads are retried after temporary failures. Calls that may have had an effect are not."""

import asyncio

import msgspec
import pytest

from router.outbound import call_policy, errors


class Thing(msgspec.Struct):
    """The object that the tests read."""

    id: str


def read_times(wire, times=1):
    async def body(http):
        return [await http.read("/v1/things", Thing) for _ in range(times)]

    return wire.run(body)


def catch_failure(wire):
    async def body(http):
        with pytest.raises(errors.Failure) as caught:
            await http.read("/v1/things", Thing)
        return caught.value

    return wire.run(body)


@pytest.mark.parametrize(
    "answer",
    [(500, b""), (503, b"{}", "retry-after: 0"), (200, b'{"id": '), (200, b"[]"), (429, b"{}", "retry-after: 0")],
    ids=["500", "503", "cut off", "another shape", "429"],
)
def test_read_succeeds_after_one_or_two_failures(wire, answer):
    wire.answer(*answer)
    wire.answer(*answer)
    wire.answer(200, b'{"id": "one"}')
    assert read_times(wire) == [Thing("one")]
    assert len(wire.received) == 3


def test_third_failure_of_a_read_is_raised(wire):
    for status in (500, 502, 503):
        wire.answer(status)
    failure = catch_failure(wire)
    assert type(failure) is errors.Temporary
    assert "503" in failure.message
    assert len(wire.received) == call_policy.TRIES


@pytest.mark.parametrize(
    ("status", "headers"), [(404, ()), (401, ()), (429, ("retry-after: 3",)), (503, ("retry-after: 60",))]
)
def test_rejection_and_long_pause_are_raised_immediately(wire, status, headers):
    wire.answer(status, b"", *headers)
    catch_failure(wire)
    assert len(wire.received) == 1


def test_call_that_used_its_time_is_not_retried(wire):
    wire.settings["timeout_seconds"] = 0.5
    wire.answers.append(None)
    assert "no answer within" in catch_failure(wire).message
    assert len(wire.received) == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_changing_request_is_never_retried_automatically(wire, method):
    wire.answer(500)
    wire.answer(200, b"{}")

    async def body(http):
        with pytest.raises(errors.Unanswered):
            await http.call(method, "/v1/things", json={})

    wire.run(body)
    assert len(wire.received) == 1


def test_no_retry_before_the_vendor_s_pause_ends():
    moments = []

    async def ask():
        moments.append(asyncio.get_running_loop().time())
        if len(moments) == 1:
            raise errors.Temporary("later", 0.05)
        return "well"

    assert asyncio.run(call_policy.retry_read(ask)) == "well"
    assert moments[1] - moments[0] >= 0.05


class UsedUp:
    """A quota that always has room in 500 ms."""

    async def admit(self, turn):  # noqa: ARG002 - as quotas take it
        return call_policy.Admission(0.5)


def test_no_wait_beyond_the_operation_s_deadline():
    async def body():
        began = asyncio.get_running_loop().time()
        with pytest.raises(errors.Queued, match="used up for now") as caught:
            await call_policy.wait_for_quota(UsedUp(), call_policy.Turn(0.0), "x", began + 0.3)
        assert caught.value.retry_after == 0.5
        assert asyncio.get_running_loop().time() - began < 0.3

    asyncio.run(body())


def test_no_retry_after_the_operation_s_deadline():
    asked = []

    async def ask():
        asked.append("once")
        raise errors.Temporary("later", 0.5)

    async def body():
        with pytest.raises(errors.Temporary, match="later"):
            await call_policy.retry_read(ask, asyncio.get_running_loop().time() + 0.3)

    asyncio.run(body())
    assert asked == ["once"]


def test_other_exceptions_are_raised_unchanged():
    async def ask():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(call_policy.retry_read(ask))
