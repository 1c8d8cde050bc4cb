"""A key without a value is null, with which Helm removes all defaults below it: it is refused by name or harmless."""

import json

import kubernetes_validate
import pytest

from tests.chart import helm, value_schemas

SCHEMA = json.loads((helm.CHART / "values.schema.json").read_text())


@pytest.mark.parametrize("key", ["global", "web", "worker", "valkey", "secrets", "config", "service", "console"])
def test_null_for_a_required_key_is_refused(key):
    """In YAML, `web:` without content is null, with which Helm removes all defaults below it."""
    with pytest.raises(helm.RenderError, match=f"{key} is required"):
        helm.template(helm.REDIS | {key: None})


def optional(schema: dict, data: dict, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the paths of values that may be null and are then removed by Helm; the schema requires the others."""
    found = []
    for key, value in data.items():
        inner = schema.get("properties", {}).get(key, {})
        if "$ref" in inner:
            inner = SCHEMA["definitions"][inner["$ref"].rpartition("/")[2]]
        if key not in schema.get("required", []):
            found.append((*path, key))
        elif isinstance(value, dict):
            found += optional(inner, value, (*path, key))
    return found


@pytest.mark.parametrize("mode", ["separate", "all"])
def test_every_optional_value_may_be_null(mode):
    """Otherwise a null would cause an error in a template, which names no value."""
    defaults = helm.read((helm.CHART / "values.yaml").read_text())
    values = {}
    paths = optional(SCHEMA, defaults)
    assert len(paths) > 100
    for path in paths:
        at = values
        for key in path[:-1]:
            at = at.setdefault(key, {})
        at[path[-1]] = None
    values |= {"mode": mode, "fullnameOverride": "router"}
    values["valkey"] |= {"enabled": True}
    for component in ("web", "worker", "all"):
        values[component]["podDisruptionBudget"] = {"maxUnavailable": 1}
    for key in ("networkPolicy", "serviceMonitor", "check"):
        values[key] = values.get(key, {}) | {"enabled": True}
    rendered = helm.objects(helm.template(values))
    assert {"Deployment", "StatefulSet", "NetworkPolicy", "ServiceMonitor", "Job"} <= {kind for kind, _ in rendered}
    for one in rendered.values():
        value_schemas.validate(one, kubernetes_validate.latest_version())


def test_null_url_leaves_redis_to_the_secret():
    """An empty variable would override the variable of the Secret."""
    rendered = helm.objects(helm.template({"redis": {"url": None}, "secrets": {"shared": {"existing": "redis-url"}}}))
    for spec in helm.pods(rendered).values():
        assert "REDIS_URL" not in {entry["name"] for entry in spec["containers"][0]["env"]}
