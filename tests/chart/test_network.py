"""Network isolation: ports open to senders, permitted calls of each pod, and access to secrets and metrics."""

import pytest

from tests.chart import helm

FULLNAME = "shop-incident-router"
DNS = {("UDP", 53), ("TCP", 53)}
SECRETS = {part: {"existing": part} for part in ("web", "worker", "shared")}


def labels(rendered) -> dict[str, dict[str, str]]:
    """Return the labels of every pod by component."""
    found = {}
    for (kind, _), one in rendered.items():
        if kind in {"Deployment", "StatefulSet", "Job", "Pod"}:
            given = one["spec"].get("template", one)["metadata"]["labels"]
            found[given["app.kubernetes.io/component"]] = given
    return found


def selects(selector: helm.Object, given: dict[str, str]) -> bool:
    """Return whether a label selector matches a pod with these labels."""
    wanted = selector.get("matchLabels", {}).items() <= given.items()
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return wanted and all(given.get(expression["key"]) in expression["values"] for expression in expressions)


def policies(rendered, component: str) -> list[helm.Object]:
    """Return the policies that apply to a component's pods."""
    given = labels(rendered)[component]
    found = [one["spec"] for (kind, _), one in rendered.items() if kind == "NetworkPolicy"]
    return [spec for spec in found if selects(spec["podSelector"], given)]


def list_calls(rendered, component: str) -> dict[tuple[str, int], set[str]]:
    """Return the ports that a component may call, with the peers: components, or `anyone`."""
    [policy] = policies(rendered, component)
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    found: dict[tuple[str, int], set[str]] = {}
    for rule in policy["egress"]:
        whom = peers(rendered, rule.get("to"))
        for port in rule["ports"]:
            found.setdefault((port.get("protocol", "TCP"), port["port"]), set()).update(whom)
    return found


def peers(rendered, given: list[helm.Object] | None) -> set[str]:
    if given is None:
        return {"anyone"}
    found = set()
    for peer in given:
        if "namespaceSelector" in peer:
            [name] = peer["namespaceSelector"]["matchLabels"].values()
            found.add(f"namespace {name}")
        else:
            found |= {name for name, pod in labels(rendered).items() if selects(peer["podSelector"], pod)}
    return found


def reached_by(rendered, component: str) -> set[str]:
    """Return the peers that may connect to a component: components, namespaces, or `anyone`."""
    [policy] = policies(rendered, component)
    return {peer for rule in policy["ingress"] for peer in peers(rendered, rule.get("from"))}


class TestNetworkPolicy:
    @pytest.mark.parametrize("component", ["web", "worker"])
    def test_router_may_call_only_dns_redis_and_vendors(self, component):
        assert list_calls(helm.case("valkey"), component) == {
            **{key: {"anyone"} for key in DNS},
            ("TCP", 443): {"anyone"},
            ("TCP", 6379): {"valkey"},
        }

    @pytest.mark.parametrize(("case", "port"), [("keda-tls", 6380), ("network", 6390)])
    def test_external_redis_is_allowed_at_its_port(self, case, port):
        assert list_calls(helm.case(case), "worker")["TCP", port] == {"anyone"}

    def test_other_egress_follows_the_values(self):
        calls = list_calls(helm.case("network"), "worker")
        assert calls.keys() == DNS | {("TCP", 443), ("TCP", 6390), ("TCP", 9093)}
        assert calls["TCP", 9093] == {"namespace monitoring"}

    def test_check_may_call_the_vendors(self):
        rendered = helm.render({"networkPolicy": {"enabled": True}, "check": {"enabled": True}})
        assert ("TCP", 443) in list_calls(rendered, "check")

    def test_helm_test_may_call_only_the_webhook_server(self):
        assert list_calls(helm.case("valkey"), "test") == {**{key: {"anyone"} for key in DNS}, ("TCP", 8080): {"web"}}
        assert reached_by(helm.case("valkey"), "test") == set()

    def test_valkey_accepts_only_the_router_and_named_peers(self):
        rendered = helm.case("valkey")
        assert list_calls(rendered, "valkey") == {}
        assert reached_by(rendered, "valkey") == {"web", "worker", "namespace keda"}

    def test_values_restrict_which_peers_may_post(self):
        assert reached_by(helm.case("valkey"), "web") == {"anyone"}
        assert reached_by(helm.case("network"), "web") == {
            "namespace ingress",
            "namespace monitoring",
            "namespace sre",
            "test",
        }

    def test_policy_opens_exactly_the_container_ports(self):
        rendered = helm.case("network")
        [policy] = policies(rendered, "web")
        [rule, console] = policy["ingress"]
        assert console["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "sre"}}}]
        listening = {
            port["containerPort"]
            for spec in helm.pods(rendered).values()
            for container in spec["containers"]
            for port in container.get("ports", [])
        }
        assert {port["port"] for port in rule["ports"]} | {8082} == listening
        assert {port["port"] for port in console["ports"]} == {8082}

    def test_console_is_unreachable_unless_allowed(self):
        closed = helm.render({"redis": {"url": "redis://redis:6379"}, "networkPolicy": {"enabled": True}})
        [policy] = policies(closed, "web")
        assert 8082 not in {port["port"] for rule in policy["ingress"] for port in rule["ports"]}

    def test_network_policy_is_disabled_by_default(self):
        assert "NetworkPolicy" not in {kind for kind, _ in helm.case("separate")}


class TestWebhooksFromOutside:
    def test_route_leads_only_to_webhooks(self):
        rendered = helm.case("gateway")
        route = rendered["HTTPRoute", FULLNAME]["spec"]
        [rule] = route["rules"]
        assert rule["matches"] == [
            {"path": {"type": "PathPrefix", "value": prefix}} for prefix in ("/v1/webhooks", "/v1/vendor-webhooks")
        ]
        [backend] = rule["backendRefs"]
        assert backend["port"] in {port["port"] for port in rendered["Service", backend["name"]]["spec"]["ports"]}
        assert route["parentRefs"] == [{"name": "public", "namespace": "gateways", "sectionName": "https"}]
        assert route["hostnames"] == ["alerts.example.org", "alerts.example.com"]


class TestSecrets:
    def given(self, mode: str, **more: helm.Object) -> dict[str, list[str]]:
        """Return the Secrets in each pod's environment, by the name of its workload."""
        rendered = helm.render({"mode": mode, "secrets": SECRETS, **more})
        return {
            called.removeprefix("Deployment/shop-incident-router-"): [
                source["secretRef"]["name"] for source in spec["containers"][0].get("envFrom", [])
            ]
            for called, spec in helm.pods(rendered).items()
        }

    def test_each_secret_reaches_only_its_process(self):
        assert self.given("separate") == {"web": ["shared", "web"], "worker": ["shared", "worker"]}

    def test_combined_process_gets_every_secret(self):
        assert self.given("all") == {"all": ["shared", "web", "worker"]}

    def test_valkey_and_helm_test_get_no_secret(self):
        more = {"valkey": {"enabled": True}, "config": {"sources": {"a": {"kind": "alertmanager", "auth": "none"}}}}
        given = self.given("separate", **more)
        assert given["StatefulSet/shop-incident-router-valkey"] == given["Pod/shop-incident-router-test"] == []

    def test_secret_of_several_parts_is_read_once(self):
        given = self.given("all", secrets={part: {"existing": "one"} for part in SECRETS})
        assert given == {"all": ["one"]}


class TestMetrics:
    @pytest.mark.parametrize(("case", "components"), [("monitored", {"web", "worker"}), ("monitored-all", {"all"})])
    def test_every_router_pod_is_scraped_once(self, case, components):
        rendered = helm.case(case)
        monitor = rendered["ServiceMonitor", FULLNAME]["spec"]
        [endpoint] = monitor["endpoints"]
        assert monitor["namespaceSelector"] == {"matchNames": [helm.NAMESPACE]}
        scraped = []
        for (kind, _), service in rendered.items():
            named = {port["name"] for port in service.get("spec", {}).get("ports", [])}
            if kind == "Service" and endpoint["port"] in named:
                assert selects(monitor["selector"], service["metadata"]["labels"])
                chosen = {"matchLabels": service["spec"]["selector"]}
                scraped += [name for name, pod in labels(rendered).items() if selects(chosen, pod)]
        assert sorted(scraped) == sorted(components)

    def test_service_monitor_has_the_given_labels(self):
        given = helm.case("monitored")["ServiceMonitor", FULLNAME]
        assert given["metadata"]["labels"]["release"] == "prometheus"
        assert given["spec"]["endpoints"] == [{"port": "health", "path": "/metrics", "interval": "15s"}]

    def test_workers_without_service_monitor_have_no_service(self):
        assert ("Service", f"{FULLNAME}-worker") not in helm.case("separate")
