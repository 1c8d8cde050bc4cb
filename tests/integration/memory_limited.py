"""A webhook server in a separate process with limited memory: ``python -m tests.integration.memory_limited``.

Arguments: the address of Redis, and the memory limit in MiB on top of the memory in use at startup. It prints its port,
the port of health checks, and its process ID.
"""

import asyncio
import base64
import gc
import os
import random
import resource
import sys
from pathlib import Path
from typing import Any

import uvloop

from router.domain import decisions, severities
from router.sources import registry
from router.store.store import Store
from router.web import app, health, health_server, request_limits, serve, webhooks

NOW = 1_772_450_000_000_000
TOPIC = "arn:aws:sns:eu-north-1:111122223333:alarms"
RESPONSE = decisions.Response("r", "a.yaml:1", "v1", (decisions.Target("on-call"),))
SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "open": ("json", {"auth": "none"}),
    "bearer": ("json", {"bearer": ["word"]}),
    "am": ("alertmanager", {"bearer": ["word"]}),
    "signed": ("json", {"signature": {"scheme": "github", "secrets": ["word"]}}),
    "form": ("json", {"token": {"form": "token", "values": ["word"]}}),
    "member": ("pagerduty-events", {"token": {"member": "routing_key", "values": ["word"]}}),
    "sns": ("cloudwatch", {"topics": [TOPIC]}),
    **{kind: (kind, {"auth": "none"}) for kind in ("grafana", "datadog", "prometheus", "zabbix", "sentry")},
}


async def main(url: str, more_mib: int) -> None:
    """Serve until standard input ends."""
    store = Store.connect(url)
    web_server = webhooks.WebhookHandler(
        {name: registry.build(name, registry.KINDS[kind].config(**own)) for name, (kind, own) in SOURCES.items()},
        lambda alert, _: decisions.Decision(f"k/{alert.fingerprint}", severities.Severity.MAJOR, RESPONSE),
        inbox=store.inbox,
        quarantine=store.quarantine,
        clock=lambda: NOW,
        randomness=random.Random(3),
        limits=request_limits.RequestLimits(bytes_in_flight=64 * 1024 * 1024),
    )
    gc.collect()
    gc.freeze()
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve.serve(app.create_app(web_server, checks={}), "127.0.0.1", 0, started.set_result)
    )
    port = await started
    async with health_server.serving(_no_checks, {"web"}, serve.listen("127.0.0.1", 0)) as health_port:
        # Each thread reserves address space, so all of them start before the limit is set.
        await asyncio.to_thread(base64.b64encode, b"")
        for threads in (web_server._parser, web_server._helper):
            threads.submit(base64.b64encode, b"").result()
        size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        most = size + more_mib * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        print(port, health_port, os.getpid(), flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Discard the log, because nothing reads the pipe from now on.
        await asyncio.to_thread(sys.stdin.read)
        serving.cancel()


async def _no_checks() -> dict[str, health.CheckResult]:
    return {}


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
