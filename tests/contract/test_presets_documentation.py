"""The presets read everything that their pages configure in a sender."""

import http.server
import json
import re
import subprocess
import threading
from pathlib import Path

import pytest

from router.sources import base, registry
from router.sources.presets import preset

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs" / "how-to" / "sources"
DATA = ROOT / "tests" / "data" / "sources"
PRESETS = sorted(name for name, kind in registry.KINDS.items() if issubclass(kind.config, preset.Config))
TEMPLATES = ["checkly", "dynatrace", "uptimerobot"]
NOW = 1_772_450_000_000_000
MACROS = {
    "NOTIFICATIONTYPE": "PROBLEM",
    "HOSTNAME": "pump-3",
    "HOSTADDRESS": "10.30.0.3",
    "HOSTSTATE": "UP",
    "HOSTGROUPNAMES": "pumps,east",
    "SERVICEDESC": "Flow & pressure",
    "SERVICESTATE": "WARNING",
    "SERVICEGROUPNAMES": "water",
    "SERVICEATTEMPT": "3",
    "SERVICEOUTPUT": 'FLOW WARNING - 20% of 40 l/min; "low" + \\ falling = 1',
    "NOTIFICATIONAUTHOR": "",
    "NOTIFICATIONCOMMENT": "",
    "TIMET": "1772442930",
}


def page(kind: str) -> str:
    return (PAGES / f"{kind}.md").read_text()


def read_blocks(kind: str) -> list[str]:
    return re.findall(r"^```text\n(.*?)^```$", page(kind), re.MULTILINE | re.DOTALL)


def list_delivered_members(kind: str) -> set[str]:
    """The names of all top-level members of the bodies in the kind's cases."""
    return {name for path in (DATA / kind).glob("*.json") for name in json.loads(path.read_text())["body"]}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_template_is_json_with_only_known_members(kind):
    (template,) = [json.loads(block) for block in read_blocks(kind) if block.startswith("{")]
    assert template.keys() <= list_delivered_members(kind)


@pytest.mark.parametrize("kind", ["dynatrace", "uptimerobot"])
def test_unfilled_template_is_unparsable(kind):
    (template,) = [block for block in read_blocks(kind) if block.startswith("{")]
    source = registry.build("here", registry.KINDS[kind].config(auth="none")).source
    with pytest.raises(base.Unparsable, match="status: there is none"):
        source.parse(template.encode(), {}, NOW)


def test_zabbix_script_and_mapping_share_their_parameters():
    named = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|$", page("zabbix"), re.MULTILINE))
    own = {"router_url", "router_token"}
    assert named.keys() - own <= list_delivered_members("zabbix")
    (script,) = re.findall(r"^```javascript\n(.*?)^```$", page("zabbix"), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"fields\.(\w+)", script)) <= named.keys() | {"link"}
    values = {name: value for name, value in named.items() if name not in own}
    placeholder = re.compile(registry.KINDS["zabbix"].config.sender.placeholder)
    assert [value for value in values.values() if not placeholder.fullmatch(value)] == []


class Receiver(http.server.BaseHTTPRequestHandler):
    """Record requests and answer 202."""

    received: list[tuple[str, dict[bytes, bytes], bytes]]

    def do_POST(self) -> None:
        headers = {name.lower().encode(): value.encode() for name, value in self.headers.items()}
        self.received.append((self.path, headers, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Suppress output on standard error."""


@pytest.fixture
def receiver():
    handler = type("Handler", (Receiver,), {"received": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def command(name: str) -> str:
    """Return a command line of the page for Nagios on one line, with its macros."""
    match = re.search(rf"command_name +{name}\n +command_line +(.*?)\n}}", page("nagios"), re.DOTALL)
    return " ".join(match[1].replace("\\\n", " ").split())


def run(server, name: str, macros: dict[str, str]):
    """Run the command in a shell, as Nagios does, and return the received body."""
    url = f"http://127.0.0.1:{server.server_port}"
    line = command(name).replace("https://incident-router.example.com", url)
    line = re.sub(r"\$([A-Z]+)\$", lambda macro: macros.get(macro[1], ""), line)
    subprocess.run(["/bin/sh", "-c", line], check=True, timeout=30)
    ((path, headers, body),) = server.RequestHandlerClass.received
    source = registry.build("here", registry.KINDS["nagios"].config(auth="none")).source
    (alert,) = source.parse(body, headers, NOW).alerts
    return path, headers, alert


@pytest.mark.debian("curl")
def test_nagios_service_command_works_through_a_shell(receiver):
    path, headers, alert = run(receiver, "notify-service-by-incident-router", MACROS)
    assert path == "/v1/webhooks/nagios"
    assert headers[b"authorization"] == b"Bearer a-long-random-token"
    assert (alert.status, alert.severity, alert.starts_at) == ("firing", "WARNING", 1_772_442_930_000_000)
    assert alert.fingerprint == "pump-3!Flow & pressure"
    assert alert.annotations["description"] == MACROS["SERVICEOUTPUT"]
    assert alert.labels["service_groups"] == "water"


@pytest.mark.debian("curl")
def test_nagios_host_command_works_through_a_shell(receiver):
    host = {name: value for name, value in MACROS.items() if not name.startswith("SERVICE")}
    told = {**host, "NOTIFICATIONTYPE": "RECOVERY", "HOSTOUTPUT": "PING OK"}
    _, _, alert = run(receiver, "notify-host-by-incident-router", told)
    assert (alert.status, alert.severity, alert.fingerprint) == ("resolved", "", "pump-3")
    assert alert.annotations["description"] == "PING OK"


def test_icinga_command_names_only_known_fields():
    (block,) = [block for block in read_blocks("nagios") if "NotificationCommand" in block]
    assert set(re.findall(r'"(\w+)=\$', block)) <= list_delivered_members("nagios")


def test_json_page_lists_every_preset():
    matches = re.findall(r"^\| \[`([\w-]+)`\]\(([\w-]+)\.md\) \|", page("json"), re.MULTILINE)
    assert sorted(kind for kind, _ in matches) == PRESETS
    assert all(kind == target for kind, target in matches)
