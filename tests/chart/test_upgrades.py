"""An upgrade looks up the cluster's state: a generated password stays, and a changed volume size is refused."""

import base64

import pytest

from tests.chart import api, helm
from tests.chart.test_refusals import BY_CLUSTER

NAME = "shop-incident-router-valkey"
VALKEY = {"valkey": {"enabled": True}}


def encode_stored(rendered: dict[tuple[str, str], helm.Object]) -> list[helm.Object]:
    """Return rendered objects as a cluster stores them, with the data of Secrets in base64."""
    for one in rendered.values():
        if one["kind"] == "Secret":
            given = one.pop("stringData")
            one["data"] = {key: base64.b64encode(text.encode()).decode() for key, text in given.items()}
    return list(rendered.values())


def password(rendered: dict[tuple[str, str], helm.Object]) -> str:
    return rendered["Secret", NAME]["stringData"]["password"]


def test_upgrade_keeps_the_generated_password(tmp_path):
    first = helm.render(VALKEY)
    before = password(first)
    with api.serve(encode_stored(first), tmp_path) as kubeconfig:
        assert password(api.upgrade(VALKEY, kubeconfig)) == before


def test_password_is_generated_for_each_installation(tmp_path):
    assert len(password(helm.render(VALKEY))) == 32
    with api.serve([], tmp_path) as kubeconfig:
        assert len({password(helm.render(VALKEY)), password(api.upgrade(VALKEY, kubeconfig))}) == 2


def test_given_password_replaces_the_generated_one(tmp_path):
    values = {"valkey": {"enabled": True, "auth": {"password": "another"}}}
    with api.serve(encode_stored(helm.render(VALKEY)), tmp_path) as kubeconfig:
        after = api.upgrade(values, kubeconfig)
    assert password(after) == "another"
    pods = [one["spec"]["template"] for one in after.values() if one["kind"] in {"Deployment", "StatefulSet"}]
    assert len(pods) == 3
    for pod in pods:
        assert "checksum/valkey-password" in pod["metadata"]["annotations"], "a pod reads it at its start"


def test_upgrade_refuses_a_changed_volume_size(tmp_path):
    larger = {"valkey": {"enabled": True, "persistence": {"size": "8Gi"}}}
    with api.serve(encode_stored(helm.render(VALKEY)), tmp_path) as kubeconfig:
        with pytest.raises(helm.RenderError) as refused:
            api.upgrade(larger, kubeconfig)
        assert ("StatefulSet", NAME) in api.upgrade(VALKEY, kubeconfig)
    assert BY_CLUSTER in str(refused.value)
