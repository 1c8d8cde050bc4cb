"""Values of real clusters: each file in clusters/ is what one platform team sets, as its first comment says."""

import functools
import json
from pathlib import Path
from typing import Any

from tests.chart import helm

FOLDER = Path(__file__).parent / "clusters"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
FULLNAME = f"{helm.RELEASE}-incident-router"

Rendered = dict[tuple[str, str], helm.Object]


def values(name: str) -> helm.Object:
    """The values of one file."""
    return helm.read((FOLDER / f"{name}.yaml").read_text())


@functools.cache
def _read(name: str) -> str:
    rendered = helm.objects(helm.template(values(name)))
    return json.dumps([[*key, one] for key, one in rendered.items()])


def rendered(name: str) -> Rendered:
    """The objects of one file by kind and name, a new copy for each caller. ``helm.Refused`` if it doesn't render."""
    return {(kind, called): one for kind, called, one in json.loads(_read(name))}


def spec(found: Rendered, component: str) -> helm.Object:
    """The specification of the pods of a Deployment."""
    return found["Deployment", f"{FULLNAME}-{component}"]["spec"]["template"]["spec"]


def container(found: Rendered, component: str) -> helm.Object:
    """The container of the router in the pods of a Deployment."""
    [one] = [one for one in spec(found, component)["containers"] if one["name"] == component]
    return one


def configuration(found: Rendered) -> helm.Object:
    """The configuration file."""
    return helm.read(found["ConfigMap", FULLNAME]["data"]["incident-router.yaml"])


def variables(one: helm.Object) -> dict[str, Any]:
    """The variables of a container: their values, or where these come from."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in one["env"]}


def trigger(found: Rendered) -> helm.Object:
    """KEDA's only trigger."""
    [one] = found["ScaledObject", f"{FULLNAME}-worker"]["spec"]["triggers"]
    return one


def open_ports(found: Rendered) -> set[int]:
    """The TCP ports that the router's pods may reach at any address, beside DNS."""
    rules = found["NetworkPolicy", FULLNAME]["spec"]["egress"]
    return {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]} - {53}
