"""Calls through proxies and with private certificate authorities from environment variables."""

import asyncio
import base64
import contextlib
import ssl

import pytest
import uvloop

from router.outbound import authorities, client, connections, errors
from tests.integration import tls

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    authorities.tls_context.cache_clear()
    yield
    authorities.tls_context.cache_clear()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return tls.issue(tmp_path_factory.mktemp("tls") / "issued")


class Network:
    """A vendor with TLS, and a proxy that connects every host to the vendor. Both record their requests."""

    def __init__(self, files):
        self.asked = []
        self.answers = [b"HTTP/1.1 200 Connection established\r\n\r\n"]
        self.received = []
        self._serving = set()
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(files.cert, files.key)

    async def _vendor(self, reader, writer):
        self._serving.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.received.append(head + await reader.readexactly(2))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async def _proxy(self, reader, writer):
        self._serving.add(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.decode())
        writer.write(self.answers[-1])
        if b" 200 " in self.answers[-1] and head.startswith(b"CONNECT"):
            onward, back = await asyncio.open_connection("127.0.0.1", self.vendor_port)
            await asyncio.gather(self._copy(reader, back), self._copy(onward, writer))
        writer.close()

    async def _copy(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self):
        vendor = await asyncio.start_server(self._vendor, "127.0.0.1", 0, ssl=self._context)
        proxy = await asyncio.start_server(self._proxy, "127.0.0.1", 0)
        self.vendor_port = vendor.sockets[0].getsockname()[1]
        self.proxy_port = proxy.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            vendor.close()
            proxy.close()
            await asyncio.gather(*self._serving)


def call_vendor(network, base_url, monkeypatch, *, count=1, loop=asyncio.new_event_loop, **environment):
    """Call a vendor with these variables; ``{proxy}`` and ``{vendor}`` are the ports."""

    async def main():
        async with network.running():
            ports = {"proxy": network.proxy_port, "vendor": network.vendor_port}
            for name, value in environment.items():
                monkeypatch.setenv(name, str(value).format(**ports))
            url = base_url.format(**ports)
            http = client.Client(name="x", base_url=url, headers={}, timeout_seconds=5, now=lambda: 0)
            try:
                return [(await http.call("POST", "/v1/things", json={})).status for _ in range(count)]
            finally:
                await http.aclose()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main())


def test_private_authority_is_trusted_on_request(files, monkeypatch):
    context = authorities.tls_context(of_environment=False)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509_ca"] > 0
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
    assert authorities.tls_context(of_environment=True).cert_store_stats()["x509_ca"] == 1
    assert authorities.tls_context(of_environment=True) is authorities.tls_context(of_environment=True)


def test_unknown_authority_is_not_called(files, monkeypatch):
    network = Network(files)
    with pytest.raises(errors.Temporary, match="certificate verify failed"):
        call_vendor(network, "https://127.0.0.1:{vendor}", monkeypatch)
    assert network.received == []


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_vendor_is_called_through_proxy_with_private_authority(files, monkeypatch, loop):
    """The reused connection also goes through the proxy."""
    monkeypatch.setattr("router.outbound.loopback.is_loopback", lambda _: False)
    network = Network(files)
    environment = {"HTTPS_PROXY": "http://me:p%40ss@127.0.0.1:{proxy}", "SSL_CERT_FILE": files.ca}
    assert call_vendor(network, "https://127.0.0.1:{vendor}", monkeypatch, count=2, loop=loop, **environment) == [
        200,
        200,
    ]
    (asked,) = network.asked
    assert asked.startswith(f"CONNECT 127.0.0.1:{network.vendor_port} HTTP/1.1\r\n")
    assert f"proxy-authorization: basic {base64.b64encode(b'me:p@ss').decode()}".lower() in asked.lower()
    assert [head.split(b" ")[:2] for head in network.received] == [[b"POST", b"/v1/things"]] * 2
    assert b"authorization" not in network.received[0].lower()


def test_vendor_without_tls_is_called_by_the_proxy(files, monkeypatch):
    network = Network(files)
    network.answers.append(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    proxy = "http://me:p%40ss@127.0.0.1:{proxy}"
    assert call_vendor(network, "http://vendor.test", monkeypatch, HTTP_PROXY=proxy) == [200]
    (asked,) = network.asked
    assert asked.startswith("POST http://vendor.test/v1/things HTTP/1.1\r\n")
    assert f"proxy-authorization: basic {base64.b64encode(b'me:p@ss').decode()}".lower() in asked.lower()


@pytest.mark.parametrize("status", [403, 407, 502])
def test_proxy_that_refuses_means_nothing_was_sent(files, monkeypatch, status):
    network = Network(files)
    network.answers.append(f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n".encode())
    with pytest.raises(errors.Temporary, match="ClientHttpProxyError") as caught:
        call_vendor(network, "https://vendor.test", monkeypatch, HTTPS_PROXY="http://me:secret@127.0.0.1:{proxy}")
    assert "secret" not in str(caught.value)
    assert network.received == []


def test_proxy_without_response_means_nothing_was_sent(files, monkeypatch):
    with pytest.raises(errors.Temporary, match="can't connect to") as caught:
        call_vendor(Network(files), "https://vendor.test", monkeypatch, HTTPS_PROXY="http://me:secret@127.0.0.1:1")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128"}, "http://proxy.test:3128"),
        ({"HTTPS_PROXY": "proxy.test:3128"}, "http://proxy.test:3128"),
        ({"ALL_PROXY": "http://proxy.test:3128"}, "http://proxy.test:3128"),
        ({"HTTP_PROXY": "http://proxy.test:3128"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": ".vendor.test"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "vendor.test"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "api.vendor.test:443"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "other.test"}, "http://proxy.test:3128"),
    ],
)
def test_proxy_is_read_from_the_environment(monkeypatch, environment, proxy):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = connections.proxy_of_environment("https://api.vendor.test:443/v1")
    assert (str(found) if found else None) == proxy
    assert connections.proxy_of_environment("http://127.0.0.1:1") is None


def test_proxy_of_another_kind_is_an_error(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.test")
    with pytest.raises(ValueError, match="must be an HTTP proxy, not socks5"):
        connections.proxy_of_environment("https://api.vendor.test")
