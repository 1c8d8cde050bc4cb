"""The chart's Valkey: a real server starts with its arguments, and keeps acknowledged writes."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis import backoff, retry

from router.store import embedded
from tests import ports
from tests.chart import helm, mounts
from tests.end_to_end import harness

NAME = "shop-incident-router-valkey"
PASSWORD = "s3cret"
AT_ONCE = retry.Retry(backoff.NoBackoff(), 0)  # The tests retry on their own.


def container(rendered) -> helm.Object:
    return mounts.only(rendered["StatefulSet", NAME]["spec"]["template"]["spec"])


@contextlib.contextmanager
def start_server(rendered, folder) -> Iterator[tuple[subprocess.Popen, redis.Redis]]:
    """Start the server as the rendered container does, except for its port and folders."""
    runs = container(rendered)
    variables = mounts.environment(rendered, runs, {"valkey-password": {"password": PASSWORD}})
    port = ports.reserve()
    for name in ("bin", "data", "run"):
        (folder / name).mkdir(exist_ok=True)
    program = folder / "bin/valkey-server"
    if not program.exists():
        program.symlink_to(embedded.find_program())
    here = {"6379": str(port), "/data": str(folder / "data")}
    [shell, option, script, name] = runs["command"]
    command = [shell, option, script.replace("/run/valkey/", f"{folder}/run/"), name]
    arguments = [here.get(argument, argument) for argument in runs["args"]]
    server = subprocess.Popen(
        [*command, *arguments],
        env=variables | {"PATH": f"{folder / 'bin'}:/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
    )
    with contextlib.closing(redis.Redis(port=port, password=variables["VALKEY_PASSWORD"], retry=AT_ONCE)) as connection:
        try:
            harness.eventually("the server answers", lambda: is_answering(connection))
            yield server, connection
        finally:
            server.kill()
            server.wait()


def is_answering(connection: redis.Redis) -> bool:
    try:
        return bool(connection.ping())
    except redis.ConnectionError:
        return False


def get_setting(connection: redis.Redis, name: str) -> str:
    return connection.config_get(name)[name]


def test_confirmed_writes_are_on_disk_and_never_evicted(tmp_path):
    with start_server(helm.case("try"), tmp_path) as (_, connection):
        assert get_setting(connection, "appendonly") == "yes"
        assert get_setting(connection, "appendfsync") == "always"
        assert get_setting(connection, "save") == ""
        assert get_setting(connection, "maxmemory") == str(64 * 1024 * 1024)
        assert get_setting(connection, "maxmemory-policy") == "noeviction"


def test_data_survives_a_killed_pod(tmp_path):
    with start_server(helm.case("try"), tmp_path) as (server, connection):
        connection.set("a", "kept")
        server.kill()
        server.wait()
    with start_server(helm.case("try"), tmp_path) as (_, connection):
        assert connection.get("a") == b"kept"


@pytest.mark.parametrize("name", ["try", "valkey"])
def test_clients_need_the_password(name, tmp_path):
    """This holds for a generated and for a given password, because other pods can reach the port."""
    with start_server(helm.case(name), tmp_path) as (_, connection):
        port = connection.connection_pool.connection_kwargs["port"]
        with (
            contextlib.closing(redis.Redis(port=port, retry=AT_ONCE)) as unauthenticated,
            pytest.raises(redis.AuthenticationError),
        ):
            unauthenticated.ping()
        assert get_setting(connection, "protected-mode") == "no"


def test_password_is_in_no_argument_or_environment(tmp_path):
    """Users of the node can read arguments. The file is in memory, and only its owner can read it."""
    with start_server(helm.case("valkey"), tmp_path) as (server, _):
        process = Path("/proc") / str(server.pid)
        assert b"valkey-server" in (process / "cmdline").read_bytes()
        assert PASSWORD.encode() not in (process / "cmdline").read_bytes()
        assert PASSWORD.encode() not in (process / "environ").read_bytes()
        written = tmp_path / "run/auth.conf"
        assert written.read_text() == f"requirepass {PASSWORD}\n"
        assert written.stat().st_mode & 0o077 == 0
    runs = container(helm.case("valkey"))
    assert "VALKEY_PASSWORD" not in " ".join(runs["args"])
    [run] = [volume_mount for volume_mount in runs["volumeMounts"] if volume_mount["mountPath"] == "/run/valkey"]
    volumes = helm.case("valkey")["StatefulSet", NAME]["spec"]["template"]["spec"]["volumes"]
    assert {"name": run["name"], "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}} in volumes


@pytest.mark.parametrize("password", ["", "a b", "a@b", "a\nrename-command FLUSHALL x"])
def test_password_with_url_delimiters_fails_the_start(password, tmp_path):
    script = container(helm.case("valkey"))["command"][2].replace("/run/valkey/", f"{tmp_path}/")
    done = subprocess.run(
        ["sh", "-ec", script, "start_valkey.sh"],
        env={"PATH": "/usr/bin:/bin", "VALKEY_PASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "letters, digits, and . _ ~ - only" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["try", "valkey"])
def test_router_uses_valkey_s_service_and_password(name):
    rendered = helm.case(name)
    secret = {"valkey-password": {"password": PASSWORD}, "webhooks": {"WEBHOOK_TOKEN": "x"}}
    password = PASSWORD if name == "valkey" else rendered["Secret", NAME]["stringData"]["password"]
    service = rendered["Service", NAME]["spec"]
    assert service["ports"][0]["targetPort"] == container(rendered)["ports"][0]["name"]
    routers = [spec for called, spec in helm.pods(rendered).items() if called.startswith("Deployment/")]
    for spec in routers:
        variables = mounts.environment(rendered, mounts.only(spec), secret)
        assert variables["REDIS_URL"] == f"redis://:{password}@{NAME}:6379/0"
        assert embedded_address(variables["REDIS_URL"]) == (NAME, 6379, password)


def test_network_policy_admits_only_the_router():
    """This requires no value, and no policy of the router's own pods."""
    rendered = helm.render({"valkey": {"enabled": True}})
    assert [name for kind, name in rendered if kind == "NetworkPolicy"] == [NAME]
    spec = rendered["NetworkPolicy", NAME]["spec"]
    assert (spec["policyTypes"], spec["egress"]) == (["Ingress", "Egress"], [])
    [rule] = spec["ingress"]
    [peer] = rule["from"]
    assert rule["ports"] == [{"port": 6379}]
    [expression] = peer["podSelector"]["matchExpressions"]
    assert expression == {"key": "app.kubernetes.io/component", "operator": "In", "values": ["web", "worker"]}


def embedded_address(url: str) -> tuple[str, int, str | None]:
    """Return the address as the client parses it."""
    found = redis.Redis.from_url(url).connection_pool.connection_kwargs
    return found["host"], found["port"], found.get("password")


def test_one_pod_writes_to_one_volume():
    stateful = helm.case("valkey")["StatefulSet", NAME]["spec"]
    assert stateful["replicas"] == 1
    [volume] = stateful["volumeClaimTemplates"]
    assert volume["spec"]["resources"]["requests"]["storage"] == "4Gi"
    assert volume["spec"]["storageClassName"] == "fast"
    runs = container(helm.case("valkey"))
    assert {"name": volume["metadata"]["name"], "mountPath": "/data"} in runs["volumeMounts"]
    assert runs["args"][runs["args"].index("--dir") + 1] == "/data"


def test_memory_limit_exceeds_maxmemory_clearly():
    for values in [{}, helm.read_values("valkey")["valkey"]]:
        given = {"enabled": True, **values}
        runs = container(helm.render({"valkey": given}))
        most = int(runs["args"][runs["args"].index("--maxmemory") + 1].removesuffix("mb"))
        assert int(runs["resources"]["limits"]["memory"].removesuffix("Mi")) >= 2 * most
