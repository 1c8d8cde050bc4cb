"""Finds rule files. The files and subfolders of a folder are read in the order of their names.

A file ``folder.yaml`` has the settings of its folder and all folders below: defaults, lists, and times. It may isolate
the folder.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from router.yaml_source import documents, problems

HEADING = "folder.yaml"
_VERSION_BYTES = 6


@dataclass(frozen=True)
class Folder:
    """One folder, with its name relative to the top folder (empty for the top folder) and its parsed files.

    ``unit`` is the name of the isolated folder that contains this one; empty if there is none.
    """

    name: str
    parent: str
    unit: str
    heading: documents.Document | None
    files: tuple[documents.Document, ...]


def read(top: Path, all_problems: list[problems.LocatedProblem], apart: frozenset[str] = frozenset()) -> list[Folder]:
    """Read every folder. Append problems of names and folders to ``all_problems``.

    ``apart`` are folders that were isolated when they were last readable. They stay isolated if their ``folder.yaml``
    is invalid now.
    """
    read = list(_read(top, Path(), "", all_problems, apart))
    if not all_problems and not any(folder.files for folder in read):
        # An empty mount or an emptied folder must be a problem: without rules, every alert would be ignored silently.
        problem = "holds no rule file (*.yaml); to ignore every alert, write a file with `rules: []`"
        all_problems.append(problems.LocatedProblem(str(top), 0, 0, problem))
    return read


def from_files(files: Mapping[str, bytes]) -> list[Folder]:
    """Return the folders of files in memory, as ``read`` does for files on the disk.

    The keys of ``files`` are paths below the top folder.
    """
    return list(_from_files(files, "", "", ""))


def contents(read: Iterable[Folder]) -> dict[str, bytes]:
    """Return the bytes of all files by their paths below the top."""
    return {
        document.name: document.content
        for folder in read
        for document in (*((folder.heading,) if folder.heading is not None else ()), *folder.files)
    }


def order(name: str) -> tuple[str, ...]:
    """Return the sort key of a rule file's path. Files and folders are sorted together by name."""
    return tuple(name.split("/"))


def version(folders: list[Folder]) -> str:
    """Return a short hash of the names and bytes of all files."""
    hashed = hashlib.blake2b(digest_size=_VERSION_BYTES)
    for folder in folders:
        for document in (*((folder.heading,) if folder.heading is not None else ()), *folder.files):
            # The length distinguishes two files from one file with the content of both.
            hashed.update(f"{document.name}\0{len(document.content)}\0".encode() + document.content)
    return hashed.hexdigest()


def join_versions(versions: list[str]) -> str:
    """Return one version for several versions."""
    return hashlib.blake2b("\0".join(versions).encode(), digest_size=_VERSION_BYTES).hexdigest()


def fingerprint(top: Path) -> str:
    """Return a hash that changes whenever a file changes. It is cheap enough for frequent polling."""
    hashed = hashlib.blake2b(digest_size=_VERSION_BYTES)
    for path in _below(top):
        try:
            hashed.update(f"{path.relative_to(top)}\0".encode() + documents.content(path) + b"\0")
        except OSError as error:
            # A file that becomes unreadable, or readable again, is a change, too.
            hashed.update(f"{path.relative_to(top)}\0{error.errno}\0".encode())
    return hashed.hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return
    for path in entries:
        if path.is_dir():
            yield from _below(path)
        elif path.suffix in {".yaml", ".yml"}:
            yield path


def _read(
    top: Path, below: Path, unit: str, all_problems: list[problems.LocatedProblem], apart: frozenset[str]
) -> Iterator[Folder]:
    name = "" if below == Path() else below.as_posix()
    entries = _entries(top / below, all_problems)
    heading = None
    files = []
    for entry in entries:
        if entry.name == HEADING and entry.is_file():
            heading = _document(entry, top)
        elif entry.suffix == ".yml" and entry.is_file():
            all_problems.append(problems.LocatedProblem(str(entry), 0, 0, "would not be read; name it .yaml"))
        elif entry.suffix == ".yaml":
            files.append(_document(entry, top))
    # An unreadable `folder.yaml` doesn't say that it isolates the folder. Its last valid version did.
    if name and (_is_isolated(heading) or (name in apart and heading is not None and heading.problems)):
        # A folder within an isolated folder belongs to that folder, even if it is isolated itself.
        unit = unit or name
    yield Folder(name, "" if below.parent == Path() else below.parent.as_posix(), unit, heading, tuple(files))
    for entry in entries:
        # A folder named like a rule file was already reported as an unreadable file.
        if entry.is_dir() and entry.suffix != ".yaml":
            yield from _read(top, below / entry.name, unit, all_problems, apart)


def _from_files(files: Mapping[str, bytes], name: str, parent: str, unit: str) -> Iterator[Folder]:
    prefix = f"{name}/" if name else ""
    below = [path.removeprefix(prefix) for path in files if path.startswith(prefix)]
    heading, documents_here = None, []
    for file in sorted(path for path in below if "/" not in path):
        document = documents.parse(files[prefix + file], prefix + file)
        document.name = prefix + file
        if file == HEADING:
            heading = document
        else:
            documents_here.append(document)
    if name and _is_isolated(heading):
        unit = unit or name
    yield Folder(name, parent, unit, heading, tuple(documents_here))
    for folder in sorted({path.partition("/")[0] for path in below if "/" in path}):
        yield from _from_files(files, prefix + folder, name, unit)


def _is_isolated(heading: documents.Document | None) -> bool:
    return heading is not None and isinstance(heading.data, dict) and heading.data.get("isolate") is True


def _document(path: Path, top: Path) -> documents.Document:
    document = documents.read(path)
    document.name = path.relative_to(top).as_posix()
    return document


def _entries(folder: Path, all_problems: list[problems.LocatedProblem]) -> list[Path]:
    """Return the entries of the folder, sorted by name. Names that begin with a dot are ignored."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        all_problems.append(problems.LocatedProblem(str(folder), 0, 0, f"can't be read: {error.strerror or error}"))
        return []
