"""A vendor carries a request out minutes after it gave no answer: what that leaves is found and ended."""

import pytest

from router.worker import perform
from tests.end_to_end import harness
from tests.integration import real

MICROS = 1_000_000
without_keys = pytest.mark.parametrize("kind", ["devhelm", "devhelm-status-page"])


class Dying:
    """A worker that dies at one point, once: it neither records anything nor gives its lease back."""

    def __init__(self, point: str) -> None:
        self.point = point
        self.is_dead = False

    def __call__(self, point: str) -> None:
        if point == self.point and not self.is_dead:
            self.is_dead = True
            raise perform.LeaseLostError


def carry_out(scene: real.Scene, request: dict) -> None:
    """Carry a request out that the vendor has received before."""
    status, answer = harness.ask(f"{scene.at.url}/{request['vendor']}{request['path']}", request["body"], "any key")
    assert status == 201, answer


@without_keys
def test_open_of_killed_worker_is_searched_for(with_redis, kind):
    """The request of the killed worker is carried out after another worker has found nothing and opened again."""
    dying = Dying("before-record")

    async def body(connection):
        with harness.vendors() as at:
            async with real.scene(connection, at, kind, passed=dying) as scene:
                scene.fault("drop")
                await scene.fires()
                assert dying.is_dead
                await scene.lease_expires()
                old = await scene.on.redis_now() - 60 * MICROS
                intent = real.msgspec.structs.replace((await scene.known()).intent, begun_at=old)
                await scene.changed(intent=intent)
                await scene.eventually(lambda: scene.states() == ["open"])
                carry_out(scene, scene.creates()[0])
                assert scene.states() == ["open", "open"]
                known = await scene.known()
                assert known.search_at
                await scene.changed(unanswered_at=known.unanswered_at - 181 * MICROS)
                await scene.on.turn()
                assert sorted(scene.states()) == ["open", "resolved"]

    with_redis(body)
