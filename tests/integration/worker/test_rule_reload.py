"""Changed rule files are loaded while the router runs; broken ones leave the current rules active."""

import asyncio
import os
import signal
import time

import pytest

from router.rules import load, reload
from router.telemetry import metrics
from tests.end_to_end import harness
from tests.unit.rules import conftest

RULE = "rules: [{{name: {0}, when: {{labels.team: {0}}}, open: []}}]\n"
CATCH_ALL = "rules: [{{name: {}, when: {{}}, open: []}}]\n"


def count_reloads(result: str) -> float:
    return metrics.REGISTRY.get_sample_value("incident_router_rules_reloads_total", {"result": result}) or 0.0


def follow_folder(folder, play) -> None:
    """Follow the folder while ``play`` runs with the rules and the list of activated rules."""

    async def main() -> None:
        changed = []
        rules = reload.Rules(folder, conftest.DESTINATIONS, changed=changed.append)
        hangup = asyncio.Event()
        watching = asyncio.create_task(rules.watch(lambda: 17.0, hangup))

        async def until(met) -> None:
            async with asyncio.timeout(20):
                while not met():
                    assert not watching.done(), watching.exception()
                    await asyncio.sleep(0.01)

        try:
            await play(rules, changed, hangup, until)
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    asyncio.run(main())


@pytest.fixture
def rules_folder(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text(RULE.format("first"))
    return folder


def list_rules(ruleset) -> list[str]:
    return [rule.name for rule in ruleset.rules]


def test_changed_file_is_reloaded(rules_folder):
    async def play(rules, changed, _hangup, until):
        before = count_reloads("loaded")
        (rules_folder / "a.yaml").write_text(RULE.format("second"))
        await until(lambda: changed)
        assert list_rules(rules.in_force) == list_rules(changed[-1]) == ["second"]
        assert count_reloads("loaded") == before + 1
        assert (
            metrics.REGISTRY.get_sample_value("incident_router_rules_info", {"version": rules.in_force.version}) == 1.0
        )

    follow_folder(rules_folder, play)


def test_broken_rules_leave_the_current_ones_active(rules_folder):
    async def play(rules, changed, _hangup, until):
        (rules_folder / "b.yaml").write_text("rules: [{name: broken}]")
        await until(lambda: rules.problems)
        assert list_rules(rules.in_force) == ["first"]
        assert changed == []
        assert metrics.REGISTRY.get_sample_value("incident_router_rules_last_reload_successful") == 0.0
        (rules_folder / "b.yaml").write_text(RULE.format("mended"))
        await until(lambda: changed)
        assert list_rules(rules.in_force) == ["first", "mended"]
        assert rules.problems == []
        assert metrics.REGISTRY.get_sample_value("incident_router_rules_last_reload_successful") == 1.0

    follow_folder(rules_folder, play)


def test_swapped_symlink_reloads_rules(tmp_path):
    """Kubernetes updates a mounted ConfigMap this way."""
    folder = tmp_path / "mounted"
    for name, text in (("..1", RULE.format("old")), ("..2", RULE.format("new"))):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.yaml").write_text(text)
    (folder / "..data").symlink_to("..1")
    (folder / "a.yaml").symlink_to("..data/a.yaml")

    async def play(rules, changed, _hangup, until):
        assert list_rules(rules.in_force) == ["old"]
        (folder / "..data_tmp").symlink_to("..2")
        os.replace(folder / "..data_tmp", folder / "..data")
        await until(lambda: changed)
        assert list_rules(rules.in_force) == ["new"]

    follow_folder(folder, play)


def test_sighup_checks_for_changes_immediately(rules_folder):
    async def play(rules, changed, hangup, until):
        before = count_reloads("unchanged")
        hangup.set()
        await until(lambda: count_reloads("unchanged") == before + 1)
        assert changed == []

    follow_folder(rules_folder, play)


def test_missing_folder_is_refused_until_it_returns(rules_folder):
    async def play(rules, changed, hangup, until):
        os.rename(rules_folder, rules_folder.with_name("away"))
        hangup.set()
        await until(lambda: rules.problems)
        assert list_rules(rules.in_force) == ["first"]
        os.rename(rules_folder.with_name("away"), rules_folder)
        (rules_folder / "b.yaml").write_text(RULE.format("back"))
        await until(lambda: changed)
        assert list_rules(rules.in_force) == ["first", "back"]

    follow_folder(rules_folder, play)


def test_first_rules_must_be_valid(rules_folder):
    (rules_folder / "a.yaml").write_text("rules: 5")
    with pytest.raises(load.RulesRefused):
        reload.Rules(rules_folder, conftest.DESTINATIONS, changed=lambda _: None)


def test_web_decides_by_reloaded_rules(tmp_path):
    """The web reports refused rules."""
    rules = tmp_path / "rules" / "10.yaml"
    with harness.vendors() as at, harness.router(tmp_path, harness.configure(tmp_path, at)) as router:
        ready = lambda: harness.ask(f"{router.url}/readyz")[1]["checks"]["rules"]  # noqa: E731
        version = ready()
        rules.write_text(CATCH_ALL.format("renamed"))
        harness.eventually("new rules decide", lambda: router.send_alert()["alerts"][0].get("rule") == "renamed")
        assert ready() != version
        rules.write_text("rules: [{name: broken}]")
        router.process._process.send_signal(signal.SIGHUP)
        said = harness.eventually("the refusal is reported", lambda: "refused on the disk" in ready() and ready())
        assert '10.yaml:1:9: rule "broken":' in said
        assert router.send_alert()["alerts"][0]["rule"] == "renamed"
        assert "rules_refused" in router.process.output


def test_deliveries_are_answered_during_a_large_reload(tmp_path):
    rules = tmp_path / "rules" / "20.yaml"
    with harness.vendors() as at, harness.router(tmp_path, harness.configure(tmp_path, at)) as router:
        entries = "".join(f"  - {{name: r{n}, when: {{labels.x: '{n}'}}, open: []}}\n" for n in range(3000))
        rules.write_text(f"rules:\n{entries}")
        waits = []
        started = time.monotonic()
        while router.process.output.count("rules_loaded") < 2:  # The first load is the one at startup.
            began = time.monotonic()
            router.send_alert()
            waits.append(time.monotonic() - began)
            assert len(waits) < 5000
        assert max(waits) < (time.monotonic() - started) / 2  # Loading takes most of this time.


def test_separate_folder_keeps_its_last_good_rules(rules_folder):
    team = rules_folder / "team"
    team.mkdir()
    (team / "folder.yaml").write_text("isolate: true\n")
    (team / "t.yaml").write_text(RULE.format("team"))

    def refused() -> float | None:
        return metrics.REGISTRY.get_sample_value("incident_router_rules_folder_refused", {"folder": "team"})

    async def play(rules, changed, hangup, until):
        assert list_rules(rules.in_force) == ["first", "team"]
        (team / "t.yaml").write_text("rules: [")
        await until(refused)
        assert list_rules(rules.in_force) == ["first", "team"]
        assert rules.problems
        (rules_folder / "a.yaml").write_text(RULE.format("newer"))
        await until(lambda: changed)
        assert list_rules(rules.in_force) == ["newer", "team"]
        (team / "t.yaml").write_text(RULE.format("mended"))
        await until(lambda: list_rules(rules.in_force) == ["newer", "mended"])
        assert not refused()
        assert rules.problems == []

    follow_folder(rules_folder, play)


def test_read_errors_leave_the_current_rules_active(rules_folder, monkeypatch):
    async def play(rules, changed, hangup, until):
        def broken(*_):
            raise ZeroDivisionError("a fault of our own")

        with monkeypatch.context() as broken_for_now:
            broken_for_now.setattr(reload.load, "load_apart", broken)
            hangup.set()
            await until(lambda: rules.problems)
        assert "reading it failed: ZeroDivisionError" in rules.problems[0].message
        assert list_rules(rules.in_force) == ["first"]
        (rules_folder / "a.yaml").write_text(RULE.format("second"))
        await until(lambda: changed)
        assert list_rules(rules.in_force) == ["second"]

    follow_folder(rules_folder, play)
