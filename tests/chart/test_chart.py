"""The chart renders what Kubernetes runs safely and what the program itself accepts."""

import copy
from typing import Any

import pytest

from router import settings
from router.assembly import parts
from tests.chart import helm

CASES: dict[str, helm.Object] = {
    "defaults": {},
    "separate": helm.values_of("separate"),
    "all": helm.values_of("all"),
}
SECRETS = ["WEBHOOK_TOKEN", "INCIDENT_IO_API_KEY", "DEVHELM_API_KEY"]


@pytest.fixture(scope="module", params=CASES)
def rendered(request) -> dict[tuple[str, str], helm.Object]:
    return helm.render(CASES[request.param])


def deployments(rendered) -> list[helm.Object]:
    return [found for (kind, _), found in rendered.items() if kind == "Deployment"]


def pod(deployment: helm.Object) -> helm.Object:
    return deployment["spec"]["template"]["spec"]


def container(deployment: helm.Object) -> helm.Object:
    [only] = pod(deployment)["containers"]
    return only


@pytest.mark.parametrize("case", CASES)
def test_lint_finds_nothing(case):
    assert "0 chart(s) failed" in helm.call("lint", "--strict", str(helm.CHART), values=CASES[case])


def test_each_process_is_a_deployment_of_its_own_or_all_are_one():
    assert [name for kind, name in helm.render(CASES["separate"]) if kind == "Deployment"] == [
        "shop-incident-router-web",
        "shop-incident-router-worker",
    ]
    [one] = deployments(helm.render(CASES["all"]))
    assert container(one)["args"] == ["run"]


def test_a_pod_meets_the_restricted_security_standard(rendered):
    for deployment in deployments(rendered):
        of_pod, of_container = pod(deployment)["securityContext"], container(deployment)["securityContext"]
        assert of_pod["runAsNonRoot"] is True
        assert of_pod["runAsUser"] > 0
        assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert of_container["allowPrivilegeEscalation"] is False
        assert of_container["readOnlyRootFilesystem"] is True
        assert of_container["capabilities"] == {"drop": ["ALL"]}
        assert pod(deployment)["automountServiceAccountToken"] is False


def test_the_user_is_the_image_s_own(rendered):
    [user] = [
        line.split()[1] for line in (helm.tree.ROOT / "Dockerfile").read_text().splitlines() if line.startswith("USER ")
    ]
    for deployment in deployments(rendered):
        context = pod(deployment)["securityContext"]
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == user


def test_the_service_leads_to_the_pods_that_take_webhooks(rendered):
    service = rendered["Service", "shop-incident-router"]
    chosen = [
        deployment
        for deployment in deployments(rendered)
        if service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    ]
    [door] = chosen
    assert container(door)["args"][0] in {"web", "run"}
    assert service["spec"]["ports"][0]["targetPort"] == container(door)["ports"][0]["name"]


def test_a_deployment_selects_its_own_pods_only(rendered):
    labels = [deployment["spec"]["template"]["metadata"]["labels"].items() for deployment in deployments(rendered)]
    for position, deployment in enumerate(deployments(rendered)):
        wanted = deployment["spec"]["selector"]["matchLabels"].items()
        assert [other for other, given in enumerate(labels) if wanted <= given] == [position]


def test_probes_ask_the_port_on_which_the_process_answers(rendered):
    configured = configuration(rendered)
    answers = {
        "web": configured["web"]["port"],
        "run": configured["web"]["port"],
        "worker": configured["worker"]["health_port"],
    }
    for deployment in deployments(rendered):
        runs = container(deployment)
        assert runs["ports"] == [{"name": "http", "containerPort": answers[runs["args"][0]]}]
        assert runs["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
        assert runs["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_whatever_a_pod_mounts_or_reads_is_there_or_named_by_the_user(rendered):
    """A name that is rendered nowhere has to be one that the values name, or the Secret that the notes ask for."""
    named = {"incident-router-keys", "shop-incident-router"}
    for deployment in deployments(rendered):
        for volume in pod(deployment)["volumes"]:
            assert ("ConfigMap", volume["configMap"]["name"]) in rendered
        for source in container(deployment)["envFrom"]:
            name = source["secretRef"]["name"]
            assert ("Secret", name) in rendered or name in named
        assert ("ServiceAccount", pod(deployment)["serviceAccountName"]) in rendered


def configuration(rendered) -> helm.Object:
    return helm.read(rendered["ConfigMap", "shop-incident-router"]["data"]["incident-router.yaml"])


def written(rendered, folder) -> Any:
    """The files as a container sees them, but that the folder of rules is elsewhere."""
    text = rendered["ConfigMap", "shop-incident-router"]["data"]["incident-router.yaml"]
    assert "rules: /etc/incident-router/rules\n" in text
    (folder / "rules").mkdir()
    file = folder / "incident-router.yaml"
    file.write_text(text.replace("/etc/incident-router/rules", "rules"))
    for name, content in rendered["ConfigMap", "shop-incident-router-rules"]["data"].items():
        (folder / "rules" / name).write_text(content)
    return file


def test_the_router_accepts_the_rendered_configuration_and_rules(rendered, tmp_path):
    environment = dict.fromkeys(SECRETS, "secret") | {"SCRIPTS_CREDENTIALS": "user:secret"}
    loaded = settings.load(written(rendered, tmp_path), environment)
    parts.load_rules(loaded)
    assert (loaded.web.host, loaded.worker.health_host) == ("0.0.0.0", "0.0.0.0")


def test_the_sources_are_those_of_the_values_and_no_others():
    """Helm merges maps: a source among the defaults would stay open beside the user's own."""
    for case in ["separate", "all"]:
        assert configuration(helm.render(CASES[case]))["sources"] == CASES[case]["config"]["sources"]


def test_what_is_configured_beside_the_chart_s_own_addresses_stays():
    rendered = helm.render(CASES["separate"])
    assert configuration(rendered)["worker"] == {
        "lease_seconds": 45,
        "health_host": "0.0.0.0",
        "health_port": 8081,
    }


def test_rule_files_are_the_same_bytes():
    data = helm.render(CASES["separate"])["ConfigMap", "shop-incident-router-rules"]["data"]
    assert data == CASES["separate"]["rules"]


def test_rules_of_the_user_s_own_configmap_are_mounted():
    rendered = helm.render({"existingRulesConfigMap": "our-rules"})
    assert ("ConfigMap", "shop-incident-router-rules") not in rendered
    for deployment in deployments(rendered):
        assert pod(deployment)["volumes"][1]["configMap"] == {"name": "our-rules"}


@pytest.mark.parametrize(
    "change",
    [
        {"rules": {"10.yaml": "rules: []\n"}},
        {"config": {"log": {"level": "debug"}}},
        {"secrets": {"values": {"WEBHOOK_TOKEN": "another"}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_of_configuration_restarts_the_pods(change):
    before, after = helm.render({}), helm.render(change)
    for one, other in zip(deployments(before), deployments(after), strict=True):
        notes = [found["spec"]["template"]["metadata"]["annotations"] for found in (one, other)]
        assert notes[0] != notes[1]


def test_redis_comes_from_the_values_or_from_the_secret():
    def environment(values: helm.Object) -> dict[str, str]:
        [first, *_] = deployments(helm.render(values))
        return {entry["name"]: entry["value"] for entry in container(first)["env"]}

    assert environment(CASES["all"])["REDIS_URL"] == "redis://redis:6379/0"
    assert "REDIS_URL" not in environment({})


def test_only_webhooks_are_reachable_from_outside():
    ingress = helm.render(CASES["separate"])["Ingress", "shop-incident-router"]
    [rule] = ingress["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/v1/webhooks"]
    assert rule["host"] == "alerts.example.org"
    assert "Ingress" not in {kind for kind, _ in helm.render({})}


def test_a_secret_is_made_only_of_given_values():
    secret = helm.render(CASES["all"])["Secret", "shop-incident-router"]
    assert secret["stringData"] == {"WEBHOOK_TOKEN": "only-for-this-test"}
    assert "Secret" not in {kind for kind, _ in helm.render(CASES["separate"])}


class TestNotes:
    def test_the_webhook_of_each_source_is_named(self, tmp_path):
        shown = helm.notes(CASES["separate"], tmp_path)
        for name in ["production", "scripts"]:
            assert f"  https://alerts.example.org/v1/webhooks/{name}\n" in shown
            assert f"  http://shop-incident-router.alerts/v1/webhooks/{name} " in shown
        assert "no rules" not in shown

    def test_what_is_missing_is_said(self, tmp_path):
        shown = helm.notes({}, tmp_path)
        assert "`config.sources` is empty" in shown
        assert "There are no rules" in shown
        assert "kubectl create secret generic shop-incident-router --namespace alerts" in shown
        assert "REDIS_URL" in shown

    def test_what_is_there_is_not_asked_for(self, tmp_path):
        shown = helm.notes(CASES["all"], tmp_path)
        assert "kubectl create secret" not in shown
        assert "http://shop-incident-router.alerts:8080/v1/webhooks/alertmanager" in shown


REFUSALS = {
    "an unknown value": ({"replicas": 2}, "replicas"),
    "an unknown mode": ({"mode": "both"}, "mode"),
    "a password in the Redis URL": ({"redis": {"url": "redis://:secret@redis:6379"}}, "redis.url"),
    "an address that is no Redis URL": ({"redis": {"url": "redis:6379"}}, "redis.url"),
    "a key written into the configuration": (
        {"config": {"destinations": {"on-call": {"kind": "incident-io", "api_key": "inc_123"}}}},
        "api_key",
    ),
    "a token written into the configuration": (
        {"config": {"sources": {"alertmanager": {"kind": "alertmanager", "bearer": ["abc"]}}}},
        "bearer",
    ),
    "a rule file that would not be read": ({"rules": {"10.yml": "rules: []"}}, "rules"),
    "a folder of rules": ({"config": {"rules": "/elsewhere"}}, "rules"),
    "an ingress without a host": ({"ingress": {"enabled": True}}, "hosts"),
    "a Secret both named and made": ({"secrets": {"existing": "a", "values": {"A": "b"}}}, "secrets"),
    "a grace period shorter than the router's own": ({"terminationGracePeriodSeconds": 5}, "terminationGrace"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_is_refused_and_named(case):
    values, names = REFUSALS[case]
    with pytest.raises(helm.Refused, match=names):
        helm.render(copy.deepcopy(values))


def test_every_value_is_explained_and_known_to_the_schema():
    text = (helm.CHART / "values.yaml").read_text()
    schema = helm.read((helm.CHART / "values.schema.json").read_text())
    values = helm.read(text)
    assert values.keys() == schema["properties"].keys() - {"global"}
    assert text.count("#") > len(values)
