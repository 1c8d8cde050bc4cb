"""``replay``: text, Markdown, and JSON output, exit statuses, and recordings from Redis."""

import gzip
import json

import pytest

from router.domain import recordings
from router.domain.alerts import Alert
from tests.end_to_end import harness
from tests.integration.cli.test_commands import run

RULES = """rules:
  - name: shop
    when: {labels.service: shop}
    severity: major
    open: [{at: on-call, name: Shop}, {at: public-page, publish: auto, title: Down, message: "`We` look."}]
  - {name: rest, when: {}, open: [{at: on-call, name: "{{ alert.title }}"}]}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    with harness.vendors() as at:
        made = harness.configure(tmp_path_factory.mktemp("replay"), at, rules=RULES)
        other = made.parent / "other"
        other.mkdir()
        (other / "10.yaml").write_text(
            RULES.replace("title: Down", "title: Unavailable").replace("when: {},", "when: {labels.a: b},")
        )
        labels = [{"service": "shop"}, {"service": "x"}, {"service": "shop"}]
        alerts = [Alert("am", f"f{n}", "firing", 1, 0, f"t{n}", one) for n, one in enumerate(labels)]
        lines = [
            recordings.encode(recordings.Recording(f"d{n}", "am", 10**15 + n * 10**6, [one]))
            for n, one in enumerate(alerts)
        ]
        (made.parent / "all.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        (made.parent / "all.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines)))
        yield made


def replay(file, *arguments, folders=("rules", "other"), name="all.jsonl"):
    given = [*folders, "--file", name, "--config", "router.yaml", *arguments]
    return run("deliveries", "replay", *given, cwd=file.parent, WEBHOOK_TOKEN="", KEY="")


def test_differences_are_listed_with_texts_and_counted(file):
    done = replay(file)
    assert done.returncode == 0, done.stderr
    for line in (
        "- 2001-09-09 01:46:41  minor    rest  by rule rest",
        "-     open at on-call after 0s: t1",
        "~ 2001-09-09 01:46:40  major    shop  by rule shop",
        "-     open at public-page: title: Down",
        "+     open at public-page: title: Unavailable",
        "3 deliveries with 3 alerts",
        "0 incidents appear, 1 vanish, 1 change, 0 stay the same",
    ):
        assert line in done.stdout
    assert replay(file, name="all.jsonl.gz").stdout == done.stdout


def test_exit_code_option_reports_differences(file):
    assert replay(file, "--exit-code").returncode == 3
    same = replay(file, "--exit-code", folders=("rules", "rules"))
    assert same.returncode == 0
    assert "0 incidents appear, 0 vanish, 0 change, 2 stay the same" in same.stdout


def test_json_output_has_both_sides_of_every_difference(file):
    document = json.loads(replay(file, "--format", "json").stdout)
    assert document["counts"]["incidents"] == {"before": 2, "after": 1}
    assert document["vanish"][0]["key"] == "rest"
    assert document["change"][0]["after"]["calls"][1]["fields"]["title"] == "Unavailable"
    assert document["versions"]["before"] != document["versions"]["after"]


def test_markdown_output_uses_a_longer_code_fence(file):
    output = replay(file, "--format", "markdown").stdout
    assert output.startswith("### What these rules would change\n")
    assert "| incidents | 2 | 1 |" in output
    assert "```diff\n" in output
    assert "+     open at public-page: title: Unavailable" in output
    (file.parent / "fence").mkdir(exist_ok=True)
    (file.parent / "fence" / "10.yaml").write_text(RULES.replace("title: Down", "title: '```` out'"))
    fenced = replay(file, "--format", "markdown", folders=("rules", "fence")).stdout
    assert "\n`````diff\n" in fenced
    assert fenced.rstrip().endswith("</details>")


def test_impossible_replay_is_refused(file):
    (file.parent / "bad.jsonl").write_text('{"id": 5}\n')
    packed = gzip.compress(b"{}\n" * 1000, mtime=0)
    (file.parent / "bad.jsonl.gz").write_bytes(packed[:12] + b"\xff" * 8 + packed[20:])
    for arguments, status, said in (
        ({"name": "none.jsonl"}, 2, "none.jsonl: can't be read"),
        ({"name": "bad.jsonl"}, 2, "bad.jsonl:1: not a recorded delivery"),
        ({"name": "bad.jsonl.gz"}, 2, "bad.jsonl.gz: can't be read"),
        ({"folders": ("rules", "nowhere")}, 1, "can't be read"),
    ):
        done = replay(file, **arguments)
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    assert replay(file, "--tail", "soon").returncode == 2


def test_archived_deliveries_are_replayed(tmp_path):
    with harness.vendors() as at, harness.router(tmp_path, harness.configure(tmp_path, at)) as router:
        identity = router.send_alert()["delivery"]
        harness.eventually("the delivery is archived", lambda: identity in router.command("deliveries", "list").stdout)
        (tmp_path / "none").mkdir()
        (tmp_path / "none" / "none.yaml").write_text("rules: []\n")
        done = router.command("deliveries", "replay", "rules", "none", "--since", "1h")
        assert "1 deliveries with 1 alerts" in done.stdout, done.stderr
        assert "0 incidents appear, 1 vanish" in done.stdout
