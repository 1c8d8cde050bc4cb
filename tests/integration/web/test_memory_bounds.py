"""Hostile bodies don't stop a server with limited memory: it responds to other senders, and stores no hostile body.

A regression ends the process or exceeds a deadline.
"""

import asyncio
import datetime as dt
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integration import attacks, memory_limited

MIB = attacks.MIB
MORE_MIB = 320  # Address space on top of the idle process. Each test asserts the memory that is actually used.
DEADLINE_SECONDS, HONEST, BEARER = attacks.DEADLINE_SECONDS, attacks.HONEST, attacks.BEARER


class Limited(NamedTuple):
    """A running server."""

    port: int
    health_port: int
    pid: int

    @property
    def memory_mib(self) -> int:
        """The current memory of the process."""
        return self._of("VmRSS")

    @property
    def peak_mib(self) -> int:
        """The peak memory of the process."""
        return self._of("VmHWM")

    def _of(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) // 1024


@pytest.fixture
def server(redis_url: str) -> Iterator[Limited]:
    command = [sys.executable, "-m", "tests.integration.memory_limited", redis_url, str(MORE_MIB)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Limited(*map(int, process.stdout.readline().split()))
        alive = process.poll() is None
        process.kill()
    assert alive


def hostile(server: Limited, *sent: tuple[str, bytes, dict[str, str]], at_once: int = 1) -> set[int]:
    """Send all requests, then a valid delivery, while ``/healthz`` is probed. Return the statuses."""
    requests = [attacks.Request(*each) for each in sent]
    return attacks.attack(server, *requests, honest=attacks.Request("bearer", HONEST, BEARER), at_once=at_once)


@pytest.mark.parametrize(
    ("source", "headers", "statuses"),
    [("signed", {}, {401, 503, 0}), ("form", {}, {401, 503, 0}), ("open", {}, {422, 503, 0})],
)
def test_concurrent_bodies_stay_within_memory_budget(server, source, headers, statuses):
    """500 bodies of 1 MiB each arrive concurrently."""
    before = server.memory_mib
    body = b'{"title":"' + b"x" * (MIB - 100) + b'"'
    assert hostile(server, *[(source, body, headers)] * 500, at_once=500) <= statuses
    assert server.peak_mib - before < 200


def test_list_of_empty_objects_is_refused_quickly(server):
    """Its memory is freed."""
    before = server.memory_mib
    body = b"[" + b"{}," * (MIB // 3 - 1) + b"{}]"
    begun = time.monotonic()
    assert hostile(server, *[("open", body, {})] * 5, ("am", b'{"version":"4","alerts":' + body + b"}", BEARER)) <= {
        422,
        202,
    }
    assert time.monotonic() - begun < DEADLINE_SECONDS / 2
    assert server.memory_mib - before < 120


def test_large_lists_are_not_parsed_concurrently(server):
    before = server.memory_mib
    body = b"[" + b"{}," * (MIB // 3 - 1) + b"{}]"
    assert hostile(server, *[("open", body, {})] * 200, at_once=200) <= {422, 503, 0}
    assert server.peak_mib - before < 200


def test_too_many_values_are_refused_before_parsing(server):
    """The body has 16 MiB of values."""
    before = server.memory_mib
    for opening in (b"{},", b"[],", b"1,", b'{"a":1},'):
        body = b"[" + opening * (15 * MIB // len(opening)) + b"1]"
        assert hostile(server, ("bearer", body, BEARER), ("am", body, BEARER)) <= {422, 202}
    assert server.peak_mib - before < 220


def test_times_of_unauthenticated_senders_are_not_stored(server):
    before = server.memory_mib
    message = {"Type": "Notification", "TopicArn": memory_limited.TOPIC, "SigningCertURL": "https://x"}
    sent = [("sns", json.dumps({**message, "Timestamp": f"{number:0900000}"}).encode(), {}) for number in range(100)]
    assert hostile(server, *sent) == {403}
    assert server.memory_mib - before < 40


def test_anonymous_sns_messages_are_refused_and_not_stored(server):
    """Each message names a different certificate, with a valid time and topic."""
    before = server.memory_mib
    url = "https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-"
    at = dt.datetime.fromtimestamp(memory_limited.NOW / 1_000_000, dt.UTC).isoformat()
    message = {"Type": "Notification", "TopicArn": memory_limited.TOPIC, "Timestamp": at, "SignatureVersion": "1"}
    named = [f"{url}{number:032x}.pem" for number in range(2000)]
    sent = [("sns", json.dumps({**message, "SigningCertURL": each}).encode(), {}) for each in named]
    assert hostile(server, *sent, at_once=100) == {503}
    assert server.memory_mib - before < 40


@pytest.mark.parametrize("depth", [100, 100_000, 5_000_000])
@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_deeply_nested_json_crashes_no_source_kind(server, depth, bracket):
    body = (bracket * depth)[: 15 * MIB]
    sent = [(name, body, BEARER) for name in memory_limited.SOURCES]
    sent += [(name, b'{"alerts":[{"labels":' + body, BEARER) for name in ("am", "open", "grafana")]
    assert hostile(server, *sent) <= {202, 401, 403, 422}


def test_compressed_bodies_stay_within_limit_and_budget(server):
    before = server.memory_mib
    bomb = gzip.compress(b"\0" * (200 * MIB), 1)
    members = gzip.compress(b"") * 500_000
    packed = {**BEARER, "Content-Encoding": "gzip"}
    twice = {**BEARER, "Content-Encoding": "gzip, gzip"}
    sent = [("bearer", bomb, packed), ("bearer", gzip.compress(bomb), twice), ("bearer", members, packed)]
    assert hostile(server, *sent * 10, at_once=10) <= {400, 413, 415, 503, 0}
    assert server.peak_mib - before < 200


def test_unfinished_headers_stay_within_their_budget(server):
    before = server.memory_mib

    async def main() -> None:
        head = b"POST /v1/webhooks/bearer HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 60_000
        writers = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            for _ in range(800):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(head)
                writers.append(writer)
            assert await attacks.post(server, attacks.Request("bearer", HONEST, BEARER)) == 202
        for writer in writers:
            writer.close()

    asyncio.run(main())
    assert server.peak_mib - before < 100
