"""Commands as separate processes, forked from a process that has already imported the program.

Importing takes longer than most commands run, and the tests run hundreds of them. The tests of the command line, the
console, and the README start the installed program instead.
"""

import multiprocessing
import os
import pwd
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from router import cli

PROGRAM = str(Path(sys.executable).parent / "incident-router")
_FORKS = multiprocessing.get_context("forkserver")
# Preload the modules of the commands, which the program imports lazily: importing takes longer than most commands.
_MODULES = sorted({f"router.cli.{entry.module}" for entry in cli.COMMANDS.values()})
_FORKS.set_forkserver_preload(["router.cli", *_MODULES])


def run_command(
    *arguments: str,
    cwd: Any = None,
    environment: Mapping[str, str] | None = None,
    given: str = "",
    timeout: float = 60,
    user: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``incident-router ARGUMENTS``; ``given`` is its standard input.

    With ``user``, the command has this user ID, no name, no home, and exactly this environment, as in a container.
    """
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("in", "out", "err")]
        streams[0].write_text(given)
        inherited = os.environ if user is None else {"PATH": os.environ["PATH"]}
        said = ([PROGRAM, *arguments], str(cwd or Path.cwd()), {**inherited, **(environment or {})}, streams, user)
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


class BackgroundCommand:
    """A command that runs in the background, with the part of ``subprocess.Popen`` that tests use.

    ``command`` begins with the program or a Python file. Its output goes to ``log``.
    """

    def __init__(self, command: list[str], cwd: Path, log: Path, environment: Mapping[str, str]) -> None:
        self._command = command
        streams = [Path(os.devnull), log, log]
        self._process = _FORKS.Process(target=_run, args=(command, str(cwd), dict(environment), streams))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._command, timeout or 0)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: int) -> None:
        if self._process.pid is not None and self._process.exitcode is None:
            os.kill(self._process.pid, number)


def _become(user: int) -> None:
    """Switch to a user ID without a passwd entry.

    Without the privilege, or if the code isn't readable, only imitate it.
    """
    code = (Path(PROGRAM), Path(os.__file__).resolve())
    others_may_read = all(path.stat().st_mode & 0o001 for file in code for path in file.parents)
    if os.geteuid() == 0 and others_may_read:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        return

    def unknown(number: int) -> pwd.struct_passwd:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    pwd.getpwuid = unknown
    os.getuid = lambda: user


def _run(
    command: list[str], cwd: str, environment: dict[str, str], streams: list[Path], user: int | None = None
) -> None:
    for number, stream in enumerate(streams):
        opened = os.open(stream, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    if user is not None:
        _become(user)
    program, *arguments = command
    if program.endswith(".py"):
        sys.argv = command
        runpy.run_path(program, run_name="__main__")
        return

    from router import cli

    cli.app(arguments, prog_name="incident-router")
