"""The chart's objects, rendered by the real ``helm``, parsed, and indexed by kind and name."""

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel import yaml

from tests.structure import tree

CHART = tree.ROOT / "charts/incident-router"
RELEASE = "shop"
NAMESPACE = "alerts"
REDIS = {"redis": {"url": "redis://redis:6379"}}
CASES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))

Object = dict[str, Any]


class RenderError(Exception):
    """Helm failed to render; the message is Helm's."""


def program() -> str:
    """Return the ``helm`` of the package helm-binary, next to the Python that runs the tests; else the one on PATH."""
    beside = Path(sys.executable).parent / "helm"
    found = str(beside) if beside.exists() else shutil.which("helm")
    assert found, "helm is missing: it comes with requirements/dev.txt"
    return found


def call(*arguments: str, values: Object | None = None) -> str:
    """Run helm; values are passed on standard input as a file."""
    given = ["--values", "-"] if values is not None else []
    answer = subprocess.run(
        [program(), *arguments, *given], input=json.dumps(values), capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise RenderError(answer.stderr + answer.stdout)
    return answer.stdout


def read(text: str) -> Any:
    return yaml.YAML(typ="safe").load(text)


def read_values(name: str) -> Object:
    """Return the values of one of the chart's ci/ files."""
    return read((CHART / "ci" / f"{name}-values.yaml").read_text())


def template(values: Object | None = None, release: str = RELEASE) -> str:
    """Return all objects of a release in Helm's order."""
    return call("template", release, str(CHART), "--namespace", NAMESPACE, values=values or {})


def objects(text: str) -> dict[tuple[str, str], Object]:
    """Index rendered objects by kind and name."""
    documents = [document for document in yaml.YAML(typ="safe").load_all(text) if document]
    found = {(document["kind"], document["metadata"]["name"]): document for document in documents}
    assert len(found) == len(documents), "two objects have the same kind and name"
    return found


def render(values: Object | None = None, release: str = RELEASE) -> dict[tuple[str, str], Object]:
    """Return all objects of a release by kind and name, with an external Redis unless the values configure one."""
    given = values or {}
    redis = {} if given.get("valkey", {}).get("enabled") else REDIS
    return objects(template({**redis, **given}, release))


@functools.cache
def render_case(name: str) -> str:
    """Return the output for one of the chart's ci/ files, rendered once for all tests."""
    return template(read_values(name))


@functools.cache
def _read(name: str) -> str:
    """Return the objects of a ci/ file as JSON, which is much faster to parse than YAML."""
    return json.dumps([[*key, one] for key, one in objects(render_case(name)).items()])


def case(name: str) -> dict[tuple[str, str], Object]:
    """Return the objects of one of the chart's ci/ files, copied for each caller."""
    return {(kind, called): one for kind, called, one in json.loads(_read(name))}


def pods(rendered: dict[tuple[str, str], Object]) -> dict[str, Object]:
    """Return the specification of every pod, by the name of its workload."""
    found = {}
    for (kind, name), one in rendered.items():
        if kind in {"Deployment", "StatefulSet", "Job"}:
            found[f"{kind}/{name}"] = one["spec"]["template"]["spec"]
        elif kind == "Pod":
            found[f"{kind}/{name}"] = one["spec"]
    return found


def notes(values: Object, folder: Path) -> str:
    """Return the notes shown after an installation, which helm itself prints only with a cluster."""
    copy = folder / "incident-router"
    shutil.copytree(CHART, copy)
    text = (CHART / "templates/NOTES.txt").read_text()
    (copy / "templates/notes.yaml").write_text(
        f'{{{{- define "notes" -}}}}{text}{{{{- end -}}}}\nnotes: {{{{ include "notes" . | toJson }}}}\n'
    )
    answer = call(
        "template", RELEASE, str(copy), "--namespace", NAMESPACE, "--show-only", "templates/notes.yaml", values=values
    )
    return read(answer)["notes"]
