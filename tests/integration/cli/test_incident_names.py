"""Every command and endpoint finds an incident by its key, its reference, or a prefix of either."""

import asyncio
import random

import pytest

from router.domain import identity, incidents
from router.services import incident_names
from router.store import keys
from router.store.incidents import Change
from tests.integration import consoles
from tests.integration.cli.test_commands import run

API = "/api/v1"


def change(key: str, episode: str = "", version: int = 0, **more) -> Change:
    incident = incidents.Incident(key=key, status="open" if episode else "pending", episode=episode, **more)
    return Change(incident, version, wake=False)


async def list_names(store) -> list[bytes]:
    found = [await store.redis.zrange(keys.names(number), 0, -1) for number in range(keys.SHARDS)]
    return [name for of_shard in found for name in of_shard]


def test_incident_is_found_by_name_or_prefix(with_redis):
    async def body(store):
        await store.incidents.commit(
            [change("down{a}", "e1"), change("down{b}", "e2"), change("up", "e3"), change("held")]
        )
        first = identity.reference("e1")
        for text in ("down{a}", first, first.lower(), first[:8], first[:6].lower(), "down{a", f" {first} "):
            assert await incident_names.find_keys(store, text) == ["down{a}"], text
        assert await incident_names.find_keys(store, "u") == ["up"]
        assert await incident_names.find_keys(store, "hel") == ["held"]
        assert await incident_names.find_keys(store, "down") == ["down{a}", "down{b}"]
        for text in ("IR-", "IR", "ir"):
            assert await incident_names.find_keys(store, text) == ["down{a}", "down{b}", "up"]
        for text in ("", "own{a}", "nothing", "\udcff", "down{a}x", f"{first}0"):
            assert await incident_names.find_keys(store, text) == [], text

    with_redis(body)


def test_full_key_or_reference_matches_before_prefixes(with_redis):
    async def body(store):
        reference = identity.reference("e1")
        await store.incidents.commit(
            [change("down", "e1"), change("down-again", "e2"), change(f"{reference}-copy", "e3")]
        )
        assert await incident_names.find_keys(store, "down") == ["down"]
        assert await incident_names.find_keys(store, reference) == ["down"]

    with_redis(body)


def test_similar_letters_and_digits_name_one_incident(with_redis):
    episode = next(str(n) for n in range(1000) if {"0", "1"} <= set(identity.reference(str(n))[3:]))
    reference = identity.reference(episode)

    async def body(store):
        await store.incidents.commit([change("down", episode)])
        misread = "IR-" + reference[3:].replace("0", "O").replace("1", "l")
        assert await incident_names.find_keys(store, misread) == ["down"]

    with_redis(body)


def test_reference_of_earlier_episode_finds_nothing(with_redis):
    """An approval by an old reference must not apply to a later episode."""

    async def body(store):
        version = await store.incidents.write(change("down", "e1"))
        await store.incidents.write(change("down", "e2", version))
        assert await incident_names.find_keys(store, identity.reference("e1")) == []
        assert await incident_names.find_keys(store, identity.reference("e2")) == ["down"]
        assert len(await list_names(store)) == 1

    with_redis(body)


def test_reference_of_an_earlier_episode_shows_its_incident(with_redis):
    """After data loss, an item at a vendor has the earlier reference of its incident."""

    async def body(store):
        lost, episode = (identity.new_episode("here", "down", random.Random(seed)) for seed in (1, 2))
        other = identity.new_episode("here", "up", random.Random(3))
        await store.incidents.commit([change("down", episode), change("up", other)])
        assert await incident_names.find_keys(store, identity.reference(lost)) == []
        assert await incident_names.find_keys(store, identity.reference(lost), earlier=True) == ["down"]
        elsewhere = identity.reference(identity.new_episode("elsewhere", "down", random.Random(1)))
        assert await incident_names.find_keys(store, elsewhere, earlier=True) == []

    with_redis(body)


def test_names_of_expired_incidents_are_removed(with_redis):
    async def body(store):
        await store.incidents.commit([change("down\0odd", "e1"), change("down", "e2"), change("stays", "e3")])
        for key in ("down\0odd", "down"):
            await store.redis.delete(keys.incident(key))
            await store.redis.zadd(keys.incidents(keys.shard(key)), {key: 1})
        assert await incident_names.find_keys(store, "dow") == []
        assert await incident_names.find_keys(store, identity.reference("e2")) == []
        assert await store.incidents.names() == ["stays"]
        assert len(await list_names(store)) == 1

    with_redis(body)


def test_keys_with_a_null_byte_are_distinct(with_redis):
    async def body(store):
        version = await store.incidents.write(change("down", "e1"))
        await store.incidents.write(change("down\0odd", "e2"))
        await store.incidents.write(change("down", "e3", version))
        assert await incident_names.find_keys(store, identity.reference("e2")) == ["down\0odd"]
        assert await incident_names.find_keys(store, "down\0o") == ["down\0odd"]

    with_redis(body)


def test_reference_within_a_key_finds_nothing(with_redis):
    async def body(store):
        reference = identity.reference("e1")
        await store.incidents.commit([change(f"down\0{reference}", "e2"), change("down", "e1"), change("up*", "e3")])
        assert await incident_names.find_keys(store, reference) == ["down"]
        assert list(await store.incidents.find(reference[:5], 10)) == ["down"]

    with_redis(body)


def test_reference_is_found_among_many(with_redis):
    async def body(store):
        await store.incidents.commit([change(f"down-{number}", f"e{number}") for number in range(20_000)])
        assert await incident_names.find_keys(store, identity.reference("e12345")) == ["down-12345"]
        assert len(await store.incidents.find("IR-", 3)) == 3 * keys.SHARDS

    with_redis(body)


def test_second_name_of_an_earlier_version_is_removed(with_redis):
    async def body(store):
        version = await store.incidents.write(change("down", "e1"))
        before = identity.reference("e1")
        await store.redis.zadd(keys.names(keys.shard("down")), {f"r:{before}\0down": 0})
        assert await incident_names.find_keys(store, before) == ["down"]
        await store.incidents.write(change("down", "e2", version))
        assert await list_names(store) == [f"k:down\0{identity.reference('e2')}".encode()]

    with_redis(body)


def test_inhibition_keys_have_no_name(with_redis):
    async def body(store):
        await store.incidents.commit([change("inhibit:down", "e1")])
        assert await list_names(store) == []

    with_redis(body)


def test_schema_2_data_gets_names(with_redis):
    """One document is unreadable."""

    async def body(store):
        await store.incidents.commit([change("down", "e1"), change("damaged", "e2"), change("inhibit:x", "e3")])
        await store.redis.hset(keys.incident("damaged"), "d", b"packed")
        await store.incidents.commit([change("odd", "e4")])
        await store.redis.set(keys.incident("odd"), "no hash")
        for number in range(keys.SHARDS):
            await store.redis.delete(keys.names(number))
        await store.redis.set(keys.SCHEMA, 2)
        assert await incident_names.find_keys(store, "dow") == []
        await store.schema.ensure()
        assert await incident_names.find_keys(store, "dow") == ["down"]
        assert await incident_names.find_keys(store, identity.reference("e1")) == ["down"]
        assert await incident_names.find_keys(store, "damage") == ["damaged"]
        assert await incident_names.find_keys(store, "od") == ["odd"]

    with_redis(body)


def test_prefix_search_reads_a_bounded_number_of_incidents(with_redis):
    async def body(store):
        await store.incidents.commit([change(f"down-{number:04}", f"e{number}") for number in range(2000)])
        found = await store.incidents.find("down", 11)
        assert 11 <= len(found) <= 11 * keys.SHARDS
        assert (await incident_names.find_keys(store, "down")) == list(found)[: incident_names.MAX_CANDIDATES + 1]

    with_redis(body)


@pytest.fixture
def play(with_redis, tmp_path):
    def run(body):
        consoles.run(with_redis, tmp_path, body)

    return run


async def open_two(at) -> tuple[str, str]:
    """Open two incidents that wait for review, and return their references."""
    await at.deliver(consoles.firing(), consoles.firing("cart"))
    client = await at.client_for("viewer")
    rows = (await client.get(f"{API}/incidents")).json()["items"]
    found = {row["key"]: row["reference"] for row in rows}
    assert all(row["problems"] == ["awaiting_review"] for row in rows)
    return found[consoles.key()], found[consoles.key("cart")]


def test_every_api_path_accepts_key_reference_and_prefix(play):
    async def body(at):
        reference, _ = await open_two(at)
        client = await at.client_for("responder")
        for name in (consoles.key(), reference, reference[:8].lower(), consoles.key()[:-8]):
            one = await client.get(f"{API}/incidents/{name}")
            assert (one.status_code, one.json()["key"]) == (200, consoles.key())
            assert (await client.get(f"{API}/stories/{name}")).json()["incident"]["key"] == consoles.key()
            review = await client.get(f"{API}/review", params={"incident": name, "destination": "page"})
            assert review.json()["incident"] == consoles.key()
        wanted = {"incident": reference, "destination": "page", "decision": "approve", "seen": review.json()["digest"]}
        assert (await client.post(f"{API}/review", json=wanted)).status_code == 200
        admin = await at.client_for("admin")
        lines = (await admin.get(f"{API}/audit")).json()["items"]
        assert next(line["subject"] for line in lines if line["what"] == "review") == f"{consoles.key()} at page"

    play(body)


def test_heartbeat_is_deleted_by_key_prefix(play):
    async def body(at):
        await at.deliver(consoles.firing("eu", beat="yes"))
        client = await at.client_for("responder")
        assert (await client.delete(f"{API}/heartbeats/beat")).status_code == 204
        assert (await client.get(f"{API}/heartbeats")).json()["items"] == []
        assert (await client.delete(f"{API}/heartbeats/beat")).status_code == 404

    play(body)


def test_ambiguous_name_lists_the_candidates(play):
    """The command changes nothing."""

    async def body(at):
        references = await open_two(at)
        client = await at.client_for("responder")
        review = (await client.get(f"{API}/review", params={"incident": consoles.key(), "destination": "page"})).json()
        wanted = {"incident": "down{", "destination": "page", "decision": "approve", "seen": review["digest"]}
        for answer in (
            await client.get(f"{API}/incidents/down"),
            await client.get(f"{API}/stories/IR-"),
            await client.get(f"{API}/review", params={"incident": "down", "destination": "page"}),
            await client.post(f"{API}/review", json=wanted),
            await client.delete(f"{API}/heartbeats/down"),
        ):
            problem = answer.json()
            assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
            assert problem["type"] == "urn:incident-router:problem:ambiguous"
            assert {candidate["reference"] for candidate in problem["candidates"]} == set(references)
            assert (problem["candidates"][0]["problems"], problem["more"]) == (["awaiting_review"], False)
        assert len((await client.get(f"{API}/reviews")).json()["items"]) == 2

    play(body)


def test_console_finds_incident_by_reference(play):
    """Open and closed incidents are found."""

    async def body(at):
        reference, other = await open_two(at)
        await at.deliver(consoles.resolved())
        at.clock.offset += 2_000_000
        browser, _ = await at.browser("viewer")
        for text in (reference, reference.lower(), reference[:9]):
            found = (await browser.get("/incidents", params={"text": text})).text
            assert (reference in found, other in found) == (True, False)
        page = await browser.get("/incident", params={"key": reference})
        assert (page.status_code, consoles.key().replace('"', "&#34;") in page.text) == (200, True)
        several = await browser.get("/incident", params={"key": "down"})
        assert (several.status_code, "Several incidents" in several.text) == (409, True)
        assert reference in several.text
        assert other in several.text

    play(body)


def test_command_lists_candidates_and_exits_2(play):
    async def body(at):
        references = await open_two(at)
        token = await at.token("responder")
        for command in (("incidents", "show", "down"), ("reviews", "approve", "down", "page")):
            done = await asyncio.to_thread(run, *command, "--server", at.url, INCIDENT_ROUTER_TOKEN=token)
            assert (done.returncode, done.stdout) == (2, "")
            head, *candidates = done.stderr.splitlines()
            assert head == 'incident-router: "down" is ambiguous: 2 incidents match it; add more of the name:'
            assert {line.split()[0] for line in candidates} == set(references)
        client = await at.client_for("viewer")
        assert len((await client.get(f"{API}/reviews")).json()["items"]) == 2, "nothing was decided"

    play(body)
