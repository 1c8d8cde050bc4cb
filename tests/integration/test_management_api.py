"""The management API over real HTTP, beside a real worker: what it answers, and what follows from what is done."""

import pytest

from tests.integration import desk

API = "/api/v1"


@pytest.fixture
def play(with_redis, tmp_path):
    def run(body, **more):
        desk.playing(with_redis, tmp_path, body, **more)

    return run


async def items(client, path, **query):
    answer = await client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_an_incident_is_told_whole(play):
    async def body(at):
        await at.deliver(desk.firing())
        client = await at.as_("viewer")
        [row] = await items(client, "/incidents")
        assert (row["key"], row["status"], row["severity"], row["firing"]) == (desk.key(), "open", "major", 1)
        one = (await client.get(f"{API}/incidents/{desk.key()}")).json()
        assert one["title"] == "checkout is down"
        assert one["labels"]["service"] == "checkout"
        assert {each["destination"]: each["state"] for each in one["publications"]} == {
            "on-call": "open",
            "page": "absent",
        }
        assert "opened" in [event["what"] for event in one["timeline"]]
        assert one["because"][0].startswith("rule down (")

    play(body)
