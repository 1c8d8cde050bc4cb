"""Test ports are unique, and one port refuses connections."""

import socket
import subprocess
import sys

import pytest

from tests import ports


def test_port_is_unique_across_processes(monkeypatch):
    first = ports.reserve()
    monkeypatch.setattr(ports, "_GIVEN", range(first, first + 200))
    mine = ports.reserve()
    theirs = (
        "import sys; from tests import ports; ports._GIVEN = range(*map(int, sys.argv[1:])); print(ports.reserve())"
    )
    command = [sys.executable, "-c", theirs, str(first), str(first + 200)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) not in {first, mine}
    assert int(done.stdout) in ports._GIVEN


def test_occupied_port_is_not_returned(monkeypatch):
    port = ports.reserve()
    ports._claims.pop().close()
    monkeypatch.setattr(ports, "_GIVEN", range(port, port + 1))
    with socket.create_server(("127.0.0.1", port)), pytest.raises(AssertionError, match="are taken"):
        ports.reserve()


def test_unused_port_refuses_connections():
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports.reserve_closed()), timeout=5)
