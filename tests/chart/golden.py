"""The rendered output of each of the chart's ci/ files, kept as text for review; `make golden` updates it.

The table of values in the chart's README is generated from values.yaml in the same way.
"""

import re
from pathlib import Path

from tests.chart import documented_values, helm
from tests.structure import tree

FOLDER = Path(__file__).parent / "golden"
PAGE = helm.CHART / "README.md"
_BEGIN, _END = "<!-- values: begin -->\n", "<!-- values: end -->"
_BLANKS = re.compile(r"[ \t]+$", re.MULTILINE)
_GENERATED = re.compile(r'(?<=^  password: ")\w{32}(?="$)', re.MULTILINE)


def render(name: str) -> str:
    """Return the rendered output of a ci/ file, without trailing spaces and with generated passwords masked."""
    return _GENERATED.sub("generated", _BLANKS.sub("", helm.render_case(name)))


def get_path(name: str) -> Path:
    """Return the path of the stored output."""
    return FOLDER / f"{name}.yaml"


def page(text: str) -> str:
    """Return the README with the current table of values."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert begin, f"{tree.format_place(PAGE)} has no place for the table of values"
    assert end, f"the table of values in {tree.format_place(PAGE)} does not end"
    return f"{before}{begin}{documented_values.table()}{end}{after}"


def renew() -> None:
    """Update all stored output."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.yaml"):
        path.unlink()
    for name in helm.CASES:
        get_path(name).write_text(render(name))
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    renew()
