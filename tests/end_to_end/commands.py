"""Commands run to their end as processes of their own, forked from one that has imported the program already.

To import everything anew takes a command longer than most of them work, and there are hundreds in the tests. That the
installed program starts by itself is seen where routers, webs and workers are started.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["router.cli"])


def ran(
    *arguments: str, cwd: Any = None, environment: Mapping[str, str] | None = None, given: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run ``incident-router ARGUMENTS``; ``given`` is what it reads from its standard input."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("in", "out", "err")]
        streams[0].write_text(given)
        said = (list(arguments), str(cwd or Path.cwd()), {**os.environ, **(environment or {})}, streams)
        process = _FORKS.Process(target=_run, args=said)
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, timeout, streams[1].read_text(), streams[2].read_text())
        status = process.exitcode
        process.close()
        return subprocess.CompletedProcess(arguments, status, streams[1].read_text(), streams[2].read_text())


def _run(arguments: list[str], cwd: str, environment: dict[str, str], streams: list[Path]) -> None:
    for number, stream in enumerate(streams):
        opened = os.open(stream, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)

    from router import cli

    cli.app(arguments, prog_name="incident-router")
