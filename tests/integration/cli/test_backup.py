"""``backup`` and ``restore`` with a running router and on a new machine."""

import shutil
import subprocess

import pytest
import redis

from router.store import keys
from tests.end_to_end import commands, harness
from tests.integration.cli.test_commands import run

EVERYWHERE = ("on-call", "public-page", "devhelm", "devhelm-page")
RULES = harness.RULES.format(publish="auto").replace("group_by: [labels.service]", "group_by: [labels.region]")


@pytest.fixture(scope="module")
def at():
    with harness.vendors() as at:
        yield at


@pytest.fixture(scope="module")
def backup(at, tmp_path_factory):
    """A backup of a router with one open incident, made while the router ran, and the output of the commands.

    Another incident is opened after the backup.
    """
    folder = tmp_path_factory.mktemp("first")
    said = {}
    with harness.router(folder, harness.configure(folder, at, rules=RULES)) as router:
        send_alert(router, "eu")
        harness.eventually("one incident is open everywhere", lambda: at.is_everywhere("open"))
        said["backup"] = router.command("backup", "all.backup", "--by", "ann")
        said["restore"] = router.command("restore", "all.backup", "--replace")
        with (folder / "piped").open("wb") as piped:
            line = [commands.PROGRAM, "backup", "-", "--config", str(router.file)]
            said["piped"] = subprocess.run(line, stdout=piped, stderr=subprocess.PIPE, check=False)
        send_alert(router, "us")
        harness.eventually("two incidents are open everywhere", lambda: has_statuses(at, "open", "open"))
    return folder, said


def send_alert(router, region: str, status: str = "firing") -> None:
    router.send_alert(status=status, title="Checkout answers 5xx", dedup_key=region, labels={"region": region})


def has_statuses(at, *words: str) -> bool:
    return at.incidents() == {name: list(words) for name in EVERYWHERE}


def test_backup_works_while_the_router_runs(backup):
    folder, said = backup
    assert said["backup"].returncode == 0, said["backup"].stderr
    assert " keys written to all.backup, sha256 " in said["backup"].stdout
    assert (folder / "all.backup").stat().st_mode & 0o777 == 0o600, "it holds alerts and hashes of tokens"
    assert not list(folder.glob("*.partial"))


def test_restore_beside_a_running_web_is_refused(backup, at, redis_url, tmp_path):
    """No worker runs. A webhook server that has ended doesn't delay the restore."""
    folder, _ = backup
    file = harness.configure(tmp_path, at, rules=RULES)
    line = [commands.PROGRAM, "web", "--config", str(file), "--console-port", "0"]
    restore = ("restore", str(folder / "all.backup"), "--replace", "--config", str(file))
    process = harness.Process(line, tmp_path, "web", REDIS_URL=redis_url, **harness.SECRETS)
    try:
        process.wait_for_output("http://127.0.0.1:")
        connection = redis.Redis.from_url(redis_url)
        harness.eventually("the webhook server uses the data", lambda: connection.exists(keys.MARKS))
        done = run(*restore, cwd=tmp_path, REDIS_URL=redis_url)
        assert (done.returncode, "a web or worker is running" in done.stderr) == (1, True), done.stderr
    finally:
        assert process.stop() == 0
    assert '"signal": "SIGTERM"' in process.output, "the log has the reason for the exit"
    # Simulates a killed process: its mark has almost expired.
    seconds, micros = connection.time()
    connection.hset(keys.MARKS, "killed", seconds * 1_000_000 + micros - 14_500_000)
    done = run(*restore, cwd=tmp_path, REDIS_URL=redis_url)
    assert done.returncode == 0, done.stderr


def test_restore_is_refused_while_a_worker_runs(backup):
    _, said = backup
    assert said["restore"].returncode == 1
    assert "a web or worker is running: stop every web and worker first" in said["restore"].stderr


@pytest.mark.parametrize("name", ["all.backup", "piped"])
def test_backup_is_verified_without_redis(backup, name, tmp_path):
    folder, said = backup
    assert said["piped"].returncode == 0, said["piped"].stderr
    file = folder / "router.yaml"
    done = run("restore", str(folder / name), "--verify", "--config", str(file), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "data version " in done.stdout
    damaged = tmp_path / "damaged"
    damaged.write_bytes((folder / name).read_bytes()[:-30])
    done = run("restore", str(damaged), "--verify", "--config", str(file), cwd=folder)
    assert done.returncode == 1
    assert "can't be restored: it is damaged or was not finished" in done.stderr


def test_restored_router_adopts_incidents_opened_after_backup(backup, at, tmp_path):
    folder, _ = backup
    file = harness.configure(tmp_path, at, rules=RULES)
    line = [commands.PROGRAM, "restore", "-", "--config", str(file)]
    with (folder / "all.backup").open("rb") as given:
        done = subprocess.run(line, stdin=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert " keys restored" in done.stdout
    with harness.router(tmp_path, file) as router:
        output = router.command("incidents", "list").stdout
        assert ('region="eu"' in output, 'region="us"' in output) == (True, False)
        harness.eventually("the restore is detected", lambda: '"reason": "restored"' in router.process.output)
        for region in ("eu", "us"):
            send_alert(router, region)
        for region in ("eu", "us"):
            send_alert(router, region, "resolved")
        # Exactly two at each destination: no incident was opened twice.
        harness.eventually("both are resolved everywhere", lambda: has_statuses(at, "resolved", "resolved"))
    again = run("restore", str(folder / "all.backup"), "--config", str(file), cwd=tmp_path)
    assert (again.returncode, "the store is not empty: add --replace" in again.stderr) == (1, True)
    replaced = run("restore", str(folder / "all.backup"), "--replace", "--config", str(file), cwd=tmp_path)
    assert replaced.returncode == 0, replaced.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("restore", "-", "--replace"), 2, "--replace needs a file"),
        (("restore", "absent"), 2, "absent can't be read: No such file or directory"),
        (("backup", "absent/x"), 1, "set REDIS_URL"),
        (("restore", "router.yaml"), 1, "it is not a backup of incident-router"),
    ],
)
def test_impossible_backup_is_refused_on_one_line(backup, tmp_path, arguments, status, said):
    folder, _ = backup
    shutil.copytree(folder / "rules", tmp_path / "rules")
    shutil.copy(folder / "router.yaml", tmp_path)
    done = run(*arguments, "--config", "router.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
    assert said in done.stderr


def test_backup_needs_no_configuration(redis_url, backup, tmp_path):
    folder, _ = backup
    (tmp_path / "empty.yaml").touch()
    for command in (("restore", str(folder / "all.backup")), ("backup", "again")):
        done = run(*command, "--config", "empty.yaml", cwd=tmp_path, REDIS_URL=redis_url)
        assert done.returncode == 0, done.stderr


def test_empty_redis_is_not_backed_up(redis_url, backup, tmp_path):
    """A backup of a store that has lost its data would replace a good one."""
    folder, _ = backup
    file = tmp_path / "all.backup"
    file.write_bytes(b"a good one")
    done = run("backup", str(file), "--config", str(folder / "router.yaml"), cwd=folder, REDIS_URL=redis_url)
    assert (done.returncode, "there is nothing to back up" in done.stderr) == (1, True)
    assert file.read_bytes() == b"a good one"
