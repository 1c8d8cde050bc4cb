"""Hooks of the documentation site: the navigation, links that leave docs/, and llms.txt.

The navigation lists every page of each section by its title, so that a new page needs no entry in a list.
"""

import posixpath
import re
import shutil
from pathlib import Path
from typing import Any

SECTIONS = {
    "tutorial": "Tutorial",
    "how-to": "How-to guides",
    "concepts": "Concepts",
    "reference": "Reference",
    "runbooks": "Runbooks",
    "adr": "Decisions",
}
FOLDERS = {
    "install": "Install",
    "sources": "Sources",
    "destinations": "Destinations",
    "notifiers": "Notifiers",
    "migrate": "Migrate",
}
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^):\s]+)\)")


def title(page: Path) -> str:
    """Return the first heading of a page."""
    found = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{page} has no title")
    return found[1].replace("`", "")


def navigation(docs: Path) -> list[Any]:
    """Return the entries of the navigation: the index first, then folders, then pages by title."""
    entries: list[Any] = ["index.md"]
    return entries + [{name: _section(docs, docs / folder)} for folder, name in SECTIONS.items()]


def _section(docs: Path, folder: Path) -> list[Any]:
    index = folder / "index.md"
    entries: list[Any] = [index.relative_to(docs).as_posix()] if index.exists() else []
    entries.extend(
        {FOLDERS[inner.name]: _section(docs, inner)}
        for inner in sorted(path for path in folder.iterdir() if path.is_dir())
    )
    pages = [path for path in folder.glob("*.md") if path != index]
    by_title = folder.name != "adr"  # The file names of decisions begin with their number.
    return entries + [
        {title(path): path.relative_to(docs).as_posix()}
        for path in sorted(pages, key=lambda path: (title(path) if by_title else path.name).lower())
    ]


def llms(docs: Path, name: str, description: str) -> str:
    """Return llms.txt: every page with its title, by section. Each page is served as Markdown, too."""
    lines = [f"# {name}", "", f"> {description}"]
    for folder, heading in SECTIONS.items():
        lines += ["", f"## {heading}", ""]
        for path in sorted((docs / folder).rglob("*.md")):
            lines.append(f"- [{title(path)}]({path.relative_to(docs).as_posix()})")
    return "\n".join(lines) + "\n"


def on_config(config: Any) -> Any:
    """Set the navigation."""
    config["nav"] = navigation(Path(config["docs_dir"]))
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace links to files outside docs/, which the site doesn't contain, with their texts."""
    folder = posixpath.dirname(page.file.src_uri)

    def text(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2].partition("#")[0]))
        return link[1] if target.startswith("../") else link[0]

    return LINK.sub(text, markdown)


def on_post_build(config: Any, **_: Any) -> None:
    """Write llms.txt, and a copy of each page as Markdown."""
    docs, site = Path(config["docs_dir"]), Path(config["site_dir"])
    (site / "llms.txt").write_text(llms(docs, config["site_name"], config["site_description"]), encoding="utf-8")
    for path in docs.rglob("*.md"):
        copy = site / path.relative_to(docs)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
