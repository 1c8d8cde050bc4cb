"""Standard output that can't be written to: a reader that has ended, and a full disk."""

import os
import subprocess

import pytest

from tests.end_to_end import commands

SIGPIPE = 141


def run_with_output(output, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run a command with this standard output. Return its status and its standard error."""
    done = subprocess.run(
        [commands.PROGRAM, *arguments],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [("schema",), ("--help",)])
def test_closed_output_pipe_ends_the_command_silently(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run_with_output(writing, *arguments) == (SIGPIPE, "")
    finally:
        os.close(writing)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_disk_is_reported_in_one_line(unbuffered):
    """Without a buffer, the first write fails; otherwise, the last one."""
    with open("/dev/full", "wb") as full:
        status, said = run_with_output(full, "sources", "kinds", PYTHONUNBUFFERED=unbuffered)
    assert (status, said) == (1, "incident-router: standard output can't be written: No space left on device\n")
