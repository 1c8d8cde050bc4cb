"""Template bodies on the pages are read as alerts after the sender has filled them in."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.domain import alerts
from router.sources import registry
from tests.chart import helm
from tests.contract import test_presets_documentation

NOW = test_presets_documentation.NOW
receiver = test_presets_documentation.receiver
HARD = 'Disk "/var" is 97% full & \\ counting'


def template(kind: str) -> str:
    (found,) = [block for block in test_presets_documentation.read_blocks(kind) if block.lstrip().startswith("{")]
    return found


def read(kind: str, body: str) -> alerts.Alert:
    source = registry.build("here", registry.KINDS[kind].config(auth="none")).source
    (alert,) = source.parse(body.encode(), {}, NOW).alerts
    return alert


def escape_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def escape_html(text: str) -> str:
    """Escape text like Laravel's Blade."""
    for plain, written in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(plain, written)
    return text


def fill_template(kind: str, placeholder: str, values: dict[str, str], written: Callable[[str], str] = str) -> str:
    """Fill in each placeholder of the page's body. A placeholder without a value becomes empty."""
    matches = re.findall(placeholder, template(kind))
    assert values.keys() <= set(matches)
    return re.sub(placeholder, lambda match: written(values.get(match[1], "")), template(kind))


DOLLAR = r"\$([A-Z_]+)"
MUSTACHE = r"\{\{([A-Za-z.]+)\}\}"
BLADE = r"\{\{ \$(\w+) \}\}"
BRACKET = r"\[([A-Z_]+)\]"


def test_healthchecks_template_gives_both_states():
    values = {"CODE": "c-1", "NAME": "Backup", "TAGS": "prod team:archive", "NOW": "2026-03-02T09:15:30+00:00"}
    down = read("healthchecks", fill_template("healthchecks", DOLLAR, {**values, "STATUS": "down"}))
    up = read("healthchecks", fill_template("healthchecks", DOLLAR, {**values, "STATUS": "up"}))
    assert (down.status, up.status, down.fingerprint, down.title) == ("firing", "resolved", up.fingerprint, "Backup")
    assert down.labels == {"prod": "true", "team": "archive", "check": "Backup", "check_id": "c-1"}


def test_gatus_template_handles_escaped_quotes():
    values = {"ENDPOINT_NAME": "timetable", "ENDPOINT_GROUP": "ferry", "ALERT_DESCRIPTION": "fails"}
    state, errors = "ALERT_TRIGGERED_OR_RESOLVED", 'Get "https://a.example": EOF'.replace('"', '\\"')
    triggered = read("gatus", fill_template("gatus", BRACKET, {**values, state: "TRIGGERED", "RESULT_ERRORS": errors}))
    resolved = read("gatus", fill_template("gatus", BRACKET, {**values, state: "RESOLVED"}))
    assert (triggered.status, resolved.status) == ("firing", "resolved")
    assert triggered.fingerprint == resolved.fingerprint == "ferry/timetable"
    assert triggered.annotations["description"] == 'Get "https://a.example": EOF'


def test_site24x7_template_gives_both_states():
    values = {"MONITOR_ID": "7", "MONITORNAME": "Camera", "INCIDENT_TIME_ISO": "2026-03-02T14:45:30+0530"}
    down = read("site24x7", fill_template("site24x7", DOLLAR, {**values, "STATUS": "DOWN", "TAGS": "team:harbour"}))
    up = read("site24x7", fill_template("site24x7", DOLLAR, {**values, "STATUS": "UP"}))
    assert (down.status, down.severity, up.status, up.severity) == ("firing", "critical", "resolved", "")
    assert (down.fingerprint, down.labels["team"]) == (up.fingerprint, "harbour")


def test_librenms_template_handles_blade_escapes():
    values = {"alert_id": "71", "severity": "critical", "name": "Port down", "hostname": "sw1"}
    title = HARD.replace("\\", "/")  # Blade doesn't escape backslashes.
    firing = read("librenms", fill_template("librenms", BLADE, {**values, "state": "1", "title": title}, escape_html))
    over = read(
        "librenms", fill_template("librenms", BLADE, {**values, "state": "0", "title": "recovered"}, escape_html)
    )
    assert (firing.status, firing.title, firing.severity) == ("firing", title, "critical")
    assert (over.status, over.fingerprint, over.severity) == ("resolved", firing.fingerprint, "")


def test_kibana_template_handles_escaped_texts():
    values = {"rule.id": "r", "rule.name": "Too full", "alert.id": "web-1", "rule.tags": "team:web"}
    moment = {"date": "2026-03-02T09:15:30.544Z"}
    active = {**values, **moment, "alert.actionGroup": "metrics.threshold.fired", "context.reason": HARD}
    firing = read("kibana", fill_template("kibana", MUSTACHE, active, escape_json))
    over = read(
        "kibana", fill_template("kibana", MUSTACHE, {**values, **moment, "alert.actionGroup": "recovered"}, escape_json)
    )
    assert (firing.status, firing.fingerprint, firing.annotations["description"]) == ("firing", "r/web-1", HARD)
    assert (over.status, over.fingerprint) == ("resolved", "r/web-1")


def test_coralogix_template_gives_both_states():
    values = {"ALERT_UNIQUE_IDENTIFIER": "u", "ALERT_NAME": "Errors", "EVENT_TIMESTAMP_ISO": "2026-03-02T09:15:30Z"}
    group = {"ALERT_GROUPBY_LABELS": "host:web-1"}
    firing = read(
        "coralogix",
        fill_template("coralogix", DOLLAR, {**values, **group, "ALERT_ACTION": "trigger", "ALERT_ID": "v1"}),
    )
    over = read(
        "coralogix",
        fill_template("coralogix", DOLLAR, {**values, **group, "ALERT_ACTION": "resolve", "ALERT_ID": "v2"}),
    )
    assert (firing.status, over.status, firing.fingerprint) == ("firing", "resolved", over.fingerprint)


@pytest.mark.parametrize("kind", ["coralogix", "gatus", "healthchecks", "kibana", "librenms", "site24x7"])
def test_unfilled_template_is_unparsable(kind):
    source = registry.build("here", registry.KINDS[kind].config(auth="none")).source
    with pytest.raises(registry.base.Unparsable, match="status: there is none"):
        source.parse(template(kind).encode(), {}, NOW)


def test_prtg_payload_is_a_form_of_known_fields():
    (payload,) = [block for block in test_presets_documentation.read_blocks("prtg") if block.startswith("sensorid=")]
    fields = dict(field.split("=", 1) for field in payload.strip().split("&"))
    assert fields.keys() == test_presets_documentation.list_delivered_members("prtg")
    assert all(re.fullmatch("%[a-z]+", value) for value in fields.values())


CHART = {
    "Chart.yaml": "apiVersion: v2\nname: argocd\nversion: 0.1.0\n",
    "templates/out.yaml": '{{ tpl (.Files.Get "body.txt") (merge (dict "Template" .Template) .Values) }}',
}


def argocd(folder: Path, app: dict[str, Any]) -> str:
    """Render the page's body with Helm, which has the Go templates and Sprig functions of Argo CD."""
    page = test_presets_documentation.page("argocd")
    (indented,) = re.findall(r"^        body: \|\n((?:          .*\n)+)", page, re.MULTILINE)
    for name, text in {**CHART, "body.txt": indented}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    values = {"app": app, "context": {"argocdUrl": "https://argocd.example.com"}}
    return helm.call("template", "t", str(folder), values=values).partition("# Source: argocd/templates/out.yaml\n")[2]


APP = {
    "metadata": {"name": "timetable", "namespace": "argocd", "labels": {"team": "ferry"}},
    "spec": {"project": "ferry", "destination": {"server": "https://k8s.example.com", "namespace": "ferry"}},
    "status": {
        "health": {"status": "Degraded"},
        "sync": {"status": "Synced", "revision": "0f3c"},
        "operationState": {"phase": "Failed", "message": HARD + "\nand more"},
    },
}


def test_argocd_template_handles_any_message(tmp_path):
    alert = read("argocd", argocd(tmp_path, APP))
    assert (alert.status, alert.title) == ("firing", "timetable is degraded")
    assert alert.fingerprint == "https://argocd.example.com/argocd/timetable"
    assert alert.annotations["description"] == HARD + "\nand more"
    assert alert.labels["cluster"] == "https://k8s.example.com"
    assert (alert.labels["team"], alert.labels["namespace"]) == ("ferry", "ferry")
    assert alert.link == "https://argocd.example.com/applications/argocd/timetable"


def test_argocd_template_handles_a_never_synced_application(tmp_path):
    app = {**APP, "metadata": {"name": "timetable", "namespace": "argocd"}, "status": {"health": {"status": "Healthy"}}}
    assert read("argocd", argocd(tmp_path, app)).status == "resolved"


CHECKMK = {
    "NOTIFY_WHAT": "SERVICE",
    "NOTIFY_NOTIFICATIONTYPE": "PROBLEM",
    "NOTIFY_OMD_SITE": "north",
    "NOTIFY_HOSTNAME": "pump-3",
    "NOTIFY_HOSTSTATE": "UP",
    "NOTIFY_SERVICEDESC": "Flow & pressure",
    "NOTIFY_SERVICESTATE": "CRITICAL",
    "NOTIFY_SERVICEOUTPUT": HARD,
    "NOTIFY_SERVICEURL": "/check_mk/index.py?start_url=view.py%3Fhost%3Dpump-3",
    "NOTIFY_MICROTIME": "1772442930544000",
}


def checkmk(folder: Path, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    (text,) = re.findall(r"^```sh\n(.*?)^```$", test_presets_documentation.page("checkmk"), re.MULTILINE | re.DOTALL)
    script = folder / "incident-router"
    script.write_text(text)
    script.chmod(0o755)
    parameters = {"NOTIFY_PARAMETER_1": url, "NOTIFY_PARAMETER_2": "a-long-random-token"}
    parameters["NOTIFY_PARAMETER_3"] = "https://checkmk.example.com/north"
    environment = {"PATH": os.environ["PATH"], **parameters, **CHECKMK, **more}
    return subprocess.run([str(script)], env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.debian("curl")
def test_checkmk_script_sends_checkmk_s_variables(receiver, tmp_path):
    done = checkmk(tmp_path, f"http://127.0.0.1:{receiver.server_port}/v1/webhooks/checkmk")
    assert (done.returncode, done.stderr) == (0, "")
    ((path, headers, body),) = receiver.RequestHandlerClass.received
    source = registry.build("here", registry.KINDS["checkmk"].config(auth="none")).source
    (alert,) = source.parse(body, headers, NOW).alerts
    assert (path, headers[b"authorization"]) == ("/v1/webhooks/checkmk", b"Bearer a-long-random-token")
    assert (alert.status, alert.severity, alert.starts_at) == ("firing", "CRITICAL", 1_772_442_930_544_000)
    assert (alert.fingerprint, alert.title) == ("north/pump-3!Flow & pressure", "Flow & pressure on pump-3")
    assert alert.annotations["description"] == HARD
    assert alert.link == "https://checkmk.example.com/north" + CHECKMK["NOTIFY_SERVICEURL"]


@pytest.mark.debian("curl")
def test_checkmk_script_is_retried_after_an_error(tmp_path):
    done = checkmk(tmp_path, "http://127.0.0.1:1/v1/webhooks/checkmk")
    assert done.returncode == 1
    assert done.stderr


def test_checkmk_script_sends_only_known_fields():
    (text,) = re.findall(r"^```sh\n(.*?)^```$", test_presets_documentation.page("checkmk"), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r'--data-urlencode "(\w+)=', text)) == test_presets_documentation.list_delivered_members(
        "checkmk"
    )
