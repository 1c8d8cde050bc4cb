"""The chart's Valkey: its arguments start a real server, which keeps what it has confirmed."""

import contextlib
import subprocess
from collections.abc import Iterator

import pytest
import redis
from redis import backoff, retry

from router.store import embedded
from tests import ports
from tests.chart import helm, mounts
from tests.end_to_end import harness

NAME = "shop-incident-router-valkey"
PASSWORD = "s3cret"
AT_ONCE = retry.Retry(backoff.NoBackoff(), 0)  # Asking again is the tests' own affair.


def container(rendered) -> helm.Object:
    return mounts.only(rendered["StatefulSet", NAME]["spec"]["template"]["spec"])


@contextlib.contextmanager
def started(rendered, folder) -> Iterator[tuple[subprocess.Popen, redis.Redis]]:
    """The server as the rendered container starts it, but for its port and its folder."""
    runs = container(rendered)
    assert runs["command"] == ["valkey-server"]
    variables = mounts.environment(rendered, runs, {"valkey-password": {"password": PASSWORD}})
    arguments = [mounts.expanded(argument, variables) for argument in runs["args"]]
    port = ports.free()
    here = {"6379": str(port), "/data": str(folder)}
    server = subprocess.Popen(
        [embedded.find_program(), *(here.get(argument, argument) for argument in arguments)], stdout=subprocess.DEVNULL
    )
    password = variables.get("VALKEY_PASSWORD")
    with contextlib.closing(redis.Redis(port=port, password=password, retry=AT_ONCE)) as connection:
        try:
            harness.eventually("the server answers", lambda: answers(connection))
            yield server, connection
        finally:
            server.kill()
            server.wait()


def answers(connection: redis.Redis) -> bool:
    try:
        return bool(connection.ping())
    except redis.ConnectionError:
        return False


def setting(connection: redis.Redis, name: str) -> str:
    return connection.config_get(name)[name]


def test_every_confirmed_write_is_on_the_disk_and_nothing_is_given_up(tmp_path):
    with started(helm.case("try"), tmp_path) as (_, connection):
        assert setting(connection, "appendonly") == "yes"
        assert setting(connection, "appendfsync") == "always"
        assert setting(connection, "save") == ""
        assert setting(connection, "maxmemory") == str(64 * 1024 * 1024)
        assert setting(connection, "maxmemory-policy") == "noeviction"


def test_what_was_written_is_there_after_the_pod_was_killed(tmp_path):
    with started(helm.case("try"), tmp_path) as (server, connection):
        connection.set("a", "kept")
        server.kill()
        server.wait()
    with started(helm.case("try"), tmp_path) as (_, connection):
        assert connection.get("a") == b"kept"


def test_it_is_open_to_other_pods_only_without_a_password(tmp_path):
    with started(helm.case("valkey"), tmp_path) as (_, connection):
        port = connection.connection_pool.connection_kwargs["port"]
        with (
            contextlib.closing(redis.Redis(port=port, retry=AT_ONCE)) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        assert setting(connection, "protected-mode") == "no"


@pytest.mark.parametrize("name", ["try", "valkey"])
def test_the_router_s_address_is_that_of_its_service_with_the_password(name):
    rendered = helm.case(name)
    secret = {"valkey-password": {"password": PASSWORD}, "webhooks": {"WEBHOOK_TOKEN": "x"}}
    service = rendered["Service", NAME]["spec"]
    assert service["ports"][0]["targetPort"] == container(rendered)["ports"][0]["name"]
    routers = [spec for called, spec in helm.pods(rendered).items() if called.startswith("Deployment/")]
    for spec in routers:
        variables = mounts.environment(rendered, mounts.only(spec), secret)
        password = f":{PASSWORD}@" if name == "valkey" else ""
        assert variables["REDIS_URL"] == f"redis://{password}{NAME}:6379/0"
        assert embedded_address(variables["REDIS_URL"]) == (NAME, 6379, PASSWORD if password else None)


def embedded_address(url: str) -> tuple[str, int, str | None]:
    """The address as the client reads it."""
    found = redis.Redis.from_url(url).connection_pool.connection_kwargs
    return found["host"], found["port"], found.get("password")


def test_there_is_one_pod_with_one_volume_that_it_writes_to():
    stateful = helm.case("valkey")["StatefulSet", NAME]["spec"]
    assert stateful["replicas"] == 1
    [volume] = stateful["volumeClaimTemplates"]
    assert volume["spec"]["resources"]["requests"]["storage"] == "4Gi"
    assert volume["spec"]["storageClassName"] == "fast"
    runs = container(helm.case("valkey"))
    assert runs["volumeMounts"] == [{"name": volume["metadata"]["name"], "mountPath": "/data"}]
    assert runs["args"][runs["args"].index("--dir") + 1] == "/data"


def test_its_memory_limit_is_well_above_what_it_may_hold():
    for values in [{}, helm.values_of("valkey")["valkey"]]:
        given = {"enabled": True, **values}
        runs = container(helm.render({"valkey": given}))
        most = int(runs["args"][runs["args"].index("--maxmemory") + 1].removesuffix("mb"))
        assert int(runs["resources"]["limits"]["memory"].removesuffix("Mi")) >= 2 * most
