"""Folders of rule files: their order, inherited defaults, and isolated files."""

import pytest

from router.rules import check, folders, load

ONE = "rules: [{{name: {0}, when: {{labels.a: {0}}}, open: [{{at: on-call}}]}}]\n"


@pytest.fixture
def tree(tmp_path):
    """Write files by path. A text of None deletes the file."""

    def write(files):
        top = tmp_path / "rules"
        for name, text in files.items():
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        return top

    return write


def rule(name):
    return ONE.format(name)


def list_names(rules):
    return [one.name for one in rules.rules]


def list_problems(path, destinations):
    return [
        str(problem).splitlines()[0].removeprefix(f"{path}/")
        for problem in check.check_folder(path, destinations).problems
    ]


def test_files_and_folders_are_read_in_name_order(tree, destinations):
    files = ["20-a/x.yaml", "20-a/05-b/y.yaml", "20-a.yaml", "10.yaml", "30-b/x.yaml", "25.yaml"]
    top = tree({name: rule(f"r{number}") for number, name in enumerate(files)})
    loaded = load.load(top, destinations)
    assert [one.place for one in loaded.rules] == [
        "10.yaml:1", "20-a/05-b/y.yaml:1", "20-a/x.yaml:1", "20-a.yaml:1", "25.yaml:1", "30-b/x.yaml:1"
    ]  # fmt: skip
    assert [document.name for document in load.files(top, [])] == [one.place[:-2] for one in loaded.rules]


CATCH_ALL = "rules: [{name: rest, when: {}, group_by: [fingerprint], open: [{at: on-call}]}]\n"
DEAD = (
    'no rule of this file can match, because earlier rules match all its alerts: "rest" at 90.yaml:1; files and '
    "folders are read together in the order of their names"
)


def test_file_without_any_matching_rule_is_an_error(tree, destinations):
    top = tree({"90.yaml": CATCH_ALL, "payments/10.yaml": rule("pay"), "10.yaml": rule("first")})
    assert list_problems(top, destinations) == [f"payments/10.yaml:1:9: {DEAD}"]
    top = tree({"payments/10.yaml": None, "80-payments/10.yaml": rule("pay")})
    assert list_problems(top, destinations) == []


def test_file_with_one_matching_rule_is_used(tree, destinations):
    mixed = "rules:\n  - {name: a, when: {labels.a: x}, open: []}\n  - {name: b, when: {labels.b: x}, open: []}\n"
    top = tree({"1.yaml": "rules: [{name: x, when: {labels.a: x}, open: []}]", "2.yaml": mixed})
    (warning,) = check.check_folder(top, destinations).problems
    assert (warning.level, warning.line) == ("warning", 2)
    assert 'can\'t be reached: rule "x" at 1.yaml:1 matches all its alerts' in warning.message


def test_isolated_folder_cannot_hide_rules_of_other_files(tree, destinations):
    top = tree({"a/folder.yaml": "isolate: true\n", "a/1.yaml": CATCH_ALL, "b.yaml": rule("b")})
    loaded = load.load_apart(top, destinations)
    assert list_names(loaded.rules) == ["b"]
    (problem,) = loaded.refused["a"]
    assert problem.message == 'rule "rest" matches every alert of b.yaml, so no rule of that file can match'


def test_folder_inherits_defaults_and_lists(tree, destinations):
    top = tree(
        {
            "folder.yaml": "lists: {all: [x, y]}\ndefaults: {owner: everybody, severity: major}\n",
            "a/folder.yaml": "defaults: {owner: team-a, open: {on-call: {summary: from a}}}\n",
            "a/b/1.yaml": "defaults: {runbook: look}\n"
            "rules: [{name: r, when: {labels.a: {in: all}}, open: [{at: on-call}]}]",
            "c.yaml": "rules: [{name: s, when: {}, open: [{at: on-call}]}]",
        }
    )
    r, s = load.load(top, destinations).rules
    assert (s.common.owner, r.common.owner, r.common.runbook) == ("everybody", "team-a", "look")
    assert r.common.severity.word == s.common.severity.word == "major"
    assert (s.targets[0].fields, r.targets[0].fields) == ({}, {"summary": "from a"})


def test_errors_in_inherited_files_are_reported_once(tree, destinations):
    top = tree({"a/folder.yaml": "defaults: {ownr: x}\nrules: []\n", "a/1.yaml": rule("r"), "a/2.yaml": rule("s")})
    assert list_problems(top, destinations) == [
        'a/folder.yaml:1:12: defaults: unknown key "ownr"; did you mean "owner"?',
        'a/folder.yaml:2:1: unknown key "rules"; valid here: defaults, inhibit_rules, isolate, lists, time_intervals',
    ]


APART = {"1.yaml": rule("shared"), "pay/folder.yaml": "isolate: true\n", "pay/1.yaml": rule("pay")}


def test_broken_file_disables_only_its_isolated_folder(tree, destinations):
    top = tree({**APART, "pay/deep/2.yaml": rule("deep"), "pay/3.yaml": "rules: [{name: x}]"})
    loaded = load.load_apart(top, destinations)
    assert list_names(loaded.rules) == ["shared"]
    assert list(loaded.refused) == ["pay"]
    assert any('"open" is missing' in str(problem) for problem in loaded.refused["pay"])
    with pytest.raises(load.RulesRefused):
        load.load(top, destinations)


def test_isolated_folder_keeps_last_good_rules_in_place(tree, destinations, make_alert):
    top = tree({**APART, "pay/deep/2.yaml": rule("deep"), "z/1.yaml": rule("last")})
    first = load.load_apart(top, destinations)
    assert list_names(first.rules) == ["shared", "pay", "deep", "last"]
    tree({"pay/1.yaml": "rules: [", "z/1.yaml": rule("newer")})
    second = load.load_apart(top, destinations, first.good)
    assert list_names(second.rules) == ["shared", "pay", "deep", "newer"]
    assert second.rules.decide(make_alert({"a": "pay"}), 0).response.rule == "pay"
    tree({"pay/1.yaml": rule("better")})
    third = load.load_apart(top, destinations, second.good)
    assert (list_names(third.rules), third.refused) == (["shared", "better", "deep", "newer"], {})


def test_broken_shared_file_refuses_everything(tree, destinations):
    top = tree({**APART, "1.yaml": "rules: ["})
    with pytest.raises(load.RulesRefused):
        load.load_apart(top, destinations)


def test_broken_header_keeps_an_isolated_folder_isolated(tree, destinations):
    first = load.load_apart(tree(APART), destinations)
    top = tree({"pay/folder.yaml": "isolate: [\n"})
    assert list_names(load.load_apart(top, destinations, first.good).rules) == ["shared", "pay"]
    with pytest.raises(load.RulesRefused):
        load.load_apart(top, destinations)


def test_duplicate_name_is_the_isolated_folder_s_error(tree, destinations):
    top = tree({"a/folder.yaml": "isolate: true\n", "a/1.yaml": rule("same"), "z.yaml": rule("same")})
    loaded = load.load_apart(top, destinations)
    assert list_names(loaded.rules) == ["same"]
    (problem,) = loaded.refused["a"]
    assert "the name is taken by the rule at z.yaml:1" in problem.message


def test_root_folder_cannot_be_isolated(tree, destinations):
    assert list_problems(tree({"folder.yaml": "isolate: true\n", "a.yaml": "rules: []\n"}), destinations) == [
        "folder.yaml:1:10: the top folder can't be isolated"
    ]


def test_version_identifies_the_active_rules(tree, destinations):
    top = tree(APART)
    first = load.load_apart(top, destinations)
    tree({"pay/1.yaml": "rules: ["})
    broken = load.load_apart(top, destinations, first.good)
    assert broken.rules.version == first.rules.version
    tree({"pay/1.yaml": rule("other")})
    versions = {load.load(top, destinations).version, first.rules.version}
    tree({"pay/folder.yaml": "isolate: true\ndefaults: {owner: x}\n"})
    versions.add(load.load(top, destinations).version)
    assert len(versions) == 3


def test_fingerprint_depends_only_on_rule_files(tree):
    top = tree({"1.yaml": "a", "x/2.yaml": "b"})
    first = folders.fingerprint(top)
    tree({"x/notes.txt": "c", ".hidden.yaml": "d"})
    assert folders.fingerprint(top) == first
    tree({"x/2.yaml": "c"})
    second = folders.fingerprint(top)
    tree({"x/2.yaml": "b", "x/3.yaml": ""})
    assert len({first, second, folders.fingerprint(top)}) == 3
    assert folders.fingerprint(top / "none") == folders.fingerprint(top / "nowhere")


def test_folder_without_a_rule_file_is_refused(tmp_path, destinations):
    """An empty mount must not silently discard every alert."""
    (tmp_path / "notes.txt").write_text("rules are elsewhere")
    with pytest.raises(load.RulesRefused, match=r"holds no rule file \(\*\.yaml\)"):
        load.load(tmp_path, destinations)
    (tmp_path / "none.yaml").write_text("rules: []\n")
    assert load.load(tmp_path, destinations).rules == ()
