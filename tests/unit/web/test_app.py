"""Health checks, metrics, and every other endpoint except webhooks."""

import asyncio
import json
from collections.abc import Collection

import pytest
from starlette import responses, routing

from router.store import errors
from router.telemetry import metrics, registries
from router.web import app, health
from tests.unit.web import asgi_client


async def ready() -> health.CheckResult:
    return health.CheckResult(True, "rules 7f3a")


async def report_behind() -> health.CheckResult:
    return health.CheckResult(False, "the worker was last heard of 90 s ago")


async def fail_check() -> health.CheckResult:
    raise errors.Unavailable("Redis cannot be reached")


async def hang() -> health.CheckResult:
    await asyncio.Event().wait()
    return health.CheckResult(True, "never")


def application(**settings) -> app.App:
    return app.create_app(
        asgi_client.web_server(asgi_client.Recording()), checks=settings.pop("checks", {}), **settings
    )


def get(path: str, method: str = "GET", **settings) -> asgi_client.Answer:
    answer = asgi_client.send(application(**settings), path, method=method, headers=())
    assert answer is not None
    return answer


def test_webhook_request_is_handled():
    body = b'{"status":"ok","dedup_key":"a"}'
    answer = asgi_client.send(application(), "/v1/webhooks/open", chunks=(body,), headers=())
    assert answer.status == 202


def test_process_is_alive_without_its_dependencies():
    assert get("/healthz", checks={"redis": fail_check}).json == {"status": "alive"}


def test_process_is_ready_when_every_check_passes():
    answer = get("/readyz", checks={"rules": ready, "redis": ready})
    assert (answer.status, answer.json["checks"]) == (200, {"rules": "rules 7f3a", "redis": "rules 7f3a"})


def test_failing_check_is_named_with_its_reason():
    answer = get("/readyz", checks={"rules": ready, "redis": fail_check, "worker": report_behind})
    assert answer.status == 503
    assert answer.headers[b"content-type"] == b"application/problem+json"
    assert answer.json["detail"] == "not ready: redis, worker"
    assert answer.json["checks"] == {
        "rules": "rules 7f3a",
        "redis": "Redis cannot be reached",
        "worker": "the worker was last heard of 90 s ago",
    }


def test_check_that_times_out_is_not_ready():
    probes = health.probes(lambda: health.states({"redis": hang}, timeout_seconds=0.01))
    answer = asgi_client.send(routing.Router(probes), "/readyz", method="GET", headers=())
    assert answer.status == 503
    assert answer.json["checks"] == {"redis": "no answer within 0.01 s"}


def get_metrics_page(roles: Collection[registries.Role]) -> asgi_client.Answer:
    answer = asgi_client.send(routing.Router([health.metrics_route(roles)]), "/metrics", method="GET", headers=())
    assert answer is not None
    return answer


def test_only_metrics_of_the_roles_are_exported():
    metrics.inbox_entries.set(4711)
    answer = get_metrics_page(registries.ROLES)
    assert answer.headers[b"content-type"] == b"text/plain; version=0.0.4; charset=utf-8"
    assert b"incident_router_inbox_entries 4711.0" in answer.body
    assert b"inbox" not in get_metrics_page({"web"}).body


def test_metrics_are_not_served_beside_webhooks():
    assert get("/metrics").status == 404


@pytest.mark.parametrize("path", ["/", "/nope", "/v1/webhooks", "/healthz/", "//v1/webhooks/prod", "/../metrics"])
def test_unknown_path_is_a_404_problem(path):
    answer = get(path)
    assert answer.status == 404
    assert answer.headers[b"content-type"] == b"application/problem+json"
    assert answer.json["type"] == "urn:incident-router:problem:not-found"
    assert answer.json["instance"] == path


def test_other_method_is_405_with_allowed_ones():
    answer = get("/readyz", method="DELETE")
    assert answer.status == 405
    assert b"GET" in answer.headers[b"allow"]
    assert answer.headers[b"content-type"] == b"application/problem+json"


def test_further_routes_hide_failure_details():
    async def page(_request):
        return responses.PlainTextResponse("hello")

    async def broken(_request):
        raise RuntimeError("internal detail")

    routes = [routing.Route("/page", page), routing.Route("/broken", broken)]
    assert get("/page", routes=routes).body == b"hello"
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/broken", "root_path": "", "headers": [], "query_string": b""}
    scope |= {"server": ("here", 80), "scheme": "http"}
    with pytest.raises(RuntimeError, match="internal detail"):  # The app raises the error again, for the server's log.
        asyncio.run(application(routes=routes)(scope, receive, send))
    problem = json.loads(sent[1]["body"])
    assert (problem["status"], problem["type"]) == (500, "urn:incident-router:problem:internal")
    assert "internal detail" not in problem["detail"]
