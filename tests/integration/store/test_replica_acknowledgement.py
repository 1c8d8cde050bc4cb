"""Writes are reported only after enough replicas have acknowledged them."""

import pytest

from router.domain import access, silences
from router.domain.incidents import Incident
from router.store import (
    errors,
    incidents,
    publishing_state,
)
from tests.integration import workers

TOKEN = access.Token("t1", "ann", access.Role.VIEWER, "", 1)
LINE = access.AuditEntry(1, "ann", "token t1", "", "freeze")
SILENCE = silences.Silence("s1", (), 1, 2, "ann", "upgrade")
LIMIT = publishing_state.Limit(9, workers.HOUR)

TOLD = {
    "a freeze": lambda store: store.publishing_controls.freeze("ann", 1, ""),
    "an unfreeze": lambda store: store.publishing_controls.unfreeze(),
    "the guard's count": lambda store: store.publishing_controls.count_auto_post("post", [], LIMIT, LIMIT),
    "a silence": lambda store: store.silences.save(SILENCE),
    "a token": lambda store: store.tokens.save(TOKEN),
    "a token that is taken back": lambda store: store.tokens.revoke("t1"),
    "a line of the audit log": lambda store: store.audit.append(LINE),
    "a body in quarantine": lambda store: store.quarantine.add("am", b"{", {}, "cut off", 1),
    "a dead letter that is tried again": lambda store: store.dead_deliveries.redrive("1-1"),
    "a person's word on an incident": lambda store: store.incidents.write(
        incidents.Change(Incident(key="down"), 0, wake=True)
    ),
}


@pytest.mark.parametrize("write", TOLD.values(), ids=TOLD)
def test_unconfirmed_write_is_not_reported_as_done(with_redis, write):
    async def body(store):
        await write(store)
        with pytest.raises(errors.Unavailable, match=r"only 0 of 9 replicas acknowledged the write$"):
            await write(workers.require_replicas(store, 9, 0.005))

    with_redis(body)
