"""Kubernetes takes what the chart renders, in its three newest versions, and its pods meet the strictest standard.

Kinds that an operator brings are described nowhere here; each is named below, and looked at by tests of its own.
"""

import functools
import json
from pathlib import Path

import kubernetes_validate
import pytest
from kubernetes_validate import utils

from tests.chart import helm

BROUGHT = {
    "HTTPRoute": "the Gateway API's own resources",
    "ScaledObject": "KEDA's own resources",
    "ServiceMonitor": "the Prometheus operator's own resources",
    "PrometheusRule": "the Prometheus operator's own resources",
}
_HIGHEST = int(kubernetes_validate.latest_version().split(".")[1])
NEWEST = [f"1.{minor}" for minor in range(_HIGHEST, _HIGHEST - 3, -1)]


@pytest.fixture(scope="module", autouse=True)
def read_once():
    """The validator reads a version's descriptions, some megabytes, for every object; once is enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


@functools.cache
def validated(version: str, text: str) -> None:
    """Validate an object, once wherever it is rendered more than once; unknown fields are mistakes."""
    kubernetes_validate.validate(json.loads(text), version, strict=True)


@pytest.fixture(params=helm.CASES)
def rendered(request) -> dict[tuple[str, str], helm.Object]:
    return helm.case(request.param)


@pytest.mark.parametrize("name", helm.CASES)
def test_lint_finds_nothing(name):
    assert "0 chart(s) failed" in helm.call("lint", "--strict", str(helm.CHART), values=helm.values_of(name))


@pytest.mark.parametrize("version", NEWEST)
@pytest.mark.parametrize("name", helm.CASES)
def test_every_object_is_as_kubernetes_describes_it(name, version):
    for (kind, _), one in helm.case(name).items():
        if kind not in BROUGHT:
            validated(version, json.dumps(one, sort_keys=True))


def test_a_field_that_kubernetes_does_not_know_is_found():
    service = helm.case("all")["Service", "shop-incident-router"]
    service["spec"]["portz"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="portz"):
        validated(NEWEST[0], json.dumps(service))


def test_only_kinds_that_somebody_else_brings_are_left_out():
    for kind in BROUGHT:
        one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}
        with pytest.raises(kubernetes_validate.SchemaNotFoundError):
            kubernetes_validate.validate(one, NEWEST[0], strict=True)


def test_the_oldest_version_that_the_chart_allows_takes_it_too():
    allowed = helm.read((helm.CHART / "Chart.yaml").read_text())["kubeVersion"]
    oldest = ".".join(allowed.removeprefix(">=").split(".")[:2])
    for one in helm.case("separate").values():
        kubernetes_validate.validate(one, oldest, strict=True)


def test_there_are_enough_cases():
    assert len(helm.CASES) >= 12
    assert {path.name for path in (helm.CHART / "ci").iterdir()} == {f"{name}-values.yaml" for name in helm.CASES}


def test_every_pod_meets_the_restricted_security_standard(rendered):
    for name, spec in helm.pods(rendered).items():
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys(), name
        assert {kind for volume in spec.get("volumes", []) for kind in volume} <= {"name", "configMap", "secret"}, name


def test_no_pod_has_a_token_for_kubernetes(rendered):
    for name, spec in helm.pods(rendered).items():
        assert spec["automountServiceAccountToken"] is False, name
    assert {kind for kind, _ in rendered}.isdisjoint({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


def test_names_stay_within_what_kubernetes_allows_however_long_the_release_is_called():
    values = helm.values_of("valkey") | {"check": {"enabled": True}}
    release = "a" * 53
    for kind, name in helm.render(values, release):
        assert len(name) <= (52 if kind in {"StatefulSet", "Job"} else 63), (kind, name)


def test_nothing_is_added_to_the_chart_but_what_it_renders():
    """A file that no template reads would be sent into every cluster with the release."""
    inside = {path.name for path in helm.CHART.iterdir()}
    assert inside >= {"Chart.yaml", "values.yaml", "values.schema.json", "templates", "ci", "scripts"}
    read = "".join(path.read_text() for path in (helm.CHART / "templates").iterdir())
    for path in Path(helm.CHART / "scripts").iterdir():
        assert f'.Files.Get "scripts/{path.name}"' in read
