"""The webhook server's responses to requests of schemathesis match its OpenAPI document."""

import asyncio
import contextlib
import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from router.domain import decisions, severities
from router.sources import registry, signatures
from router.store.store import Store
from router.web import app, health, openapi, serve, vendor_webhooks, webhooks

NOW = 1_772_450_000_000_000
SIGNED = {"scheme": "devhelm", "secrets": ["shared-secret"]}
RESPONSE = decisions.Response("r", "a.yaml:1", "v1", (decisions.Target("on-call"),))


@contextlib.contextmanager
def serve_web(url: str) -> Iterator[str]:
    """Run the webhook server in a thread, with one open source of each kind."""
    endpoints = {kind: registry.build(kind, registry.KINDS[kind].config(auth="none")) for kind in registry.KINDS}
    ready = threading.Event()
    found: dict[str, Any] = {}

    async def main() -> None:
        store = Store.connect(url)
        web_server = webhooks.WebhookHandler(
            endpoints,
            lambda alert, _: decisions.Decision(f"k/{alert.fingerprint}", severities.Severity.MAJOR, RESPONSE),
            inbox=store.inbox,
            quarantine=store.quarantine,
            clock=lambda: NOW,
            randomness=random.Random(3),
            seen=store.delivery_ids,
        )

        async def fine() -> health.CheckResult:
            return health.CheckResult(True, "fine")

        def started(port: int) -> None:
            found["port"] = port
            ready.set()

        found["task"] = asyncio.current_task()
        found["loop"] = asyncio.get_running_loop()
        with contextlib.suppress(asyncio.CancelledError):
            signed = signatures.Signature(signatures.Config.model_validate(SIGNED))
            receivers = {"told": vendor_webhooks.Receiver("told", (signed,), ("told",))}
            vendors = vendor_webhooks.VendorWebhooks(
                receivers, store.vendor_ids.recheck, store.delivery_ids, lambda: NOW
            )
            made = app.create_app(web_server, checks={"all": fine}, vendors=vendors)
            await serve.serve(made, "127.0.0.1", 0, started)
        await store.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert ready.wait(10)
        yield f"http://127.0.0.1:{found['port']}"
    finally:
        found["loop"].call_soon_threadsafe(found["task"].cancel)
        thread.join()


CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.response_headers_conformance,
]


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_generated_posts_get_documented_answers(redis_url, kind):
    """No body makes the router fail, for any source kind."""
    fuzz_endpoint(redis_url, kind, "POST")


def test_generated_requests_before_delivery_get_documented_answers(redis_url):
    fuzz_endpoint(redis_url, "json", "OPTIONS")


def fuzz_endpoint(redis_url: str, kind: str, method: str) -> None:
    with serve_web(redis_url) as url:
        schema = schemathesis.openapi.from_dict(openapi.document())
        schema.config.update(base_url=url)
        operation = schema["/v1/webhooks/{source}"][method]
        asked = 0

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None)
        def ask(case: schemathesis.Case) -> None:
            nonlocal asked
            case.path_parameters = {"source": kind}
            answer = case.call()
            case.validate_response(answer, checks=CHECKS)
            assert "Traceback" not in answer.text
            asked += 1

        ask()
        assert asked >= 10


@pytest.mark.parametrize("destination", ["told", "elsewhere"])
def test_generated_vendor_webhooks_get_documented_answers(redis_url, destination):
    with serve_web(redis_url) as url:
        schema = schemathesis.openapi.from_dict(openapi.document())
        schema.config.update(base_url=url)
        statuses = set()

        @hypothesis.given(case=schema["/v1/vendor-webhooks/{destination}"]["POST"].as_strategy(), signs=st.booleans())
        @hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None)
        def ask(case: schemathesis.Case, signs: bool) -> None:
            case.path_parameters = {"destination": destination}
            try:
                raw = json.dumps(case.body).encode()
            except TypeError:
                raw = b""  # The case has no body.
            signature = signatures.Signature(signatures.Config.model_validate(SIGNED))
            case.body, case.media_type = raw, "application/octet-stream"
            answer = case.call(headers=signature.sign(raw, NOW, "") if signs else {})
            case.validate_response(answer, checks=CHECKS)
            statuses.add(answer.status_code)

        ask()
        assert statuses == ({202, 401} if destination == "told" else {404})


def test_every_other_path_answers_as_documented(redis_url):
    with serve_web(redis_url) as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        schema.config.update(base_url=url)
        paths = []
        for result in schema.get_all_operations():
            operation = result.ok()
            if "{source}" in operation.path or "{destination}" in operation.path:
                continue
            paths.append(operation.path)
            case = operation.Case(body={"a": 1}) if operation.method.upper() == "POST" else operation.Case()
            case.validate_response(case.call(), checks=CHECKS)
        assert paths == ["/api/v2/alerts", "/-/healthy", "/healthz", "/readyz"]  # The document omits its own path.


def test_openapi_document_lists_every_path():
    web_server = webhooks.WebhookHandler(
        {}, lambda *_: decisions.Decision(), inbox=None, quarantine=None, clock=int, randomness=None
    )
    there = {route.path for route in app.create_app(web_server, checks={}).routes}
    described = set(openapi.document()["paths"])
    assert there <= described
    assert {path for path in described - there if "webhooks" not in path} == {"/api/v2/alerts"}
