"""The API, the console, and the commands show queued incidents as queued."""

import pytest

from router.cli import incidents
from router.services import models
from router.store import publishing_state
from router.worker import storm_control
from tests.integration import consoles

WAITS = "storm_queued"


@pytest.fixture
def play(play):
    """Run a coroutine function with a worker that opens at most one incident per hour."""

    def run(body):
        async def limited(at):
            limit = publishing_state.Limit(1, 3_600_000_000)
            at.on.reconciler._storms = storm_control.StormControl(at.on.store, limit)
            await at.deliver(consoles.firing("a"), consoles.firing("b"))
            await body(at)

        play(limited)

    return run


async def _held(at, client) -> str:
    """Return the queued incident."""
    waits = []
    for service in ("a", "b"):
        one = (await client.get(f"/api/v1/incidents/{consoles.key(service)}")).json()
        if any(publication["next_reason"] == WAITS for publication in one["publications"]):
            assert {(publication["next_reason"], publication["next_at"]) for publication in one["publications"]} == {
                (WAITS, None)
            }
            assert "Queued in an alert storm" in one["timeline"][-1]["text"]
            assert one["timeline"][-1]["what"] == "storm"
            waits.append(service)
    [held] = waits
    return held


def test_api_and_timeline_show_the_queue(play):
    async def body(at):
        assert await _held(at, await at.client_for("viewer")) in {"a", "b"}
        assert at.on_call.kinds == ["open"]

    play(body)


def test_console_shows_that_incident_is_queued(play):
    async def body(at):
        client, _ = await at.browser("viewer")
        held = await _held(at, await at.client_for("viewer"))
        page = (await client.get("/incident", params={"key": consoles.key(held)})).text
        assert "queued in an alert storm" in page
        assert "Queued in an alert storm" in page

    play(body)


def test_overview_counts_queued_incidents(play):
    async def body(at):
        api, (console, _) = await at.client_for("viewer"), await at.browser("viewer")
        assert (await api.get("/api/v1/overview")).json()["storm"] is None
        assert "Alert storm" not in (await console.get("/")).text
        began = await at.on.reconciler._storms.turn()
        told = (await api.get("/api/v1/overview")).json()["storm"]
        assert told == {"since": models.at(began.since).isoformat().replace("+00:00", "Z"), "waiting": 1}
        assert "1 incident is queued" in (await console.get("/")).text

    play(body)


def test_queued_post_is_not_in_reviews(play):
    async def body(at):
        client = await at.client_for("viewer")
        held = await _held(at, client)
        listed = (await client.get("/api/v1/reviews")).json()["items"]
        assert [item["incident"] for item in listed] == [consoles.key("b" if held == "a" else "a")]

    play(body)


def test_command_shows_that_incident_is_queued(play, capsys):
    async def body(at):
        held = await _held(at, await at.client_for("viewer"))
        one = await at.parts.queries.incident(consoles.key(held))
        incidents._print(one)
        said = " ".join(capsys.readouterr().out.split())
        assert "on-call: absent queued in an alert storm" in said

    play(body)
