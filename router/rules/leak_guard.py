"""Searches public texts for values that customers must not see.

It is a second line of defense behind declared variables.

It can't find everything, and nothing relies on it alone. It is strict about the values of public variables: a post with
an objection uses its fallback or goes to a reviewer.
"""

import ipaddress
import unicodedata
from collections.abc import Collection, Iterator

from router.domain import patterns, visible
from router.rules import links

BROKEN = "\N{REPLACEMENT CHARACTER}"
"""The replacement for a public text that could not be rendered."""

MAX_CHARACTERS = 10_000
"""The longest text that is examined: as much as any vendor takes. A longer one is objected to unread."""

# Top-level domains and other endings of host names. A dotted name with such an ending is considered a machine.
_DOMAIN_WORDS = (
    "com net org io dev app cloud co info biz ai eu de uk us fr nl at ch it es pl se no fi dk be ca au jp cn in br ru "
    "local localdomain internal intranet corp lan home private svc cluster consul test example invalid arpa aws host "
    "tech online site me tv cc sh gg so to xyz systems network services company academy page rocks zone tools run"
)
_DOMAINS = frozenset(_DOMAIN_WORDS.split())
# RE2 has no lookaround, so a run of the letters of a name or an address is extracted first and checked separately.
_DOTTED = patterns.compile(r"[\pL\pN_@-][\pL\pN_.@-]*")
_URL = patterns.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s]*", ignore_case=True)
_EMAIL = patterns.compile(r"[^\s@<>()\[\],;:]@[a-z0-9]", ignore_case=True)
_NUMBERS = patterns.compile(r"[0-9][0-9.]*")
_HEXADECIMAL = patterns.compile(r"[0-9a-f:.]*:[0-9a-f:.]*", ignore_case=True)
_MACHINE = patterns.compile(
    r"\b(?:ip(?:-\d{1,3}){4}|i-[0-9a-f]{8,17}|(?:[a-z0-9]+-)+[0-9a-f]{8,10}-[a-z0-9]{5}|[a-z]+(?:-[a-z0-9]+)*-\d{2,}"
    r"(?:-[a-z0-9]+)+)\b",
    ignore_case=True,
)
_PATH = patterns.compile(
    r"(?:^|[^\w/<])(?:/(?:etc|var|usr|home|opt|srv|root|tmp|proc|mnt|data|app)/[\w./-]|[a-z]:\\[\w\\.-])",
    ignore_case=True,
)
_TRACE = patterns.compile(
    r"(?m)Traceback \(most recent call last\)|^\s*at [\w.$<>]+\(.*\)|\bFile \"[^\"]+\", line \d|"
    r"\b[\w.]*(?:Exception|Error)\b:|\bgoroutine \d+ \[|\bpanic: |\bcore dumped\b|\bsegfault\b|"
    r"\w\.(?:py|js|go|java|rb|php|cs|ts):\d"
)
_KEY = patterns.compile(
    r"\b(?:(?:sk|pk|rk|xox[abps]|gh[pousr]|glpat|shpat|whsec|SG)[-_.]|AKIA|ASIA|AIza|ya29|eyJ)[A-Za-z0-9_.-]{10}|"
    r"-----BEGIN [A-Z ]+-----"
)
_SECRET = patterns.compile(
    r"(?:^|[^a-z])(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|authorization|bearer|credentials?)"
    r"(?:\\?[\"']?\s*[:=]|\s+is\s)\s*[\"'*\\]*[^\s\"']{4}|\bbearer\s+\S*[0-9]",
    ignore_case=True,
)
_LONG = patterns.compile(r"[A-Za-z0-9+/_=-]{20,}")
_MARKS = patterns.compile(r"\pM{31,}")  # Normalizing that many marks takes time quadratic in their number.
_WORDS = patterns.compile(r"[A-Za-z]+")
_MACHINE_WORDS = (
    "db prod stg stage staging dev uat qa preprod node host srv server vm redis kafka zk zookeeper pg postgres "
    "postgresql mysql mariadb mongo mongodb es elastic elasticsearch opensearch cassandra rabbitmq memcached "
    "master slave replica primary secondary leader follower worker lb proxy nginx haproxy envoy etcd kube kubelet "
    "pod namespace ip eth corp internal intranet root admin ns mx smtp ldap vpn bastion jump jumphost jenkins "
    "gitlab vault consul prometheus grafana exporter password passwd pwd secret token bearer key credential "
    "localhost"
)
_MACHINERY = frozenset(_MACHINE_WORDS.split())
"""Words that names of machines, and secrets, are made of; no region or service that customers know is called so."""
_MAX_WORD_LENGTH = 20  # Maximum number of letters in one word of a value.
_VARIETY = 10  # Distinct letters in a secret, at least. A long word with fewer is prose or a drawn line.
_QUADS = 4
_MAC_COLONS = 5


HOST_NAME = "a host name or an address that is not allowed"
"""The objection to a host outside of the allowed domains."""


def objections(text: str, allowed: Collection[str] = ()) -> list[str]:
    """Return what customers must not see in a text; hosts of the ``allowed`` domains may be named."""
    # The length is checked first, because the other checks take time that grows with it.
    if len(text) > MAX_CHARACTERS:
        return [f"more than the {MAX_CHARACTERS} characters that the leak guard can examine"]
    if _MARKS.search(patterns.encode(text)):
        return ["a letter with more than 30 marks"]
    return list(dict.fromkeys(_objections(_plain(text), allowed)))


def value_objections(text: str) -> list[str]:
    """Return what customers must not see in the value of a public variable.

    A value is a few words of plain characters, so the checks are stricter than for a sentence.
    """
    leaks = objections(text)
    words = _WORDS.findall(patterns.encode(text))
    if any(word.lower().decode() in _MACHINERY for word in words):
        leaks.append("the name of a machine")
    if any(len(word) > _MAX_WORD_LENGTH for word in words):
        leaks.append("what looks like a secret")
    return list(dict.fromkeys(leaks))


def _plain(text: str) -> str:
    """Return the text without invisible characters, and with full-width and similar letters replaced by plain ones."""
    # Letters that look alike, such as full-width ones, must not hide a name from the patterns.
    folded = unicodedata.normalize("NFKC", text)
    seen = "".join(letter for letter in folded if letter.isascii() or not visible.is_hidden(letter))
    # Browsers accept this character as a dot in a host name.
    return seen.replace("\N{IDEOGRAPHIC FULL STOP}", ".")


def _objections(text: str, allowed: Collection[str]) -> Iterator[str]:
    if BROKEN in text:
        yield "a part that could not be rendered"
    if any(letter != "\n" and letter != "\t" and ord(letter) < 32 for letter in text):
        yield "control characters"
    content = patterns.encode(text)
    if _has_address(content):
        yield "an IP address"
    if _EMAIL.search(content):
        yield "an e-mail address"
    if links.foreign(text, allowed) or not all(links.is_allowed(host, allowed) for host in _hosts(content)):
        yield HOST_NAME
    if links.is_active(text):
        yield "markup, or an address other than a web page's"
    for pattern, subject in (
        (_MACHINE, "the name of a machine"),
        (_PATH, "a path of a file"),
        (_TRACE, "a stack trace"),
    ):
        if pattern.search(content):
            yield subject
    if (
        _KEY.search(content)
        or _SECRET.search(content)
        # Allowed links may have long paths. Their hosts are checked separately.
        or any(_looks_random(word.decode()) for word in _LONG.findall(_URL.sub(b" ", content)))
    ):
        yield "what looks like a secret"


def _hosts(content: bytes) -> Iterator[str]:
    """Yield names with a dot that end in a domain, without the part before an ``@``.

    IP addresses are checked separately.
    """
    for word in _DOTTED.findall(_URL.sub(b" ", content)):
        name = word.rpartition(b"@")[2].strip(b".-")
        *before, last = name.lower().split(b".")
        # "e.g. this" and a missing space after a full stop aren't host names.
        if before and all(before) and last.decode() in _DOMAINS:
            yield name.decode().lower()


def _has_address(content: bytes) -> bool:
    return any(map(_holds_ipv4, _NUMBERS.findall(content))) or any(map(_is_ipv6, _HEXADECIMAL.findall(content)))


def _holds_ipv4(numbers: bytes) -> bool:
    """Return whether four consecutive numbers are an IPv4 address, also within a longer sequence of numbers."""
    parts = numbers.strip(b".").split(b".")
    small = 0
    for part in parts:
        # A version such as 1.2.3 has only three numbers, so it is no address.
        small = small + 1 if 0 < len(part) <= 3 and int(part) <= 255 else 0
        if small == _QUADS:
            return True
    return False


def _is_ipv6(run: bytes) -> bool:
    text = run.decode().strip(".")
    if text.count(":") >= _MAC_COLONS:  # Includes incomplete addresses and MAC addresses.
        return True
    for candidate in (text, text.strip(":")):
        try:
            # Two colons alone are the address ::, and occur in ordinary text.
            return bool(ipaddress.IPv6Address(candidate).packed.strip(b"\0"))
        except ValueError:
            continue
    return False


def _looks_random(word: str) -> bool:
    kinds = sum(any(test(letter) for letter in word) for test in (str.isdigit, str.islower, str.isupper))
    # Long words and drawn lines lack digits or variety. Secrets have both.
    return kinds > 1 and len(set(word)) >= _VARIETY and any(letter.isdigit() for letter in word)
