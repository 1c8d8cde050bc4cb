"""The failure of each kind of destination for every status, a lost response, and a timeout, without secrets."""

import pytest

from router.destinations import registry
from router.outbound import call_policy, errors
from tests.unit.destinations import accounts, scripted

EXPECTED = {
    400: errors.Permanent,
    401: errors.Denied,
    403: errors.Denied,
    404: errors.NotFound,
    408: errors.Unanswered,
    409: errors.Conflict,
    413: errors.Permanent,
    422: errors.Permanent,
    425: errors.Throttled,
    429: errors.Throttled,
    500: errors.Unanswered,
    502: errors.Unanswered,
    503: errors.Unanswered,
    504: errors.Unanswered,
}
LOOKS_NOTHING_UP = {("devhelm", "open"), ("incident-io-alert", "open"), ("incident-io-alert", "resolve")}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Repeat reads without a delay."""
    monkeypatch.setattr(call_policy, "_JITTER_SECONDS", 0.0)


def catch_failure(vendor, kind, operation):
    with pytest.raises(errors.Failure) as caught:
        accounts.perform(vendor, kind, operation)
    return caught.value


def failure_text(failure):
    """Return all text of a failure and of its causes."""
    said = ""
    problem = failure
    while problem is not None:
        said += f"{problem} {problem!r} {vars(problem)}"
        problem = problem.__cause__
    return said


@pytest.mark.parametrize("status", EXPECTED)
@pytest.mark.parametrize(("kind", "operation"), accounts.CHANGES)
def test_rejected_change_raises_the_failure_of_its_status(kind, operation, status):
    vendor = accounts.scripted_account(kind, operation)
    vendor.failing = status
    failure = catch_failure(vendor, kind, operation)
    assert type(failure) is EXPECTED[status]
    assert str(status) in failure.message
    assert scripted.SECRET not in failure_text(failure)
    assert getattr(failure, "status", status) == status


@pytest.mark.parametrize(
    ("kind", "operation"), [operation for operation in accounts.OPERATIONS if operation not in LOOKS_NOTHING_UP]
)
@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_failed_read_before_a_change_changes_nothing(kind, operation, status):
    vendor = scripted.Vendor()
    accounts.ACCOUNTS[kind].script(vendor, operation in accounts.OF_DRAFTS)
    for method, path in list(vendor._answers):
        if method == "GET":
            vendor.forget(method, path)
            vendor.answer(method, path, {"message": scripted.SECRET}, status=status)
    failure = catch_failure(vendor, kind, operation)
    assert type(failure) is {401: errors.Denied, 429: errors.Throttled}.get(status, errors.Temporary)
    assert vendor.changes == []
    assert scripted.SECRET not in failure_text(failure)


@pytest.mark.parametrize("kind", registry.KINDS)
def test_open_with_a_lost_response_may_have_happened(kind):
    vendor = accounts.scripted_account(kind, "open")
    for method, path in list(vendor._answers):
        if method == "POST":
            vendor.forget(method, path)
            vendor.answer(method, path, status=0)
    assert type(catch_failure(vendor, kind, "open")) is errors.Unanswered


@pytest.mark.parametrize("kind", registry.KINDS)
def test_open_with_an_unexpected_response_may_have_happened(kind):
    vendor = accounts.scripted_account(kind, "open")
    for method, path in list(vendor._answers):
        if method == "POST":
            vendor.forget(method, path)
            vendor.answer(method, path, {"unexpected": True})
    assert type(catch_failure(vendor, kind, "open")) is errors.Unanswered


@pytest.mark.parametrize("kind", registry.KINDS)
def test_refused_connection_is_a_temporary_failure(kind):
    async def elsewhere(destination):
        # A port that was free a moment ago, without a listener.
        destination._http._base = "http://127.0.0.1:1"
        operation = scripted.operation("open", accounts.ACCOUNTS[kind].fields)
        await destination.open(operation)

    with pytest.raises(errors.Temporary):
        scripted.Vendor().run(kind, elsewhere, **accounts.ACCOUNTS[kind].settings)


@pytest.mark.parametrize("kind", registry.KINDS)
def test_destination_repr_hides_its_key(kind):
    async def shown(destination):
        return repr(destination) + repr(vars(destination))

    assert scripted.SECRET not in scripted.Vendor().run(kind, shown, **accounts.ACCOUNTS[kind].settings)
