"""The actions of the chart's pods, run locally: the check before a release, the test after it, and a rules update."""

import asyncio
import os
import subprocess
import sys

import pytest

from router import configuration
from router.bootstrap import factories
from router.rules import check, reload
from router.services import online_checks
from router.store import keys
from tests import ports
from tests.chart import helm, mounts
from tests.end_to_end import harness
from tests.integration import workers

FULLNAME = "shop-incident-router"
THEIRS = {
    "vendors": {"INCIDENT_IO_API_KEY": "key", "SCRIPTS_CREDENTIALS": "user:secret"},
    "incident-router-vendors": {"INCIDENT_IO_API_KEY": "key", "DEVHELM_API_KEY": "key"},
    "incident-router-webhooks": {"WEBHOOK_TOKEN": "token", "SCRIPTS_CREDENTIALS": "user:secret"},
    "incident-router-redis": {"REDIS_URL": "redis://redis"},
}
CATCH_ALL = """
rules:
  - name: everything
    when: {}
    group_by: [labels.alertname]
    open: [{at: on-call, name: Down}]
"""


def command(arguments: list[str], variables: dict[str, str]) -> tuple[int, str]:
    """Run the program as a container does; return its status and output."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [harness.COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


class TestReleaseCheck:
    @staticmethod
    def run(values: helm.Object, folder) -> tuple[int, str]:
        rendered = helm.render(values)
        spec = helm.pods(rendered)[f"Job/{FULLNAME}-check"]
        variables = mounts.environment(rendered, mounts.only(spec), THEIRS)
        variables["INCIDENT_ROUTER_CONFIG"] = str(mounts.files(rendered, spec, folder))
        return command(mounts.only(spec)["args"], variables)

    @staticmethod
    def asking(at: harness.Vendors) -> helm.Object:
        values = helm.read_values("checked")
        values["config"]["destinations"]["on-call"] |= {"base_url": f"{at.url}/incident-io"}
        return values

    def test_check_passes_if_vendors_have_every_name(self, tmp_path):
        with harness.vendors() as at:
            status, said = self.run(self.asking(at), tmp_path)
            assert (status, said[:17]) == (0, "no problems found"), said
            assert at.calls(vendor="incident-io"), "no vendor was called"

    def test_check_fails_if_a_vendor_lacks_a_name(self, tmp_path):
        with harness.vendors() as at:
            values = self.asking(at)
            values["config"]["destinations"]["on-call"] |= {"severities": {"critical": "No such severity"}}
            status, said = self.run(values, tmp_path)
            assert status == 1
            assert '"No such severity"' in said
            assert at.calls(vendor="incident-io"), "no vendor was called"

    def test_strict_check_knows_the_name_of_the_installation(self, tmp_path):
        values = helm.read_values("checked")
        values["check"]["online"] = False
        assert values["check"]["strict"]
        status, said = self.run(values, tmp_path)
        assert (status, said[:17]) == (0, "no problems found"), said

    def test_check_fails_on_an_invalid_rule(self, tmp_path):
        values = helm.read_values("checked") | {"rules": {"10-disk.yaml": "rules: [{name: disk, wen: {}}]\n"}}
        values["check"]["online"] = False
        status, said = self.run(values, tmp_path)
        assert status == 1
        assert "10-disk.yaml:1:" in said

    def test_check_runs_before_the_release_s_objects_exist(self):
        rendered = helm.case("checked")
        hooked = {key for key, one in rendered.items() if "helm.sh/hook" in one["metadata"].get("annotations", {})}
        spec = helm.pods(rendered)[f"Job/{FULLNAME}-check"]
        read = {("ConfigMap", volume["configMap"]["name"]) for volume in spec["volumes"]}
        read |= {("Secret", source["secretRef"]["name"]) for source in mounts.only(spec)["envFrom"]}
        assert read - {("Secret", "vendors")} <= hooked
        for kind, suffix in [("", ""), ("-rules", "-rules")]:
            theirs, ours = f"{FULLNAME}{kind}", f"{FULLNAME}-check{suffix}"
            assert rendered["ConfigMap", theirs]["data"] == rendered["ConfigMap", ours]["data"]
        assert "serviceAccountName" not in spec, "the release's own is not there yet"

    def test_check_s_objects_are_created_before_its_job(self):
        weights = {
            kind: int(one["metadata"]["annotations"]["helm.sh/hook-weight"])
            for (kind, name), one in helm.case("checked").items()
            if name.startswith(f"{FULLNAME}-check")
        }
        assert max(weights["ConfigMap"], weights["Secret"]) < weights["Job"]

    def test_offline_check_runs_without_the_online_option(self):
        spec = helm.pods(helm.case("checked-offline"))[f"Job/{FULLNAME}-check"]
        assert mounts.only(spec)["args"] == ["check"]
        assert spec["volumes"][1]["configMap"] == {"name": "our-rules"}
        assert mounts.only(spec)["envFrom"] == [{"secretRef": {"name": "vendors"}}]


@pytest.mark.parametrize("name", ["separate", "try", "checked", "defaults"])
def test_check_accepts_the_rendered_rules(name, tmp_path):
    rendered = helm.case(name)
    spec = next(spec for called, spec in helm.pods(rendered).items() if called.startswith("Deployment/"))
    variables = {key: value for secret in THEIRS.values() for key, value in secret.items()}
    configured = configuration.load(mounts.files(rendered, spec, tmp_path), variables | {"WEBHOOK_TOKEN": "token"})
    report = check.check_folder(
        configured.rules, factories.known_destinations(configured), online_checks.make_lint_context(configured, set())
    )
    assert report.rules is not None
    assert report.problems == []


@pytest.fixture(scope="module")
def running_router(tmp_path_factory):
    """Run a router whose rules open an incident for every alert, with its vendors."""
    folder = tmp_path_factory.mktemp("router")
    with (
        harness.vendors() as at,
        harness.router(folder, harness.configure(folder, at, rules=CATCH_ALL)) as router,
    ):
        yield router, at


class TestHelmTest:
    @staticmethod
    def post(values: helm.Object, url: str) -> subprocess.CompletedProcess[str]:
        """Run the test pod's command in this interpreter, against a router at another address."""
        rendered = helm.render({"service": {"port": 8080}, **values})
        runs = mounts.only(helm.pods(rendered)[f"Pod/{FULLNAME}-test"])
        assert runs["command"] == ["python", "-c"]
        arguments = [argument.replace(f"http://{FULLNAME}:8080", url) for argument in runs["args"]]
        return subprocess.run(
            [sys.executable, "-c", *arguments],
            env=mounts.environment(rendered, runs, {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @staticmethod
    def values(kind: str, token: str = harness.TOKEN) -> helm.Object:
        sources = {kind: {"kind": kind, "bearer": [{"env": "WEBHOOK_TOKEN"}]}}
        return {"config": {"sources": sources}, "secrets": {"shared": {"values": {"WEBHOOK_TOKEN": token}}}}

    def test_test_alert_is_accepted_and_opens_nothing(self, running_router):
        router, at = running_router
        for kind in ["alertmanager", "json"]:
            done = self.post(self.values(kind), router.url)
            assert (done.returncode, done.stderr) == (0, "")
            assert "accepted an alert" in done.stdout
        router.send_alert(labels={"alertname": "Real"})  # It is folded after them and opens an incident.
        harness.eventually("a real alert opens an incident", lambda: at.incidents()["on-call"])
        output = router.command("incidents", "list").stdout
        assert "Real" in output
        assert "IncidentRouterHelmTest" not in output

    def test_helm_test_reports_a_wrong_token(self, running_router):
        done = self.post(self.values("alertmanager", "another"), running_router[0].url)
        assert done.returncode == 1
        assert "answered 401, not 202" in done.stderr

    def test_helm_test_reports_an_unreachable_router(self):
        done = self.post(self.values("json"), f"http://127.0.0.1:{ports.reserve_closed()}")
        assert done.returncode == 1
        assert "does not answer" in done.stderr

    def test_helm_test_gets_one_key_of_one_secret(self):
        [variable] = mounts.only(helm.pods(helm.case("network"))[f"Pod/{FULLNAME}-test"])["env"]
        assert variable["valueFrom"]["secretKeyRef"] == {"name": "webhooks", "key": "WEBHOOK_TOKEN"}

    def test_helm_test_sends_no_credentials_to_open_source(self):
        runs = mounts.only(helm.pods(helm.case("open"))[f"Pod/{FULLNAME}-test"])
        assert runs["args"][1:] == [f"http://{FULLNAME}:80/v1/webhooks/anyone", "alertmanager"]
        assert "env" not in runs

    def test_helm_test_uses_basic_authentication(self):
        runs = mounts.only(helm.pods(helm.case("checked-offline"))[f"Pod/{FULLNAME}-test"])
        assert [entry["name"] for entry in runs["env"]] == ["BASIC"]

    @pytest.mark.parametrize(
        "source",
        [
            {"kind": "datadog", "bearer": [{"env": "A"}]},
            {"kind": "alertmanager", "bearer": [{"file": "/secrets/token"}]},
            {"kind": "json", "auth": "none", "title": "subject"},
        ],
        ids=["another format", "a credential in a file", "a mapping"],
    )
    def test_helm_test_is_omitted_for_unsupported_sources(self, source):
        rendered = helm.render({"config": {"sources": {"a": source}}})
        assert ("Pod", f"{FULLNAME}-test") not in rendered

    def test_helm_test_can_be_disabled(self):
        assert ("Pod", f"{FULLNAME}-test") not in helm.render(self.values("json") | {"test": {"enabled": False}})


def test_mounted_rules_are_reloaded_after_a_change(tmp_path):
    """Compare the ConfigMap before and after an upgrade: one swap changes, adds, and removes a file."""

    def data(rules: dict[str, str]) -> dict[str, str]:
        return helm.render({"rules": rules})["ConfigMap", f"{FULLNAME}-rules"]["data"]

    rule = "rules: [{{name: {0}, when: {{labels.team: {0}}}, open: []}}]\n"
    folder = tmp_path / "rules"
    mounts.mount(data({"a.yaml": rule.format("one"), "b.yaml": rule.format("two")}), folder)

    async def main() -> None:
        changed = []
        rules = reload.Rules(folder, {}, changed=changed.append)
        assert [one.name for one in rules.in_force.rules] == ["one", "two"]
        following = asyncio.create_task(rules.watch(lambda: 17.0, asyncio.Event()))
        mounts.mount(data({"a.yaml": rule.format("other"), "c.yaml": rule.format("three")}), folder)
        async with asyncio.timeout(30):
            while [one.name for one in rules.in_force.rules] != ["other", "three"]:
                assert not following.done()
                await asyncio.sleep(0.01)
        following.cancel()
        await asyncio.wait({following})
        assert rules.problems == []

    asyncio.run(main())


class TestKedaScaler:
    def test_scaler_uses_the_workers_stream_and_group(self):
        [trigger] = helm.case("valkey")["ScaledObject", f"{FULLNAME}-worker"]["spec"]["triggers"]
        assert (trigger["type"], trigger["metadata"]["stream"]) == ("redis-streams", keys.INBOX)
        assert trigger["metadata"]["consumerGroup"] == keys.GROUP

    def test_scaler_counts_waiting_despite_deletions(self, with_redis):
        async def play(scene: workers.WorkerHarness) -> None:
            async def lag() -> int | None:
                [group] = await scene.store.redis.xinfo_groups(keys.INBOX)
                return group["lag"]

            await scene.reader.prepare()
            for number in range(3):
                await scene.deliver(workers.firing(f"f{number}"))
            assert await lag() == 3
            await scene.fold()
            assert await lag() == 0
            await scene.deliver(workers.firing("f4"))
            assert await lag() == 1

        workers.run(with_redis, play)
