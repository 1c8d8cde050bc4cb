"""Prometheus' own ``promtool`` confirms that each alert of the chart fires exactly in the cases where it should."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.chart import alert_cases, helm, promql

pytestmark = pytest.mark.debian("prometheus")
RENDERED_TEXTS = {
    "summary": "Source production sends bodies that can't be read.",
    "description": "About 3 bodies per hour went to the quarantine, completely or in part.",
    "runbook_url": "docs/runbooks/IncidentRouterQuarantineGrows.md",
}


def promtool(*arguments: str, within: Path) -> str:
    """Return the output of promtool; fail if promtool fails."""
    answer = subprocess.run(["promtool", *arguments], cwd=within, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def judge(folder: Path, test: helm.Object) -> None:
    """Run one alert test; promtool parses JSON as YAML."""
    shutil.copy(promql.ALERTS, folder / "alerts.yaml")
    tests = {"rule_files": ["alerts.yaml"], "evaluation_interval": test["interval"], "tests": [test]}
    (folder / "test.yaml").write_text(json.dumps(tests))
    promtool("test", "rules", "test.yaml", within=folder)


def samples(case: alert_cases.Case) -> list[helm.Object]:
    """Return the sample that Prometheus records for each firing alert."""
    severity = promql.alerts()[case.alert]["labels"]["severity"]
    told = {"alertname": case.alert, "alertstate": "firing", "severity": severity}
    found = [", ".join(f'{name}="{value}"' for name, value in (told | labels).items()) for labels in case.fires]
    return [{"labels": f"ALERTS{{{text}}}", "value": 1} for text in found]


@pytest.mark.parametrize("case", alert_cases.CASES, ids=lambda case: f"{case.alert}: {case.why}")
def test_alert_fires_exactly_in_its_firing_cases(case, tmp_path):
    asked = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    judge(
        tmp_path,
        {
            "interval": case.interval,
            "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
            "promql_expr_test": [{"expr": asked, "eval_time": case.at, "exp_samples": samples(case)}],
        },
    )


@pytest.mark.parametrize("name", promql.alerts())
def test_every_alert_has_firing_and_silent_cases(name):
    seen = {bool(case.fires) for case in alert_cases.CASES if case.alert == name}
    assert seen == {True, False}


def test_every_case_names_an_existing_alert():
    assert {case.alert for case in alert_cases.CASES} <= promql.alerts().keys()


def test_wrong_expectation_fails_the_check(tmp_path):
    """Negative control: a promtool that compares nothing would pass every case."""
    fired = next(case for case in alert_cases.CASES if case.fires)
    with pytest.raises(AssertionError, match="FAILED"):
        test_alert_fires_exactly_in_its_firing_cases(fired._replace(fires=()), tmp_path)


def test_alert_annotations_are_rendered_with_its_labels(tmp_path):
    expected = {
        "exp_labels": {"severity": "warning", "namespace": "a", "source": "production"},
        "exp_annotations": RENDERED_TEXTS,
    }
    series = 'incident_router_quarantined_total{namespace="a",source="production"}'
    judge(
        tmp_path,
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": "0+0.05x120"}],
            "alert_rule_test": [
                {"alertname": "IncidentRouterQuarantineGrows", "eval_time": "90m", "exp_alerts": [expected]}
            ],
        },
    )


def test_prometheus_accepts_the_alerts(tmp_path):
    number = len(promql.alerts())
    assert f"{number} rules found" in promtool("check", "rules", "--lint-fatal", str(promql.ALERTS), within=tmp_path)
    spec = helm.render({"monitoring": {"prometheusRule": {"enabled": True}}})["PrometheusRule", "shop-incident-router"]
    (tmp_path / "rendered.yaml").write_text(json.dumps(spec["spec"]))
    assert f"{number} rules found" in promtool("check", "rules", "--lint-fatal", "rendered.yaml", within=tmp_path)


def test_prometheus_accepts_every_dashboard_expression(tmp_path):
    """The expressions are checked as recording rules, because promtool accepts only rule files."""
    rules = [{"record": f"panel:{place}", "expr": text} for place, text in enumerate(promql.expressions().values())]
    (tmp_path / "panels.yaml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", "panels.yaml", within=tmp_path)
