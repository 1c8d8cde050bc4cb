"""Each file in clusters/ renders what its platform team needs, or is refused with a message that names the fix."""

import re
from pathlib import Path

import kubernetes_validate
import pytest

from router import configuration
from tests.chart import clusters, helm, mounts, value_schemas
from tests.chart.clusters import FULLNAME

MIB = 1024 * 1024
REFUSED = {
    "acl-user": "redis.url: it has a user or a password: put the whole URL as REDIS_URL into a Secret",
    "nothing": "redis.url: the router needs Redis: set `redis.url`, or put REDIS_URL into a Secret",
}
# The files about memory, with their limits of bytes in flight.
BUDGETS = {"memory": 256 * MIB, "little-memory": 210_000_000 // 4, "no-limit": 128 * MIB, "own-budget": 100_000_000}
RENDERED = [name for name in clusters.NAMES if name not in REFUSED]


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_the_key_and_the_fix(name):
    with pytest.raises(helm.RenderError) as refused:
        clusters.render(name)
    assert REFUSED[name] in str(refused.value)


@pytest.mark.parametrize("name", RENDERED)
def test_every_object_matches_its_kubernetes_schema(name):
    for one in clusters.render(name).values():
        value_schemas.validate(one, kubernetes_validate.latest_version())


@pytest.mark.parametrize("name", RENDERED)
def test_router_accepts_the_configuration(name, tmp_path):
    rendered = clusters.render(name)
    rendered["ConfigMap", "rules"] = {"data": {"10.yaml": "rules: []\n"}}
    [first, *_] = [spec for called, spec in helm.pods(rendered).items() if called.startswith("Deployment/")]
    for volume in first["volumes"]:
        if volume["name"] == "rules":
            volume["configMap"]["name"] = "rules"
    if name == "full-name":
        rendered["ConfigMap", FULLNAME] = rendered["ConfigMap", "alert-router"]
    secrets = ["TOKEN_NEW", "TOKEN_OLD", "INCIDENT_IO_API_KEY", "WEBHOOK_TOKEN", "OIDC_SECRET", "SENTINEL_PASSWORD"]
    loaded = configuration.load(mounts.files(rendered, first, tmp_path), dict.fromkeys(secrets, "secret"))
    assert loaded.web.port == 8080


def test_every_cluster_file_has_its_own_test():
    own = set(re.findall(r'clusters\.render\("([\w-]+)"\)', Path(__file__).read_text()))
    assert set(RENDERED) == own | BUDGETS.keys()


def test_redis_url_is_read_from_a_secret():
    rendered = clusters.render("redis-in-a-secret")
    runs = clusters.container(rendered, "worker")
    assert runs["image"] == "registry.example.internal/platform/incident-router:0.1.0"
    assert "REDIS_URL" not in clusters.get_variables(runs)
    assert runs["envFrom"] == [{"secretRef": {"name": "router-redis"}}, {"secretRef": {"name": "router-vendors"}}]
    assert {"name": "rules", "configMap": {"name": "router-rules"}} in clusters.spec(rendered, "web")["volumes"]
    assert clusters.configuration(rendered)["sources"]["production"]["bearer"] == [
        {"env": "TOKEN_NEW"},
        {"env": "TOKEN_OLD"},
    ]


def test_keda_scaler_uses_the_sentinels():
    trigger = clusters.trigger(clusters.render("keda-sentinel"))
    assert trigger["type"] == "redis-sentinel-streams"
    given = trigger["metadata"]
    assert given["addresses"] == "sentinel-0.data.svc:26380,sentinel-1.data.svc:26379"
    assert (given["sentinelMaster"], given["databaseIndex"]) == ("incidents", "2")
    assert given["sentinelPasswordFromEnv"] == "SENTINEL_PASSWORD"
    assert "address" not in given
    assert "enableTLS" not in given, "KEDA refuses it beside `tls` of a TriggerAuthentication"


def test_keda_scaler_uses_the_cluster_s_nodes():
    rendered = clusters.render("keda-cluster")
    trigger = clusters.trigger(rendered)
    assert trigger["type"] == "redis-cluster-streams"
    assert trigger["metadata"]["addresses"] == "node-1.example.internal:6380,node-2.example.internal:6380"
    assert trigger["metadata"]["enableTLS"] == "true"
    assert "databaseIndex" not in trigger["metadata"], "a cluster has one database"
    assert trigger["authenticationRef"] == {"name": "redis-cluster"}
    scaled = rendered["ScaledObject", f"{FULLNAME}-worker"]["spec"]
    assert scaled["scaleTargetRef"] == {"name": f"{FULLNAME}-worker", "envSourceContainerName": "worker"}
    assert scaled["fallback"] == {"failureThreshold": 3, "replicas": 3}
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior == {"scaleDown": {"stabilizationWindowSeconds": 600}}


def test_keda_scaler_uses_the_given_authentication():
    trigger = clusters.trigger(clusters.render("keda-secret"))
    given = trigger["metadata"]
    assert trigger["type"] == "redis-streams"
    assert (given["address"], given["databaseIndex"], given["enableTLS"]) == ("redis.data:6379", "4", "true")
    assert trigger["authenticationRef"] == {"name": "redis-auth"}


def test_redis_certificate_authority_is_mounted_and_configured():
    rendered = clusters.render("redis-tls")
    for component in ("web", "worker"):
        mounted = clusters.container(rendered, component)["volumeMounts"]
        assert {"name": "redis-ca", "mountPath": "/etc/redis", "readOnly": True} in mounted
        assert {"name": "redis-ca", "configMap": {"name": "provider-ca"}} in clusters.spec(rendered, component)[
            "volumes"
        ]
    assert clusters.configuration(rendered)["redis"]["tls"] == {"ca": "/etc/redis/ca.pem"}


def test_network_policy_opens_sentinel_and_redis_ports():
    rendered = clusters.render("network-sentinel")
    assert clusters.list_open_ports(rendered) == {443, 6379, 6390, 26379, 26380}
    [webhooks] = rendered["NetworkPolicy", FULLNAME]["spec"]["ingress"]
    assert webhooks["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress-nginx"}


def test_network_policy_opens_ports_of_configured_services():
    """The router doesn't call the console's own address, so that port stays closed."""
    assert clusters.list_open_ports(clusters.render("network-tracing")) == {443, 6379, 4318, 9093, 9443}


def test_network_policy_opens_proxy_ports():
    """No other rule opens a port that the operator restricts."""
    rendered = clusters.render("network-proxy")
    assert clusters.list_open_ports(rendered) == {6379, 3128, 8888}
    restricted = {"ports": [{"port": 443}], "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}
    assert restricted in rendered["NetworkPolicy", FULLNAME]["spec"]["egress"]


def test_proxy_variables_reach_every_router_container():
    rendered = clusters.render("proxy")
    check = helm.pods(rendered)[f"Job/{FULLNAME}-check"]["containers"][0]
    for runs in (clusters.container(rendered, "web"), clusters.container(rendered, "worker"), check):
        variables = clusters.get_variables(runs)
        assert variables["HTTPS_PROXY"] == "http://proxy.example.internal:3128"
        assert variables["OTEL_EXPORTER_OTLP_HEADERS"] == {"secretKeyRef": {"name": "collector", "key": "headers"}}
        assert {"configMapRef": {"name": "company-proxy"}} in runs["envFrom"]
        assert variables["SSL_CERT_FILE"].startswith(runs["volumeMounts"][-1]["mountPath"])


def test_proxy_of_a_secret_opens_its_port():
    rendered = clusters.render("proxy-in-a-secret")
    assert rendered["Secret", f"{FULLNAME}-shared"]["stringData"]["NO_PROXY"] == "redis"
    assert clusters.list_open_ports(rendered) == {443, 6379, 3128}


def test_openshift_pods_set_no_user_or_group():
    rendered = clusters.render("openshift")
    pods = helm.pods(rendered)
    assert len(pods) == 5
    for name, spec in pods.items():
        assert spec["securityContext"].keys().isdisjoint({"runAsUser", "runAsGroup", "fsGroup"}), name
        assert spec["securityContext"]["runAsNonRoot"] is True, name


def test_openshift_is_detected_by_its_api():
    arguments = ["template", "shop", str(helm.CHART), "--api-versions", "security.openshift.io/v1"]
    for pods, assigned in [
        (helm.pods(helm.objects(helm.call(*arguments, values=helm.REDIS))), True),
        (helm.pods(helm.render()), False),
    ]:
        for spec in pods.values():
            assert ("runAsUser" not in spec["securityContext"]) is assigned


def test_any_user_pods_set_no_user_or_group():
    for spec in helm.pods(clusters.render("any-user")).values():
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}, (
            "a group without a user is refused by the container runtime"
        )


def test_image_digest_is_appended_to_the_tag():
    image = clusters.container(clusters.render("digest"), "web")["image"]
    assert image == f"registry.example.internal/router:0.1.0@sha256:{'1' * 64}"


def test_image_digest_within_the_tag_is_kept():
    image = clusters.container(clusters.render("digest-in-the-tag"), "web")["image"]
    assert image == f"registry.example.internal:5000/router:0.1.0@sha256:{'2' * 64}"


def test_full_name_and_common_labels_apply_everywhere():
    rendered = clusters.render("full-name")
    assert {name for _, name in rendered if not name.startswith("alert-router")} == set()
    assert all(one["metadata"]["labels"]["cost-center"] == "4711" for one in rendered.values())
    web = rendered["Deployment", "alert-router-web"]["spec"]
    assert web["template"]["metadata"]["labels"]["cost-center"] == "4711"
    teams = [one["metadata"]["labels"]["team"] for one in (web["template"], rendered["ServiceMonitor", "alert-router"])]
    assert teams == ["alerting", "metrics"], "the label that is meant for fewer objects holds"
    [container] = web["template"]["spec"]["containers"]
    assert clusters.get_variables(container)["REDIS_URL"].endswith("@alert-router-valkey:6379/0")
    assert "cost-center" not in web["selector"]["matchLabels"], "an upgrade can't change a selector"


def test_prometheus_operator_objects_have_the_given_settings():
    rendered = clusters.render("prometheus-operator")
    monitor = rendered["ServiceMonitor", FULLNAME]
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert monitor["metadata"]["annotations"] == {"example.org/owner": "platform"}
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": [helm.NAMESPACE]}
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint["scrapeTimeout"] == "10s"
    assert endpoint["relabelings"][0]["targetLabel"] == "node"
    assert endpoint["metricRelabelings"][0]["action"] == "drop"
    assert rendered["PrometheusRule", FULLNAME]["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert ("ConfigMap", f"{FULLNAME}-dashboard") in rendered


def test_ingress_has_tls_class_and_annotations():
    ingress = clusters.render("ingress-tls")["Ingress", FULLNAME]
    assert ingress["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "production"}
    assert ingress["spec"]["tls"] == [{"secretName": "alerts-tls", "hosts": ["alerts.example.org"]}]
    assert ingress["spec"]["ingressClassName"] == "nginx"


def test_gateway_routes_lead_to_webhooks_and_console():
    rendered = clusters.render("gateway")
    webhooks, console = (rendered["HTTPRoute", name]["spec"] for name in (FULLNAME, f"{FULLNAME}-console"))
    assert [match["path"]["value"] for match in webhooks["rules"][0]["matches"]] == [
        "/v1/webhooks",
        "/v1/vendor-webhooks",
    ]
    assert console["hostnames"] == ["incidents.example.org"]
    assert console["parentRefs"] == [{"name": "internal", "namespace": "gateways"}]
    [backend] = console["rules"][0]["backendRefs"]
    [port] = rendered["Service", backend["name"]]["spec"]["ports"]
    assert (backend["port"], port["port"], port["targetPort"]) == (8000, 8000, "console")
    assert clusters.configuration(rendered)["management"]["public_url"] == "https://incidents.example.org"


def test_console_ingress_leads_only_to_the_console():
    rendered = clusters.render("console-ingress")
    ingress = rendered["Ingress", f"{FULLNAME}-console"]["spec"]
    assert [rule["host"] for rule in ingress["rules"]] == ["incidents.example.org", "ir.example.org"]
    for rule in ingress["rules"]:
        [path] = rule["http"]["paths"]
        assert path["backend"]["service"] == {"name": f"{FULLNAME}-console", "port": {"name": "console"}}
    assert ("Ingress", FULLNAME) not in rendered
    assert clusters.configuration(rendered)["management"]["public_url"] == "https://incidents.example.org"
    _, console = rendered["NetworkPolicy", FULLNAME]["spec"]["ingress"]
    assert console["ports"] == [{"port": 8082}]
    assert console["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress-internal"}


def test_autoscaler_has_the_given_metrics_and_behavior():
    spec = clusters.render("autoscaling")["HorizontalPodAutoscaler", f"{FULLNAME}-web"]["spec"]
    assert [metric["type"] for metric in spec["metrics"]] == ["Resource", "Resource", "Pods"]
    targets = {
        metric["resource"]["name"]: metric["resource"]["target"]["averageUtilization"] for metric in spec["metrics"][:2]
    }
    assert targets == {"cpu": 70, "memory": 80}
    assert spec["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 300}}


def test_deployments_have_the_given_update_strategy():
    rendered = clusters.render("strategy")
    web, worker = (rendered["Deployment", f"{FULLNAME}-{name}"]["spec"] for name in ("web", "worker"))
    assert web["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert worker["strategy"] == {"type": "Recreate"}
    assert (web["minReadySeconds"], worker["revisionHistoryLimit"]) == (5, 3)


def test_sidecars_run_beside_each_router_container():
    rendered = clusters.render("sidecars")
    for component in ("web", "worker"):
        spec = clusters.spec(rendered, component)
        assert [container["name"] for container in spec["containers"]] == [component, "stunnel"]
        assert [init_container["name"] for init_container in spec["initContainers"]] == ["certificates", "proxy"]
    check = helm.pods(rendered)[f"Job/{FULLNAME}-check"]
    assert [container["name"] for container in check["containers"]] == ["check"], (
        "a second container would never let the Job end"
    )
    assert [init_container["name"] for init_container in check["initContainers"]] == ["certificates", "proxy"]
    assert rendered["ConfigMap", "shop-stunnel"]["data"] == {"stunnel.conf": "client = yes"}


def test_vault_annotations_reach_pods_and_check():
    """Injected containers come first, and `kubectl exec` still selects the router."""
    rendered = clusters.render("vault")
    for component, port in (("web", "8080"), ("worker", "8081")):
        annotations = rendered["Deployment", f"{FULLNAME}-{component}"]["spec"]["template"]["metadata"]["annotations"]
        assert annotations["vault.hashicorp.com/agent-inject"] == "true"
        assert annotations["prometheus.io/port"] == port
        assert annotations["kubectl.kubernetes.io/default-container"] == component
    check = rendered["Job", f"{FULLNAME}-check"]["spec"]["template"]["metadata"]["annotations"]
    assert check == {"vault.hashicorp.com/agent-pre-populate-only": "true"}
    account = rendered["ServiceAccount", FULLNAME]["metadata"]["annotations"]
    assert account == {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/router"}


def test_valkey_uses_the_given_secret_and_storage():
    rendered = clusters.render("valkey-all")
    source = {"secretKeyRef": {"name": "company-valkey", "key": "valkey-password"}}
    stateful = rendered["StatefulSet", f"{FULLNAME}-valkey"]["spec"]
    assert clusters.get_variables(clusters.container(rendered, "all"))["VALKEY_PASSWORD"] == source
    assert clusters.get_variables(mounts.only(stateful["template"]["spec"]))["VALKEY_PASSWORD"] == source
    assert ("Secret", f"{FULLNAME}-valkey") not in rendered
    [claim] = stateful["volumeClaimTemplates"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOncePod"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "8Gi"}},
    }
    assert {name for kind, name in rendered if kind == "NetworkPolicy"} == {
        FULLNAME,
        f"{FULLNAME}-valkey",
        f"{FULLNAME}-test",
    }


def test_valkey_without_policy_uses_the_given_claim():
    rendered = clusters.render("valkey-open")
    assert "NetworkPolicy" not in {kind for kind, _ in rendered}
    assert rendered["Secret", f"{FULLNAME}-valkey"]["stringData"] == {"password": "correct-horse.battery_staple"}
    stateful = rendered["StatefulSet", f"{FULLNAME}-valkey"]["spec"]
    assert "volumeClaimTemplates" not in stateful
    volumes = stateful["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "router-data"}} in volumes


def test_check_and_test_use_the_given_secret():
    rendered = clusters.render("check")
    check = mounts.only(helm.pods(rendered)[f"Job/{FULLNAME}-check"])
    assert check["args"] == ["check", "--online", "--strict"]
    source = {"secretKeyRef": {"name": "tokens", "key": "alertmanager"}}
    assert clusters.get_variables(check)["WEBHOOK_TOKEN"] == source
    test = mounts.only(helm.pods(rendered)[f"Pod/{FULLNAME}-test"])
    assert clusters.get_variables(test) == {"BEARER": source}


def test_load_balancer_service_has_the_given_settings():
    spec = clusters.render("load-balancer")["Service", FULLNAME]["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert spec["loadBalancerClass"] == "example.org/internal"
    assert spec["loadBalancerSourceRanges"] == ["10.0.0.0/8", "fd00::/8"]


def test_every_service_has_both_ip_families():
    services = [one["spec"] for (kind, _), one in clusters.render("dual-stack").items() if kind == "Service"]
    assert len(services) == 5
    for spec in services:
        assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("PreferDualStack", ["IPv6", "IPv4"])


def test_ipv4_only_listens_on_ipv4_addresses():
    configured = clusters.configuration(clusters.render("ipv4-only"))
    hosts = [configured["web"]["host"], configured["worker"]["health_host"], configured["management"]["host"]]
    assert [*hosts, configured["web"]["health_host"]] == ["0.0.0.0"] * 4
    assert configured["web"]["max_alerts"] == 30_000_000, "Helm would write 3e+07"


def test_global_registry_prefixes_every_image():
    rendered = clusters.render("global-registry")
    for spec in helm.pods(rendered).values():
        assert spec["imagePullSecrets"] == [{"name": name} for name in ("mirror", "backup-mirror", "own")]
        for container in spec["containers"]:
            assert container["image"].startswith("mirror.example.internal/")
    valkey = mounts.only(helm.pods(rendered)[f"StatefulSet/{FULLNAME}-valkey"])
    assert valkey["image"] == "mirror.example.internal/valkey/valkey:9.1"


def test_pods_have_the_given_placement():
    rendered = clusters.render("placement")
    for component in ("web", "worker"):
        spec = clusters.spec(rendered, component)
        assert spec["nodeSelector"] == {"pool": "platform"}
        assert spec["priorityClassName"] == "system-cluster-critical"
        assert (spec["runtimeClassName"], spec["dnsPolicy"]) == ("gvisor", "None")
        assert spec["hostAliases"][0]["ip"] == "192.0.2.7"
        [spread] = spec["topologySpreadConstraints"]
        assert spread["minDomains"] == 3
        assert spread["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == component
        assert "podAntiAffinity" in spec["affinity"]


def test_pods_have_the_given_probes():
    rendered = clusters.render("probes")
    web, worker = clusters.container(rendered, "web"), clusters.container(rendered, "worker")
    assert web["startupProbe"]["failureThreshold"] == 300
    assert web["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert web["livenessProbe"]["timeoutSeconds"] == 20
    assert web["lifecycle"] == {"preStop": {"sleep": {"seconds": 15}}}
    assert "startupProbe" not in worker
    assert worker["readinessProbe"] == {"tcpSocket": {"port": "health"}, "periodSeconds": 5, "timeoutSeconds": 5}
    assert clusters.spec(rendered, "web")["terminationGracePeriodSeconds"] == 90


def test_disruption_budgets_have_the_given_minimum():
    rendered = clusters.render("budget")
    web, worker = (rendered["PodDisruptionBudget", f"{FULLNAME}-{name}"]["spec"] for name in ("web", "worker"))
    assert (web["minAvailable"], worker["minAvailable"]) == ("50%", 1)
    assert web.keys() & worker.keys() & {"maxUnavailable"} == set(), "Kubernetes takes one of them"


@pytest.mark.parametrize(("name", "budget"), BUDGETS.items())
def test_memory_budget_follows_the_limit(name, budget, tmp_path):
    rendered = clusters.render(name)
    [first, *_] = [spec for called, spec in helm.pods(rendered).items() if called.startswith("Deployment/")]
    loaded = configuration.load(mounts.files(rendered, first, tmp_path), {})
    assert loaded.web.max_bytes_in_flight == budget
    assert loaded.web.max_body_bytes <= budget
    limit = mounts.only(first)["resources"].get("limits", {}).get("memory")
    assert (limit is None) is (name == "no-limit")
