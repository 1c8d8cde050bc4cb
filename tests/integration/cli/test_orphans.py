"""``orphans resolve`` prints the next step, also if a publishing freeze delays the resolution."""

import asyncio

import pytest

from router.domain import operations
from router.store import dataset, embedded
from router.store.store import Store
from tests.end_to_end import commands, harness

HINT = "publishing is frozen: an item on a public page is resolved after `publishing unfreeze`\n"


class Scene:
    """A store with an orphan at each of two destinations. No worker runs."""

    def __init__(self, file, url):
        self.file, self.url = file, url
        self.orphans = {name: dataset.Orphan(name, operations.OpenItem("v1")) for name in ("on-call", "public-page")}

    def with_store(self, use):
        """Run a coroutine function with a connection, and return its result."""

        async def main():
            store = Store.connect(self.url)
            try:
                return await use(store)
            finally:
                await store.aclose()

        return asyncio.run(main())

    async def fill(self, store):
        for orphan in self.orphans.values():
            await store.data_set.change_owner(orphan, "")

    def __call__(self, *words):
        surroundings = {**harness.SECRETS, "REDIS_URL": self.url}
        done = commands.run_command(*words, "--config", str(self.file), environment=surroundings)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def scene(tmp_path):
    with harness.vendors() as at, embedded.running(tmp_path / "valkey") as server:
        made = Scene(harness.configure(tmp_path, at), server.url)
        made.with_store(made.fill)
        yield made


def test_resolve_command_prints_the_next_step(scene):
    one = scene.orphans["on-call"]
    assert scene("orphans", "resolve", one.id, "--by", "ann", "--reason", "lost") == (
        f"{one.id} at on-call will be resolved\n"
    )
    [line], _ = scene.with_store(lambda store: store.audit.page("", 1))
    assert (line.who, line.what, line.subject, line.reason) == ("ann", "resolve orphan", one.id, "lost")


def test_resolve_command_mentions_an_active_freeze(scene):
    scene("publishing", "freeze", "--reason", "all hands")
    one = scene.orphans["public-page"]
    assert scene("orphans", "resolve", one.id) == f"{one.id} at public-page will be resolved\n{HINT}"
    assert "publishing is active" in scene("publishing", "unfreeze")
