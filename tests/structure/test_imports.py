"""Our modules and names are imported under their own names, and no two classes of the router share a name."""

import ast

import pytest

from tests.structure import tree


@pytest.mark.parametrize("folder", ["router", "tests"])
def test_own_modules_are_imported_without_aliases(folder):
    aliases = [
        f"{tree.format_place(path, node.lineno)}: {name.name} as {name.asname}"
        for path in tree.list_python_files(folder)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
        if name.asname is not None
        and (node.module if isinstance(node, ast.ImportFrom) else name.name or "").split(".")[0] in {"router", "tests"}
    ]
    assert aliases == []


# Modules that describe the same things once more: as a vendor, the API, or the configuration represents them.
REPRESENTATIONS = (
    "router/simulator/",
    "router/sources/",
    "router/configuration/sections.py",
    "router/services/models.py",
    "router/services/resources.py",
    "router/api/params.py",
    "router/api/api_client.py",
    "router/domain/events.py",
    "router/web/ports.py",
)
# Each kind of destination or notifier defines its own class by these names.
OF_EACH_KIND = {
    "Config",
    "IncidentConfig",
    "IncidentOpening",
    "Incidents",
    "Kind",
    "MaintenanceWindow",
    "Names",
    "PostConfig",
    "PostOpening",
    "SharedState",
    "StatusPages",
}


def test_public_classes_have_distinct_names():
    places: dict[str, list[str]] = {}
    for path in tree.list_python_files("router"):
        place = tree.format_place(path)
        if place.startswith(REPRESENTATIONS) or place.endswith("/wire.py"):
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(place)
    assert len(places) > 300
    assert {name: found for name, found in places.items() if len(found) > 1 and name not in OF_EACH_KIND} == {}
