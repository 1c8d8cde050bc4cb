"""A webhook server in a container of 256 MiB survives hostile bodies, and accepts valid deliveries after each.

The kernel enforces the limit, and kills a process that exceeds it.
"""

import subprocess
import sys
from typing import NamedTuple

import pytest

from router.store import embedded
from tests import cgroups
from tests.end_to_end import harness
from tests.integration import attacks

MIB = attacks.MIB
LIMIT = 256 * MIB
AT_ONCE = 16
UNPROVEN = 300
CONFIGURATION = """
web: {port: 0, health_port: 0}
management: {port: 0}
sources:
  open: {kind: json, auth: none}
  bearer: {kind: json, bearer: [word]}
  signed: {kind: json, signature: {scheme: github, secrets: [word]}}
  form: {kind: json, token: {form: token, values: [word]}}
rules: rules
data: data
"""
HONEST = attacks.Request("bearer", attacks.HONEST, attacks.BEARER)


class Container(NamedTuple):
    """A server in a control group."""

    port: int
    health_port: int
    group: cgroups.MemoryGroup
    process: harness.Process


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    (folder / "rules").mkdir()
    (folder / "rules" / "a.yaml").write_text("rules: [{name: all, when: {source: bearer}, ignore: enough}]")
    (folder / "router.yaml").write_text(CONFIGURATION)
    with cgroups.limited(LIMIT) as group, embedded.running(tmp_path_factory.mktemp("valkey")) as valkey:
        if isinstance(group, str):
            pytest.skip(group)
        command = group.command(harness.COMMAND, "web", "--config", "router.yaml")
        process = harness.Process(command, folder, "web", REDIS_URL=valkey.url)
        try:
            ports = (r"(?:127\.0\.0\.1):(\d+)/v1/webhooks", r"127\.0\.0\.1:(\d+)/readyz")
            web_server, health = (int(process.wait_for_output(port)[1]) for port in ports)
            yield Container(web_server, health, group, process)
        finally:
            process.stop()


def test_memory_limit_of_the_container_is_detected(container):
    code = "from router.bootstrap import memory; print(memory.limit())"
    done = subprocess.run(
        container.group.command(sys.executable, "-c", code), capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == LIMIT


def test_hostile_authentic_bodies_do_not_exhaust_memory(container):
    """Each kind of body arrives many times concurrently. Compressed bodies arrive more often than others."""
    for name, body, headers in attacks.bodies():
        request = attacks.Request("bearer", body, {**attacks.BEARER, **headers})
        count = AT_ONCE * (3 if headers else 1)
        attacks.attack(container, *[request] * count, honest=HONEST, at_once=AT_ONCE)
        assert container.group.kills == 0, name
    assert container.group.peak_bytes <= LIMIT


@pytest.mark.parametrize("source", ["open", "signed", "form"])
def test_unauthenticated_bodies_do_not_exhaust_memory(container, source):
    """The bodies are read before the sender is authenticated."""
    body = b'{"title":"' + b"x" * (MIB - 100) + b'"'
    statuses = attacks.attack(container, *[attacks.Request(source, body)] * UNPROVEN, honest=HONEST, at_once=UNPROVEN)
    assert statuses <= {401, 422, 503, 0}
    assert (container.group.kills, container.group.peak_bytes <= LIMIT) == (0, True)
