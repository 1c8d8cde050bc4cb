"""The rendered objects are safe in Kubernetes, and the program accepts the rendered configuration."""

from typing import Any

import pytest

from router import configuration
from router.bootstrap import factories
from tests.chart import helm

SECRETS = ["WEBHOOK_TOKEN", "GRAFANA_TOKEN", "INCIDENT_IO_API_KEY", "DEVHELM_API_KEY"]
# Secrets and ConfigMaps that the values reference and that exist before the release.
NAMED = {"our-rules", "redis-url", "vendors", "webhooks", "valkey-password", "redis-tls"} | {
    f"incident-router-{name}" for name in ("webhooks", "vendors", "redis")
}


@pytest.fixture(params=helm.CASES)
def rendered(request) -> dict[tuple[str, str], helm.Object]:
    return helm.case(request.param)


def deployments(rendered) -> list[helm.Object]:
    return [found for (kind, _), found in rendered.items() if kind == "Deployment"]


def pod(deployment: helm.Object) -> helm.Object:
    return deployment["spec"]["template"]["spec"]


def container(deployment: helm.Object) -> helm.Object:
    [only] = pod(deployment)["containers"]
    return only


def test_mode_decides_between_two_deployments_and_one():
    assert [name for kind, name in helm.case("separate") if kind == "Deployment"] == [
        "shop-incident-router-web",
        "shop-incident-router-worker",
    ]
    [one] = deployments(helm.case("all"))
    assert container(one)["args"] == ["run"]


def test_pods_run_as_the_image_s_user(rendered):
    [user] = [
        line.split()[1] for line in (helm.tree.ROOT / "Dockerfile").read_text().splitlines() if line.startswith("USER ")
    ]
    for deployment in deployments(rendered):
        context = pod(deployment)["securityContext"]
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == user


def test_service_selects_the_webhook_pods(rendered):
    service = rendered["Service", "shop-incident-router"]
    chosen = [
        deployment
        for deployment in deployments(rendered)
        if service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    ]
    [web_server] = chosen
    assert container(web_server)["args"][0] in {"web", "run"}
    ports = {port["name"]: port["containerPort"] for port in container(web_server)["ports"]}
    assert [ports[port["targetPort"]] for port in service["spec"]["ports"]] == [8080]


def test_deployment_selects_only_its_own_pods(rendered):
    labels = [deployment["spec"]["template"]["metadata"]["labels"].items() for deployment in deployments(rendered)]
    for position, deployment in enumerate(deployments(rendered)):
        wanted = deployment["spec"]["selector"]["matchLabels"].items()
        assert [other for other, given in enumerate(labels) if wanted <= given] == [position]


def test_probes_use_the_port_of_health_and_metrics(rendered):
    configured = read_configuration(rendered)
    assert configured["web"]["health_host"] == "::"
    for deployment in deployments(rendered):
        runs = container(deployment)
        ports = {port["name"]: port["containerPort"] for port in runs["ports"]}
        if runs["args"] == ["worker"]:
            assert ports == {"health": configured["worker"]["health_port"]}
        else:
            health, http, console = configured["web"]["health_port"], configured["web"]["port"], 8082
            assert ports == {"health": health, "http": http, "console": console}
        assert runs["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
        assert runs["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
        assert runs["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}


def list_references(spec: helm.Object) -> list[tuple[str, str]]:
    """Return the kinds and names that a pod references."""
    [runs] = spec["containers"]
    volumes = spec.get("volumes", [])
    found = [("ConfigMap", volume["configMap"]["name"]) for volume in volumes if "configMap" in volume]
    found += [("Secret", volume["secret"]["secretName"]) for volume in volumes if "secret" in volume]
    found += [("Secret", source["secretRef"]["name"]) for source in runs.get("envFrom", [])]
    keys = [entry["valueFrom"]["secretKeyRef"] for entry in runs.get("env", []) if "valueFrom" in entry]
    return found + [("Secret", key["name"]) for key in keys]


def test_mounted_objects_are_rendered_or_user_supplied(rendered):
    for spec in helm.pods(rendered).values():
        missing = {name for kind, name in list_references(spec) if (kind, name) not in rendered}
        assert missing <= NAMED


def test_service_account_is_rendered_or_the_default(rendered):
    for spec in helm.pods(rendered).values():
        account = spec.get("serviceAccountName", "default")
        assert account == "default" or ("ServiceAccount", account) in rendered


def read_configuration(rendered) -> helm.Object:
    return helm.read(rendered["ConfigMap", "shop-incident-router"]["data"]["incident-router.yaml"])


def write_files(rendered, folder) -> Any:
    """Write the files as a container sees them, except for the path of the rules folder."""
    text = rendered["ConfigMap", "shop-incident-router"]["data"]["incident-router.yaml"]
    assert "rules: /etc/incident-router/rules\n" in text
    (folder / "rules").mkdir()
    file = folder / "incident-router.yaml"
    file.write_text(text.replace("/etc/incident-router/rules", "rules"))
    rules = rendered.get(("ConfigMap", "shop-incident-router-rules"), {"data": {"10.yaml": "rules: []"}})
    for name, content in rules["data"].items():
        (folder / "rules" / name).write_text(content)
    return file


def test_router_accepts_the_rendered_configuration_and_rules(rendered, tmp_path):
    environment = dict.fromkeys(SECRETS, "secret") | {"SCRIPTS_CREDENTIALS": "user:secret"}
    loaded = configuration.load(write_files(rendered, tmp_path), environment)
    factories.load_rules(loaded)
    assert (loaded.web.host, loaded.worker.health_host, loaded.management.host) == ("::", "::", "::")


def test_rendered_sources_equal_the_values():
    """Helm merges maps: a source in the defaults would remain active next to the user's sources."""
    for case in ["separate", "all"]:
        assert read_configuration(helm.case(case))["sources"] == helm.read_values(case)["config"]["sources"]


def test_other_settings_of_the_values_are_rendered():
    rendered = helm.case("separate")
    assert read_configuration(rendered)["worker"] == {
        "lease_seconds": 45,
        "health_host": "::",
        "health_port": 8081,
    }


def test_rule_files_are_rendered_unchanged():
    data = helm.case("separate")["ConfigMap", "shop-incident-router-rules"]["data"]
    assert data == helm.read_values("separate")["rules"]


def test_user_s_configmap_of_rules_is_mounted():
    rendered = helm.render({"existingRulesConfigMap": "our-rules"})
    assert ("ConfigMap", "shop-incident-router-rules") not in rendered
    for deployment in deployments(rendered):
        assert pod(deployment)["volumes"][1]["configMap"] == {"name": "our-rules"}


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"log": {"level": "debug"}}},
        {"secrets": {"shared": {"values": {"REDIS_URL": "redis://another"}}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_changed_configuration_restarts_the_pods(change):
    before, after = helm.render({}), helm.render(change)
    for one, other in zip(deployments(before), deployments(after), strict=True):
        notes = [found["spec"]["template"]["metadata"]["annotations"] for found in (one, other)]
        assert notes[0] != notes[1]


def test_changed_rules_restart_no_pod():
    before, after = helm.render({}), helm.render({"rules": {"10.yaml": "rules: []\n"}})
    assert deployments(before) == deployments(after)
    for deployment in deployments(after):
        [mounted] = [mount for mount in container(deployment)["volumeMounts"] if mount["name"] == "rules"]
        assert "subPath" not in mounted, "a file mounted with subPath never changes"


def test_changed_secret_restarts_only_its_readers():
    before, after = helm.render({}), helm.render({"secrets": {"worker": {"values": {"INCIDENT_IO_API_KEY": "other"}}}})
    same = [one == other for one, other in zip(deployments(before), deployments(after), strict=True)]
    assert same == [True, False]


def test_redis_url_comes_from_values_or_secret():
    def environment(values: helm.Object) -> dict[str, str]:
        [first, *_] = deployments(helm.render(values))
        return {entry["name"]: entry["value"] for entry in container(first)["env"] if "value" in entry}

    assert environment({"redis": {"url": "redis://redis:6379/0"}})["REDIS_URL"] == "redis://redis:6379/0"
    secret = {"redis": {"url": ""}, "secrets": {"shared": {"existing": "redis-url"}}}
    assert "REDIS_URL" not in environment(secret)


def test_ingress_exposes_only_webhook_paths():
    ingress = helm.case("separate")["Ingress", "shop-incident-router"]
    [rule] = ingress["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/v1/webhooks", "/v1/vendor-webhooks"]
    assert rule["host"] == "alerts.example.org"
    assert "Ingress" not in {kind for kind, _ in helm.render({})}


def test_secret_is_rendered_only_from_given_values():
    secret = helm.case("all")["Secret", "shop-incident-router-web"]
    assert secret["stringData"] == {"WEBHOOK_TOKEN": "only-for-this-test"}
    assert "Secret" not in {kind for kind, _ in helm.case("separate")}


class TestNotes:
    def test_notes_name_the_webhook_of_each_source(self, tmp_path):
        shown = helm.notes(helm.read_values("separate"), tmp_path)
        for name in ["production", "scripts"]:
            assert f"  https://alerts.example.org/v1/webhooks/{name}\n" in shown
            assert f"  http://shop-incident-router.alerts/v1/webhooks/{name} " in shown
        assert "no rules" not in shown

    def test_notes_report_missing_sources_and_rules(self, tmp_path):
        shown = helm.notes(helm.REDIS, tmp_path)
        assert "`config.sources` is empty" in shown
        assert "There are no rules" in shown
        assert "helm test" not in shown

    def test_notes_name_required_secrets_with_their_part(self, tmp_path):
        shown = helm.notes(helm.read_values("separate"), tmp_path)
        for name, part in [("webhooks", "web"), ("vendors", "worker"), ("redis", "shared")]:
            assert f"once the Secret incident-router-{name} (secrets.{part}) exists" in shown
            assert f"kubectl create secret generic incident-router-{name} --namespace alerts" in shown

    def test_notes_omit_commands_for_given_secrets(self, tmp_path):
        shown = helm.notes(helm.read_values("all"), tmp_path)
        assert "kubectl create secret" not in shown
        assert "http://shop-incident-router.alerts:8080/v1/webhooks/alertmanager" in shown
        assert "helm test shop --namespace alerts" in shown

    def test_notes_name_webhooks_through_a_gateway(self, tmp_path):
        shown = helm.notes(helm.read_values("gateway"), tmp_path)
        for host in ["alerts.example.org", "alerts.example.com"]:
            assert f"  https://{host}/v1/webhooks/grafana " in shown

    def test_notes_name_the_secret_of_valkey_s_password(self, tmp_path):
        shown = helm.notes(helm.read_values("try"), tmp_path)
        assert "The Secret shop-incident-router-valkey has Valkey's password." in shown
        assert "With Argo CD, set `valkey.auth.existingSecret`" in shown
        assert "`valkey.networkPolicy.enabled` is false" not in shown

    def test_notes_warn_about_valkey_without_network_policy(self, tmp_path):
        values = {"valkey": {"enabled": True, "networkPolicy": {"enabled": False}}}
        assert "`valkey.networkPolicy.enabled` is false" in helm.notes(values, tmp_path)

    @pytest.mark.parametrize(
        ("service", "lines"),
        [
            ({}, []),
            (
                {"type": "LoadBalancer", "port": 8080},
                ["  http://LOAD-BALANCER:8080/v1/webhooks/open\n", "jsonpath='{.status.loadBalancer.ingress[0]}'"],
            ),
            (
                {"type": "NodePort"},
                ["  http://NODE:NODE-PORT/v1/webhooks/open\n", "jsonpath='{.spec.ports[0].nodePort}'"],
            ),
            ({"type": "NodePort", "nodePort": 30080}, ["  http://NODE:30080/v1/webhooks/open\n", "for NODE:\n"]),
        ],
        ids=["ClusterIP", "LoadBalancer", "NodePort", "given NodePort"],
    )
    def test_notes_name_webhooks_for_every_service_type(self, service, lines, tmp_path):
        sources = {"open": {"kind": "json", "auth": "none"}}
        shown = helm.notes(helm.REDIS | {"service": service, "config": {"sources": sources}}, tmp_path)
        for line in lines:
            assert line in shown
        assert ("LOAD-BALANCER" in shown, "NODE" in shown) == (
            service.get("type") == "LoadBalancer",
            service.get("type") == "NodePort",
        )
        port = ":8080" if service.get("port") else ""
        assert f"  http://shop-incident-router.alerts{port}/v1/webhooks/open   (within the cluster)" in shown

    @pytest.mark.parametrize(
        ("console", "line"),
        [
            ({}, "service/shop-incident-router-console 8082:80\n"),
            ({"service": {"port": 8000}}, "service/shop-incident-router-console 8082:8000\n"),
            (
                {"ingress": {"enabled": True, "hosts": ["a.example.org"]}},
                "  http://a.example.org\n`console.ingress.tls` is empty: tokens and cookies are sent unencrypted.\n",
            ),
            (
                {"ingress": {"enabled": True, "hosts": ["a.example.org"], "tls": [{"secretName": "a"}]}},
                "  https://a.example.org\nSign in",
            ),
        ],
        ids=["port-forward", "another port", "http", "https"],
    )
    def test_notes_name_the_console(self, console, line, tmp_path):
        assert line in helm.notes(helm.REDIS | {"console": console}, tmp_path)


@pytest.mark.parametrize(
    ("values", "installation"),
    [
        ({}, f"{helm.NAMESPACE}/{helm.RELEASE}"),
        ({"config": {"installation": "eu"}}, None),
        ({"extraEnv": [{"name": "INCIDENT_ROUTER_INSTALLATION", "value": "us"}]}, "us"),
    ],
)
def test_installation_has_a_default_name(values, installation):
    for deployment in deployments(helm.render(values)):
        named = [one["value"] for one in container(deployment)["env"] if one["name"] == "INCIDENT_ROUTER_INSTALLATION"]
        assert named == ([installation] if installation else [])
