"""A process that starts with broken rules uses the last good ones from Redis, and reports it."""

import asyncio
import types

import pytest
import redis
import structlog

from router import configuration
from router.bootstrap import initial_rules
from router.domain import rule_files
from router.rules import folders, load, reload
from router.store import embedded, errors, good_rules, keys
from router.telemetry import metrics
from tests.end_to_end import harness
from tests.unit.rules import conftest

RULE = "rules: [{{name: {0}, when: {{labels.team: {0}}}, open: []}}]\n"
WITH_LIST = """lists: {teams: [web, shop]}
rules: [{name: listed, when: {labels.team: {in: teams}}, open: []}]
"""
BROKEN = "rules: [{name: broken, wen: {}}]\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "rules"
    (folder / "team").mkdir(parents=True)
    (folder / "a.yaml").write_text(WITH_LIST)
    (folder / "team" / "folder.yaml").write_text("isolate: true\n")
    (folder / "team" / "t.yaml").write_text(RULE.format("team"))
    return folder


def start_rules(folder, kept=None) -> reload.Rules:
    return reload.Rules(folder, conftest.DESTINATIONS, changed=lambda _: None, kept_files=kept)


def list_rules(rules) -> list[str]:
    return [rule.name for rule in rules.in_force.rules]


def gauge(name: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name)


def test_kept_files_compile_to_the_same_rules(folder):
    rules = start_rules(folder)
    again = load.load_files(rules.accepted_files.files, conftest.DESTINATIONS)
    assert again.rules.version == rules.in_force.version
    assert [rule.place for rule in again.rules.rules] == [rule.place for rule in rules.in_force.rules]
    assert again.good.keys() == {"team"}
    read = {one.name: (one.parent, one.unit) for one in folders.read(folder, [])}
    assert {one.name: (one.parent, one.unit) for one in folders.from_files(rules.accepted_files.files)} == read


def test_kept_rules_replace_broken_ones_until_fixed(folder):
    kept = start_rules(folder).accepted_files._replace(kept_at=1_700_000_000_000_000)
    (folder / "a.yaml").write_text(BROKEN)
    with pytest.raises(load.RulesRefused):
        start_rules(folder)
    rules = start_rules(folder, kept)
    assert list_rules(rules) == ["listed", "team"]
    assert rules.fallback == kept
    assert rules.accepted_files is None, "broken rules are never kept"
    assert "a.yaml" in rules.problems[0].place
    assert gauge("incident_router_rules_fallback_active") == 1
    assert gauge("incident_router_rules_last_reload_successful") == 0

    async def mended():
        hangup = asyncio.Event()
        watching = asyncio.create_task(rules.watch(lambda: 17.0, hangup))
        (folder / "a.yaml").write_text(RULE.format("mended"))
        hangup.set()
        async with asyncio.timeout(30):
            while rules.fallback is not None:
                await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.wait({watching})

    asyncio.run(mended())
    assert list_rules(rules) == ["mended", "team"]
    assert rules.problems == []
    assert gauge("incident_router_rules_fallback_active") == 0
    assert gauge("incident_router_rules_last_reload_successful") == 1


def test_only_the_broken_folder_falls_back(folder):
    """Other folders use their new rules."""
    kept = start_rules(folder).accepted_files
    (folder / "team" / "t.yaml").write_text(BROKEN)
    (folder / "b.yaml").write_text(RULE.format("newer"))
    rules = start_rules(folder, kept)
    assert list_rules(rules) == ["listed", "newer", "team"]
    assert rules.fallback is None
    assert "t.yaml" in rules.problems[0].place
    assert rules.accepted_files is None


def test_kept_rules_must_match_the_configuration(folder):
    (folder / "b.yaml").write_text("rules: [{name: x, when: {labels.a: b}, open: [{at: on-call, name: n}]}]\n")
    kept = start_rules(folder).accepted_files
    (folder / "b.yaml").write_text(BROKEN)
    with pytest.raises(load.RulesRefused, match="wen"):
        reload.Rules(folder, {}, changed=lambda _: None, kept_files=kept)


def test_changed_or_missing_rules_are_kept_again(folder, with_redis):
    async def body(store):
        assert await store.good_rules.read() is None
        rules = start_rules(folder)
        turn = initial_rules.make_keeper(rules, store)
        await turn()
        kept = await store.good_rules.read()
        assert (kept.version, kept.files) == (rules.in_force.version, rules.accepted_files.files)
        assert kept.kept_at > 1_600_000_000_000_000
        await store.good_rules.save(rule_files.RuleFiles("another's", {"a.yaml": b"rules: []"}, 1))
        await turn()
        assert await store.good_rules.version() == "another's", (
            "processes with different rules must not overwrite each other"
        )
        await store.redis.delete(keys.GOOD_RULES)
        await turn()
        assert await store.good_rules.version() == kept.version

    with_redis(body)


def test_too_large_rules_are_reported_once(with_redis):
    """Redis has no rules, so each turn finds that they are missing."""
    files = {f"{number}.yaml": b"#" * (1024 * 1024) for number in range(9)}
    active = types.SimpleNamespace(accepted_files=rule_files.RuleFiles("large", files))

    async def body(store):
        turn = initial_rules.make_keeper(active, store)
        with structlog.testing.capture_logs() as logs:
            await turn()
            await turn()
        assert [line["event"] for line in logs] == ["rules_not_kept"]
        active.accepted_files = rule_files.RuleFiles("small", {"a.yaml": b"rules: []"})
        await turn()
        assert await store.good_rules.version() == "small"

    with_redis(body)


def test_kept_rules_are_bounded_and_checked(folder, with_redis):
    async def body(store):
        files = {f"{number}.yaml": b"#" * (1024 * 1024) for number in range(9)}
        with pytest.raises(good_rules.TooLarge):
            await store.good_rules.save(rule_files.RuleFiles("large", files))
        assert await store.good_rules.read() is None
        await store.good_rules.save(rule_files.RuleFiles("v1", {"a.yaml": b"rules: []"}, 1))
        for damage in (b"junk", b"", b"x\x9c\x03\x00\x00\x00\x00\x01"):
            await store.redis.hset(keys.GOOD_RULES, "d", damage)
            with pytest.raises(errors.UnreadableDocument):
                await store.good_rules.read()

    with_redis(body)


def test_router_with_broken_rules_runs_and_reports_it(tmp_path):
    with harness.vendors() as at:
        file = harness.configure(tmp_path, at)
        rules = tmp_path / "rules" / "10.yaml"
        with harness.router(tmp_path, file) as router:
            harness.eventually("the rules are kept", lambda: _kept(router))
        rules.write_text(BROKEN)
        with harness.router(tmp_path, file) as router:
            assert router.send_alert()["alerts"][0]["rule"] == "checkout-down"
            harness.eventually("one incident is open everywhere", lambda: at.is_everywhere("open"))
            status, said = harness.ask(f"{router.url}/readyz")
            assert (status, said["status"]) == (200, "degraded")
            assert "the last good rules from Redis, kept at 20" in said["checks"]["rules"]
            assert "10.yaml:1:" in said["checks"]["rules"]
            assert "rules_taken_from_redis" in router.process.output
            console = router.process.wait_for_output(harness.CONSOLE)[1]
            token = router.command("tokens", "create", "ann").stdout.strip()
            overview = harness.ask(f"{console}/api/v1/overview", token=token)[1]
            assert overview["rules_kept_at"].startswith("20")
            assert "10.yaml" in overview["rules_problem"]
            assert harness.ask(f"{console}/api/v1/rules", token=token)[1]["kept_at"] == overview["rules_kept_at"]


def _kept(router) -> bool:
    with redis.Redis.from_url((router.file.parent / "data" / embedded.ADDRESS).read_text()) as connection:
        return bool(connection.exists(keys.GOOD_RULES))


def test_first_start_with_broken_rules_fails(folder, with_redis, tmp_path):
    (folder / "a.yaml").write_text(BROKEN)
    (tmp_path / "router.yaml").write_text(f"rules: {folder}\n")

    async def body(store):
        settings = configuration.load(tmp_path / "router.yaml", {})
        with pytest.raises(load.RulesRefused, match="wen"):
            await initial_rules.rules(settings, store, lambda _: None)

    with_redis(body)
