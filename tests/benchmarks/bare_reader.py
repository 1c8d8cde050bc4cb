"""The minimal worker: read deliveries in batches, decode, acknowledge, and delete them.

python -m tests.benchmarks.bare_reader SOCKET
"""

import sys

import redis

from router.store import codec, keys


def main(socket: str) -> None:
    connection = redis.Redis(unix_socket_path=socket)
    connection.xgroup_create(keys.INBOX, keys.GROUP, id="0", mkstream=True)
    while True:
        answer = connection.xreadgroup(keys.GROUP, "bare", {keys.INBOX: ">"}, count=512, block=1000)
        entries = answer[0][1] if isinstance(answer, list) and answer else []
        if not entries:
            continue
        for _, fields in entries:
            codec.unpack_delivery(fields[b"h"])
        identities = [identity for identity, _ in entries]
        pipeline = connection.pipeline(transaction=False)
        pipeline.xack(keys.INBOX, keys.GROUP, *identities)
        pipeline.xdel(keys.INBOX, *identities)
        pipeline.execute()


if __name__ == "__main__":
    main(sys.argv[1])
