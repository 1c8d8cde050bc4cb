"""The management API client: invalid responses, and responses from a router of another version."""

import asyncio

import pytest
import uvicorn
from starlette import applications, responses, routing

from router.api import api_client, endpoints
from router.domain import access
from router.services import actions, models, request_bodies
from tests import ports

PUBLISHING = {"freeze": "active", "freeze_reason": "", "guard": "tripped", "guard_reason": "too many"}
REVIEW = models.Review(
    incident="k", destination="page", what="opening", digest="d", reason="", rule="r", severity="major", title="t",
    message="m", fields={}, since=None, deadline_at=None, owner="", runbook="", because=[],
)  # fmt: skip
ACT = actions.ActionContext(actions.Caller(access.Person("", access.Role.ADMIN)), "subject")


def problem(status, **more):
    return status, {"type": "t", "title": "t", "status": status, "detail": "it is so", "instance": "/", **more}


def send_question(answer, question, token="irt_x"):
    """Call a router that gives this answer. Return the result and the requests that the router received."""
    seen = []

    async def answered(request):
        seen.append((request.method, request.scope["path"], dict(request.query_params), await request.body()))
        assert request.headers.get("authorization", "") == (f"Bearer {token}" if token else "")
        status, content = answer
        if isinstance(content, bytes):
            return responses.Response(content, status, media_type="application/json")
        return responses.JSONResponse(content, status)

    async def main():
        methods = ["GET", "POST", "DELETE"]
        app = applications.Starlette(routes=[routing.Route("/{path:path}", answered, methods=methods)])
        port = ports.reserve()
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        line = api_client.ApiClient(f"http://127.0.0.1:{port}/", token, lambda: 1)
        try:
            return await question(line), seen
        finally:
            await line.aclose()
            server.should_exit = True
            await task

    return asyncio.run(main())


def read_publishing(line):
    return api_client.Queries(line).records.publishing()


def test_unknown_members_of_a_newer_router_are_ignored():
    found, seen = send_question((200, {**PUBLISHING, "weather": "fine"}), read_publishing)
    assert found == models.Publishing(freeze="active", freeze_reason="", guard="tripped", guard_reason="too many")
    assert seen == [("GET", f"{endpoints.PREFIX}/publishing", {}, b"")]


@pytest.mark.parametrize("content", [{"frozen": ""}, [], None, b"no JSON", b""])
def test_response_in_another_shape_is_an_error(content):
    with pytest.raises(api_client.RequestRefused, match=r"another version|not JSON"):
        send_question((200, content), read_publishing)


@pytest.mark.parametrize(
    ("answer", "raised", "said"),
    [
        (problem(404), actions.SubjectNotFound, "^it is so$"),
        (problem(422), actions.InvalidRequest, "^it is so$"),
        (problem(403), api_client.RequestRefused, "^it is so$"),
        (problem(409), api_client.RequestRefused, "^it is so$"),
        (problem(503), api_client.RequestRefused, "^it is so$"),
        (
            problem(412, by="bob", now=None),
            actions.SubjectChanged,
            "^bob decided first; your decision was not recorded$",
        ),
        (problem(401), api_client.RequestRefused, "the token in INCIDENT_ROUTER_TOKEN is invalid"),
        ((502, b"<html>"), api_client.RequestRefused, "^the router: GET /publishing: 502$"),
        ((302, b""), api_client.RequestRefused, "would not redirect"),
    ],
)
def test_problem_is_raised_as_same_error_as_locally(answer, raised, said):
    with pytest.raises(raised, match=said):
        send_question(answer, read_publishing)


def test_missing_token_error_names_the_variable():
    with pytest.raises(api_client.RequestRefused, match="set INCIDENT_ROUTER_TOKEN"):
        send_question(problem(401), read_publishing, token="")


def test_conflict_contains_the_current_review():
    body = request_bodies.Decide(incident="k", destination="page", seen="d", decision="approve")
    answer = problem(412, by="", now=REVIEW.model_dump(mode="json"))
    with pytest.raises(actions.SubjectChanged) as caught:
        send_question(answer, lambda line: api_client.Actions(line).decide(ACT, body))
    assert caught.value.now == REVIEW


def test_lookup_of_a_missing_resource_returns_none():
    found, seen = send_question(problem(404), lambda line: api_client.Queries(line).incident('a{b="c/d"}..'))
    assert found is None
    assert seen[0][1] == f"{endpoints.PREFIX}/incidents/" + 'a{b="c/d"}..'


def test_reason_for_discarding_a_dead_letter_is_sent():
    _, seen = send_question(
        (204, b""), lambda line: api_client.Actions(line).discard_dead_letter(ACT._replace(reason="old & done"))
    )
    assert seen[0][:3] == ("DELETE", f"{endpoints.PREFIX}/dead-letters/subject", {"reason": "old & done"})


def test_malformed_token_is_refused_before_any_request():
    for wrong in ("schlüssel", "a\r\nb"):
        with pytest.raises(api_client.RequestRefused, match="characters that are not allowed in a token") as caught:
            api_client.ApiClient("http://127.0.0.1:1", wrong, lambda: 1)
        assert wrong not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"text \xe2\x86\x92", b"\xff\xfe\x00", "\ufffd".encode()])
def test_body_survives_conversion_to_text_byte_for_byte(body):
    assert models.raw(*models.text(body)) == body
