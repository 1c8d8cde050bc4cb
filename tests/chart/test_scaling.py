"""The number of pods, their placement, and their protection from early eviction."""

import pytest

from router.web import serve
from tests.chart import helm

FULLNAME = "shop-incident-router"
SELECTOR = {"app.kubernetes.io/name": "incident-router", "app.kubernetes.io/instance": "shop"}


def deployment(case: str, component: str) -> helm.Object:
    return helm.case(case)["Deployment", f"{FULLNAME}-{component}"]["spec"]


class TestBudgets:
    @pytest.mark.parametrize(("case", "components"), [("separate", ["web", "worker"]), ("all", ["all"])])
    def test_every_process_has_a_disruption_budget(self, case, components):
        budgets = [one for (kind, _), one in helm.case(case).items() if kind == "PodDisruptionBudget"]
        assert [one["metadata"]["name"] for one in budgets] == [f"{FULLNAME}-{name}" for name in components]
        for budget, component in zip(budgets, components, strict=True):
            assert budget["spec"]["selector"] == deployment(case, component)["selector"]
            assert budget["spec"]["maxUnavailable"] == 1

    def test_disruption_budget_can_be_percentage_or_disabled(self):
        rendered = helm.case("autoscaling")
        assert rendered["PodDisruptionBudget", f"{FULLNAME}-web"]["spec"]["maxUnavailable"] == "25%"
        assert ("PodDisruptionBudget", f"{FULLNAME}-worker") not in rendered


class TestAutoscaling:
    def test_webhook_server_scales_by_requested_cpu(self):
        spec = helm.case("autoscaling")["HorizontalPodAutoscaler", f"{FULLNAME}-web"]["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 20)
        assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
        [container] = deployment("autoscaling", "web")["template"]["spec"]["containers"]
        assert "cpu" in container["resources"]["requests"], "utilization needs a CPU request"

    def test_scaled_deployments_set_no_replicas(self):
        rendered = helm.case("autoscaling")
        for kind in ["HorizontalPodAutoscaler", "ScaledObject"]:
            [target] = [one["spec"]["scaleTargetRef"] for (found, _), one in rendered.items() if found == kind]
            assert "replicas" not in rendered["Deployment", target["name"]]["spec"]

    def test_unscaled_deployments_set_their_replicas(self):
        assert deployment("separate", "web")["replicas"] == 3
        assert deployment("monitored-all", "all")["replicas"] == 2

    @pytest.mark.parametrize(
        ("case", "address", "database", "tls"),
        [
            ("valkey", f"{FULLNAME}-valkey:6379", "0", "false"),
            ("keda-tls", "redis.example.internal:6380", "3", "true"),
            ("autoscaling", "redis.data:6380", "0", "false"),
        ],
    )
    def test_keda_uses_the_router_s_redis(self, case, address, database, tls):
        [trigger] = helm.case(case)["ScaledObject", f"{FULLNAME}-worker"]["spec"]["triggers"]
        given = trigger["metadata"]
        assert (given["address"], given["databaseIndex"], given.get("enableTLS", "false")) == (address, database, tls)

    def test_redis_url_without_port_uses_the_default(self):
        rendered = helm.render({"redis": {"url": "redis://redis"}, "worker": {"keda": {"enabled": True}}})
        [trigger] = rendered["ScaledObject", f"{FULLNAME}-worker"]["spec"]["triggers"]
        assert trigger["metadata"]["address"] == "redis:6379"

    def test_keda_uses_the_user_s_or_chart_s_password(self):
        [given] = helm.case("autoscaling")["ScaledObject", f"{FULLNAME}-worker"]["spec"]["triggers"]
        assert given["authenticationRef"] == {"name": "redis-password"}
        [given] = helm.case("valkey")["ScaledObject", f"{FULLNAME}-worker"]["spec"]["triggers"]
        [container] = deployment("valkey", "worker")["template"]["spec"]["containers"]
        assert given["metadata"]["passwordFromEnv"] in {entry["name"] for entry in container["env"]}

    def test_keda_metadata_values_are_strings(self):
        for case in ["valkey", "keda-tls", "autoscaling"]:
            [trigger] = helm.case(case)["ScaledObject", f"{FULLNAME}-worker"]["spec"]["triggers"]
            assert {type(value) for value in trigger["metadata"].values()} == {str}


class TestPlacement:
    def test_pods_of_a_process_are_spread_among_themselves(self):
        for component in ["web", "worker"]:
            found = deployment("separate", component)["template"]["spec"]["topologySpreadConstraints"]
            assert [one["topologyKey"] for one in found] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
            for constraint in found:
                wanted = {**SELECTOR, "app.kubernetes.io/component": component}
                assert constraint["labelSelector"] == {"matchLabels": wanted}

    def test_given_spread_constraints_replace_the_default(self):
        [one] = deployment("placed", "web")["template"]["spec"]["topologySpreadConstraints"]
        assert (one["whenUnsatisfiable"], one["minDomains"]) == ("DoNotSchedule", 3)
        assert "topologySpreadConstraints" not in deployment("open", "web")["template"]["spec"]

    def test_every_pod_has_the_given_placement(self):
        rendered = helm.render(helm.read_values("placed") | {"redis": {"url": ""}, "valkey": {"enabled": True}})
        for spec in helm.pods(rendered).values():
            assert spec["nodeSelector"] == {"pool": "monitoring"}
            assert spec["tolerations"][0]["key"] == "pool"
            assert spec["priorityClassName"] == "system-cluster-critical"

    def test_user_labels_do_not_change_selectors(self):
        rendered = helm.render({"podLabels": {"app.kubernetes.io/part-of": "monitoring"}})
        spec = rendered["Deployment", f"{FULLNAME}-web"]["spec"]
        assert spec["template"]["metadata"]["labels"]["app.kubernetes.io/part-of"] == "monitoring"
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


class TestTermination:
    @pytest.mark.parametrize(("case", "component"), [("separate", "web"), ("all", "all")])
    def test_webhook_pod_waits_before_stopping(self, case, component):
        [container] = deployment(case, component)["template"]["spec"]["containers"]
        assert container["lifecycle"]["preStop"]["exec"]["command"] == ["python", "-c", "import time; time.sleep(5)"]

    def test_worker_has_no_pre_stop_hook(self):
        [container] = deployment("separate", "worker")["template"]["spec"]["containers"]
        assert "lifecycle" not in container

    def test_grace_period_covers_requests_in_flight(self):
        schema = helm.read((helm.CHART / "values.schema.json").read_text())
        least = schema["properties"]["terminationGracePeriodSeconds"]["minimum"]
        assert least > 5 + serve.GRACE_SECONDS
        assert deployment("separate", "web")["template"]["spec"]["terminationGracePeriodSeconds"] >= least
