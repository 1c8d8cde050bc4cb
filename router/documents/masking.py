"""Hides secrets in the lines that problems show: a refused configuration must not put its keys into a log."""

import re
from collections.abc import Sequence

_NAME = r"[\w-]*(?:api[_-]?key|token|secret|password|passwd|bearer|basic|credentials?)(?![\w-]*_(?:file|env)\b)[\w-]*"
_PAIR = re.compile(rf"(\b{_NAME}[\"']?\s*:\s+)(?=[^\s#]).*", re.IGNORECASE)
_BLOCK = re.compile(rf"\s*(?:- )*[\"']?{_NAME}[\"']?\s*:\s*(?:[|>][-+0-9]*)?\s*(?:#.*)?", re.IGNORECASE)
_USERINFO = re.compile(r"(://)[^/@\s]+@")
_ITEM = re.compile(r"(\s*(?:- )?).*")
HIDDEN = "***"


def masked(lines: Sequence[str], index: int) -> str:
    """Return line ``index`` (from 0) without the values of keys that hold secrets, or passwords in URLs."""
    line = lines[index]
    if _below_secret(lines, index):
        return _ITEM.sub(rf"\g<1>{HIDDEN}", line, count=1)
    return _USERINFO.sub(rf"\1{HIDDEN}@", _PAIR.sub(rf"\g<1>{HIDDEN}", line))


def _below_secret(lines: Sequence[str], index: int) -> bool:
    """Tell whether the line is a list item or a block text under a key that holds a secret."""
    indent = _indent(lines[index])
    is_item = lines[index].lstrip().startswith("-")
    for above in range(index - 1, -1, -1):
        line = lines[above]
        if not line.strip():
            continue
        depth = _indent(line)
        # A list may stand at the same depth as its key.
        if depth < indent or (depth == indent and is_item and not line.lstrip().startswith("-")):
            return _BLOCK.fullmatch(line) is not None
    return False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
