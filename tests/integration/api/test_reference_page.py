"""The management API responds as docs/reference/api.md and the OpenAPI document describe."""

import asyncio
import os
import re
import shlex
import subprocess

import jsonschema_rs
import schemathesis

from router.api import endpoints, openapi
from router.domain import operations
from router.store import dataset
from tests.integration import consoles, vendor
from tests.structure import commands, tree

PAGE = tree.ROOT / "docs/reference/api.md"
ROW = re.compile(r"^\| `([A-Z]+ /[^`]*)` \| (\w+) \| ", re.MULTILINE)
PROBLEM = re.compile(r"^\| (\d{3}) \| `([\w-]+)` \| ", re.MULTILINE)


def remove_converters(path):
    return path.replace(":path}", "}")


def test_page_lists_every_endpoint_with_its_role():
    there = [
        (f"{endpoint.method} {remove_converters(endpoint.path)}", endpoint.role.word)
        for endpoint in endpoints.ENDPOINTS
    ]
    assert ROW.findall(PAGE.read_text()) == there


def test_page_lists_the_documented_errors():
    told = {status for status, _ in PROBLEM.findall(PAGE.read_text())} - {"405"}
    assert told == set(openapi._REFUSALS)


def test_document_is_valid_openapi_with_every_endpoint():
    document = openapi.document()
    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()
    described = {(path, method.upper()) for path, each in document["paths"].items() for method in each}
    assert described == {
        (endpoints.PREFIX + remove_converters(endpoint.path), endpoint.method) for endpoint in endpoints.ENDPOINTS
    }


def test_every_schema_reference_in_the_document_resolves():
    document = openapi.document()
    references = set(re.findall(r"'\$ref': '([^']+)'", str(document)))
    assert references
    assert {name.rpartition("/")[2] for name in references} <= set(document["components"]["schemas"])


class DocumentCheck:
    """Compares responses with the document, and records the requested operations."""

    def __init__(self, document):
        self.document = document
        self.seen = set()

    def problem(self, method, path, answer):
        """Return the first undocumented part of a response, or an empty string."""
        operation = self.document["paths"][endpoints.PREFIX + path][method.lower()]
        described = operation["responses"].get(str(answer.status_code))
        if described is None:
            return f"{method} {path}: {answer.status_code} is not described"
        self.seen.add((method, path, answer.is_success))
        if answer.status_code == 204:
            return "a 204 has a body" if answer.content else ""
        media = answer.headers["content-type"]
        if media not in described["content"]:
            return f"{method} {path}: {media} is not described"
        schema = {**described["content"][media]["schema"], "components": self.document["components"]}
        found = jsonschema_rs.Draft202012Validator(schema).iter_errors(answer.json())
        return "; ".join(f"{method} {path}: {error.message}" for error in found)


# It succeeds only at a DevHelm page: see cli/test_corrections.
ELSEWHERE = {("POST", "/corrections")}


async def furnish(at, client):
    """Create an object of every kind. Return the path values, query, and body for each endpoint."""
    at.on_call.before.append(vendor.make_permanent())
    delivered = await at.deliver(consoles.firing())
    await at.deliver(consoles.firing("beats", beat="yes"), consoles.firing("x", noise="yes"))
    well = b'{"title": "t", "status": "firing", "labels": {"service": "late"}}'
    run, drop = (
        await at.store.quarantine.add("json", well, {}, "odd", 1),
        await at.store.quarantine.add("json", b"{", {"a": "b"}, "odd", 1),
    )
    silence = (await client.post(f"{endpoints.PREFIX}/silences", json={"matchers": ["a=b"], "comment": "c"})).json()[
        "id"
    ]
    token = (await client.post(f"{endpoints.PREFIX}/tokens", json={"name": "n", "role": "viewer"})).json()["id"]
    seen = {"incident": consoles.key(), "destination": "page"}
    digest = (await client.get(f"{endpoints.PREFIX}/review", params=seen)).json()["digest"]
    letter = (await client.get(f"{endpoints.PREFIX}/dead-letters")).json()["items"][0]["id"]
    beat = (await client.get(f"{endpoints.PREFIX}/heartbeats")).json()["items"][0]["incident"]
    orphan = dataset.Orphan("on-call", operations.OpenItem("v1", "", "Down"))
    await at.store.data_set.change_owner(orphan, "")
    await at.store.redis.hset("ir:{pages}:gate", "breaker", b"\x93\xa1b\x00\xa1w")
    return {
        "GET /incidents/{name}": ({"name": consoles.key()}, {}, None),
        "GET /stories/{name}": ({"name": consoles.key()}, {}, None),
        "GET /review": ({}, seen, None),
        "POST /review/take": ({}, {}, seen),
        "DELETE /review/take": ({}, seen, None),
        "POST /acknowledgements": ({}, {}, {"incident": consoles.key(), "reason": "on it"}),
        "DELETE /acknowledgements": ({}, {"incident": consoles.key()}, None),
        "POST /review": ({}, {}, {**seen, "decision": "approve", "seen": digest}),
        "GET /deliveries/{id}": ({"id": delivered}, {}, None),
        "POST /deliveries/{id}/reprocess": ({"id": delivered}, {}, None),
        "POST /explain": ({}, {}, {"delivery": delivered}),
        "POST /silences": ({}, {}, {"matchers": ["a=b"], "comment": "c"}),
        "DELETE /silences/{id}": ({"id": silence}, {}, None),
        "DELETE /heartbeats/{name}": ({"name": beat}, {}, None),
        "POST /publishing/freeze": ({}, {}, {"reason": "all hands"}),
        "POST /dead-letters/redrive": ({}, {}, {"destination": "nowhere"}),
        "POST /retractions": ({}, {}, {"incident": consoles.key(), "reason": "the probe was broken"}),
        "DELETE /pauses/{destination}": ({"destination": "on-call"}, {}, None),
        "POST /orphans/{id}/resolve": ({"id": orphan.id}, {}, None),
        "POST /dead-letters/{id}/redrive": ({"id": letter}, {}, None),
        "DELETE /dead-letters/{id}": ({"id": letter}, {}, None),
        "GET /quarantine/{id}": ({"id": run}, {}, None),
        "POST /quarantine/{id}/retry": ({"id": run}, {}, None),
        "DELETE /quarantine/{id}": ({"id": drop}, {}, None),
        "POST /tokens": ({}, {}, {"name": "m", "role": "admin", "seconds": 60}),
        "DELETE /tokens/{id}": ({"id": token}, {}, None),
    }


def test_every_endpoint_behaves_as_documented(play):
    async def body(at):
        client, unauthenticated, viewer = await at.client_for("admin"), await at.client(), await at.client_for("viewer")
        checked = DocumentCheck((await client.get(f"{endpoints.PREFIX}/openapi.json")).json())
        known = await furnish(at, client)
        problems = []
        for endpoint in endpoints.ENDPOINTS:
            path = remove_converters(endpoint.path)
            values, query, sent = known.get(f"{endpoint.method} {path}", ({}, {}, None))
            well = endpoints.PREFIX + path.format(**values)
            badly = endpoints.PREFIX + path.format(name="none", id="none", destination="none")
            for asker, target, params, content in (
                (unauthenticated, badly, {}, None),
                (viewer, badly, {}, None),
                (client, badly, {"no": "such"}, {"no": "such"}),
                (client, well, query, sent),
            ):
                answer = await asker.request(endpoint.method, target, params=params, json=content)
                problems.append(checked.problem(endpoint.method, path, answer))
        assert [problem for problem in problems if problem] == []
        for endpoint in endpoints.ENDPOINTS:
            succeeded = (endpoint.method, remove_converters(endpoint.path), True) in checked.seen
            assert succeeded != ((endpoint.method, remove_converters(endpoint.path)) in ELSEWHERE), endpoint
            assert (endpoint.method, remove_converters(endpoint.path), False) in checked.seen, endpoint

    play(body)


def test_undocumented_response_is_detected(play):
    async def body(at):
        client = await at.client_for("viewer")
        document = openapi.document()
        document["components"]["schemas"]["Publishing"]["properties"]["freeze_reason"] = {"type": "integer"}
        answer = await client.get(f"{endpoints.PREFIX}/publishing")
        assert '"" is not of type "integer"' in DocumentCheck(document).problem("GET", "/publishing", answer)
        del document["paths"][f"{endpoints.PREFIX}/publishing"]["get"]["responses"]["200"]
        assert "not described" in DocumentCheck(document).problem("GET", "/publishing", answer)

    play(body)


def list_examples():
    """Return the curl commands of the page, except those for DevHelm pages only: see cli/test_corrections."""
    found = [command.text for command in commands.list_documented(PAGE) if command.text.startswith("curl ")]
    return [command for command in found if "/corrections" not in command and "/incidents/IR-" not in command]


def run_example(command, url, **environment):
    """Run a command of the page against another address, and return its output."""
    words = [os.path.expandvars(word) for word in shlex.split(command.replace("http://127.0.0.1:8082", url))]
    for name, value in environment.items():
        words = [word.replace(f"${name}", value) for word in words]
    return subprocess.run([*words, "-s", "--fail-with-body"], capture_output=True, text=True, timeout=30, check=False)


def test_every_documented_curl_works(play):
    async def body(at):
        token = await at.token("responder")
        await at.deliver(consoles.firing())
        seen = (await at.parts.queries.reviews())[0].digest
        # A retracted post never opens, so retraction comes last.
        for command in sorted(list_examples(), key=lambda one: "retractions" in one):
            if "retractions" in command:
                await at.on.turn()
                assert at.page.kinds == ["open"]
            asked = command.replace('"incident": "checkout"', f'"incident": {consoles.key()!r}'.replace("'", '"'))
            asked = asked.replace("incident=checkout&", "incident=down%7Blabels.service%3D%22checkout%22%7D&")
            asked = (
                asked.replace("checkout-down{", "down{")
                .replace("public-page", "page")
                .replace('="checkout"}"', '=\\"checkout\\"}"')
            )
            done = await asyncio.to_thread(run_example, asked, at.url, TOKEN=token, SEEN=seen)
            assert done.returncode == 0, f"{command}: {done.stdout}"

    play(body)
    assert len(list_examples()) >= 5
