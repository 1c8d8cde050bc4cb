"""Writes are reported only after enough replicas have acknowledged them."""

import pytest

from router.domain import access
from router.domain import incidents as incident
from router.domain import silences as silence
from router.store import access as access_store
from router.store import (
    dead_deliveries,
    errors,
    incidents,
    publishing_state,
    quarantine,
    silences,
)
from tests.integration import workers

TOKEN = access.Token("t1", "ann", access.Role.VIEWER, "", 1)
LINE = access.Action(1, "ann", "token t1", "", "freeze")
SILENCE = silence.Silence("s1", (), 1, 2, "ann", "upgrade")
LIMIT = publishing_state.Limit(9, workers.HOUR)

TOLD = {
    "a freeze": lambda of: publishing_state.PublishingControls(of).freeze("ann", 1, ""),
    "an unfreeze": lambda of: publishing_state.PublishingControls(of).unfreeze(),
    "the guard's count": lambda of: publishing_state.PublishingControls(of).count_auto_post("post", [], LIMIT, LIMIT),
    "a silence": lambda of: silences.Silences(of).save(SILENCE),
    "a token": lambda of: access_store.Tokens(of).save(TOKEN),
    "a token that is taken back": lambda of: access_store.Tokens(of).revoke("t1"),
    "a line of the audit log": lambda of: access_store.Audit(of).append(LINE),
    "a body in quarantine": lambda of: quarantine.Quarantine(of).add("am", b"{", {}, "cut off", 1),
    "a dead letter that is tried again": lambda of: dead_deliveries.DeadDeliveries(of).redrive("1-1"),
    "a person's word on an incident": lambda of: incidents.Incidents(of).write(
        incidents.Change(incident.Incident(key="down"), 0, wake=True)
    ),
}


@pytest.mark.parametrize("write", TOLD.values(), ids=TOLD)
def test_unconfirmed_write_is_not_reported_as_done(with_redis, write):
    async def body(connection):
        await write(connection)
        with (
            workers.demanding(connection, 9, 0.005),
            pytest.raises(errors.Unavailable, match=r"only 0 of 9 replicas acknowledged the write$"),
        ):
            await write(connection)

    with_redis(body)
