"""The alerts and the dashboard use only metrics of the router, have runbooks, and are rendered unchanged."""

import json
import re

import pytest

from tests.chart import helm, promql
from tests.structure import tree

NAME = "shop-incident-router"
ROWS = ["Now", "Deliveries", "Alerts and rules", "Worker", "Vendor calls", "Quarantine and dead letters"]
ROWS += ["Redis and processes"]
ANNOTATIONS = {"summary", "description", "runbook_url"}


RUNBOOKS = tree.ROOT / "docs" / "runbooks"


def runbook(name: str) -> str:
    """Return the text below the title of an alert's runbook."""
    title, _, text = (RUNBOOKS / f"{name}.md").read_text().partition("\n")
    assert title == f"# {name}"
    return text.strip()


def prometheus_rule(**values: object) -> helm.Object:
    return helm.render({"monitoring": {"prometheusRule": {"enabled": True, **values}}})["PrometheusRule", NAME]


def rendered_alerts(**values: object) -> dict[str, helm.Object]:
    [group] = prometheus_rule(**values)["spec"]["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def dashboard_map(**values: object) -> helm.Object:
    given = {"monitoring": {"dashboard": {"enabled": True, **values}}}
    return helm.render(given)["ConfigMap", f"{NAME}-dashboard"]


class TestExpressions:
    @pytest.mark.parametrize("place", promql.expressions())
    def test_expressions_use_only_existing_metrics_and_labels(self, place):
        assert promql.problems(promql.expressions()[place]) == []

    @pytest.mark.parametrize(
        ("expression", "problem"),
        [
            ("incident_router_alerts", "no metric incident_router_alerts"),
            (
                "rate(incident_router_accepted_to_opened_seconds[5m])",
                "no metric incident_router_accepted_to_opened_seconds",
            ),
            ("max(-(sum_over_time(up[5m:1m])))", "no metric up"),
            ('incident_router_rules{source="a"}', "incident_router_rules has no label source"),
            (
                'incident_router_operations_total{result=~"done|lost"}',
                "incident_router_operations_total is never result=lost",
            ),
            ("topk(3, sum by (rule) (incident_router_rules))", "nothing here has a label rule"),
            ("incident_router_rules * on (folder) incident_router_rules", "nothing here has a label folder"),
        ],
    )
    def test_unknown_metric_is_found_anywhere(self, expression, problem):
        assert promql.problems(expression) == [problem]

    def test_invalid_promql_is_rejected(self):
        with pytest.raises(ValueError, match="parenthesis"):
            promql.problems("sum(incident_router_rules")


class TestAlerts:
    @pytest.mark.parametrize("name", promql.alerts())
    def test_alert_has_severity_summary_and_runbook(self, name):
        rule = promql.alerts()[name]
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == ANNOTATIONS
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"

    def test_every_alert_has_a_listed_runbook(self):
        assert {path.stem for path in RUNBOOKS.glob("*.md")} == {"index", *promql.alerts()}
        index = (RUNBOOKS / "index.md").read_text()
        rows = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| (\w+) \|$", index, re.MULTILINE)
        assert rows == [(name, rule["labels"]["severity"]) for name, rule in promql.alerts().items()]

    @pytest.mark.parametrize("name", promql.alerts())
    def test_runbook_has_the_severity_and_steps(self, name):
        text = runbook(name)
        assert text.startswith(f"**{promql.alerts()[name]['labels']['severity']}.** ")
        assert re.findall(r"^(\d)\. ", text, re.MULTILINE)[:2] == ["1", "2"]

    @pytest.mark.parametrize("name", promql.alerts())
    def test_annotations_use_only_labels_of_the_alert(self, name):
        rule = promql.alerts()[name]
        used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        grouped = re.search(r"by \(([^)]*)\)", rule["expr"])
        assert used <= (set(grouped[1].split(", ")) if grouped else set())


class TestDashboard:
    def test_dashboard_has_grafana_s_schema_version_and_variables(self):
        found = promql.dashboard()
        assert found["schemaVersion"] == 39
        assert found["id"] is None, "an id of one Grafana would overwrite another's dashboard"
        assert [variable["name"] for variable in found["templating"]["list"]] == ["datasource", "namespace"]
        assert found["templating"]["list"][0]["type"] == "datasource"

    def test_dashboard_rows_follow_the_stages_of_an_alert(self):
        assert [panel["title"] for panel in promql.dashboard()["panels"] if panel["type"] == "row"] == ROWS

    @pytest.mark.parametrize("panel", promql.panels(), ids=lambda panel: panel["title"])
    def test_panel_has_description_and_chosen_data_source(self, panel):
        assert panel["type"] in {"stat", "timeseries"}
        assert panel["description"].endswith(".")
        chosen = {"type": "prometheus", "uid": "${datasource}"}
        assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [chosen] * (
            1 + len(panel["targets"])
        )
        assert all('namespace=~"$namespace"' in target["expr"] for target in panel["targets"])

    def test_panels_have_unique_titles_and_positions(self):
        every = promql.dashboard()["panels"]
        assert len({panel["id"] for panel in every}) == len(every)
        assert len({panel["title"] for panel in every}) == len(every)
        taken: set[tuple[int, int]] = set()
        for place in (panel["gridPos"] for panel in every):
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert place["x"] + place["w"] <= 24
            assert not cells & taken
            taken |= cells

    def test_namespace_choice_uses_a_common_metric(self):
        variable = promql.dashboard()["templating"]["list"][1]
        [metric] = re.findall(r"label_values\((\w+), namespace\)", variable["query"]["query"])
        assert metric in promql.list_series()
        assert variable["allValue"] == ".*", "outside Kubernetes no series has a namespace"


class TestRendered:
    def test_monitoring_objects_are_rendered_only_if_enabled(self):
        rendered = helm.render({})
        assert "PrometheusRule" not in {kind for kind, _ in rendered}
        assert ("ConfigMap", f"{NAME}-dashboard") not in rendered

    def test_fully_enabled_chart_passes_lint(self):
        values = {"monitoring": {"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}}
        assert "0 chart(s) failed" in helm.call("lint", "--strict", str(helm.CHART), values=values)

    def test_rendered_alerts_equal_the_file(self):
        """Only ``absent`` gets the namespace; otherwise any other router would satisfy it."""
        rendered, own = rendered_alerts(), f'{{namespace="{helm.NAMESPACE}"}}'
        absent = rendered["IncidentRouterAbsent"]
        assert f"absent(last_over_time(incident_router_build_info{own}[1d]))" in absent["expr"]
        absent["expr"] = absent["expr"].replace(own, "")
        assert rendered == promql.alerts()
        assert "{{ $labels.source }}" in rendered_alerts()["IncidentRouterQuarantineGrows"]["annotations"]["summary"]

    def test_alerts_are_omitted_by_name(self):
        left = rendered_alerts(without=["IncidentRouterNoDeliveries", "IncidentRouterAbsent"])
        assert promql.alerts().keys() - left.keys() == {"IncidentRouterNoDeliveries", "IncidentRouterAbsent"}

    def test_runbook_urls_start_with_the_documentation_url(self):
        urls = [
            rule["annotations"]["runbook_url"]
            for rule in rendered_alerts(documentation="https://w.example/r/").values()
        ]
        assert urls[0] == "https://w.example/r/docs/runbooks/IncidentRouterAbsent.md"
        assert all(url.startswith("https://w.example/r/docs/runbooks/") for url in urls)

    def test_alerts_and_dashboard_have_the_given_labels(self):
        labels = prometheus_rule(labels={"release": "monitoring"})["metadata"]["labels"]
        assert labels["release"] == "monitoring"
        assert labels["app.kubernetes.io/instance"] == "shop"
        assert dashboard_map()["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert "annotations" not in dashboard_map()["metadata"]
        with_folder = dashboard_map(annotations={"grafana_folder": "Shop"})
        assert with_folder["metadata"]["annotations"] == {"grafana_folder": "Shop"}

    def test_dashboard_is_rendered_unchanged(self):
        assert dashboard_map()["data"] == {"incident-router.json": promql.DASHBOARD.read_text()}

    def test_schema_lists_every_alert_name(self):
        schema = json.loads((helm.CHART / "values.schema.json").read_text())
        rule = schema["properties"]["monitoring"]["properties"]["prometheusRule"]["properties"]
        assert rule["without"]["items"]["enum"] == list(promql.alerts())

    @pytest.mark.parametrize(
        ("monitoring", "names"),
        [
            ({"prometheusRule": {"without": ["IncidentRouterNoDelivery"]}}, "without"),
            ({"prometheusRule": {"documentation": "wiki.example"}}, "documentation"),
            ({"prometheusRule": {"enabled": "yes"}}, "enabled"),
            ({"dashboard": {"labels": {"grafana_dashboard": 1}}}, "grafana_dashboard"),
            ({"alerts": True}, "alerts"),
        ],
    )
    def test_value_without_effect_is_refused(self, monitoring, names):
        with pytest.raises(helm.RenderError, match=names):
            helm.render({"monitoring": monitoring})
