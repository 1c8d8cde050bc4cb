"""Real proxies in front of the webhook server: trailers never count as headers."""

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.sources import registry
from router.web import app, client_addresses, serve
from tests import ports
from tests.unit.web import asgi_client

BODY = b'{"status":"firing","title":"t","alias":"a"}'
ALLOWED = "203.0.113.5"
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend plain
  bind 127.0.0.1:{plain}
  option forwardfor
  default_backend router
frontend buffered
  bind 127.0.0.1:{buffered}
  option forwardfor
  option http-buffer-request
  default_backend router
backend router
  server one 127.0.0.1:{web_server}
"""
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{plain};
    location / {{
      proxy_pass http://127.0.0.1:{web_server};
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_http_version 1.1;
    }}
  }}
}}
"""


@contextlib.contextmanager
def run_proxy(command: list[str], *listening: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for port in listening:
                _until_open(port, process)
            yield
        finally:
            process.terminate()


def _until_open(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
    raise AssertionError(f"nothing listens at {port}")


def request(headers: bytes, trailers: bytes) -> bytes:
    head = b"POST /v1/webhooks/near HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    return head + headers + b"\r\n%x\r\n%s\r\n0\r\n%s\r\n" % (len(BODY), BODY, trailers)


async def status(port: int, parts: list[bytes]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
    for part in parts:
        writer.write(part)
        await writer.drain()
    line = await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    return int(line.split()[1])


async def serve_web(port: int) -> "asyncio.Task[None]":
    config = registry.KINDS["json"].config
    web_server = asgi_client.web_server(
        asgi_client.Recording(),
        endpoints={
            "near": registry.build("near", config(auth="none", allow_from=[f"{ALLOWED}/32"])),
            "token": registry.build("token", config(bearer=["word"])),
        },
        addresses=client_addresses.ClientAddresses(
            tuple(client_addresses.ipaddress.ip_network(net) for net in ("127.0.0.1/32",))
        ),
    )
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve.serve(app.create_app(web_server, checks={}), "127.0.0.1", port, started.set_result)
    )
    await started
    return serving


async def check_all_refused(web_server: int, *proxies: int) -> None:
    serving = await serve_web(web_server)
    forged = b"X-Forwarded-For: 203.0.113.5\r\n"
    try:
        for port in proxies:
            for _ in range(5):
                assert await status(port, [request(b"", b"")]) == 403
                assert await status(port, [request(forged, b"")]) == 403
                assert await status(port, [request(b"", forged)]) == 403
                assert await status(port, [request(forged, forged)]) == 403
    finally:
        serving.cancel()
        await asyncio.wait([serving])


@pytest.mark.debian("haproxy")
def test_trailer_through_haproxy_keeps_the_sender_address(tmp_path: Path):
    """As a header, the trailer would be the last ``X-Forwarded-For``, and bypass ``allow_from``."""
    web_server, plain, buffered = (ports.reserve() for _ in range(3))
    file = tmp_path / "haproxy.cfg"
    file.write_text(HAPROXY.format(web_server=web_server, plain=plain, buffered=buffered))
    with run_proxy(["haproxy", "-db", "-f", str(file)], plain, buffered):
        asyncio.run(check_all_refused(web_server, plain, buffered))


@pytest.mark.debian("nginx")
def test_trailer_through_nginx_keeps_the_sender_address(tmp_path: Path):
    web_server, plain = ports.reserve(), ports.reserve()
    file = tmp_path / "nginx.conf"
    file.write_text(NGINX.format(web_server=web_server, plain=plain, folder=tmp_path))
    with run_proxy(["nginx", "-p", str(tmp_path), "-c", str(file)], plain):
        asyncio.run(check_all_refused(web_server, plain))


@pytest.mark.parametrize("together", [True, False], ids=["in one read", "in two"])
def test_trailer_without_proxy_is_no_header(together):
    async def main() -> None:
        web_server = ports.reserve()
        serving = await serve_web(web_server)
        try:
            whole = request(b"", b"Authorization: Bearer word\r\n").replace(b"/near ", b"/token ")
            head, end, rest = whole.partition(b"\r\n\r\n")
            assert await status(web_server, [whole] if together else [head + end, rest]) == 401
            good = request(b"Authorization: Bearer word\r\n", b"X: y\r\n").replace(b"/near ", b"/token ")
            assert await status(web_server, [good]) == 202
        finally:
            serving.cancel()
            await asyncio.wait([serving])

    asyncio.run(main())
