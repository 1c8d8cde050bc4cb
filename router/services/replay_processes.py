"""Replays recordings with two rule folders in parallel, each in a separate process."""

import gzip
import multiprocessing
import zlib
from collections.abc import Callable, Iterator
from multiprocessing import connection as connections
from pathlib import Path
from typing import Any, NamedTuple

from router import configuration
from router.bootstrap import factories, public_pages
from router.domain import recordings
from router.dry_run import replay, simulation

_REPORT_EVERY = 500  # Deliveries.


class Broken(Exception):
    """A file of recordings that can't be read. The text has the position and the error."""


class Work(NamedTuple):
    """The work of one process: play the recordings of a file with the rules of a folder."""

    settings: configuration.Settings
    folder: Path
    file: Path
    tail: int


def read(file: Path, report_progress: Callable[[float], None]) -> Iterator[recordings.Recording]:
    """Yield the recordings of a file, one per line. Raises ``Broken``.

    ``report_progress`` is called with the share of the file that has been read, from 0 to 1.
    """
    try:
        size = file.stat().st_size or 1
        with file.open("rb") as raw:
            lines: Any = gzip.GzipFile(fileobj=raw) if file.suffix == ".gz" else raw
            for number, line in enumerate(lines, 1):
                if number % _REPORT_EVERY == 0:
                    # The position in the compressed file counts: the uncompressed size isn't known in advance.
                    report_progress(raw.tell() / size)
                try:
                    yield recordings.decode(line)
                except ValueError as error:
                    raise Broken(f"{file}:{number}: not a recorded delivery: {error}") from error
    # gzip raises `EOFError` for a truncated file, such as one whose export was interrupted, and `zlib.error` for a
    # damaged one.
    except (OSError, EOFError, zlib.error) as error:
        raise Broken(f"{file}: can't be read: {error}") from error


def play(work: Work, report_progress: Callable[[float], None]) -> replay.Played:
    """Play in this process."""
    rules = factories.load_rules(work.settings, work.folder)
    renderer = public_pages.make_public_renderer(work.settings.pages.allowed_hosts)
    playing = simulation.Simulation(
        rules.decide,
        public_pages.configured_pages(work.settings),
        public_pages.render,
        render_public=renderer,
        approves=True,
    )
    return replay.play(read(work.file, report_progress), playing, rules.version, tail=work.tail)


def play_both(
    works: tuple[Work, Work], report_progress: Callable[[float], None]
) -> tuple[replay.Played, replay.Played]:
    """Play both at the same time. ``report_progress`` is called with the progress. Raises ``Broken``.

    Check the rules first: this function doesn't report why rules are refused.
    """
    context = multiprocessing.get_context("spawn")
    pipes = []
    processes = []
    for work in works:
        parent_end, child_end = context.Pipe()
        process = context.Process(target=_run_child, args=(work, child_end), daemon=True)
        process.start()
        # While the parent holds the child's end, the death of the child causes no end of file, and `recv` would block
        # forever.
        child_end.close()
        pipes.append(parent_end)
        processes.append(process)
    try:
        results = _collect(pipes, report_progress)
    finally:
        for process in processes:
            # If one replay fails, the result of the other one is of no use.
            process.terminate()
            process.join()
    return results[0], results[1]


def _collect(pipes: list[Any], report_progress: Callable[[float], None]) -> list[replay.Played]:
    shares = dict.fromkeys(range(len(pipes)), 0.0)
    results: dict[int, replay.Played] = {}
    while len(results) < len(pipes):
        for ready in connections.wait([pipe for number, pipe in enumerate(pipes) if number not in results]):
            number = pipes.index(ready)
            try:
                message = pipes[number].recv()
            except EOFError as error:
                raise Broken("a replay process exited early") from error
            # A child sends its progress as numbers, its result once, and an unreadable file as text.
            if isinstance(message, str):
                raise Broken(message)
            if isinstance(message, float):
                shares[number] = message
            else:
                results[number] = message
                shares[number] = 1.0
            report_progress(sum(shares.values()) / len(pipes))
    return [results[number] for number in range(len(pipes))]


def _run_child(work: Work, pipe: Any) -> None:
    try:
        pipe.send(play(work, pipe.send))
    except Broken as error:
        pipe.send(str(error))
