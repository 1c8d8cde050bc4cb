"""The duration of requests is measured by source and class of the status code."""

import json

import pytest

from router.store import errors
from router.telemetry import metrics
from tests.unit.web import asgi_client

PROD = "/v1/webhooks/prod"
BODY = json.dumps({"version": "4", "alerts": [{"status": "firing", "labels": {}, "fingerprint": "f"}]}).encode()


def count_measured(source: str, code: str) -> float:
    labels = {"source": source, "code": code}
    return metrics.REGISTRY.get_sample_value("incident_router_webhook_duration_seconds_count", labels) or 0.0


class Away(asgi_client.Recording):
    async def accept(self, *_):
        raise errors.Unavailable("away")


class Failing(asgi_client.Recording):
    async def accept(self, *_):
        raise RuntimeError("a fault of ours")


@pytest.mark.parametrize(
    ("store", "request_", "source", "code"),
    [
        (asgi_client.Recording, {}, "prod", "2xx"),
        (asgi_client.Recording, {"method": "PUT"}, "prod", "4xx"),
        (asgi_client.Recording, {"path": "/v1/webhooks/nobody"}, "", "4xx"),
        (Away, {}, "prod", "5xx"),
        (Failing, {}, "prod", "5xx"),
    ],
    ids=["accepted", "refused", "unknown source", "Redis is away", "a failure"],
)
def test_response_is_measured(store, request_, source, code):
    before = count_measured(source, code)
    answer = asgi_client.send(asgi_client.web_server(store()), **{"path": PROD, "chunks": (BODY,), **request_})
    assert f"{answer.status // 100}xx" == code
    assert count_measured(source, code) == before + 1


def test_request_that_gets_no_response_is_not_measured():
    before = [count_measured("prod", code) for code in ("2xx", "4xx", "5xx")]
    assert asgi_client.send(asgi_client.web_server(asgi_client.Recording()), PROD, chunks=(b"{", None)) is None
    assert [count_measured("prod", code) for code in ("2xx", "4xx", "5xx")] == before
