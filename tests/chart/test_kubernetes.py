"""The three newest versions of Kubernetes accept the rendered objects, and the pods meet the restricted standard.

There are no schemas for kinds that an operator defines. Each such kind is listed below, and has separate tests.
"""

from pathlib import Path

import kubernetes_validate
import pytest

from tests.chart import helm, value_schemas

_HIGHEST = int(kubernetes_validate.latest_version().split(".")[1])
NEWEST = [f"1.{minor}" for minor in range(_HIGHEST, _HIGHEST - 3, -1)]


@pytest.fixture(params=helm.CASES)
def rendered(request) -> dict[tuple[str, str], helm.Object]:
    return helm.case(request.param)


@pytest.mark.parametrize("name", helm.CASES)
def test_lint_finds_nothing(name):
    assert "0 chart(s) failed" in helm.call("lint", "--strict", str(helm.CHART), values=helm.read_values(name))


@pytest.mark.parametrize("version", NEWEST)
@pytest.mark.parametrize("name", helm.CASES)
def test_every_object_matches_the_kubernetes_schema(name, version):
    for one in helm.case(name).values():
        value_schemas.validate(one, version)


def test_unknown_kubernetes_field_is_found():
    service = helm.case("all")["Service", "shop-incident-router"]
    service["spec"]["portz"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="portz"):
        value_schemas.validate(service, NEWEST[0])


def test_only_foreign_kinds_are_skipped():
    for kind in value_schemas.BROUGHT:
        one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}
        with pytest.raises(kubernetes_validate.SchemaNotFoundError):
            kubernetes_validate.validate(one, NEWEST[0], strict=True)


def test_oldest_supported_kubernetes_accepts_every_object():
    allowed = helm.read((helm.CHART / "Chart.yaml").read_text())["kubeVersion"]
    oldest = ".".join(allowed.removeprefix(">=").split(".")[:2])
    for one in helm.case("separate").values():
        value_schemas.validate(one, oldest)


def test_every_values_file_is_a_case():
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
        volumes = {kind for volume in spec.get("volumes", []) for kind in volume}
        assert volumes <= {"name", "configMap", "secret", "emptyDir"}, name


def test_no_pod_mounts_a_kubernetes_token(rendered):
    for name, spec in helm.pods(rendered).items():
        assert spec["automountServiceAccountToken"] is False, name
    assert {kind for kind, _ in rendered}.isdisjoint({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


def test_names_fit_kubernetes_limits_for_long_releases():
    values = helm.read_values("valkey") | {"check": {"enabled": True}}
    release = "a" * 53
    for kind, name in helm.render(values, release):
        assert len(name) <= (52 if kind in {"StatefulSet", "Job"} else 63), (kind, name)


def test_chart_contains_only_rendered_files():
    """A file that no template reads would be stored in every cluster with the release."""
    inside = {path.name for path in helm.CHART.iterdir()}
    assert inside >= {"Chart.yaml", "values.yaml", "values.schema.json", "templates", "ci", "scripts"}
    read = "".join(path.read_text() for path in (helm.CHART / "templates").iterdir())
    for path in Path(helm.CHART / "scripts").iterdir():
        assert f'.Files.Get "scripts/{path.name}"' in read
