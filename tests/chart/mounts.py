"""The file system and environment of a pod, created from rendered objects as a node creates them."""

import itertools
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.chart import helm

Rendered = Mapping[tuple[str, str], helm.Object]
_numbers = itertools.count(1)


def mount(data: Mapping[str, str], folder: Path) -> None:
    """Mount a ConfigMap's data, or update a mounted folder: one swapped link changes all files at the same time."""
    folder.mkdir(exist_ok=True)
    payload = f"..2026_01_01_00_00_00.{next(_numbers)}"
    (folder / payload).mkdir()
    for name, content in data.items():
        (folder / payload / name).write_text(content)
    before = (folder / "..data").readlink() if (folder / "..data").is_symlink() else None
    (folder / "..data_tmp").symlink_to(payload)
    (folder / "..data_tmp").replace(folder / "..data")
    for name in data:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in data:
            entry.unlink()
    if before is not None:
        shutil.rmtree(folder / before)


def files(rendered: Rendered, spec: helm.Object, folder: Path) -> Path:
    """Mount the files of a router's pod. The configuration file names the rules folder of the test."""
    maps = {volume["name"]: volume["configMap"]["name"] for volume in spec["volumes"]}
    text = rendered["ConfigMap", maps["config"]]["data"]["incident-router.yaml"]
    assert "rules: /etc/incident-router/rules\n" in text
    file = folder / "incident-router.yaml"
    file.write_text(text.replace("/etc/incident-router/rules", str(folder / "rules")))
    mount(rendered["ConfigMap", maps["rules"]]["data"], folder / "rules")
    return file


def environment(rendered: Rendered, container: helm.Object, theirs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return a container's environment.

    ``theirs`` are existing Secrets by name; a missing Secret is an error.
    """
    secrets = {name: one["stringData"] for (kind, name), one in rendered.items() if kind == "Secret"} | dict(theirs)
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= secrets[source["secretRef"]["name"]]
    for entry in container.get("env", []):
        if "valueFrom" in entry:
            key = entry["valueFrom"]["secretKeyRef"]
            found[entry["name"]] = secrets[key["name"]][key["key"]]
        else:
            found[entry["name"]] = expanded(entry["value"], found)
    return found


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Expand `$(NAME)` in a value or an argument as Kubernetes does; unknown names are unchanged."""
    return re.sub(r"\$\((\w+)\)", lambda found: variables.get(found[1], found[0]), text)


def only(spec: helm.Object) -> helm.Object:
    """Return the only container of a pod."""
    [container] = spec["containers"]
    return container
