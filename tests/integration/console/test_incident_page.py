"""The incident page: cause, destinations, desired and observed state, and next steps."""

import functools

import pytest

from tests.integration import consoles, vendor

API = "/api/v1"
RULES = """
rules:
  - name: down
    when: {source: json, labels.service: {matches: "^check"}}
    group_by: [labels.service]
    severity: {from: labels.severity, map: {minor: minor, major: major, critical: critical}}
    timing: {resolve_after: 10m}
    open:
      - {at: on-call, name: "{{ alert.title }}", summary: "It is {{ incident.severity }}"}
      - at: page
        publish: review
        review: {timeout: 2h, on_timeout: publish}
        title: Checkout is unavailable
        message: We are investigating.
"""


@pytest.fixture
def play(play):
    return functools.partial(play, rules=RULES)


async def get_incident(at, client) -> dict:
    at.clock.offset += 2_000_000
    return (await client.get(f"{API}/incidents/{consoles.key()}")).json()


def place(one: dict, name: str) -> dict:
    return next(publication for publication in one["publications"] if publication["destination"] == name)


def test_decision_is_explained_with_conditions_and_values(play):
    async def body(at):
        await at.deliver(consoles.firing())
        [reason] = (await get_incident(at, await at.client_for("viewer")))["decided"]
        assert (reason["rule"], reason["place"].endswith("a.yaml:3")) == ("down", True)
        assert reason["conditions"][0] == {"asks": 'source = "json"', "value": ""}
        assert reason["conditions"][1]["asks"].startswith("labels.service matches")
        assert reason["conditions"][1]["value"] == "checkout"

    play(body)


def test_publication_shows_current_and_desired_state(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client = await at.client_for("responder")
        one = await get_incident(at, client)
        there, page = place(one, "on-call"), place(one, "page")
        assert there["shown"] == there["fields"] == {"name": "checkout is down", "summary": "It is major"}
        assert (page["shown"], page["fields"]["title"]) == ({}, "Checkout is unavailable")

    play(body)


def test_rejected_change_is_shown_beside_the_current_state(play):
    async def body(at):
        await at.deliver(consoles.firing())
        at.on_call.before.append(vendor.make_permanent())
        await at.deliver(consoles.firing("checkout", severity="critical", another="yes"))
        client, _ = await at.browser("viewer")
        there = place(await get_incident(at, client), "on-call")
        assert (there["shown"]["summary"], there["fields"]["summary"]) == ("It is major", "It is critical")
        page = (await client.get("/incident", params={"key": consoles.key()})).text
        assert "Differs from the desired state" in page
        row = page[page.index('<table class="compared">') : page.index("</table>")]
        assert row.index("It is major") < row.index("It is critical")
        assert "checkout is down" not in row  # The page shows differing fields only.

    play(body)


def test_next_steps_are_listed_with_their_times(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client = await at.client_for("viewer")
        [waits] = (await get_incident(at, client))["coming"]
        assert waits["destination"] == "page"
        assert waits["reason"] == "review_required"
        assert waits["what"].endswith("published if not decided before the deadline")
        assert waits["at"] > "2020"
        await at.deliver(consoles.resolved())
        over, *_ = (await get_incident(at, client))["coming"]
        assert (over["destination"], over["reason"]) == ("", "quiet_period_ends")

    play(body)


def test_rejected_and_pending_steps_are_upcoming(play):
    async def body(at):
        at.on_call.before.append(vendor.make_permanent())
        await at.deliver(consoles.firing())
        coming = {one["destination"]: one for one in (await get_incident(at, await at.client_for("viewer")))["coming"]}
        assert coming["on-call"]["reason"] == "dead_letter"
        assert coming["on-call"]["at"] is None

    play(body)


def test_incident_page_shows_all_details(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client, _ = await at.browser("viewer")
        page = (await client.get("/incident", params={"key": consoles.key()})).text
        for text in (
            "labels.service matches",
            "value “checkout”",
            "What happens next",
            "published if not decided before the deadline",
            "Matches the desired state",
            "Desired content (not posted)",
            'href="https://vendor.example/v1"',
            "open for",
        ):
            assert text in page, text

    play(body)


def test_review_of_an_update_shows_the_current_post(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client, csrf = await at.browser("responder")
        [seen] = (await client.get(f"{API}/reviews")).json()["items"]
        assert (seen["what"], seen["before"]) == ("opening", {})
        word = {"incident": consoles.key(), "destination": "page", "seen": seen["digest"], "decision": "approve"}
        answer = await client.post(f"{API}/review", json=word, headers={"x-csrf-token": csrf})
        assert answer.status_code == 200, answer.text
        await at.on.turn()
        await at.deliver(consoles.firing("checkout", severity="critical", another="yes"))
        at.clock.offset += 2_000_000
        [waits] = (await client.get(f"{API}/reviews")).json()["items"]
        assert (waits["what"], waits["before"]["title"]) == ("update", "Checkout is unavailable")
        assert "<h3>Changes</h3>" in (await client.get("/reviews")).text

    play(body)


def test_overview_shows_traffic_and_last_vendor_calls(play):
    async def body(at):
        client, _ = await at.browser("viewer")
        before = (await client.get(f"{API}/overview")).json()
        assert (before["received_at"], before["received_a_minute"]) == (None, None)
        await at.deliver(consoles.firing())
        at.clock.offset += 2_000_000
        assert (await client.get(f"{API}/overview")).json()["received_at"] > "2020"
        at.clock.offset += 20_000_000
        await at.deliver(consoles.firing("another"))
        assert (await client.get(f"{API}/overview")).json()["received_a_minute"] == pytest.approx(3.0, abs=1.5)
        places = {item["name"]: item for item in (await client.get(f"{API}/destinations")).json()["items"]}
        assert places["on-call"]["called_at"] > "2020"
        assert places["page"]["called_at"] is None
        page = (await client.get("/")).text
        for text in ("a minute", "No worker is running", "rules and reviewers decide", "last call"):
            assert text in page, text
        await (await at.client_for("responder")).post(f"{API}/publishing/freeze", json={"reason": "a drill"})
        assert "Publishing is frozen" in (await client.get("/")).text

    play(body)


def test_each_rule_shows_incidents_and_precision(play):
    async def body(at):
        client, csrf = await at.browser("responder")
        assert (await client.get(f"{API}/rules")).json()["items"][0]["precision"] is None
        await at.deliver(consoles.firing())
        await at.deliver(consoles.firing("check-b"))
        for decision in ("approve", "dismiss"):
            at.clock.offset += 2_000_000
            seen = (await client.get(f"{API}/reviews")).json()["items"][0]
            word = {"incident": seen["incident"], "destination": "page", "seen": seen["digest"], "decision": decision}
            assert (await client.post(f"{API}/review", json=word, headers={"x-csrf-token": csrf})).status_code == 200
            await at.on.turn()
        at.clock.offset += 2_000_000
        [rule] = (await client.get(f"{API}/rules")).json()["items"]
        assert (rule["name"], rule["open"], rule["lately"], rule["precision"]) == ("down", 2, 2, 0.5)
        page = (await client.get("/rules")).text
        assert "<h2>a.yaml</h2>" in page
        assert "50 %" in page

    play(body)
