"""WebSocket connections as a client: proxies, private authorities, and servers that don't speak the protocol."""

import asyncio
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio import server

from router.outbound import authorities, errors, websocket
from tests.integration import tls

HOST = "wss-primary.slack.test"
LIMITS = {"timeout_seconds": 5, "ping_seconds": 5}


@pytest.fixture
def fresh_authorities():
    authorities.tls_context.cache_clear()
    yield
    authorities.tls_context.cache_clear()


def issue(folder):
    """Issue a certificate of a private authority for the host. Return the paths of both certificates."""
    ca_key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = tls._certificate("CA", ca_key, ca_key, "CA", x509.BasicConstraints(ca=True, path_length=0))
    name = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    own = tls._certificate(HOST, own_key, ca_key, "CA", name)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    key = own_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "own.pem").write_bytes(own.public_bytes(pem) + key)
    return folder / "ca.pem", folder / "own.pem"


async def tunnel(port, asked):
    """Run a proxy that accepts CONNECT, and connects every host to one local port."""

    async def serve(reader, writer):
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode())
        near, far = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def pump(source, sink):
            while part := await source.read(65536):
                sink.write(part)
            sink.close()

        await asyncio.gather(pump(reader, far), pump(near, writer), return_exceptions=True)

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def echo(connection):
    async for message in connection:
        await connection.send(message)


def test_environment_s_proxy_and_private_authority_are_used(tmp_path, monkeypatch, fresh_authorities):
    authority, own = issue(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    asked = []

    async def main():
        async with server.serve(echo, "127.0.0.1", 0, ssl=context) as far:
            proxy = await tunnel(far.sockets[0].getsockname()[1], asked)
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
            with pytest.raises(errors.Temporary, match="SSLCertVerificationError"):
                await websocket.WebSocket.connect(f"wss://{HOST}/link/?ticket=secret", **LIMITS)
            authorities.tls_context.cache_clear()
            monkeypatch.setenv("SSL_CERT_FILE", str(authority))
            socket = await websocket.WebSocket.connect(f"wss://{HOST}/link/?ticket=secret", **LIMITS)
            await socket.send("hello")
            assert await socket.receive(5) == "hello"
            await socket.close()
            proxy.close()

    asyncio.run(main())
    assert asked == [f"CONNECT {HOST}:443 HTTP/1.1"] * 2


def test_environment_s_proxy_is_not_used_for_loopback(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    async def main():
        async with server.serve(echo, "127.0.0.1", 0) as near:
            port = near.sockets[0].getsockname()[1]
            socket = await websocket.WebSocket.connect(f"ws://127.0.0.1:{port}/", **LIMITS)
            await socket.send("hello")
            assert await socket.receive(5) == "hello"
            with pytest.raises(errors.Temporary, match="TimeoutError"):
                await socket.receive(0.01)
            await socket.close()
            with pytest.raises(errors.Temporary, match="closed"):
                await socket.send("late")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 404 Gone\r\ncontent-length: 0\r\n\r\n", "refused: 404"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "refused: 200"),
        (b"SSH-2.0-server\r\n\r\n", "InvalidMessage"),
        (b"", "InvalidMessage"),
    ],
)
def test_other_server_is_a_temporary_failure(answer, said):
    async def main():
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        near = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{near.sockets[0].getsockname()[1]}/link/?ticket=secret"
        with pytest.raises(errors.Temporary, match=said) as raised:
            await websocket.WebSocket.connect(url, **LIMITS)
        assert "secret" not in raised.value.message
        near.close()

    asyncio.run(main())


@pytest.mark.parametrize("url", ["ws://slack.test/?ticket=secret", "http://slack.test/", "nonsense", "wss://[::1"])
def test_unencrypted_or_invalid_url_is_refused(url):
    async def main():
        with pytest.raises(errors.Temporary) as raised:
            await websocket.WebSocket.connect(url, **LIMITS)
        assert "secret" not in raised.value.message

    asyncio.run(main())
