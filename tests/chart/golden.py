"""What the chart renders of each of its ci/ files, kept as text that a reviewer reads; `make golden` writes it anew.

The table of values in the chart's README is kept in the same way: it is what values.yaml says.
"""

import re
from pathlib import Path

from tests.chart import explained, helm
from tests.structure import tree

FOLDER = Path(__file__).parent / "golden"
PAGE = helm.CHART / "README.md"
_BEGIN, _END = "<!-- values: begin -->\n", "<!-- values: end -->"
_BLANKS = re.compile(r"[ \t]+$", re.MULTILINE)
_GENERATED = re.compile(r'(?<=^  password: ")\w{32}(?="$)', re.MULTILINE)


def rendered(name: str) -> str:
    """What a ci/ file renders, without blanks at the ends of lines, and with no generated password."""
    return _GENERATED.sub("generated", _BLANKS.sub("", helm.text_of(name)))


def expected(name: str) -> Path:
    """Where that is kept."""
    return FOLDER / f"{name}.yaml"


def page(text: str) -> str:
    """The page with the table of values as it has to be."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert begin, f"{tree.place(PAGE)} has no place for the table of values"
    assert end, f"the table of values in {tree.place(PAGE)} does not end"
    return f"{before}{begin}{explained.table()}{end}{after}"


def renew() -> None:
    """Write everything anew."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.yaml"):
        path.unlink()
    for name in helm.CASES:
        expected(name).write_text(rendered(name))
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    renew()
