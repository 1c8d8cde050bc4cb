"""Every value is described in values.yaml, defined in the schema, and listed in the table of the chart's README."""

import itertools
import json
import re

import pytest

from tests.chart import documented_values, golden, helm, test_running

VALUES = documented_values.values()
PAGE = helm.tree.ROOT / "docs/how-to/install/helm.md"
SCHEMA = json.loads((helm.CHART / "values.schema.json").read_text())


def test_every_value_has_a_description():
    known = {value.path for value in VALUES}
    defaults = helm.read((helm.CHART / "values.yaml").read_text())
    missing = [
        path
        for path in documented_values.leaves(defaults)
        if known.isdisjoint(itertools.accumulate(path.split("."), "{}.{}".format))
    ]
    assert missing == []


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.path)
def test_every_description_is_a_sentence(value):
    assert value.text[0].isupper() or value.text[0] == "`"
    assert value.text.endswith(".")


def test_no_value_is_described_twice():
    paths = [value.path for value in VALUES]
    assert len(paths) == len(set(paths))


def get_schema(path: str) -> dict:
    """Return the schema of a value. Raises ``KeyError`` if the schema doesn't define it."""
    found = SCHEMA
    for key in path.split("."):
        found = found["properties"][key]
        if "$ref" in found:
            found = SCHEMA["definitions"][found["$ref"].rpartition("/")[2]]
    return found


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.path)
def test_schema_defines_every_value(value):
    if value.path != "config.log":  # The router itself validates the content of `config`.
        assert get_schema(value.path)


def test_schema_defines_only_existing_values():
    def known(schema: dict, path: str = "") -> set[str]:
        found = set()
        for key in schema.get("properties", {}):
            inner = get_schema(f"{path}{key}")
            found |= known(inner, f"{path}{key}.") or {f"{path}{key}"}
        return found

    top = {"properties": {key: one for key, one in SCHEMA["properties"].items() if key not in {"global", "config"}}}
    paths = {value.path for value in VALUES}
    inside = {"requests", "limits"}  # Resources have one description.
    assert {path for path in known(top) if path not in paths and path.rpartition(".")[2] not in inside} == set()


def test_documented_table_equals_the_values_file():
    text = golden.PAGE.read_text()
    assert text == golden.page(text), "`make golden` updates it"


@pytest.mark.parametrize("name", helm.CASES)
def test_renders_equal_the_golden_files(name):
    path = golden.get_path(name)
    assert path.exists(), f"{name} has no golden render: `make golden` creates it"
    assert golden.render(name) == path.read_text(), "`make golden` updates it; review the changes"


EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_documented_first_installation_renders_and_is_testable():
    rendered = helm.render(helm.read(EXAMPLES[0]), "incident-router")
    assert {"Deployment", "StatefulSet", "Pod"} <= {kind for kind, _ in rendered}


def test_first_installation_has_rules_that_open_incidents(tmp_path):
    """The rules pass a strict check, and each opens an incident at a destination of the documentation's example."""
    values = helm.read(EXAMPLES[0]) | {"check": {"enabled": True, "strict": True, "online": False}}
    status, said = test_running.TestReleaseCheck.run(values, tmp_path)
    assert (status, said[:17]) == (0, "no problems found"), said
    rules = helm.read(values["rules"]["10-critical.yaml"])["rules"]
    assert {one["at"] for rule in rules for one in rule["open"]} <= set(values["config"]["destinations"])


KINDS = {"deploy": "Deployment", "service": "Service", "secret": "Secret", "job": "Job", "statefulset": "StatefulSet"}


def test_documented_commands_name_rendered_objects():
    rendered = {"mode": helm.render(helm.read(EXAMPLES[0]), "incident-router")}
    rendered["separate"] = helm.render(
        helm.read(EXAMPLES[0]) | {"mode": "separate", "check": {"enabled": True}}, "incident-router"
    )
    known = {(kind, name) for one in rendered.values() for kind, name in one}
    page = PAGE.read_text()
    named = set(re.findall(r"\b(deploy|service|job)/([a-z0-9-]+)", page))
    named |= set(re.findall(r"kubectl (?:get|delete) (secret|statefulset) ([a-z0-9-]+)", page))
    assert len(named) >= 5
    assert {(KINDS[kind], name) for kind, name in named} <= known


@pytest.mark.parametrize("example", EXAMPLES[1:])
def test_every_documented_example_changes_the_release(example):
    """An unknown key would be refused, and an example without an effect would be useless."""
    assert helm.render(helm.read(example)) != helm.render()


def test_every_documented_value_exists():
    """The documentation writes `a.b`, where `a` is a value of the chart; `config` has the router's settings."""
    known = {value.path for value in VALUES} | {parent for value in VALUES for parent in parents(value.path)}
    top = {path.partition(".")[0] for path in known} - {"config", "rules"}
    matches = re.findall(r"`([a-z]\w*(?:\.\w+)+)[:`]", PAGE.read_text())
    assert len(matches) > 20
    assert {path for path in matches if path.partition(".")[0] in top} <= known


def parents(path: str) -> list[str]:
    """Return the paths of values that contain other values."""
    return list(itertools.accumulate(path.split("."), "{}.{}".format))[:-1]


def test_every_golden_render_has_a_case():
    assert {path.stem for path in golden.FOLDER.iterdir()} == set(helm.CASES)


class TestDescriptionParser:
    SOURCE = "# Above.\n\nweb:\n  # -- How many.\n  # `many` is best.\n  replicas: 2\n  plain: 1\n#   x: y\nother: {}\n"

    def test_description_above_a_key_belongs_to_it(self, monkeypatch, tmp_path):
        (tmp_path / "values.yaml").write_text(self.SOURCE)
        monkeypatch.setattr(helm, "CHART", tmp_path)
        assert documented_values.values() == [("web.replicas", 2, "How many. `many` is best.")]
        assert documented_values.table().splitlines()[2] == "| `web.replicas` | `2` | How many. `many` is best. |"

    def test_leaves_are_values_without_members(self):
        assert list(documented_values.leaves({"a": {"b": 1, "c": {}}, "d": []})) == ["a.b", "a.c", "d"]
