"""Redis over TLS: the router checks the server's certificate, sends its own, and never falls back to plain text."""

import asyncio
import contextlib

import pytest

from router.store import connection_settings, errors
from router.store.store import Store
from tests.end_to_end import harness
from tests.integration import tls


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tls.Files:
    return tls.issue(tmp_path_factory.mktemp("tls") / "files")


def ping(server: connection_settings.Server) -> None:
    async def body():
        store = Store.connect(server)
        async with contextlib.aclosing(store):
            await store.health.ping()

    asyncio.run(body())


def test_server_of_configured_authority_is_trusted(valkey, files):
    with tls.proxy(files, valkey.socket) as port:
        ping(connection_settings.Server(f"rediss://127.0.0.1:{port}", connection_settings.Tls(ca=files.ca)))


def test_server_of_other_authority_is_refused(valkey, files, tmp_path):
    other = tls.issue(tmp_path / "other")
    with tls.proxy(files, valkey.socket) as port:
        with pytest.raises(errors.Unavailable, match="certificate verify failed"):
            ping(connection_settings.Server(f"rediss://127.0.0.1:{port}", connection_settings.Tls(ca=other.ca)))
        with pytest.raises(errors.Unavailable, match="certificate verify failed"):
            ping(
                connection_settings.Server(f"rediss://127.0.0.1:{port}")
            )  # The system's certificate authorities don't include this authority either.


def test_client_certificate_is_sent_on_request(valkey, files):
    with tls.proxy(files, valkey.socket, asks_clients=True) as port:
        url = f"rediss://127.0.0.1:{port}"
        ping(connection_settings.Server(url, connection_settings.Tls(files.ca, files.cert, files.key)))
        with pytest.raises(errors.Unavailable):
            ping(connection_settings.Server(url, connection_settings.Tls(ca=files.ca)))


def test_tls_files_without_tls_are_refused(files):
    with pytest.raises(errors.Unavailable, match="does not begin with rediss://"):
        Store.connect(connection_settings.Server("redis://127.0.0.1:1", connection_settings.Tls(ca=files.ca)))


def test_missing_tls_file_is_reported(valkey, files, tmp_path):
    with tls.proxy(files, valkey.socket) as port, pytest.raises(errors.Unavailable, match="No such file"):
        ping(
            connection_settings.Server(
                f"rediss://127.0.0.1:{port}", connection_settings.Tls(ca=tmp_path / "missing.pem")
            )
        )


def test_unknown_address_scheme_is_refused():
    with pytest.raises(errors.Unavailable, match="Redis URL is invalid"):
        Store.connect("http://127.0.0.1")


def test_server_repr_hides_the_password():
    assert "secret" not in repr(connection_settings.Server("redis://:secret@127.0.0.1"))


def test_tls_files_are_relative_to_the_configuration(tmp_path, valkey, redis_url, files):
    with harness.vendors() as vendors, tls.proxy(files, valkey.socket, asks_clients=True) as port:
        file = harness.configure(tmp_path, vendors)
        for path in (files.ca, files.cert, files.key):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        section = "redis: {tls: {ca: ca.pem, cert: cert.pem, key: key.pem}}\n"
        file.write_text(section + file.read_text())
        with harness.router(tmp_path, file, REDIS_URL=f"rediss://127.0.0.1:{port}") as router:
            router.send_alert()
            harness.eventually("the incident is open everywhere", lambda: vendors.is_everywhere("open"))
