import asyncio

from router.domain import alert, decision, delivery, severity
from router.store import incidents, keys, publications, stream


def test_smoke(with_redis):
    async def main(c):
        inbox = stream.Inbox(c)
        r = stream.Reader(c, "w1")
        await r.prepare()
        a = alert.Alert("am", "f1", "firing", 1, 0)
        resp = decision.Response("r", "f:1", "v", (decision.Target("x"),))
        d = delivery.pack("id", "am", 5, [(a, decision.Decision("k", severity.Severity.MAJOR, resp))])
        await asyncio.gather(*(inbox.accept(d, b"{}") for _ in range(10)))
        got = await r.read(100, 100)
        assert len(got) == 10
        inc = incidents.Incidents(c)
        held = await inc.read(["k"])
        assert await inc.commit([incidents.Change(held["k"].incident, 0, True)]) == []
        assert await inc.commit([incidents.Change(held["k"].incident, 0, True)]) == ["k"]
        pubs = publications.Publications(c, lease_seconds=30)
        leases = await pubs.claim(keys.shard("k"), 10)
        assert len(leases) == 1
        assert await pubs.claim(keys.shard("k"), 10) == []
        assert await pubs.record(leases[0], [])
        assert not await pubs.release(leases[0], due=0, finished=False)
        await r.done(got)
        assert await r.read(10, None) == []
        assert (await stream.depth(c)) == (0, 0)

    with_redis(main)
