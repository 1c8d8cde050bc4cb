"""The vendors' own Python clients, whose modules are imported when something of them is first asked for.

Each takes a second to import. Every worker of a run reads every test, and only the one that runs these has to pay it.
"""

import importlib
from typing import Any


class Module:
    """Stands for a module until something of it is asked for, and hands that out as the module does."""

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
