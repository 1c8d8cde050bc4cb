import pytest

from router.rules import check, load

ONE = "rules: [{name: one, when: {}, open: []}]\n"
TWO = "rules:\n  - name: two\n    when: {labels.a: x}\n    open: [{at: on-call}]\n"


def list_problems(path, destinations):
    return [
        str(problem).splitlines()[0].removeprefix(str(path))
        for problem in check.check_folder(path, destinations).problems
    ]


def test_files_are_read_in_name_order(folder, destinations):
    path = folder(b=ONE, a=TWO)
    assert [rule.name for rule in load.load(path, destinations).rules] == ["two", "one"]


def test_rule_has_its_file_and_line(folder, destinations):
    rule = load.load(folder(b=TWO), destinations).rules[0]
    assert rule.place == "b.yaml:2"


def test_only_yaml_files_of_the_folder_are_rules(folder, destinations):
    path = folder(a=ONE)
    (path / "notes.txt").write_text("not rules")
    (path / ".hidden.yaml").write_text("{")
    (path / "..data").mkdir()
    (path / "..data" / "b.yaml").write_text("{")
    assert [rule.name for rule in load.load(path, destinations).rules] == ["one"]


def test_file_with_yml_extension_is_refused(folder, destinations):
    path = folder(a=ONE)
    (path / "b.yml").write_text(ONE)
    assert list_problems(path, destinations) == ["/b.yml: would not be read; name it .yaml"]


def test_missing_folder_is_refused(tmp_path, destinations):
    assert list_problems(tmp_path / "none", destinations) == [": can't be read: No such file or directory"]


def test_files_without_rules_ignore_every_alert(folder, destinations, make_alert):
    loaded = load.load(folder(a="", b="tests: []\n"), destinations)
    assert loaded.rules == ()
    assert loaded.decide(make_alert(), 0).ignored


def test_rule_name_is_unique_over_all_files(folder, destinations):
    path = folder(a=ONE, b="# the same again\n" + ONE)
    assert list_problems(path, destinations) == ['/b.yaml:2:16: rule "one": the name is taken by the rule at a.yaml:1']


def test_duplicate_name_on_one_line_is_found(folder, destinations):
    path = folder(a="rules: [{name: x, when: {}, open: []}, {name: x, when: {}, open: []}]\n")
    assert len(list_problems(path, destinations)) == 1


def test_errors_of_all_files_are_reported_in_order(folder, destinations):
    path = folder(
        c="rules: 5\n", a="rules: [\n", b="rules:\n  - {name: x, when: {}, open: [{at: nowhere}]}\n  - {when: {}}\n"
    )
    places = [line.split(": ")[0] for line in list_problems(path, destinations)]
    assert places == ["/a.yaml:2:1", "/b.yaml:2:37", "/b.yaml:3:5", "/b.yaml:3:5", "/c.yaml:1:8"]


def test_refusal_text_contains_position_and_caret(folder, destinations):
    with pytest.raises(load.RulesRefused, match="a mapping") as refused:
        load.load(folder(a="rules: [5]\n"), destinations)
    assert "a.yaml:1:9" in str(refused.value)
    assert str(refused.value).endswith("^")


def test_file_without_a_mapping_is_refused(folder, destinations):
    assert list_problems(folder(a="- 5\n"), destinations) == [
        '/a.yaml:1:1: a rule file is a mapping; put the list of rules under the key "rules:"'
    ]


def test_version_depends_on_all_bytes_and_names(folder, tmp_path, destinations):
    def version(**files):
        for old in (tmp_path / "rules").glob("*"):
            old.unlink()
        return load.load(folder(**files), destinations).version

    first = version(a=TWO, b=ONE)
    assert version(a=TWO, b=ONE) == first
    assert len({first, version(a=TWO + "#", b=ONE), version(a=TWO, c=ONE), version(a=ONE), version(b=ONE)}) == 5
    assert len(first) == 12


def test_destination_defaults_satisfy_required_fields(folder, destinations):
    path = folder(a="rules: [{name: x, when: {}, open: [{at: titled-page}]}]\n")
    assert load.load(path, destinations).rules[0].targets[0].fields == {}


def test_rule_has_its_owner_and_runbook(build):
    rule = build({"owner": "team", "runbook": "look there"}).rules[0]
    assert (rule.common.owner, rule.common.runbook) == ("team", "look there")


def test_rules_given_as_data_are_validated(destinations):
    with pytest.raises(load.RulesRefused) as refused:
        load.build([{"name": "x", "when": {"labels.a": 5, "b": "c"}, "open": []}], destinations)
    assert "did you mean" in str(refused.value)


def test_numbers_in_data_are_converted_to_text(destinations, make_alert):
    ruleset = load.build([{"name": "x", "when": {"labels.a": [5, True]}, "open": []}], destinations)
    assert ruleset.decide(make_alert({"a": "5"}), 0).response
    assert ruleset.decide(make_alert({"a": "true"}), 0).response


def test_valid_folder_has_no_problems(folder, destinations):
    report = check.check_folder(folder(a=ONE), destinations)
    assert (report.problems, report.files, len(report.rules.rules)) == ([], 1, 1)
