"""Accurate documents: a page for every kind, working links, and every setting and metric."""

import functools
import re
import typing
from pathlib import Path

import prometheus_client
import pydantic
import pytest
from ruamel import yaml

import router.destinations.registry
import router.notifiers.registry
import router.sources.registry
from router import configuration
from router.configuration import sections
from router.domain import notices
from router.telemetry import label_sets, metrics
from tests import collectors
from tests.structure import tree

DOCUMENTS = tree.list_files("*.md")
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def list_anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the documentation site generate them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def list_broken_links(path: Path) -> list[str]:
    text = path.read_text()
    links = [(match[1], match[2] or "") for match in LINK.finditer(text) if "://" not in match[1]]
    return [link + anchor for link, anchor in links if not is_reachable(path, link, anchor)]


def is_reachable(path: Path, link: str, anchor: str) -> bool:
    target = path.parent / link if link else path
    return target.exists() and (not anchor or anchor[1:] in list_anchors(target.read_text()))


def check_changelog(text: str) -> list[str]:
    """Yield deviations from the format of Keep a Changelog."""
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    found = [] if versions[:1] == ["[Unreleased]"] else ["the first heading is not [Unreleased]"]
    dated = r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}"
    found += [f"{version}: not [x.y.z] - yyyy-mm-dd" for version in versions[1:] if not re.fullmatch(dated, version)]
    found += [f"{kind}: no such kind" for kind in re.findall(r"^### (.*)$", text, re.MULTILINE) if kind not in CHANGES]
    return found


def list_settings(section: type[pydantic.BaseModel], before: str = "") -> list[str]:
    """Return every setting of the configuration file in its documented notation, for example ``web.port``."""
    found = []
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, pydantic.BaseModel):
            found += list_settings(inner, f"{before}{name}.")
        else:
            found.append(f"{before}{name}")
    return found


@pytest.fixture(scope="module")
def configuration_page() -> str:
    return (tree.ROOT / "docs/reference/configuration.md").read_text()


@pytest.fixture(scope="module")
def metric_tables() -> str:
    return (tree.ROOT / "docs/reference/metrics.md").read_text()


@pytest.mark.parametrize("kind", router.sources.registry.KINDS)
def test_every_kind_of_source_has_a_page(kind):
    assert f"`{kind}`" in (tree.ROOT / f"docs/how-to/sources/{kind}.md").read_text()


@pytest.mark.parametrize("kind", router.destinations.registry.KINDS)
def test_every_kind_of_destination_has_a_page(kind):
    assert f"`{kind}`" in (tree.ROOT / f"docs/how-to/destinations/{kind}.md").read_text()


@pytest.mark.parametrize("kind", router.notifiers.registry.KINDS)
def test_every_kind_of_notifier_has_a_page(kind):
    assert f"`{kind}`" in (tree.ROOT / f"docs/how-to/notifiers/{kind}.md").read_text()


def test_no_page_documents_a_missing_kind():
    folders = ("sources", "destinations", "notifiers")
    pages = {path.stem for path in tree.list_files(*(f"docs/how-to/{folder}/*.md" for folder in folders))}
    assert (
        pages - {"index"}
        <= router.sources.registry.KINDS.keys()
        | router.destinations.registry.KINDS.keys()
        | router.notifiers.registry.KINDS.keys()
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=tree.format_place)
def test_every_relative_link_has_a_target(path):
    assert list_broken_links(path) == []


@pytest.mark.parametrize("section", ["tutorial", "how-to", "concepts", "reference", "runbooks", "adr"])
def test_section_index_links_every_page(section):
    folder = tree.ROOT / "docs" / section
    pages = {path for path in folder.rglob("*.md") if path.name != "index.md"}
    linked = {
        (index.parent / link[1]).resolve()
        for index in folder.rglob("index.md")
        for link in LINK.finditer(index.read_text())
    }
    assert pages <= linked


def test_documented_metrics_are_those_of_the_code(metric_tables):
    text = prometheus_client.generate_latest(metrics.REGISTRY).decode()
    offered = {match[1] for match in re.finditer(r"^# HELP (\w+)", text, re.MULTILINE)}
    explained = {match[1] for match in re.finditer(r"^\| `(incident_router_\w+)` \|", metric_tables, re.MULTILINE)}
    assert explained == offered


def test_documented_metric_labels_match_the_code(metric_tables):
    for name, metric in collectors.list_metrics().items():
        [row] = re.findall(rf"^\| `{name}(?:_total)?` \| (.*?) \|", metric_tables, re.MULTILINE)
        assert re.findall(r"`(\w+)`", row) == list(metric.labels)


VALUES = {
    "incident_router_deliveries_total": {*label_sets.DELIVERY_OUTCOMES, label_sets.UNKNOWN_SOURCE},
    "incident_router_alerts_total": set(label_sets.ALERT_OUTCOMES),
    "incident_router_notices_total": set(typing.get_args(notices.Code)),
    "incident_router_webhook_duration_seconds": set(label_sets.CODES),
    "incident_router_polls_total": set(label_sets.POLL_RESULTS),
    "incident_router_polled_alerts_total": set(label_sets.POLLED_OUTCOMES),
    "incident_router_rules_reloads_total": set(label_sets.RELOAD_RESULTS),
    "incident_router_notifications_total": set(label_sets.NOTIFICATION_RESULTS),
    "incident_router_operations_total": set(label_sets.OPERATION_RESULTS),
    "incident_router_vendor_webhooks_total": {*label_sets.VENDOR_WEBHOOK_OUTCOMES, label_sets.UNKNOWN_DESTINATION},
}


@pytest.mark.parametrize("name", VALUES)
def test_every_label_value_is_documented(name, metric_tables):
    [row] = re.findall(rf"^\| `{name}` \| .*? \| (.*) \|$", metric_tables, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == VALUES[name]


def test_every_setting_is_documented(configuration_page):
    names = list_settings(sections.File)
    assert "web.port" in names
    assert [name for name in names if f"`{name}`" not in configuration_page] == []


def test_every_documented_setting_exists(configuration_page):
    rows = re.findall(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*) \| [^|]* \| [^|]* \|$", configuration_page, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)}
    settings_of_file = {name for name in explained if not name.startswith("incident_router_")}
    assert settings_of_file == set(list_settings(sections.File))


DESCRIBED = {
    "management.port",
    "redis.tls.ca",
    "self_report.unreadable.destinations",
    "web.health_port",
    "web.max_bytes_in_flight",
    "worker.name",
}


def read_documented_defaults(text: str) -> dict[str, str]:
    """Return the default of each setting as the table shows it."""
    rows = re.findall(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*) \| ([^|]*) \| [^|]* \|$", text, re.MULTILINE)
    found: dict[str, str] = {}
    for names, values in rows:
        settings_of_row = re.findall(r"`([a-z_.]+)`", names)
        shown = [values] * len(settings_of_row) if values == "none" else values.split(", ", len(settings_of_row) - 1)
        found.update(zip(settings_of_row, shown, strict=True))
    return found


def test_documented_defaults_match_the_code(configuration_page):
    shown = {
        name: value for name, value in read_documented_defaults(configuration_page).items() if name not in DESCRIBED
    }
    written: dict[str, typing.Any] = {}
    for name, value in shown.items():
        *parents, last = name.split(".")
        if value != "none":
            section = functools.reduce(lambda inner, part: inner.setdefault(part, {}), parents, written)
            section[last] = yaml.YAML(typ="safe").load(value)
    loaded, default = sections.File.model_validate(written), sections.File.model_validate({})
    assert [name for name in shown if attribute(loaded, name) != attribute(default, name)] == []
    assert [name for name, value in shown.items() if value == "none" and attribute(default, name)] == []
    assert len(shown) > 50


def attribute(section: object, name: str) -> object:
    return functools.reduce(getattr, name.split("."), section)


def test_every_environment_variable_is_documented(configuration_page):
    assert [
        name for name in configuration._Environment.model_fields if f"`{name.upper()}`" not in configuration_page
    ] == []


def test_changelog_follows_keep_a_changelog():
    assert check_changelog((tree.ROOT / "CHANGELOG.md").read_text()) == []


def test_every_decision_record_is_listed_and_complete():
    folder = tree.ROOT / "docs/adr"
    listed = (folder / "index.md").read_text()
    pages = sorted(folder.glob("[0-9]*.md"))
    for number, path in enumerate(pages, 1):
        text = path.read_text()
        assert path.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert re.search(r"^Status: (accepted|superseded by \d{4})$", text, re.MULTILINE)
        assert f"]({path.name})" in listed


def test_license_text_is_complete():
    text = (tree.ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


class TestNegativeControl:
    def test_broken_link_is_reported(self, tmp_path):
        page = tmp_path / "page.md"
        page.write_text(
            "# Top\n[here](page.md#top) [there](gone.md) [up](#bottom) [outside](https://example.org/gone.md)"
        )
        assert list_broken_links(page) == ["gone.md", "#bottom"]

    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            ("## [Unreleased]\n### Added\n## [0.1.0] - 2031-05-01\n### Fixed\n", 0),
            ("## [0.1.0] - 2031-05-01\n", 1),
            ("## [Unreleased]\n## 0.1.0\n### New\n", 2),
        ],
    )
    def test_deviations_from_the_changelog_format_are_reported(self, text, problems):
        assert len(check_changelog(text)) == problems
