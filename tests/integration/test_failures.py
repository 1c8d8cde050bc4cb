"""Vendors that fail in every way: tried again under the same key, looked for before it is repeated, never doubled."""

import msgspec

from router.domain import decision, severity
from router.store import keys
from tests.integration import stage, vendor

CRITICAL = severity.Severity.CRITICAL


def playing(with_redis, play, *places, **more):
    async def body(connection):
        await play(stage.Stage(connection, *places, **more))

    with_redis(body)


def place(at: vendor.Vendor, **more):
    quick = vendor.place("on-call", at, **more)
    return type(quick)(quick.name, quick.kind, quick.destination, quick.follows, timeout_seconds=0.02)


def test_what_was_surely_not_done_is_tried_again_under_the_same_key(with_redis):
    at = vendor.Vendor()
    at.before = [vendor.temporary(), vendor.temporary()]

    async def play(on):
        await on.deliver(stage.firing())
        await on.until(lambda: at.states() == ["open"])
        assert len({call.key for call in at.calls}) == 1
        assert len(at.calls) == 3

    playing(with_redis, play, place(at))


def test_no_call_is_made_before_the_time_that_the_vendor_asked_for(with_redis):
    at = vendor.Vendor()
    at.before = [vendor.temporary(retry_after=60.0)]

    async def play(on):
        await on.deliver(stage.firing())
        await on.turn()
        await on.turn()
        assert at.kinds == ["open"]
        shard = keys.shard("down")
        seconds, micros = await on.connection.time()
        due = await on.connection.zscore(keys.timers(shard), "down")
        assert 50_000_000 < due - (seconds * 1_000_000 + micros) <= 60_000_000

    playing(with_redis, play, place(at))


def test_an_unanswered_open_is_repeated_under_its_key_where_the_vendor_keeps_keys(with_redis):
    at = vendor.Vendor(repeatable_open=True)
    at.after = [vendor.unanswered()]

    async def play(on):
        await on.deliver(stage.firing())
        await on.until(lambda: len(at.calls) == 2)
        assert at.states() == ["open"]
        assert at.finds == 0
        assert len({call.key for call in at.calls}) == 1

    playing(with_redis, play, place(at))


def test_an_unanswered_open_that_happened_is_found_and_not_repeated(with_redis):
    at = vendor.Vendor(repeatable_open=False)
    at.after = [vendor.unanswered()]

    async def play(on):
        await on.deliver(stage.firing())
        await on.until(lambda: at.finds >= 1)
        await on.turn()
        assert at.kinds == ["open"]
        await on.deliver(stage.resolved())
        await on.until(lambda: at.states() == ["resolved"])

    playing(with_redis, play, place(at))


def test_an_unanswered_open_that_did_not_happen_is_repeated_once_that_is_sure(with_redis):
    at = vendor.Vendor(repeatable_open=False)
    at.before = [vendor.unanswered()]

    async def play(on):
        await on.deliver(stage.firing())
        await on.until(lambda: at.states() == ["open"])
        assert at.kinds == ["open", "open"]
        assert at.finds >= 1

    playing(with_redis, play, place(at))


def test_an_unanswered_resolution_is_brought_to_its_end(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(stage.firing())
        await on.turn()
        at.after = [vendor.unanswered()]
        await on.deliver(stage.resolved())
        await on.until(lambda: at.kinds.count("resolve") == 2)
        assert at.states() == ["resolved"]

    playing(with_redis, play, place(at))


def test_an_incident_that_ends_while_its_opening_is_unanswered_is_found_and_resolved(with_redis):
    at = vendor.Vendor(repeatable_open=False)
    at.after = [vendor.unanswered()]

    async def play(on):
        await on.deliver(stage.firing())
        await on.turn()
        await on.deliver(stage.resolved())
        await on.until(lambda: at.states() == ["resolved"])
        assert at.kinds == ["open", "resolve"]

    playing(with_redis, play, place(at))


def test_what_the_vendor_refuses_for_good_is_a_dead_letter_with_its_words(with_redis):
    at = vendor.Vendor()
    at.before = [vendor.permanent()]

    async def play(on):
        await on.deliver(stage.firing())
        await on.turn()
        await on.deliver(stage.firing("f2"))
        await on.turn()
        assert at.kinds == ["open"]
        (known,) = await publications_of(on)
        assert known.dead == "422: no such component"
        assert known.intent is None

    playing(with_redis, play, place(at))


async def publications_of(on) -> list:
    """Ask for attention, take the lease to read what is known, and give it back."""
    await on.connection.zadd(keys.timers(keys.shard("down")), {"down": 0})
    (lease,) = await on.due()
    await on.publications.release(lease, due=0, finished=False)
    return lease.publications


def test_an_incident_whose_update_was_refused_is_resolved_all_the_same(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(stage.firing())
        await on.turn()
        at.before = [vendor.permanent()]
        await on.deliver(stage.firing("b"), level=CRITICAL)
        await on.turn()
        await on.deliver(stage.resolved(), stage.resolved("b"))
        await on.turn()
        assert at.kinds == ["open", "update", "resolve"]
        assert at.states() == ["resolved"]

    playing(with_redis, play, place(at))


def test_a_lease_that_was_lost_before_the_intent_was_written_makes_no_call(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(stage.firing())
        await on.fold()
        (lease,) = await on.due()
        await on.connection.hincrby(keys.publications("down"), "fence", 1)
        assert not await on.reconciler.reconcile(lease)
        assert at.calls == []

    playing(with_redis, play, place(at))


def test_a_page_waits_for_the_incident_that_it_may_draft_from_and_publishes_the_draft(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    page.incidents["draft"] = {"state": "draft", "content": None, "reference": ""}
    page.drafts["v1"] = "draft"
    both = stage.rule(decision.Target("page", {"title": "Down"}, "auto"), decision.Target("followed"))
    places = [
        vendor.place("followed", followed),
        vendor.place("page", page, public=True, adopts=True, follows="followed"),
    ]

    async def play(on):
        await on.deliver(stage.firing(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "publish"]
        assert page.states() == ["open"]
        assert page.calls[0].linked_id == "v1"

    playing(with_redis, play, *places)


def test_a_draft_under_review_is_brought_to_the_rules_words_and_waits(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    page.incidents["draft"] = {"state": "draft", "content": None, "reference": ""}
    page.drafts["v1"] = "draft"
    both = stage.rule(decision.Target("page", {"title": "Down"}, "review"), decision.Target("followed"))
    places = [
        vendor.place("followed", followed),
        vendor.place("page", page, public=True, adopts=True, follows="followed"),
    ]

    async def play(on):
        await on.deliver(stage.firing(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "update"]
        assert page.states() == ["draft"]
        await on.deliver(stage.resolved(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "update", "dismiss"]
        assert page.incidents == {}

    playing(with_redis, play, *places)


def test_a_page_without_a_draft_is_opened_by_the_router(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    both = stage.rule(decision.Target("page", {}, "auto"), decision.Target("followed"))
    places = [
        vendor.place("followed", followed),
        vendor.place("page", page, public=True, adopts=True, follows="followed"),
    ]

    async def play(on):
        await on.deliver(stage.firing(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "open"]

    playing(with_redis, play, *places)


def test_a_page_does_not_wait_for_ever_for_an_incident_that_was_refused(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    followed.before = [vendor.permanent()]
    both = stage.rule(decision.Target("page", {}, "auto"), decision.Target("followed"))
    places = [
        vendor.place("followed", followed),
        vendor.place("page", page, public=True, adopts=True, follows="followed"),
    ]

    async def play(on):
        await on.deliver(stage.firing(), response=both)
        await on.turn()
        assert page.kinds == ["open"]

    playing(with_redis, play, *places)


def test_nothing_is_posted_to_a_public_page_that_waits_for_review_or_is_in_the_shadow(with_redis):
    review, shadow = vendor.Vendor(), vendor.Vendor()
    both = stage.rule(decision.Target("review", {}, "review"), decision.Target("shadow", {}, "shadow"))
    places = [vendor.place("review", review, public=True), vendor.place("shadow", shadow, public=True)]

    async def play(on):
        await on.deliver(stage.firing(), response=both)
        await on.turn()
        await on.deliver(stage.resolved(), response=both)
        await on.turn()
        assert review.calls == shadow.calls == []

    playing(with_redis, play, *places)


def test_a_worker_that_died_after_the_intent_is_followed_by_one_that_looks_first(with_redis):
    at = vendor.Vendor(repeatable_open=False)

    async def play(on):
        await on.deliver(stage.firing())
        await on.fold()
        (lease,) = await on.due()
        session = stage_session(on, lease)
        (publication,) = session.publications
        intent = intent_of(publication)
        await session.record(msgspec.structs.replace(publication, number=1, intent=intent))
        await on.connection.hset(keys.publications("down"), "until", 0)
        await on.connection.zadd(keys.timers(keys.shard("down")), {"down": 0})
        await on.until(lambda: at.states() == ["open"])
        assert at.finds >= 1

    playing(with_redis, play, place(at))


def stage_session(on, lease):
    from router.worker import reconcile

    return reconcile.Session(lease, on.publications, lambda: 0)


def intent_of(publication):
    from router.domain import publication as publications

    content = publications.Content(CRITICAL, {})
    return publications.Intent("open", 1, 1, content)


def test_what_a_person_approves_is_published_in_this_episode_only(with_redis):
    page = vendor.Vendor()
    reviewed = stage.rule(decision.Target("page", {"title": "Down"}, "review"))

    async def play(on):
        await on.deliver(stage.firing(), response=reviewed)
        await on.turn()
        episode = (await on.incident()).episode
        assert not await on.incidents.approve("down", "another episode", "page", "ann")
        assert await on.incidents.approve("down", episode, "page", "ann")
        await on.turn()
        assert page.kinds == ["open"]
        await on.deliver(stage.resolved(), response=reviewed)
        await on.turn()
        assert page.states() == ["resolved"]
        assert not await on.incidents.approve("down", episode, "page", "ann")
        await on.deliver(stage.firing(starts_at=300), response=reviewed)
        await on.turn()
        assert page.kinds == ["open", "resolve"]

    playing(with_redis, play, vendor.place("page", page, public=True))


def test_publications_can_be_looked_at_without_a_lease(with_redis):
    at = vendor.Vendor()

    async def play(on):
        assert await on.publications.names() == []
        await on.deliver(stage.firing(), key='down{labels.region="a:b"}')
        await on.turn()
        assert await on.publications.names() == ['down{labels.region="a:b"}']
        (known,) = await on.publications.look('down{labels.region="a:b"}')
        assert (known.state, known.vendor_id) == ("open", "v1")

    playing(with_redis, play, place(at))
