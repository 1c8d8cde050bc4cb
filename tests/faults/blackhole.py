"""A TCP proxy that can drop the traffic between servers while clients are still served.

It runs as a separate process: ``blackhole.py BACK...`` prints one proxy port per back end, in one line. The line ``cut
PORT`` on standard input holds back all traffic from other servers, with all connections open. ``heal PORT`` forwards
the held traffic, as a network does. The proxy confirms each line by repeating it.
"""

import asyncio
import contextlib
import sys

SERVERS = "127.0.0.2"  # The source address of servers and sentinels; clients use another address.
_CHUNK = 65536


class Front:
    """The proxy before one server."""

    def __init__(self, back: int) -> None:
        self._back = back
        self.through = asyncio.Event()
        self.through.set()

    async def listen(self) -> int:
        """Return the port at which the proxy listens."""
        server = await asyncio.start_server(self._met, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_server = writer.get_extra_info("peername")[0] == SERVERS
        try:
            if is_server:
                await self.through.wait()
            from_back, to_back = await asyncio.open_connection("127.0.0.1", self._back)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, to_back, is_server))
                pumps.create_task(self._pump(from_back, writer, is_server))
        except* OSError:
            pass
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_server: bool) -> None:
        try:
            while data := await reader.read(_CHUNK):
                if is_server:
                    await self.through.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


async def main(backs: list[int]) -> None:
    """Run the proxies until standard input ends."""
    fronts = {await front.listen(): front for front in map(Front, backs)}
    print(*fronts, flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, port = line.split()
        through = fronts[int(port)].through
        through.clear() if word == "cut" else through.set()
        print(line, end="", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main([int(port) for port in sys.argv[1:]]))
