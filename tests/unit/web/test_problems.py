"""Problem details as RFC 9457 defines them."""

import http
import json

import pytest

from router.web import problems


def test_problem_has_standard_and_additional_members():
    headers, body = problems.render(
        problems.Problem(413, "too-large", "longer than 5 bytes", headers=[(b"x-a", b"b")], limit_bytes=5), "/v1/x"
    )
    assert json.loads(body) == {
        "type": "urn:incident-router:problem:too-large",
        "title": http.HTTPStatus(413).phrase,
        "status": 413,
        "detail": "longer than 5 bytes",
        "instance": "/v1/x",
        "limit_bytes": 5,
    }
    assert headers == [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-a", b"b"),
    ]


def test_text_of_any_language_is_counted_in_bytes():
    headers, body = problems.render(problems.Problem(404, "x", "größer"), "/ü")
    assert dict(headers)[b"content-length"] == str(len(body)).encode()
    assert json.loads(body)["instance"] == "/ü"


def test_unavailable_problem_contains_retry_after():
    problem = problems.unavailable("Redis is away", 9)
    assert problem.status == 503
    assert problem.headers == ((b"retry-after", b"9"),)
    assert problem.detail == "nothing was stored: Redis is away; retry the request"


@pytest.mark.parametrize("status", [400, 401, 404, 405, 413, 422, 431, 500, 503])
def test_every_status_has_a_title(status):
    assert json.loads(problems.render(problems.Problem(status, "x", "d"), "/")[1])["title"]
