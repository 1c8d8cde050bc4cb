"""The management API over real HTTP with a real worker: responses, and the effects of actions."""

import json

import pytest

from router.domain import recordings
from tests.integration import consoles

API = "/api/v1"


async def list_items(client, path, **query):
    answer = await client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_incident_is_returned_completely(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client = await at.client_for("viewer")
        [row] = await list_items(client, "/incidents")
        assert (row["key"], row["status"], row["severity"], row["firing"]) == (consoles.key(), "open", "major", 1)
        one = (await client.get(f"{API}/incidents/{consoles.key()}")).json()
        assert one["title"] == "checkout is down"
        assert one["labels"]["service"] == "checkout"
        assert {publication["destination"]: publication["state"] for publication in one["publications"]} == {
            "on-call": "open",
            "page": "absent",
        }
        assert "opened" in [event["what"] for event in one["timeline"]]
        assert one["because"][0].startswith("rule down (")

    play(body)


def test_cursors_visit_each_incident_once_despite_changes(play):
    async def body(at):
        services = [f"s{number:02}" for number in range(23)]
        await at.put(*(consoles.firing(service, severity="minor") for service in services))
        await at.on.fold()
        client = await at.client_for("viewer")
        seen, cursor = [], ""
        while True:
            answer = (await client.get(f"{API}/incidents", params={"limit": 5, "cursor": cursor})).json()
            seen += [item["key"] for item in answer["items"]]
            if len(seen) == 10:  # The incident at the cursor resolves, which changes its position in the list.
                await at.deliver(consoles.resolved(seen[-1].split('"')[1]))
                at.clock.offset += 2_000_000
            cursor = answer["next"]
            if not cursor:
                break
        assert sorted(seen) == [consoles.key(service) for service in services]

    play(body)


def test_filters_choose_by_status_severity_and_text(play):
    async def body(at):
        await at.deliver(consoles.firing("a", severity="critical"), consoles.firing("b", severity="minor", team="Blue"))
        await at.deliver(consoles.firing("c"), consoles.firing("d", noise="yes"))
        await at.deliver(consoles.resolved("c"))
        client = await at.client_for("viewer")

        async def found(**query):
            return [item["key"].split('"')[1] for item in await list_items(client, "/incidents", **query)]

        assert await found() == ["a", "b"]
        assert await found(status="closed") == ["c"]
        assert await found(status="all") == ["a", "b", "c"]
        assert await found(status="pending") == []
        assert await found(severity="minor") == ["b"]
        assert await found(text="TEAM=blue") == ["b"]
        assert await found(text="a is down") == ["a"]
        assert await found(text="down", severity="critical") == ["a"]

    play(body)


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("/incidents", "limit=0", "limit"),
        ("/incidents", "limit=501", "limit"),
        ("/incidents", "severity=loud", "severity"),
        ("/incidents", "stauts=open", "stauts"),
        ("/incidents", "cursor=garbage", "cursor"),
        ("/incidents", "cursor=%C3%A4", "cursor"),
        ("/incidents", "cursor=W10", "cursor"),
        ("/deliveries", "cursor=garbage", "cursor"),
        ("/quarantine", "cursor=1-1-1", "cursor"),
        ("/dead-letters", "cursor=garbage", "cursor"),
        ("/dead-letters", "cursor=WzEsIjEteCJd", "cursor"),
        ("/audit", "cursor=%2B", "cursor"),
        ("/review", "incident=x", "destination"),
        ("/overview", "x=y", "x"),
        ("/silences", "over=perhaps", "over"),
    ],
)
def test_invalid_query_is_an_error(play, path, query, said):
    async def body(at):
        answer = await (await at.client_for("admin")).get(f"{API}{path}?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        problem = answer.json()
        assert said in problem["detail"]
        assert (problem["status"], problem["instance"]) == (422, f"{API}{path}")
        assert problem["type"] == "urn:incident-router:problem:unfit"

    play(body)


def test_deliveries_are_listed_by_page_and_shown_completely(play):
    async def body(at):
        sent = [
            await at.deliver(consoles.firing(f"s{number}"), consoles.firing("x", noise="yes")) for number in range(7)
        ]
        client = await at.client_for("viewer")
        seen, cursor = [], ""
        for _ in range(4):
            answer = (await client.get(f"{API}/deliveries", params={"limit": 2, "cursor": cursor})).json()
            seen += [item["id"] for item in answer["items"]]
            cursor = answer["next"]
        assert (seen, cursor) == (sent[::-1], "")
        one = (await client.get(f"{API}/deliveries/{sent[0]}")).json()
        assert (one["source"], one["alerts"], one["rules"]) == ("json", 2, ["down"])
        assert [each["rule"] or each["ignored"] for each in one["decisions"]] == ["down", "noise"]
        assert one["body"] == '{"title": "as it was sent"}'
        explained = await client.post(f"{API}/explain", json={"delivery": sent[0]})
        assert len(explained.json()["alerts"]) == 2

    play(body)


def test_recordings_are_paged_from_the_oldest(play):
    async def body(at):
        sent = [await at.deliver(consoles.firing(name)) for name in "abc"]
        client = await at.client_for("viewer")
        seen, cursor = [], ""
        while not seen or cursor:
            query = {"limit": 2, "cursor": cursor, "since": "2020-01-01T00:00:00Z"}
            answer = (await client.get(f"{API}/recordings", params=query)).json()
            seen += [recordings.decode(json.dumps(item).encode()) for item in answer["items"]]
            cursor = answer["next"]
        assert [one.id for one in seen] == sent
        assert seen[0].alerts == [consoles.firing("a")]
        assert await list_items(client, "/recordings", since="2100-01-01T00:00:00+02:00") == []
        assert (await client.get(f"{API}/recordings", params={"since": "2020-01-01T00:00:00"})).status_code == 422

    play(body)


def test_payload_is_explained_or_its_error_reported(play):
    async def body(at):
        client = await at.client_for("viewer")
        payload = '{"title": "t", "status": "firing", "labels": {"service": "x"}}'
        done = await client.post(f"{API}/explain", json={"source": "json", "payload": payload})
        assert done.status_code == 200
        assert "down" in done.text
        for asked, status, said in (
            ({"source": "jsn", "payload": "{}"}, 404, 'did you mean "json"'),
            ({"source": "json", "payload": "{"}, 422, ""),
            ({"delivery": "none"}, 404, "none"),
            ({"sauce": "json"}, 422, "sauce"),
        ):
            answer = await client.post(f"{API}/explain", json=asked)
            assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
        assert (await client.post(f"{API}/explain", content=b"\xff")).status_code == 422

    play(body)


async def review(client, service="checkout"):
    return await client.get(f"{API}/review", params={"incident": consoles.key(service), "destination": "page"})


def decision(kind="approve", service="checkout", **more):
    return {"incident": consoles.key(service), "destination": "page", "decision": kind, **more}


def test_approved_post_is_shown_and_names_the_person(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client = await at.client_for("responder", name="ann")
        found = await review(client)
        assert found.headers["etag"] == f'"{found.json()["digest"]}"'
        headers = {"if-match": found.headers["etag"]}
        done = await client.post(f"{API}/review", json=decision(reason="seen"), headers=headers)
        assert (done.status_code, done.json()["kind"], done.json()["who"]) == (200, "approved", "ann")
        await at.on.turn()
        assert at.page.kinds == ["open"]
        assert (await review(client)).status_code == 404
        assert await list_items(client, "/reviews") == []
        told = (await client.get(f"{API}/incidents/{consoles.key()}")).json()["timeline"]
        assert "Approved at page by ann: seen" in [event["text"] for event in told]

    play(body)


def test_edited_text_is_published_and_invalid_text_refused(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client = await at.client_for("responder")
        seen = (await review(client)).json()["digest"]
        too_long = await client.post(f"{API}/review", json=decision(seen=seen, fields={"title": "x" * 300}))
        assert (too_long.status_code, "title" in too_long.json()["detail"]) == (422, True)
        unknown = await client.post(f"{API}/review", json=decision(seen=seen, fields={"titel": "x"}))
        assert unknown.status_code == 422
        assert (await client.post(f"{API}/review", json=decision(seen=seen, fields={"title": "Cards"}))).is_success
        await at.on.turn()
        [shown] = at.page.incidents.values()
        assert shown["content"].fields["title"] == "Cards"

    play(body)


def test_dismissed_post_is_not_shown(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client = await at.client_for("responder")
        seen = (await review(client)).json()["digest"]
        refused = await client.post(f"{API}/review", json=decision("dismiss", seen=seen, fields={"title": "x"}))
        assert refused.status_code == 422
        done = await client.post(f"{API}/review", json=decision("dismiss", seen=seen, reason="a drill"))
        assert done.json()["kind"] == "dismissed"
        await at.on.turn()
        assert (at.page.calls, await list_items(client, "/reviews")) == ([], [])

    play(body)


def test_second_decision_names_the_first_reviewer(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann, bob = await at.client_for("responder", name="ann"), await at.client_for("responder", name="bob")
        tag = {"if-match": (await review(bob)).headers["etag"]}
        assert (await ann.post(f"{API}/review", json=decision(), headers=tag)).is_success
        lost = await bob.post(f"{API}/review", json=decision("dismiss"), headers=tag)
        assert (lost.status_code, lost.json()["by"], lost.json()["now"]) == (412, "ann", None)
        assert lost.json()["detail"] == "ann decided first; your decision was not recorded"
        await at.on.turn()
        assert at.page.kinds == ["open"]

    play(body)


def test_conflict_shows_the_current_review(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client = await at.client_for("responder")
        old = (await review(client)).headers["etag"]
        await at.deliver(consoles.firing(severity="critical", starts="again"))
        lost = await client.post(f"{API}/review", json=decision(), headers={"if-match": old})
        now = lost.json()["now"]
        assert (lost.status_code, lost.json()["by"], now["severity"]) == (412, "", "critical")
        await at.on.turn()
        assert at.page.calls == []
        assert (await client.post(f"{API}/review", json=decision(seen=now["digest"]))).is_success

    play(body)


def test_decision_without_a_digest_is_refused(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client = await at.client_for("responder")
        for headers in ({}, {"if-match": ""}, {"if-match": '""'}):
            assert (await client.post(f"{API}/review", json=decision(), headers=headers)).status_code == 428
        nothing = await client.post(f"{API}/review", json=decision(service="none", seen="x"))
        assert (nothing.status_code, nothing.json()["now"]) == (412, None)
        assert len(await list_items(client, "/reviews")) == 1

    play(body)
