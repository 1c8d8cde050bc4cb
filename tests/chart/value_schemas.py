"""Validation of rendered objects against Kubernetes' own schemas."""

import functools
import json

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
"""Kinds that an operator defines, for which there is no schema here."""

# The validator reads megabytes of schemas for every object, so equal objects are validated once.
_contents = functools.cache(utils.schema_contents)


def validate(one: helm.Object, version: str) -> None:
    """Validate an object, once if it is rendered repeatedly. An unknown field is an error."""
    if one["kind"] not in BROUGHT:
        _validated(version, json.dumps(one, sort_keys=True))


@functools.cache
def _validated(version: str, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", _contents)
        kubernetes_validate.validate(json.loads(text), version, strict=True)
