"""An archived delivery is redelivered under the current rules, once per request, and each request is audited."""

from tests.integration import consoles

API = "/api/v1"


async def rules_change(at, old: str, new: str) -> None:
    for file in (at.settings.rules).iterdir():
        file.write_text(file.read_text().replace(old, new))


def test_redelivery_of_current_alerts_changes_nothing(play):
    async def body(at):
        delivered = await at.deliver(consoles.firing())
        client = await at.client_for("responder", name="ann")
        before = await at.on.incident(consoles.key())
        answer = await client.post(f"{API}/deliveries/{delivered}/reprocess")
        assert answer.status_code == 200, answer.text
        assert answer.json()["alerts"] == 1
        await at.on.turn()
        assert await at.on.incident(consoles.key()) == before
        assert at.on_call.kinds == ["open"]
        listed = (await client.get(f"{API}/deliveries")).json()["items"]
        assert [item["id"] for item in listed] == [answer.json()["delivery"], delivered]
        assert (await client.get(f"{API}/deliveries/{listed[0]['id']}")).json()["body"] == '{"title": "as it was sent"}'

    play(body)


def test_redelivery_is_decided_by_the_current_rules(play):
    async def body(at):
        delivered = await at.deliver(consoles.firing(noise="yes"))
        assert (await at.on.incident(consoles.key())).status == "closed"
        await rules_change(at, 'labels.noise: "yes"', 'labels.noise: "no"')
        client, csrf = await at.browser("responder", name="ann")
        answer = await client.post("/deliveries/reprocess", data={"csrf": csrf, "subject": delivered})
        assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries?done=reprocessed")
        await at.on.turn()
        assert (await at.on.incident(consoles.key())).status == "open"
        lines = (await at.parts.queries.records.audit()).items
        assert [(line.who, line.what, line.subject, line.outcome) for line in lines[:1]] == [
            ("ann", "reprocess delivery", delivered, "done")
        ]

    play(body)


def test_missing_delivery_and_viewer_replay_nothing(play):
    async def body(at):
        delivered = await at.deliver(consoles.firing())
        responder, viewer = await at.client_for("responder"), await at.client_for("viewer")
        assert (await responder.post(f"{API}/deliveries/{'0' * 32}/run")).status_code == 404
        assert (await viewer.post(f"{API}/deliveries/{delivered}/reprocess")).status_code == 403
        assert len((await viewer.get(f"{API}/deliveries")).json()["items"]) == 1
        looking, _ = await at.browser("viewer")
        page = (await looking.get("/delivery", params={"id": delivered})).text
        assert "202, accepted: 1 alert" in page
        assert "Process again" not in page

    play(body)
