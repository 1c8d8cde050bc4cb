"""Values for realistic clusters.

Each file in clusters/ is the setup of one platform team, described in its first comment.
"""

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
    """Return the values of one file."""
    return helm.read((FOLDER / f"{name}.yaml").read_text())


@functools.cache
def _read(name: str) -> str:
    rendered = helm.objects(helm.template(values(name)))
    return json.dumps([[*key, one] for key, one in rendered.items()])


def render(name: str) -> Rendered:
    """Return the objects of one file by kind and name, copied for each caller. Raises ``helm.Refused``."""
    return {(kind, called): one for kind, called, one in json.loads(_read(name))}


def spec(found: Rendered, component: str) -> helm.Object:
    """Return the pod specification of a Deployment."""
    return found["Deployment", f"{FULLNAME}-{component}"]["spec"]["template"]["spec"]


def container(found: Rendered, component: str) -> helm.Object:
    """Return the router's container in a Deployment."""
    [one] = [one for one in spec(found, component)["containers"] if one["name"] == component]
    return one


def configuration(found: Rendered) -> helm.Object:
    """Return the configuration file."""
    return helm.read(found["ConfigMap", FULLNAME]["data"]["incident-router.yaml"])


def get_variables(one: helm.Object) -> dict[str, Any]:
    """Return the variables of a container: their values or their references."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in one["env"]}


def trigger(found: Rendered) -> helm.Object:
    """Return the only trigger of KEDA."""
    [one] = found["ScaledObject", f"{FULLNAME}-worker"]["spec"]["triggers"]
    return one


def list_open_ports(found: Rendered) -> set[int]:
    """Return the TCP ports that the router's pods may reach at any address, except DNS."""
    rules = found["NetworkPolicy", FULLNAME]["spec"]["egress"]
    return {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]} - {53}
