"""``/readyz``: a process is ready once it has reached Redis; one that receives deliveries then stays ready."""

import asyncio
import contextlib
import functools

import httpx
import pytest
import uvloop
from starlette import applications

from router.bootstrap import factories
from router.rules import reload
from router.store import embedded
from router.store.store import Store
from router.web import health


def make_probe_application(checks):
    return applications.Starlette(routes=health.probes(functools.partial(health.states, checks)))


class Scene:
    """The probe responses of a web and a worker while a test starts and stops their Redis."""

    def __init__(self, server, folder):
        self.server = server
        self.store = Store.connect(server.url)
        rules = reload.Rules(folder, {}, changed=lambda _: None)
        self.checks = factories.checks(self.store, rules)
        self._web = make_probe_application(self.checks)
        self._worker = make_probe_application(factories.checks(self.store))

    async def web(self):
        return await self._asked(self._web)

    async def worker(self):
        return await self._asked(self._worker)

    async def _asked(self, app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://any") as http:
            assert (await http.get("/healthz")).status_code == 200, "liveness does not depend on Redis"
            answer = await http.get("/readyz")
            return answer.status_code, answer.json()

    async def stop(self):
        self.server._guard.stdin.close()
        await asyncio.to_thread(self.server._guard.wait)

    async def start(self):
        await asyncio.to_thread(self.server.start)


@pytest.fixture
def with_scene(tmp_path):
    def run(body):
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules" / "none.yaml").write_text("rules: []\n")
        server = embedded.EmbeddedServer(tmp_path / "data")

        async def main():
            scene = Scene(server, tmp_path / "rules")
            async with contextlib.aclosing(scene.store):
                await body(scene)

        try:
            uvloop.run(main())
        finally:
            server.stop()

    return run


def test_process_without_redis_since_start_is_unready(with_scene):
    """Otherwise a rolling update with a wrong Redis address would replace every working process."""

    async def body(scene):
        for status, said in (await scene.web(), await scene.worker()):
            assert status == 503
            assert said["checks"]["redis"].startswith("Redis cannot be reached")

    with_scene(body)


def test_webhook_server_stays_ready_without_redis(with_scene):
    async def body(scene):
        await scene.start()
        status, said = await scene.web()
        assert (status, said["status"]) == (200, "degraded"), "no worker runs"
        await scene.store.health.record_heartbeat("w1", factories.clock())
        assert (await scene.web())[1]["status"] == "ready"
        assert (await scene.worker())[0] == 200
        await scene.stop()
        status, said = await scene.web()
        assert (status, said["status"]) == (200, "degraded")
        assert said["checks"]["redis"].startswith("Redis cannot be reached")
        assert (await scene.worker())[0] == 503, "a worker receives no deliveries"
        await scene.start()
        assert (await scene.web())[1]["checks"]["redis"] == "answers"
        assert (await scene.worker())[0] == 200

    with_scene(body)


def test_webhook_server_stays_ready_without_earlier_probe(with_scene):
    async def body(scene):
        waiting = asyncio.create_task(health.await_start(scene.checks, pause_seconds=0.01))
        await scene.start()
        await asyncio.wait_for(waiting, 30)
        await scene.stop()
        assert (await scene.web())[0] == 200

    with_scene(body)


def test_worker_without_heartbeat_is_not_ready(with_scene):
    async def body(scene):
        await scene.start()
        await scene.store.health.record_heartbeat("w1", factories.clock() - 16_000_000)
        assert (await scene.worker())[0] == 503
        assert (await scene.web())[0] == 200

    with_scene(body)
