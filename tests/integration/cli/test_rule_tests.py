"""``test``: output like pytest's, exit statuses, and JUnit reports."""

from xml.etree import ElementTree as ET

import pytest

from tests.end_to_end import harness
from tests.integration.cli.test_commands import run

RULES = """rules:
  - {name: r, when: {labels.a: x}, timing: {open_after: 1m}, open: [{at: on-call, name: Down}]}
tests:
  - name: opens after a minute
    alerts: [{labels: {a: x}}]
    expect: {operations: [{at: 1m, open: on-call}]}
  - name: no other responder is paged
    alerts: [{labels: {a: y}}]
    expect: {ignored: no rule}
"""
WRONG = RULES.replace("{at: 1m, open", "{at: 2m, open")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    with harness.vendors() as at:
        yield harness.configure(tmp_path_factory.mktemp("trials"), at, rules=RULES)


def run_rule_tests(file, text, *arguments):
    (file.parent / "rules" / "10.yaml").write_text(text)
    return run("test", *arguments, "--config", "router.yaml", cwd=file.parent, WEBHOOK_TOKEN="", KEY="")


def test_failed_rule_test_names_its_place(file):
    """A test that passes prints a dot."""
    done = run_rule_tests(file, RULES)
    assert done.returncode == 0, done.stderr
    assert "rules/10.yaml .." in done.stdout
    assert " 2 passed in " in done.stdout
    failed = run_rule_tests(file, WRONG)
    assert failed.returncode == 1
    assert "rules/10.yaml F." in failed.stdout
    assert "_ opens after a minute _" in failed.stdout
    assert "rules/10.yaml:6:32: expected open at on-call after 2m, got it after 1m" in failed.stdout
    assert '- {at: "1m", open: "on-call", name: "Down"}' in failed.stdout
    assert " 1 failed, 1 passed in " in failed.stdout


def test_rule_tests_are_selected_by_name(file):
    """Verbose output shows the operations."""
    done = run_rule_tests(file, RULES, "-v", "-k", "minute")
    assert "rules/10.yaml:4 opens after a minute PASSED\n          1m  open at on-call\n" in done.stdout
    assert " 1 passed, 1 deselected in " in done.stdout
    nothing = run_rule_tests(file, RULES, "-k", "hour")
    assert (nothing.returncode, 'no test\'s name contains "hour"' in nothing.stderr) == (2, True)


def test_folder_without_tests_is_a_usage_error(file):
    done = run_rule_tests(file, "rules: [{name: r, when: {}, open: []}]")
    assert (done.returncode, "there are no tests in rules" in done.stderr) == (2, True)


def test_invalid_rule_tests_fail_test_and_check(file):
    wrong = RULES.replace("alerts: [{labels", "alerts: [{lables", 1)
    for done in (run_rule_tests(file, wrong), run("check", "--simulate", "--config", str(file))):
        assert done.returncode == 1
        assert 'rules/10.yaml:5:15: test "opens after a minute": unknown key "lables"' in done.stderr


def test_junit_names_each_test_and_each_failure(file, tmp_path):
    assert run_rule_tests(file, WRONG, "--junit", str(tmp_path / "j.xml")).returncode == 1
    suite = ET.parse(tmp_path / "j.xml").getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    first, second = suite.findall("testcase")
    assert first.get("name") == "opens after a minute"
    assert first.get("line") == "4"
    assert "got it after 1m" in first.find("failure").get("message")
    assert second.find("failure") is None
    nowhere = run_rule_tests(file, RULES, "--junit", str(tmp_path / "no" / "j.xml"))
    assert (nowhere.returncode, "can't be written" in nowhere.stderr) == (2, True)
