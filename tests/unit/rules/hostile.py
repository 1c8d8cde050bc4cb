"""A corpus of values that customers must not see, of more than 120 kinds.

Each value is made from a seed. The corpus shares no code with the leak guard. It holds plain secrets, names, and
addresses, and spellings of them that evade patterns.
"""

import base64
import json
import random
import string
from collections.abc import Callable, Iterator
from urllib import parse

Make = Callable[["WordGenerator"], str]


class WordGenerator:
    """Random parts of values."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def of(self, alphabet: str, low: int, high: int = 0) -> str:
        return "".join(self.chance.choices(alphabet, k=self.chance.randint(low, high or low)))

    def lower(self, low: int, high: int = 0) -> str:
        return self.of(string.ascii_lowercase, low, high)

    def digits(self, low: int, high: int = 0) -> str:
        return self.of(string.digits, low, high)

    def hexa(self, low: int, high: int = 0) -> str:
        return self.of("0123456789abcdef", low, high)

    def draw_mixed(self, low: int, high: int = 0) -> str:
        return self.of(string.ascii_letters + string.digits, low, high)

    def one(self, *choices: str) -> str:
        return self.chance.choice(choices)

    def number(self, high: int, low: int = 0) -> int:
        return self.chance.randint(low, high)

    @property
    def ip(self) -> str:
        network = self.one("10.{}.{}.{}", "192.168.{1}.{2}", "172.16.{1}.{2}", "100.64.{1}.{2}", "203.0.113.{2}")
        return network.format(*(self.number(255) for _ in range(3)))

    @property
    def ip6(self) -> str:
        return ":".join(f"{self.number(0xFFFF, 0x10):x}" for _ in range(8))

    @property
    def host(self) -> str:
        return f"{self.machine}.{self.one('corp', 'eu', 'int', 'prod')}.{self.lower(3, 8)}.{self.tld}"

    @property
    def tld(self) -> str:
        return self.one(
            "com", "io", "cz", "pt", "bank", "shop", "prod", "dc1", "internal", "local", "intra", "de", "xyz"
        )

    @property
    def machine(self) -> str:
        return self.one("db", "web", "redis", "kafka", "pg", "node", "api") + self.one("", "-prod", "-eu", "01", "-07")

    @property
    def person(self) -> str:
        first = self.one("Anna", "Bob", "Chiara", "Dmitri", "Émile", "Fatima", "Jürgen", "Li")
        last = self.one("Schmidt", "Novák", "O'Brien", "Garcia", "Müller", "Wang", "van der Berg")
        return f"{first} {last}"


def insert(text: str, letter: str) -> str:
    middle = max(1, len(text) // 2)
    return text[:middle] + letter + text[middle:]


def each(text: str, letters: str) -> str:
    return letters.join(text)


def replace_letters(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(letter, letter) for letter in text)


CYRILLIC = dict(zip("aceopxy", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443", strict=True))
ARABIC = {str(digit): chr(0x660 + digit) for digit in range(10)}
DEVANAGARI = {str(digit): chr(0x966 + digit) for digit in range(10)}
WIDE = {letter: chr(ord(letter) + 0xFEE0) for letter in string.ascii_letters + string.digits}
BOLD = {letter: chr(0x1D41A + index) for index, letter in enumerate(string.ascii_lowercase)}
CIRCLED = {str(digit): chr(0x2460 + digit - 1) for digit in range(1, 10)}
INVISIBLE = [
    "\u200b",
    "\u200d",
    "\u2060",
    "\u00ad",
    "\u034f",
    "\ufe0f",
    "\u3164",
    "\u2800",
    "\u202e",
    "\u2066",
    "\U000e0041",
    "\ufeff",
]
DOTS = ["\u00b7", "\u2024", "\u3002", "\uff0e", "\ua4f8", "\u2027", "[.]", "(dot)", " dot ", "\\.", "&#46;", "%2e"]

ADDRESSES: dict[str, Make] = {
    "ipv4": lambda w: w.ip,
    "ipv4 with a port": lambda w: f"{w.ip}:{w.number(65535, 1)}",
    "ipv4 network": lambda w: f"{w.ip}/{w.number(32)}",
    "ipv4 with leading zeros": lambda w: ".".join(f"{int(part):03d}" for part in w.ip.split(".")),
    "ipv4 in hexadecimal": lambda w: "0x" + "".join(f"{int(part):02x}" for part in w.ip.split(".")),
    "ipv4 as a number": lambda w: str(int.from_bytes(bytes(map(int, w.ip.split("."))), "big")),
    "ipv4 in octal parts": lambda w: ".".join(f"0{int(part):o}" for part in w.ip.split(".")),
    "ipv4 with dashes": lambda w: w.ip.replace(".", "-"),
    "ipv4 with underscores": lambda w: w.ip.replace(".", "_"),
    "ipv4 with blanks": lambda w: w.ip.replace(".", " . "),
    "ipv4 over lines": lambda w: w.ip.replace(".", ".\n"),
    "ipv4 with a further part": lambda w: f"{w.ip}.{w.number(65535, 1)}",
    "ipv4 behind an interface": lambda w: f"eth0.{w.ip}",
    "ipv4 with Arabic digits": lambda w: replace_letters(w.ip, ARABIC),
    "ipv4 with Devanagari digits": lambda w: replace_letters(w.ip, DEVANAGARI),
    "ipv4 full-width": lambda w: replace_letters(w.ip, WIDE),
    "ipv4 circled": lambda w: replace_letters(w.ip, CIRCLED),
    "ipv4 with other dots": lambda w: w.ip.replace(".", w.one(*DOTS)),
    "ipv4 with invisible characters": lambda w: insert(w.ip, w.one(*INVISIBLE)),
    "ipv4 with invisible characters everywhere": lambda w: each(w.ip, w.one(*INVISIBLE)),
    "ipv4 reversed by an override": lambda w: "\u202e" + w.ip[::-1],
    "ipv4 in bold Markdown": lambda w: w.ip.replace(".", "**.**"),
    "ipv4 as reverse name": lambda w: ".".join(reversed(w.ip.split("."))) + ".in-addr.arpa",
    "ipv4 percent-encoded": lambda w: "".join(f"%{ord(letter):02x}" for letter in w.ip),
    "ipv4 as HTML entities": lambda w: "".join(f"&#{ord(letter)};" for letter in w.ip),
    "ipv4 in words": lambda w: " ".join(w.ip.replace(".", "punkt")),
    "ipv6": lambda w: w.ip6,
    "ipv6 short": lambda w: f"fd00::{w.hexa(1, 4)}",
    "ipv6 link-local with a zone": lambda w: f"fe80::{w.hexa(4)}:{w.hexa(4)}%eth0",
    "ipv6 in brackets": lambda w: f"[{w.ip6}]:{w.number(9999, 1)}",
    "ipv6 mapped": lambda w: f"::ffff:{w.ip}",
    "ipv6 glued to a word": lambda w: f"addr_{w.ip6}",
    "ipv6 with invisible characters": lambda w: insert(w.ip6, w.one(*INVISIBLE)),
    "MAC address": lambda w: ":".join(w.hexa(2) for _ in range(6)),
    "MAC address, Cisco": lambda w: ".".join(w.hexa(4) for _ in range(3)),
    "SNMP identifier": lambda w: "1.3.6.1.4.1." + ".".join(w.digits(1, 3) for _ in range(8)),
}
NAMES: dict[str, Make] = {
    "host": lambda w: w.host,
    "host, upper case": lambda w: w.host.upper(),
    "host with a port": lambda w: f"{w.host}:{w.number(65535, 1)}",
    "host behind an @": lambda w: f"@{w.host}",
    "host behind a dash": lambda w: f"-{w.host}",
    "host with other dots": lambda w: w.host.replace(".", w.one(*DOTS)),
    "host with Cyrillic letters": lambda w: replace_letters(w.host, CYRILLIC),
    "host full-width": lambda w: replace_letters(w.host, WIDE),
    "host in mathematical letters": lambda w: replace_letters(w.host, BOLD),
    "host with invisible characters": lambda w: insert(w.host, w.one(*INVISIBLE)),
    "host with an umlaut": lambda w: f"bücher-{w.host}",
    "host in punycode": lambda w: f"xn--{w.lower(6)}-{w.lower(3)}.{w.tld}",
    "host of a cluster": lambda w: f"{w.lower(5)}.{w.lower(5)}.svc.cluster.local",
    "machine": lambda w: f"{w.machine}-{w.digits(2)}",
    "machine without a number": lambda w: (
        f"{w.one('prod', 'stage')}-{w.one('db', 'redis', 'queue')}-{w.one('primary', 'a')}"
    ),
    "machine, one word": lambda w: w.one("db", "web", "srv", "kafka", "node") + w.digits(1, 3),
    "machine with a port": lambda w: f"{w.one('redis-master', 'pg', 'kafka-0')}:{w.number(65535, 1)}",
    "machine like a region": lambda w: f"{w.one('db', 'pg', 'zk')}-{w.one('primary', 'master', 'prod')}-{w.digits(1)}",
    "pod": lambda w: f"{w.lower(5)}-{w.hexa(9)}-{w.draw_mixed(5).lower()}",
    "pod of a daemon": lambda w: f"node-exporter-{w.draw_mixed(5).lower()}",
    "pod with its namespace": lambda w: f"{w.lower(6)}/{w.lower(3)}-{w.digits(1)}",
    "EC2 instance": lambda w: f"i-{w.hexa(17)}",
    "EC2 name": lambda w: f"ip-{w.ip.replace('.', '-')}.ec2.internal",
    "AWS resource": lambda w: f"arn:aws:rds:eu-west-1:{w.digits(12)}:db:{w.lower(6)}",
    "load balancer": lambda w: f"app/prod-alb/{w.hexa(16)}",
    "GCP resource": lambda w: f"projects/{w.lower(5)}-{w.digits(5)}/zones/europe-west1-b/instances/{w.lower(4)}",
    "Azure resource": lambda w: f"/subscriptions/{w.hexa(8)}-{w.hexa(4)}-{w.hexa(4)}-{w.hexa(4)}-{w.hexa(12)}",
    "network share": lambda w: rf"\\{w.lower(5)}\{w.lower(4)}$",
    "container image": lambda w: f"registry.{w.lower(4)}.{w.tld}/{w.lower(4)}:{w.hexa(7)}",
    "topic": lambda w: f"{w.lower(5)}.{w.lower(4)}.dlq",
    "branch": lambda w: f"feature/{w.lower(5)}-{w.digits(4)}",
    "commit": lambda w: w.hexa(40),
    "internal code name": lambda w: f"project_{w.lower(6)}_{w.digits(2)}",
    "file": lambda w: f"/{w.one('etc', 'var', 'run/secrets', 'Users', 'nix', 'dev', 'srv')}/{w.lower(4)}/{w.lower(5)}",
    "file, relative": lambda w: f"{w.one('~', '.', '..')}/{w.lower(4)}/{w.lower(5)}.conf",
    "file, Windows": lambda w: rf"C:\{w.lower(5)}\{w.lower(4)}.log",
    "file, Windows with slashes": lambda w: f"D:/{w.lower(5)}/{w.lower(4)}.log",
    "file glued to a word": lambda w: f"file=conf/etc/{w.lower(6)}",
    "registry key": lambda w: rf"HKLM\Software\{w.lower(6)}",
}
SECRETS: dict[str, Make] = {
    "password=": lambda w: f"{w.one('password', 'passwd', 'pwd', 'pw', 'pass')}={w.draw_mixed(6, 12)}",
    "password in words": lambda w: f"{w.one('password', 'passphrase', 'PIN')} is {w.draw_mixed(6, 12)}",
    "password in JSON": lambda w: json.dumps({"password": w.draw_mixed(9)}),
    "password of a variable": lambda w: (
        f"{w.one('DB_PASSWORD', 'MYSQL_PWD', 'client_secret', 'ACCESS_TOKEN')}={w.draw_mixed(10)}"
    ),
    "password alone": lambda w: w.draw_mixed(8, 12),
    "password with signs": lambda w: w.draw_mixed(6) + w.one("!", "$", "#", "^") + w.draw_mixed(3),
    "passphrase": lambda w: " ".join(w.lower(4, 8) for _ in range(4)),
    "Bearer": lambda w: f"Authorization: Bearer {w.draw_mixed(12)}",
    "Basic": lambda w: f"Basic {base64.b64encode(f'{w.lower(4)}:{w.draw_mixed(5)}'.encode()).decode()}",
    "AWS key": lambda w: "AKIA" + w.of(string.ascii_uppercase + string.digits, 16),
    "AWS key with a gap": lambda w: insert(
        "AKIA" + w.of(string.ascii_uppercase + string.digits, 16), w.one(" ", "\n", "-")
    ),
    "AWS secret": lambda w: w.of(string.ascii_letters + string.digits + "/+", 40),
    "GitHub token": lambda w: f"gh{w.one('p', 'o', 's')}_{w.draw_mixed(36)}",
    "GitLab token": lambda w: f"glpat-{w.draw_mixed(20)}",
    "Slack token": lambda w: f"xoxb-{w.digits(12)}-{w.draw_mixed(24)}",
    "Stripe key": lambda w: f"sk_live_{w.draw_mixed(24)}",
    "Stripe key in Markdown": lambda w: f"sk\\_live\\_{w.draw_mixed(24)}",
    "Google key": lambda w: "AIza" + w.draw_mixed(35),
    "JWT": lambda w: f"eyJ{w.draw_mixed(20)}.eyJ{w.draw_mixed(30)}.{w.draw_mixed(43)}",
    "private key": lambda w: f"-----BEGIN {w.one('RSA ', 'EC ', '')}PRIVATE KEY-----\n{w.draw_mixed(64)}",
    "SSH key": lambda w: f"ssh-ed25519 AAAAC3Nz{w.draw_mixed(40)} {w.lower(4)}@{w.machine}",
    "webhook": lambda w: f"https://hooks.slack.com/services/T{w.draw_mixed(8)}/B{w.draw_mixed(8)}/{w.draw_mixed(24)}",
    "database address": lambda w: f"postgres://{w.lower(4)}:{w.draw_mixed(8)}@{w.machine}/{w.lower(4)}",
    "JDBC address": lambda w: f"jdbc:mysql://{w.machine}:3306/{w.lower(5)}?user=root&password={w.draw_mixed(8)}",
    "secret in hexadecimal": lambda w: w.hexa(16, 64),
    "secret of digits": lambda w: w.digits(16, 24),
    "secret of lower-case letters": lambda w: w.lower(20, 32),
    "secret of upper-case letters": lambda w: w.of(string.ascii_uppercase, 20, 32),
    "secret in base64": lambda w: base64.b64encode(w.draw_mixed(12).encode()).decode(),
    "secret with invisible characters": lambda w: insert(f"sk_live_{w.draw_mixed(24)}", w.one(*INVISIBLE)),
    "secret in groups": lambda w: "-".join(w.draw_mixed(4).upper() for _ in range(5)),
    "UUID": lambda w: f"{w.hexa(8)}-{w.hexa(4)}-4{w.hexa(3)}-a{w.hexa(3)}-{w.hexa(12)}",
    "session": lambda w: f"PHPSESSID={w.draw_mixed(26).lower()}",
    "one-time code": lambda w: f"code {w.digits(6)}",
}
PEOPLE: dict[str, Make] = {
    "e-mail": lambda w: f"{w.lower(5)}.{w.lower(6)}@{w.lower(5)}.{w.tld}",
    "e-mail in words": lambda w: f"{w.lower(5)} (at) {w.lower(5)} (dot) com",
    "e-mail with an entity": lambda w: f"{w.lower(5)}&#64;{w.lower(5)}.com",
    "e-mail full-width": lambda w: f"{w.lower(5)}\uff20{w.lower(5)}.com",
    "e-mail with an umlaut": lambda w: f"{w.lower(4)}@müller-{w.lower(4)}.de",
    "e-mail with a name": lambda w: f"{w.person} <{w.lower(5)}@{w.lower(5)}.com>",
    "person": lambda w: w.person,
    "person on call": lambda w: f"on call: {w.person}",
    "mention": lambda w: f"@{w.lower(4)}.{w.lower(5)}",
    "Slack mention": lambda w: f"<@U{w.draw_mixed(8).upper()}>",
    "telephone": lambda w: f"+{w.digits(2)} {w.digits(2)} {w.digits(3)} {w.digits(4)}",
    "customer": lambda w: f"customer {w.lower(4).title()} {w.one('GmbH', 'Inc.', 's.r.o.', 'AG')}",
    "account number": lambda w: f"DE{w.digits(20)}",
    "card number": lambda w: " ".join(w.digits(4) for _ in range(4)),
    "social security": lambda w: f"{w.digits(3)}-{w.digits(2)}-{w.digits(4)}",
    "birthday": lambda w: f"born 19{w.digits(2)}-0{w.number(9, 1)}-1{w.digits(1)}",
}
LINKS: dict[str, Make] = {
    "address": lambda w: f"https://{w.host}/{w.lower(4)}",
    "address with credentials": lambda w: f"https://{w.lower(4)}:{w.draw_mixed(6)}@{w.host}/",
    "address with one slash": lambda w: f"https:/{w.host}/login",
    "address with backslashes": lambda w: f"https:\\\\{w.host}\\login",
    "address that begins like ours": lambda w: f"https://acme.com.{w.lower(5)}.{w.tld}/",
    "address behind a backslash": lambda w: f"https://{w.lower(5)}.cz\\.acme.com/login",
    "address of a scheme": lambda w: f"{w.one('ftp', 'ssh', 'redis', 'ldap', 'smb', 'amqp')}://{w.machine}",
    "address without a scheme": lambda w: f"//{w.host}/x",
    "address percent-encoded": lambda w: parse.quote(f"https://{w.host}/", safe=""),
    "Markdown link": lambda w: f"[status](https://{w.host})",
    "Markdown link without a scheme": lambda w: f"[status](//{w.host})",
    "Markdown image": lambda w: f"![](https://{w.host}/{w.lower(4)}.png)",
    "script address": lambda w: f"[x](javascript:alert({w.digits(3)}))",
    "data address": lambda w: f"data:text/html;base64,{w.draw_mixed(12)}",
    "HTML": lambda w: f"<img src=x onerror=alert({w.digits(3)})>",
    "HTML link": lambda w: f'<a href="//{w.host}">status</a>',
    "template": lambda w: "{{ alert.annotations." + w.lower(6) + " }}",
    "Grafana panel": lambda w: f"https://grafana.{w.lower(4)}.{w.tld}/d/{w.draw_mixed(9)}?var-host={w.machine}",
}
TRACES: dict[str, Make] = {
    "Python": lambda w: f'Traceback (most recent call last):\n  File "/{w.lower(4)}.py", line {w.digits(2)}',
    "Java": lambda w: (
        f"java.lang.{w.lower(5).title()}Exception: {w.lower(5)}\n\tat com.{w.lower(4)}.Main(Main.java:12)"
    ),
    "Java without a colon": lambda w: f"at com.{w.lower(4)}.{w.lower(5)}(Unknown Source)",
    "Go": lambda w: f"goroutine {w.digits(2)} [running]:\nmain.{w.lower(5)}(0x{w.hexa(8)})",
    "Rust": lambda w: f"thread 'main' panicked at src/{w.lower(5)}.rs:{w.digits(2)}:5",
    ".NET": lambda w: (
        f"System.{w.lower(6).title()}Exception at {w.lower(4).title()}.Run() in C:\\{w.lower(4)}.cs:line {w.digits(2)}"
    ),
    "PHP": lambda w: f"PHP Fatal error: Uncaught Error in /var/www/{w.lower(4)}.php on line {w.digits(2)}",
    "C": lambda w: f"{w.lower(5)}.{w.one('c', 'cpp', 'kt', 'swift', 'ex')}:{w.digits(3)}: assertion failed",
    "segmentation fault": lambda w: f"segmentation fault (core dumped) pid {w.digits(5)}",
    "SQL": lambda w: f"SELECT * FROM {w.lower(5)} WHERE id = {w.digits(4)}",
    "database error": lambda w: f'ORA-0{w.digits(4)}: table "{w.lower(5).upper()}" does not exist',
    "database error, PostgreSQL": lambda w: f'relation "{w.lower(6)}" does not exist at character {w.digits(2)}',
    "kernel": lambda w: f"[{w.digits(5)}.{w.digits(6)}] Out of memory: Killed process {w.digits(4)} ({w.lower(5)})",
    "log line": lambda w: f"2031-05-01T09:3{w.digits(1)}:00Z ERROR {w.lower(5)}.{w.lower(4)} pool exhausted",
    "query of metrics": lambda w: f'rate({w.lower(5)}_total{{job="{w.lower(4)}"}}[5m]) > {w.digits(2)}',
    "version of software": lambda w: f"OpenSSH_{w.digits(1)}.{w.digits(1)}p1 Debian-{w.digits(1)}",
    "vulnerability": lambda w: f"CVE-20{w.digits(2)}-{w.digits(5)} unpatched",
    "control characters": lambda w: f"\x1b]52;c;{w.draw_mixed(8)}\x07\x1b[2J",
    "bidirectional text": lambda w: f"\u202e{w.lower(8)}\u2066{w.lower(4)}\u2069",
    "invisible text": lambda w: "".join(chr(0xE0000 + ord(letter)) for letter in w.lower(12)),
    "very long text": lambda w: w.lower(8) + " " * 70 + w.draw_mixed(12),
    "marks without end": lambda w: w.lower(3) + "\u0301\u0316" * 40,
    "object": lambda w: json.dumps({"host": w.machine, "owner": w.lower(4)}),
    "base64 of an object": lambda w: base64.b64encode(json.dumps({"host": w.machine}).encode()).decode(),
    "amount of money": lambda w: f"lost {w.digits(6)} EUR of revenue",
    "blame": lambda w: f"{w.one('vendor', 'intern', 'cheap hardware')} broke it again ({w.lower(5)})",
}
KINDS: dict[str, Make] = {**ADDRESSES, **NAMES, **SECRETS, **PEOPLE, **LINKS, **TRACES}


def generate_corpus(each_kind: int, seed: int = 20261130) -> Iterator[tuple[str, str]]:
    """Yield this number of values of each kind, with the kind's name. A seed always gives the same values."""
    words = WordGenerator(random.Random(seed))
    for kind, make in KINDS.items():
        for number in range(each_kind):
            value = make(words)
            if number % 4 == 3:  # A private value usually appears inside other text.
                before, after = words.one("host ", "see ", "(", "eu-west-1 "), words.one("", ")", " failed", "\n")
                value = f"{before}{value}{after}"
            yield kind, value
