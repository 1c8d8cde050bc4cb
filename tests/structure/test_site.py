"""The documentation site builds without a warning, has every page, and loads nothing from the network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure import tree

DOCS = tree.ROOT / "docs"
LOADED = re.compile(r'<(?:script|img|iframe)\b[^>]*\bsrc="([^"]+)"|<link\b[^>]*\bhref="([^"]+)"')


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--config-file", config]
    return subprocess.run([*command, "--site-dir", site], capture_output=True, text=True, timeout=110, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(tree.ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_on_the_site(site):
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    listed = set(re.findall(r"\]\(([^)]+)\)", (site / "llms.txt").read_text()))
    assert listed == pages - {"index.md"}
    built = {page.removesuffix("index.md") if page.endswith("index.md") else page[:-3] + "/" for page in pages}
    assert [page for page in built if not (site / page / "index.html").exists()] == []
    assert [page for page in pages if not (site / page).exists()] == []


def test_site_loads_nothing_from_the_network(site):
    loaded = {
        f"{path.relative_to(site)}: {url}"
        for path in site.rglob("*.html")
        for urls in LOADED.findall(path.read_text())
        for url in urls
        if "//" in url
    }
    assert loaded == set()


def test_site_has_a_search_index(site):
    assert "checkout-down" in (site / "search" / "search_index.json").read_text()


@pytest.mark.parametrize(("link", "built"), [("../index.md", True), ("gone.md", False), ("../index.md#gone", False)])
def test_broken_link_fails_the_build(tmp_path, link, built):
    sections = ("tutorial", "how-to", "concepts", "reference", "runbooks", "adr")
    for name in sections:
        (tmp_path / "docs" / name).mkdir(parents=True)
        (tmp_path / "docs" / name / "index.md").write_text("# Section\n")
    (tmp_path / "docs" / "index.md").write_text("# Start\n")
    (tmp_path / "docs" / "adr" / "0001-a.md").write_text(f"# A\n\n[link]({link})\n")
    config = tmp_path / "mkdocs.yml"
    config.write_text((tree.ROOT / "mkdocs.yml").read_text().replace("tools/", f"{tree.ROOT}/tools/"))
    assert (build(config, tmp_path / "site").returncode == 0) is built
