"""The version in the code matches every other place that names the version."""

import re
import tomllib

from packaging import version

import router
from tests.chart import helm
from tests.structure import tree


def test_version_is_semantic():
    assert re.fullmatch(r"\d+\.\d+\.\d+", router.__version__)


def test_package_takes_its_version_from_the_code():
    pyproject = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())
    assert pyproject["project"]["dynamic"] == ["version"]
    assert "version" not in pyproject["project"]
    assert pyproject["tool"]["hatch"]["version"]["path"] == "router/__init__.py"


def test_chart_and_program_have_equal_versions():
    chart = helm.read((helm.CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (router.__version__, router.__version__)


def test_readme_builds_the_chart_s_image():
    tags = re.findall(r"docker build --tag incident-router:(\S+)", (tree.ROOT / "README.md").read_text())
    assert tags == [router.__version__]


def test_changelog_has_no_future_version():
    matches = re.findall(r"^## \[(\d\S*)\]", (tree.ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    ours = version.Version(router.__version__)
    assert [match for match in matches if version.Version(match) > ours] == []
