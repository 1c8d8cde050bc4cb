"""Lazy imports of the vendors' Python clients.

Each import takes a second. Every worker of a test run collects every test, but only the worker that runs these tests
has to import the clients.
"""

import importlib
from typing import Any


class Module:
    """A proxy that imports a module on the first access to an attribute."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


devhelm_client = Module("tests.contract.devhelm_client")
devhelm_errors = Module("devhelm._errors")
devhelm_http = Module("devhelm._http")
devhelm_models = Module("devhelm._generated")
devhelm_pagination = Module("devhelm._pagination")
incident_io = Module("incident_io.client")
incident_io_models = Module("incident_io.models")
opsgenie = Module("opsgenie_sdk")
opsgenie_errors = Module("opsgenie_sdk.exceptions")
