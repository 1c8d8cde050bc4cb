"""Hides secrets in the lines that problems show: the log of a refused configuration must not contain its keys.

A text is scanned once, however many of its lines are shown, and all patterns are RE2's. The time is linear.
"""

from collections.abc import Iterator, Sequence

from router.domain import patterns

HIDDEN = "***"

_SECRET = patterns.compile(r"api[_-]?key|token|secret|password|passwd|bearer|basic|credential", ignore_case=True)
# Such a key names a file or a variable.
_NO_SECRET = patterns.compile(r"_(?:file|env)$", ignore_case=True)
_KEY = patterns.compile(r"([\w-]+)[\"']?\s*:\s+[^\s#]")
_BLOCK = patterns.compile(r"\s*(?:- )*[\"']?([\w-]+)[\"']?\s*:\s*(?:[|>][-+0-9]*)?\s*(?:#.*)?")
_WORD = patterns.compile(r"([\w.-]+)[\"']?\s*:(?:\s+[\"']?([^\s,{}\[\]\"'#][^,{}\[\]\"'#]*)?|$)")
_PLAIN = patterns.compile(r"(?:true|false|null|~|[0-9]{1,6}(?:ms|[smhdwB]|[KMG]i?B|kB)?)\s*")
_NAME = patterns.compile(r"[A-Za-z0-9_./-]{1,40}\s*")
_OPEN_KEYS = frozenset(
    {"at", "api", "auth", "env", "file", "format", "header", "form", "kind", "level", "member", "name", "page", "query"}
)
"""Keys of the configuration whose values are names and words."""
_USERINFO = patterns.compile(r"(://)(?:\S+@|:\S+)")
_ITEM = patterns.compile(r"^(\s*(?:- )?).*")


class Lines:
    """The lines of a text, with secrets hidden.

    If the text ``holds_secrets``, as the configuration does, only keys and values that are known to be harmless are
    shown, since a misspelled or new key doesn't say whether its value is a secret.
    """

    def __init__(self, lines: Sequence[str], *, holds_secrets: bool = False) -> None:
        """Store all lines of the text. They are scanned when the first one is shown."""
        self._lines = lines
        self._holds_secrets = holds_secrets
        self._hidden_lines: list[bool] | None = None
        self._masked_lines: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def masked_line(self, index: int) -> str:
        """Return line ``index`` (from 0) without the values of keys that hold secrets, or passwords in URLs."""
        # One line can be long and have many problems, so it is masked once.
        if index not in self._masked_lines:
            self._masked_lines[index] = self._mask(index)
        return self._masked_lines[index]

    def _mask(self, index: int) -> str:
        if self._holds_secrets:
            return _keep_keys(patterns.encode(self._lines[index])).decode()
        if self._hidden_lines is None:
            self._hidden_lines = list(_below_secrets(self._lines))
        line = patterns.encode(self._lines[index])
        # The secret may be a list item or a line of a block, whose own text gives no hint.
        if self._hidden_lines[index]:
            return _ITEM.sub(rb"\1" + HIDDEN.encode(), line, 1).decode()
        return _USERINFO.sub(rb"\1" + HIDDEN.encode() + b"@", _hide_value(line)).decode()


def _keep_keys(line: bytes) -> bytes:
    """Return the line up to the first part that is neither a key nor a value that is known to be harmless."""
    end = 0
    for match in _WORD.finditer(line):
        between = line[end : match.start()].strip(b" \t,{}[]\"'-")
        key, value = match[1], match[2]
        if between or (value and not _is_harmless(key, value)):
            return line[: match.start() if between else match.start(2)] + HIDDEN.encode()
        end = match.end()
    rest = line[end:]
    return line[:end] + HIDDEN.encode() if rest.strip(b" \t,{}[]\"'-") else line


def _is_harmless(key: bytes, value: bytes) -> bool:
    return _PLAIN.fullmatch(value) is not None or (
        key.lower().decode() in _OPEN_KEYS and _NAME.fullmatch(value) is not None
    )


def _hide_value(line: bytes) -> bytes:
    """Return the line up to the first value of a key that holds a secret. The rest may belong to the value."""
    for match in _KEY.finditer(line):
        if _is_secret(match[1]):
            return line[: match.end() - 1] + HIDDEN.encode()
    return line


def _below_secrets(lines: Sequence[str]) -> Iterator[bool]:
    """Yield for each line whether it is a list item or a text under a key that holds a secret, at any depth."""
    above: list[tuple[int, bool, bool]] = []  # Depth, whether it is an item, whether the lines below are hidden.
    for line in lines:
        text = line.lstrip()
        if not text:
            yield False
            continue
        depth, is_item = len(line) - len(text), text.startswith("-")
        # A list may have the same depth as its key.
        while above and (above[-1][0] > depth or (above[-1][0] == depth and (above[-1][1] or not is_item))):
            above.pop()
        is_hidden = bool(above) and above[-1][2]
        block = _BLOCK.fullmatch(patterns.encode(line))
        above.append((depth, is_item, is_hidden or (block is not None and _is_secret(block[1]))))
        yield is_hidden


def _is_secret(key: bytes) -> bool:
    return _SECRET.search(key) is not None and _NO_SECRET.search(key) is None
