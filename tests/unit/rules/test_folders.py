"""Folders of rule files: their order, what they hand down, and those that stand apart."""

import pytest

from router.rules import check, folders, load

ONE = "rules: [{{name: {0}, when: {{labels.a: {0}}}, open: [{{at: on-call}}]}}]\n"


@pytest.fixture
def tree(tmp_path):
    """Write files by their paths; an absent text deletes one."""

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


def names(rules):
    return [one.name for one in rules.rules]


def told(path, destinations):
    return [
        str(problem).splitlines()[0].removeprefix(f"{path}/") for problem in check.check(path, destinations).problems
    ]


def test_the_files_of_a_folder_come_first_and_then_its_subfolders(tree, destinations):
    top = tree({"a/x.yaml": rule("ax"), "a/b/y.yaml": rule("aby"), "z.yaml": rule("z"), "b/x.yaml": rule("bx")})
    loaded = load.load(top, destinations)
    assert names(loaded) == ["z", "ax", "aby", "bx"]
    assert [one.place for one in loaded.rules][2] == "a/b/y.yaml:1"


def test_a_folder_hands_down_defaults_lists_and_times(tree, destinations):
    top = tree(
        {
            "folder.yaml": "lists: {all: [x, y]}\ndefaults: {owner: everybody, severity: major}\n",
            "a/folder.yaml": "defaults: {owner: team-a, open: {on-call: {summary: from a}}}\n",
            "a/b/1.yaml": "defaults: {runbook: look}\n"
            "rules: [{name: r, when: {labels.a: {in: all}}, open: [{at: on-call}]}]",
            "c.yaml": "rules: [{name: s, when: {}, open: [{at: on-call}]}]",
        }
    )
    s, r = load.load(top, destinations).rules
    assert (s.shared.owner, r.shared.owner, r.shared.runbook) == ("everybody", "team-a", "look")
    assert r.shared.severity.word == s.shared.severity.word == "major"
    assert (s.targets[0].fields, r.targets[0].fields) == ({}, {"summary": "from a"})


def test_mistakes_in_what_is_handed_down_are_told_once(tree, destinations):
    top = tree({"a/folder.yaml": "defaults: {ownr: x}\nrules: []\n", "a/1.yaml": rule("r"), "a/2.yaml": rule("s")})
    assert told(top, destinations) == [
        'a/folder.yaml:1:12: defaults: unknown key "ownr"; did you mean "owner"?',
        'a/folder.yaml:2:1: unknown key "rules"; valid here: defaults, inhibit_rules, isolate, lists, time_intervals',
    ]


APART = {"1.yaml": rule("shared"), "pay/folder.yaml": "isolate: true\n", "pay/1.yaml": rule("pay")}


def test_a_broken_file_of_a_folder_that_stands_apart_leaves_out_that_folder_alone(tree, destinations):
    top = tree({**APART, "pay/deep/2.yaml": rule("deep"), "pay/3.yaml": "rules: [{name: x}]"})
    loaded = load.load_apart(top, destinations)
    assert names(loaded.rules) == ["shared"]
    assert list(loaded.refused) == ["pay"]
    assert any('"open" is missing' in str(problem) for problem in loaded.refused["pay"])
    with pytest.raises(load.Refused):
        load.load(top, destinations)


def test_its_last_good_rules_stay_where_they_stood(tree, destinations, make_alert):
    top = tree({**APART, "pay/deep/2.yaml": rule("deep"), "z/1.yaml": rule("last")})
    first = load.load_apart(top, destinations)
    assert names(first.rules) == ["shared", "pay", "deep", "last"]
    tree({"pay/1.yaml": "rules: [", "z/1.yaml": rule("newer")})
    second = load.load_apart(top, destinations, first.good)
    assert names(second.rules) == ["shared", "pay", "deep", "newer"]
    assert second.rules.decide(make_alert({"a": "pay"}), 0).response.rule == "pay"
    tree({"pay/1.yaml": rule("better")})
    third = load.load_apart(top, destinations, second.good)
    assert (names(third.rules), third.refused) == (["shared", "better", "deep", "newer"], {})


def test_a_broken_file_of_what_belongs_to_all_refuses_everything(tree, destinations):
    top = tree({**APART, "1.yaml": "rules: ["})
    with pytest.raises(load.Refused):
        load.load_apart(top, destinations)


def test_a_broken_heading_leaves_a_folder_apart_that_stood_apart_before(tree, destinations):
    first = load.load_apart(tree(APART), destinations)
    top = tree({"pay/folder.yaml": "isolate: [\n"})
    assert names(load.load_apart(top, destinations, first.good).rules) == ["shared", "pay"]
    with pytest.raises(load.Refused):
        load.load_apart(top, destinations)


def test_a_name_that_is_taken_twice_is_the_fault_of_the_folder_that_stands_apart(tree, destinations):
    top = tree({"a/folder.yaml": "isolate: true\n", "a/1.yaml": rule("same"), "z.yaml": rule("same")})
    loaded = load.load_apart(top, destinations)
    assert names(loaded.rules) == ["same"]
    (problem,) = loaded.refused["a"]
    assert "the name is taken by the rule at z.yaml:1" in problem.message


def test_the_top_can_not_stand_apart(tree, destinations):
    assert told(tree({"folder.yaml": "isolate: true\n"}), destinations) == [
        "folder.yaml:1:10: what belongs to all can't stand apart"
    ]


def test_the_version_is_that_of_what_is_in_force(tree, destinations):
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


def test_the_fingerprint_follows_every_file_below_and_nothing_else(tree):
    top = tree({"1.yaml": "a", "x/2.yaml": "b"})
    first = folders.fingerprint(top)
    tree({"x/notes.txt": "c", ".hidden.yaml": "d"})
    assert folders.fingerprint(top) == first
    tree({"x/2.yaml": "c"})
    second = folders.fingerprint(top)
    tree({"x/2.yaml": "b", "x/3.yaml": ""})
    assert len({first, second, folders.fingerprint(top)}) == 3
    assert folders.fingerprint(top / "none") == folders.fingerprint(top / "nowhere")
