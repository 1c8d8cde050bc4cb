"""``check``: output formats, exit statuses, warnings, and vendor responses."""

import json

import pytest

from router.domain.alerts import Alert
from router.domain.recordings import Recording, encode
from tests import ports
from tests.end_to_end import harness
from tests.integration.cli.test_commands import run

GOOD = """rules:
  - name: shop
    when: {labels.service: shop}
    open: [{at: public-page, title: Down, message: We look., components: {Checkout API: major_outage}}]
tests:
  - {name: t, alerts: [{labels: {service: shop}}], expect: {rule: shop}}
"""
DOUBTFUL = GOOD.replace("tests:", "  - {name: again, when: {labels.service: shop}, open: []}\ntests:")
WRONG = GOOD.replace("when:", "wen:")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    with harness.vendors() as at:
        yield harness.configure(tmp_path_factory.mktemp("check"), at, rules=GOOD)


def check(file, text, *arguments):
    (file.parent / "rules" / "10.yaml").write_text(text)
    return run("check", "--config", "router.yaml", *arguments, cwd=file.parent, **harness.SECRETS)


def test_check_counts_valid_rules(file):
    done = check(file, GOOD)
    assert done.returncode == 0
    assert done.stdout.startswith("no problems found: 1 file, 1 rule, 1 test, version ")


def test_warning_fails_check_only_with_strict(file):
    done = check(file, DOUBTFUL)
    assert (done.returncode, done.stdout) == (0, "1 warning in 1 file, 2 rules, 1 test\n")
    assert 'rules/10.yaml:5:5: warning: rule "again": can\'t be reached' in done.stderr
    assert check(file, DOUBTFUL, "--strict").returncode == 1


def test_errors_exit_1_and_wrong_options_2(file):
    done = check(file, WRONG)
    assert done.returncode == 1
    assert done.stdout == "2 errors in 1 file, 1 test\n"
    assert check(file, GOOD, "--format", "xml").returncode == 2
    assert check(file, GOOD, "--simulate", "--online").returncode == 2


def test_json_output_has_problems_with_their_places(file):
    document = json.loads(check(file, WRONG, "--format", "json").stdout)
    assert (document["errors"], document["warnings"]) == (2, 0)
    assert document["problems"][1] == {
        "file": "rules/10.yaml",
        "line": 3,
        "column": 5,
        "level": "error",
        "message": 'rule "shop": unknown key "wen"; did you mean "when"?',
    }


def test_github_shows_problems_at_their_lines(file):
    said = check(file, WRONG, "--format", "github").stdout.splitlines()
    assert said[1] == '::error file=rules/10.yaml,line=3,col=5::rule "shop": unknown key "wen"; did you mean "when"?'
    assert check(file, DOUBTFUL, "--format", "github").stdout.startswith("::warning file=rules/10.yaml,line=5,col=5::")


def test_online_check_looks_up_names_in_rules(file):
    assert check(file, GOOD, "--online").returncode == 0
    done = check(file, GOOD.replace("Checkout API", "Chekout API"), "--online")
    assert done.returncode == 1
    assert 'rules/10.yaml:4:11: rule "shop": public-page: ' in done.stderr
    assert "Checkout API" in done.stderr.split("Chekout API", 1)[1]


def test_online_check_prints_no_line_of_the_log(tmp_path):
    """An unreachable vendor is reported as a problem, not as a log line in JSON."""
    with harness.vendors() as at:
        file = harness.configure(tmp_path, at, rules=GOOD)
        at.fault(vendor="incident-io", action="status", status=503, count=100)
        done = check(file, GOOD, "--online")
    assert (done.returncode, "503" in done.stderr) == (1, True), done.stderr
    assert not any(line.startswith("{") for line in done.stderr.splitlines()), done.stderr


def test_online_check_warns_of_double_reporting(tmp_path):
    with harness.vendors() as at:
        file = harness.configure(tmp_path, at, rules=GOOD)
        assert "double reporting" not in check(file, GOOD, "--online").stderr
        channel = {"name": "On call", "config": {"channelType": "incident_io", "apiKey": "k"}}
        assert harness.ask(f"{at.url}/devhelm/api/v1/alert-channels", channel, "any key")[0] == 201
        done = check(file, GOOD, "--online")
        assert done.returncode == 0
        assert 'warning: double reporting: the alert channel "On call"' in done.stderr


def test_online_check_reads_timestamps_that_rules_set(file):
    stamped = """rules:
  - name: shop
    when: {labels.service: shop}
    open: [{at: on-call, name: Shop is down, incident_timestamps: {Impact started: "{{ alert.starts_at }}"}}]
"""
    assert check(file, stamped, "--online").returncode == 0
    done = check(file, stamped.replace("Impact started", "Impact strated"), "--online")
    assert done.returncode == 1
    assert 'incident timestamp "Impact strated" does not exist; did you mean "Impact started"' in done.stderr


def test_check_reports_labels_missing_from_recordings(file, tmp_path):
    alert = Alert("am", "f", "firing", 1, 0, labels={"servce": "shop"})
    (tmp_path / "r.jsonl").write_bytes(encode(Recording("d", "am", 1, [alert])) + b"\n")
    done = check(file, GOOD, "--recordings", str(tmp_path / "r.jsonl"))
    assert 'no recorded alert carries the label service; did you mean "labels.servce"?' in done.stderr
    assert check(file, GOOD, "--recordings", str(tmp_path / "none")).returncode == 2


def test_check_reports_labels_missing_from_archived_deliveries(tmp_path):
    with harness.vendors() as at, harness.router(tmp_path, harness.configure(tmp_path, at)) as router:
        identity = router.send_alert()["delivery"]
        harness.eventually("the delivery is archived", lambda: identity in router.command("deliveries", "list").stdout)
        (tmp_path / "rules" / "20.yaml").write_text("rules: [{name: x, when: {labels.serviec: y}, open: []}]")
        assert "the label serviec" in router.command("check", "--recorded").stderr


@pytest.mark.parametrize(
    "text",
    ["rules: !!python/object:os.system []", "a: &a [x]\nrules: [*a]", "x: " + "y" * 1024 * 1024],
    ids=["tag", "alias", "large"],
)
def test_unsafe_yaml_is_refused(file, text):
    assert check(file, text).returncode == 1


def test_online_check_reports_unreachable_alertmanager(tmp_path):
    with harness.vendors() as at:
        asking = harness.configure(tmp_path, at, rules=GOOD)
        poll = f"{{kind: alertmanager, poll: {{url: 'http://127.0.0.1:{ports.reserve_closed()}'}}, "
        asking.write_text(asking.read_text().replace("{kind: alertmanager, ", poll))
        done = check(asking, GOOD, "--online")
        assert done.returncode == 1
        assert "router.yaml: alertmanager: GET /api/v2/status: " in done.stderr
        assert "can't connect to 127.0.0.1:" in done.stderr


UNDECLARED = """rules:
  - name: shop
    when: {labels.service: shop}
    group_by: [labels.region]
    open:
      - at: public-page
        title: >-
          Shop {{ alert.labels.region }} {{ alert.labels.zone }} {{ alert.labels['a.b'] }} {{ incident.reference }}
        message: We look.
"""


def write_recording(path, *labels):
    alerts = [Alert("am", f"a{n}", "firing", 1, 0, labels={"service": "shop", **one}) for n, one in enumerate(labels)]
    path.write_bytes(encode(Recording("d", "am", 1, alerts)) + b"\n")
    return str(path)


def test_declarations_are_written_from_recorded_deliveries_and_load(file, tmp_path):
    recordings = write_recording(
        tmp_path / "r.jsonl",
        {"region": "Europe", "a.b": "it's"},
        {"region": "Europe"},
        {"region": "10.0.0.7"},
        {"region": "redis-master"},
    )
    (file.parent / "rules" / "10.yaml").write_text(UNDECLARED)
    refused = run("check", "--config", "router.yaml", cwd=file.parent, **harness.SECRETS)
    assert "alert.labels.region is not declared as public" in refused.stderr
    done = run(
        "rules", "declare", "--config", "router.yaml", "--recordings", recordings, cwd=file.parent, **harness.SECRETS
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "# 10.yaml:2: rule shop",
        "    public:",
        "      alert.labels.region: {values: ['Europe']}",
        "      # alert.labels.region: 2 texts are omitted: customers should not see them",
        "      # alert.labels.zone: no recorded alert carried a text; write its list yourself",
        "      \"alert.labels['a.b']\": {values: ['it''s']}",
    ]
    pasted = done.stdout.replace("      # alert.labels.zone: no", "      alert.labels.zone: {values: [a]} # no")
    assert check(file, UNDECLARED + pasted).returncode == 0
    again = run(
        "rules", "declare", "--config", "router.yaml", "--recordings", recordings, cwd=file.parent, **harness.SECRETS
    )
    assert again.stdout == "every variable in a public text is declared\n"


def test_owner_without_a_rule_is_a_warning(file):
    before = file.read_text()
    notify = 'notifiers:\n  hook: {kind: apprise, urls: ["json://127.0.0.1"]}\nnotify:\n  owners: {team-shp: [hook]}\n'
    file.write_text(before + notify)
    owned = GOOD.replace("    open:", "    owner: team-shop\n    open:")
    done = check(file, owned)
    corrected = check(file, owned.replace("team-shop", "team-shp"))
    file.write_text(before)
    line = before.count("\n") + 4
    assert f'router.yaml:{line}:12: warning: no rule has the owner "team-shp"; did you mean "team-shop"?' in done.stderr
    assert done.returncode == 0
    assert "owner" not in corrected.stderr
