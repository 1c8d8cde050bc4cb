"""The leak guard finds private text in any disguise, and allows text for customers."""

import random
import string
import time

import pytest

from router.rules import leak_guard

HARMLESS = [
    "Checkout is unavailable",
    "Payments may fail. We are investigating.",
    "Between 09:30 and 10:15 UTC 5% of payments failed; all systems have recovered since.",
    "Version 2.14 is affected, version 2.13.1 is not.",
    "We're seeing elevated error rates (HTTP 502/503) in the EU region.",
    "Search & filters: results may be up to 10-15 minutes old.",
    "Refer to incident IR-7F3K2QXM when you write to us.",
    "Élèves, Übergrößen und 北京: tout va bien — 100 %.",
    "API (EU), API (US-East) and the dashboard/app are degraded.",
    "See https://status.acme.com/incidents/42 or help.acme.com for news.",
]
ALLOWED = ["acme.com"]


@pytest.mark.parametrize("text", HARMLESS)
def test_intended_public_text_passes(text):
    assert leak_guard.objections(text, ALLOWED) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("down on 10.12.0.7", "IP"),
        ("down on \uff11\uff10.12.0.7", "IP"),
        ("10.1\u200b2.0.7", "IP"),
        ("10.12.0.7:5432 refused", "IP"),
        ("fe80::1ff:fe23:4567:890a", "IP"),
        ("[2001:db8::1]:443", "IP"),
        ("::1", "IP"),
        ("db-primary.internal", "host"),
        ("payments.svc.cluster.local", "host"),
        ("see grafana.acme.io", "host"),
        ("https://grafana/d/x", "host"),
        ("postgres://user:pw@db/orders", "host"),
        ("https://acme.com@evil.example/", "host"),
        ("https://notacme.com", "host"),
        ("DB-PRIMARY.INTERNAL", "host"),
        ("mail ann@acme.com", "e-mail"),
        ("root@db-1 fails", "e-mail"),
        ("ip-10-0-12-7 is down", "machine"),
        ("i-0abc12345678def00 unhealthy", "machine"),
        ("checkout-7d9f8b6c5d-x2x4k restarts", "machine"),
        ("no space left in /var/lib/postgresql", "path"),
        (r"C:\Users\svc\secrets.txt", "path"),
        ('Traceback (most recent call last):\n  File "a.py", line 1', "stack trace"),
        ("java.lang.NullPointerException: x", "stack trace"),
        ("    at com.acme.Pay.run(Pay.java:12)", "stack trace"),
        ("goroutine 17 [running]", "stack trace"),
        ("handler.go:42 failed", "stack trace"),
        ("sk_live_51HqLyjWDarjtT1zdp7dc", "secret"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "secret"),
        ("AKIAIOSFODNN7EXAMPLE", "secret"),
        ("password=hunter22", "secret"),
        ("Authorization: Bearer abcdef", "secret"),
        ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIi", "secret"),
        ("token b3BlbnNzaC1rZXktdjEAAAAABG5vbmU", "secret"),
        ("-----BEGIN RSA PRIVATE KEY-----", "secret"),
        ("a\x1b[31mred", "control"),
        (f"a {leak_guard.BROKEN}", "could not be rendered"),
    ],
)
def test_private_text_is_found(text, what):
    (*_, found) = [objection for objection in leak_guard.objections(text, ALLOWED) if what in objection] or [""]
    assert what in found, leak_guard.objections(text, ALLOWED)


def test_allowed_hosts_pass_and_lookalikes_fail():
    assert leak_guard.objections("status.acme.com", ALLOWED) == []
    assert leak_guard.objections("acme.com.evil.example", ALLOWED)
    assert leak_guard.objections("xacme.com", ALLOWED)
    assert leak_guard.objections("status.acme.com", [])


def hostile(chance: random.Random) -> str:
    """Return a realistic label value that is private, in a random disguise."""

    def letters(length: int, alphabet: str = string.ascii_lowercase) -> str:
        return "".join(chance.choices(alphabet, k=length))

    numbers = [str(chance.randrange(256)) for _ in range(4)]
    mixed = string.ascii_letters + string.digits
    name = f"{letters(5)}-{letters(4)}"
    random_word = f"{letters(8, mixed)}A1{letters(16, mixed)}b2"
    kinds = [
        ".".join(numbers),
        f"{'.'.join(numbers)}:{chance.randrange(1, 65536)}",
        ":".join(f"{chance.randrange(0x10, 0xFFFF):x}" for _ in range(8)),
        f"{name}.{chance.choice(['internal', 'local', 'corp', 'svc.cluster.local', 'eu.acme.io', 'lan'])}",
        f"https://{name}:{chance.randrange(1, 65536)}/{letters(6)}?q={letters(4)}",
        f"postgresql://{letters(4)}:{letters(9)}@{name}/{letters(4)}",
        f"{letters(5)}.{letters(6)}@{letters(5)}.{chance.choice(['com', 'io', 'org', 'internal'])}",
        f"ip-{'-'.join(numbers)}",
        f"i-{letters(17, '0123456789abcdef')}",
        f"{name}-{letters(9, '0123456789abcdef')}-{letters(5)}",
        f"/var/{letters(4)}/{name}/{letters(5)}.log",
        f"{letters(4)}.{letters(6)}.{letters(5).title()}Exception: {letters(8)}",
        f'Traceback (most recent call last):\n  File "/{letters(4)}/{letters(4)}.py", line {chance.randrange(999)}',
        f"sk_live_{letters(24, mixed)}",
        f"xoxb-{letters(12, string.digits)}-{letters(20, mixed)}",
        f"{chance.choice(['password', 'secret', 'api_key', 'token'])}={letters(12, mixed)}",
        random_word,
    ]
    text = chance.choice(kinds)
    before, after = (
        chance.choice(["", "at ", "(", "«", "host=", "— "]),
        chance.choice(["", ")", ".", ",", " failed", "\n"]),
    )
    if chance.random() < 0.2:
        middle = len(text) // 2
        text = text[:middle] + chance.choice(["\u200b", "\u200d", "\u2060", "\u00ad"]) + text[middle:]
    if chance.random() < 0.2:
        text = "".join(
            chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() and chance.random() < 0.5 else c for c in text
        )
    return f"{before}{text}{after}"


def test_no_hostile_value_passes_the_leak_guard():
    chance = random.Random(20261121)
    through = [
        text for text in (hostile(chance) for _ in range(10_000)) if not leak_guard.objections(f"Down: {text}", ALLOWED)
    ]
    assert through == []


PUMPS = [
    "x.", "1.", "1.3.6.", "a-", "a-1-", "a@", ":", "a:", "://", "a://b", "/etc", "at a(", 'File "', "password ", "AKIA",
    "é.", "\u0301", "\u0301\u0316", "\ufdfa", " ", "\n at ", "-00000000-", "f00:", "ip-1", "sk_", "----",
]  # fmt: skip


@pytest.mark.parametrize("pump", PUMPS)
def test_any_text_is_examined_quickly(pump):
    for text in (pump * (leak_guard.MAX_CHARACTERS // len(pump)), pump * 2_000_000, pump * 30 + "zz!"):
        started = time.thread_time()
        leak_guard.objections(text)
        assert time.thread_time() - started < 0.5


def test_snmp_identifier_is_refused_quickly():
    started = time.thread_time()
    assert leak_guard.objections("OID 1.3.6.1.4.1.9.9.2.1.1.2.1.3.1.1.2.3.4.5 is down") == ["an IP address"]
    assert leak_guard.objections("x." * 32 + "zz") == []
    assert time.thread_time() - started < 0.1


def test_text_over_the_length_limit_is_refused():
    assert leak_guard.objections("a " * 5_000) == []
    assert leak_guard.objections("a " * 5_000 + "a") == [
        "more than the 10000 characters that the leak guard can examine"
    ]
