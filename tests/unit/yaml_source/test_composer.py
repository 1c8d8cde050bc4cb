"""Documents that libyaml parses differently from YAML 1.2, or from the router's former Python parser."""

import subprocess
import sys

import pytest

from router.yaml_source import composer, documents


def parse(text):
    return documents.parse(text.encode(), "f.yaml")


def messages(text):
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in parse(text).problems]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("[\\?]", ["\\?"]),
        ("[a?b, c]", ["a?b", "c"]),
        ("[a:b]", ["a:b"]),
        ('{"a":b}', {"a": "b"}),
        ("{u: http://x}", {"u": "http://x"}),
        ("a: x\t\nb:\ty\n", {"a": "x", "b": "y"}),
        ("a: x#y\n", {"a": "x#y"}),
        ("[a,#b\nc]", ["a", "c"]),
        ("a: |2\n  \tx\n", {"a": "\tx\n"}),
        ('a: "\\x41\\u00e9\\U0001F600\\/"\n', {"a": "Aé😀/"}),
        ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", {"a": 1, "b": "x\ny\n"}),
        ("%YAML 1.2\n---\na: no\n", {"a": "no"}),
        ("a: 0o17\nb: 017\nc: 1:30\nd: 2031-05-01\n", {"a": 15, "b": 17, "c": "1:30", "d": "2031-05-01"}),
        ("'1': '1'\n? 2\n: >\n  a\n  b\n", {"1": "1", "2": "a b\n"}),
        ("a: ''\nb:\nc: ~\n", {"a": "", "b": None, "c": None}),
    ],
)
def test_yaml_1_2_is_parsed(text, data):
    document = parse(text)
    assert document.problems == []
    assert document.data == data


@pytest.mark.parametrize("letter", ["\x85", "\u2028", "\u2029"])
def test_yaml_1_1_line_breaks_are_ordinary_characters(letter):
    document = parse(f'a: x{letter}y\nb: "x{letter}y" # {letter} c: d\nc: |\n  x{letter}y\nd{letter}: e\n')
    assert document.problems == []
    assert document.data == {"a": f"x{letter}y", "b": f"x{letter}y", "c": f"x{letter}y\n", f"d{letter}": "e"}
    assert document.position((f"d{letter}",), key=True) == (5, 1)
    assert document.problem("wrong", ("b",)).text.startswith('b: "x')


def test_yaml_11_breaks_differ_from_private_characters():
    text = "a: \ue000\u2028\ue001\x85\u2029\n"
    assert parse(text).data == {"a": "\ue000\u2028\ue001\x85\u2029"}
    assert messages("a: \u2028@\nb: @\n")[0].startswith("2:4: ")


def test_columns_count_characters_and_not_bytes():
    document = parse('é: {ü: 1, "😀": [😀, z]}\n')
    assert document.position(("é", "ü")) == (1, 8)
    assert document.position(("é", "😀"), key=True) == (1, 11)
    assert document.position(("é", "😀", 1)) == (1, 20)
    assert messages("é: 😀 x\nü: 😀\n😀😀: @\n") == [
        "3:5: found character '@' that can't start a value" + WHILE_SCANNING
    ]


WHILE_SCANNING = " (while scanning for the next token that begins at line 3)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: |\n  \tx\n", "2:3: YAML can't be indented with tabs; use spaces"),
        ("a: |\n\tx\n", "2:1: YAML can't be indented with tabs; use spaces"),
        ("a: b\n\tc\n", "2:1: YAML can't be indented with tabs; use spaces"),
        ("\ta: b\n", "1:1: YAML can't be indented with tabs; use spaces"),
        ("a: 1\n\ufeffb: 2\n", "2:1: a character that YAML does not allow: U+FEFF"),
        ("é: 😀\r\nb: \x7f\n", "2:4: a character that YAML does not allow: U+007F"),
        ("a: \x00\n", "1:4: a character that YAML does not allow: U+0000"),
        ("a: \uffff\n", "1:4: a character that YAML does not allow: U+FFFF"),
        ("%YAML 2.0\n---\na: 1\n", "1:1: only YAML 1.1 and 1.2 can be read"),
        ("%FOO\n---\na: 1\n", "1:5: only the directives %YAML and %TAG exist"),
        ('a: "x\n---\ny"\n', "2:1: --- and ... at the beginning of a line end the document"),
        ("a: 'b' c\n", "1:8: expected key (while parsing a block mapping that begins at line 1)"),
        ("a: 1\n...\nb: 2\n", "3:1: expected <document start>"),
        ('a: "\\q"\n', "1:5: found unknown escape character (while parsing a quoted scalar that begins at line 1)"),
        ('a: "\\uD800"\n', "1:7: found invalid Unicode character escape code"),
        ("a: &\n", "1:5: expected alphabetic or numeric character"),
        (": b\n", "1:1: expected key"),
    ],
)
def test_syntax_error_is_reported_once_with_its_position(text, expected):
    found = messages(text)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_lone_surrogate_is_an_invalid_character():
    found = []
    assert composer.compose("a: \ud800", lambda *problem: found.append(problem)) is None
    assert found == [(1, 4, "a character that YAML does not allow: U+D800")]


def test_only_the_alias_to_open_collection_is_refused():
    assert messages("a: &x {b: *x, c: *x}\nd: &x 1\ne: *x\n") == [
        '1:11: the alias "x" refers to no complete earlier value',
        '1:18: the alias "x" refers to no complete earlier value',
    ]


def test_collection_as_key_does_not_consume_next_value():
    found = messages("? [a, b]\n: c\nd: !x e\n")
    assert [problem.partition(": ")[0] for problem in found] == ["1:3", "3:4"]


HOSTILE = r"""
import resource, threading
resource.setrlimit(resource.RLIMIT_CPU, (40, 40))
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
threading.stack_size(256 * 1024)
from router.yaml_source import documents

TEXTS = {
    "flow sequences": "[" * 1_000_000,
    "flow mappings": "{a: " * 200_000,
    "block sequences": "- " * 500_000,
    "explicit keys": "? " * 500_000,
    "indented mappings": "".join(" " * depth + "a:\n" for depth in range(1_400)),
    "empty lists": "[" + "[]," * 100_000 + "]",
    "anchors": "[" + ",".join(f"&a{n} x" for n in range(30_000)) + "]",
    "aliases": "a: &a x\nb: [" + "*a," * 100_000 + "]",
    "line breaks": '"' + "\n" * 1_000_000 + '"',
    "old line breaks": chr(0x2028) * 340_000,
}

def read():
    for name, text in TEXTS.items():
        assert len(text.encode()) <= documents.MAX_BYTES, name
        print(name, len(documents.parse(text.encode(), "f").problems) <= 100, flush=True)

thread = threading.Thread(target=read)
thread.start()
thread.join()
"""


def test_hostile_files_are_read_within_limits():
    """The limits are a stack of 256 KiB, 40 seconds of processor time, and 1 GiB of memory. C recursion would crash."""
    ended = subprocess.run([sys.executable, "-c", HOSTILE], capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count(" True\n") == HOSTILE.count('": ')
