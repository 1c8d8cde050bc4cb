"""The mark ``debian`` skips a test whose program is missing, with the reason, and fails it in CI."""

import pytest

from tests import programs


class MarkedItem:
    """The part of a pytest item that the hook uses."""

    def __init__(self, *packages: str) -> None:
        self._marks = [pytest.mark.debian(package).mark for package in packages]

    def iter_markers(self, name: str) -> list[pytest.Mark]:
        return [mark for mark in self._marks if mark.name == name]


def test_marked_test_with_its_program_runs(monkeypatch):
    monkeypatch.setenv("CI", "true")
    programs.pytest_runtest_setup(MarkedItem("sh"))
    programs.pytest_runtest_setup(MarkedItem())


def test_missing_program_skips_with_advice_outside_ci(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install no-such-program"):
        programs.pytest_runtest_setup(MarkedItem("sh", "no-such-program"))


@pytest.mark.parametrize("value", ["true", "1", "True"])
def test_missing_program_fails_the_test_in_ci(monkeypatch, value):
    monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.fail.Exception, match=r"nothing is skipped.*no-such-program"):
        programs.pytest_runtest_setup(MarkedItem("no-such-program"))


def test_missing_program_skips_if_ci_is_false(monkeypatch):
    monkeypatch.setenv("CI", "false")
    with pytest.raises(pytest.skip.Exception):
        programs.pytest_runtest_setup(MarkedItem("no-such-program"))


def test_programs_plugin_is_loaded(request):
    """Without the plug-in, the mark would have no effect, and the tests would fail with a confusing error."""
    plugins = request.config.pluginmanager.get_plugins()
    assert programs.pytest_runtest_setup in {getattr(plugin, "pytest_runtest_setup", None) for plugin in plugins}
