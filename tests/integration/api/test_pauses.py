"""Pauses belong to an account at a vendor: any process can list and lift them for all destinations of the account."""

import pathlib
import secrets

from router import configuration
from router.api import app
from router.bootstrap import factories
from router.domain import access
from router.outbound import errors
from router.services import actions
from tests.integration import consoles

ENDPOINT = "POST /v1/incidents"


def create_keyless_application(at):
    """Create the management application of a process without API keys of vendors."""
    settings = configuration.load(pathlib.Path(at.settings.file), {}, configuration.StandIn("not-used", {}))
    return app.dependencies(settings, at.store, at.clock, secrets.token_urlsafe)


async def pause(at, name="on-call", endpoint=ENDPOINT):
    await factories.quota(at.store, at.settings.destinations[name]).pause(600.0, endpoint)


async def lift(made, name):
    me = actions.Caller(access.Person("ann", access.Role.ADMIN, "command line"))
    return await made.actions.lift_pauses(actions.ActionContext(me, name))


def test_pauses_are_listed_without_vendor_keys(play):
    async def body(at):
        await at.on.reconciler.sweep()
        await pause(at)
        made = create_keyless_application(at)
        listed = [(one.destination, one.kind, one.endpoint) for one in await made.queries.records.pauses()]
        assert listed == [("on-call", "rate_limit", ENDPOINT), ("page", "rate_limit", ENDPOINT)]

    play(body)


def test_pauses_are_lifted_without_vendor_keys(play):
    async def body(at):
        await at.on.reconciler.sweep()
        await pause(at)
        made = create_keyless_application(at)
        assert (await lift(made, "page")).lifted == 1
        assert await at.parts.queries.records.pauses() == []

    play(body)


def test_lift_wakes_all_destinations_of_the_account(play):
    """`page` and `on-call` share an account. Lifting the pause of `page` lets the incident at `on-call` open."""

    async def body(at):
        await pause(at)
        at.on_call.before.append(errors.Throttled("429", 600.0, is_account_wide=False))
        await at.deliver(consoles.firing())
        assert at.on_call.states() == []
        done = await lift(at.parts, "page")
        assert (done.lifted, done.looked_at) == (1, 1)
        await at.on.turn()
        assert at.on_call.states() == ["open"]

    play(body)


def test_lift_closes_all_circuit_breakers_of_the_account(play):
    async def body(at):
        now = await at.on.redis_now()
        for _ in range(5):
            at.on.performer.breakers.record("on-call", errors.Unanswered("no answer"), now)
        await at.deliver(consoles.firing())
        assert at.on_call.states() == []
        assert (await lift(at.parts, "page")).lifted == 1
        await at.on.turn()
        assert at.on_call.states() == ["open"]

    play(body)
