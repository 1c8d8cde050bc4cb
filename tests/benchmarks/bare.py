"""The baseline of the webhook server: a bare Starlette endpoint, pydantic for the body, one XADD per request."""

import os

import pydantic
import redis.asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.benchmarks import load


class Alert(pydantic.BaseModel):
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str
    endsAt: str
    generatorURL: str
    fingerprint: str


class Webhook(pydantic.BaseModel):
    version: str
    groupKey: str
    truncatedAlerts: int
    status: str
    receiver: str
    groupLabels: dict[str, str]
    commonLabels: dict[str, str]
    commonAnnotations: dict[str, str]
    externalURL: str
    alerts: list[Alert]


connection = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


async def take(request: Request) -> JSONResponse:
    body = await request.body()
    webhook = Webhook.model_validate_json(body)
    await connection.xadd("bare", {"body": body})
    return JSONResponse({"alerts": len(webhook.alerts)}, 202)


app = Starlette(routes=[Route("/hook", take, methods=["POST"])])


def main(port: int) -> None:
    """Serve on core 0."""
    load.pin(0)
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False)
