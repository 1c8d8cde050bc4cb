"""The desired state of a publication follows from the incident, the policy for all pages, and people's decisions."""

import msgspec
import pytest

from router.destinations import base
from router.domain import alerts, decisions, fold, incidents, publications, reviews, severities
from router.domain.reasons import Cause, Reason
from router.worker import configured_destinations, desired_state

NOW = 1_700_000_000_000_000
MINOR, MAJOR, CRITICAL = severities.Severity.MINOR, severities.Severity.MAJOR, severities.Severity.CRITICAL

LEAK = Cause(Reason.TEXT_LEAKS, detail="an IP address")
FROZEN = Cause(Reason.FROZEN, detail="by ann")
TRIPPED = Cause(Reason.GUARD_TRIPPED, detail="more than 30 posts")


def place(
    *, public: bool = True, adopts: bool = False, follows: str = ""
) -> configured_destinations.ConfiguredDestination:
    kind = base.Kind("test", base.Config, base.Opening, public, adopts, connect=None, make=None)
    return configured_destinations.ConfiguredDestination("page", kind, None, follows)


def target(publish: str = "auto", **more) -> decisions.Target:
    return decisions.Target("page", {"title": "{{ t }}", "message": "m"}, publish, **more)


def opened(*targets: decisions.Target, labels=None, **more) -> incidents.Incident:
    response = decisions.Response("r", "f:1", "v", targets or (target(),))
    first = alerts.Alert("am", "a", "firing", 1, 0, title="t", labels=labels or {})
    decided = {name: more.pop(name) for name in incidents.Interventions.__struct_fields__ if name in more}
    given = {"status": "open", "episode": "e1", "severity": MAJOR, "opened_at": NOW, **more}
    incident = incidents.Incident(key="k", response=response, opening_alert=first, **given)
    return incidents.with_interventions(incident, **decided)


def make_publication(**more) -> publications.Publication:
    return publications.Publication("e1", "page", **more)


def render(fields, _) -> dict:
    return {name: text.replace("{{ t }}", "10.0.0.1") for name, text in fields.items()}


def render_public(fields, one, allowed) -> tuple[dict, str]:
    rendered = render(fields, one)
    leaks = "{{ t }}" not in allowed and any("10.0.0.1" in str(text) for text in rendered.values())
    return rendered, "an IP address" if leaks else ""


def build_desired(incident: incidents.Incident, of=None, *, at=None, **more) -> publications.Desired:
    return desired_state.DesiredStateBuilder(render, **more).build(
        incident, of or make_publication(), [], at or place()
    )


def test_private_text_requires_a_review():
    desired = build_desired(opened(), render_public=render_public)
    assert desired.review_cause == LEAK
    assert desired.publish == "auto"


def test_internal_content_is_not_examined_for_leaks():
    assert build_desired(opened(), render_public=render_public, at=place(public=False)).review_cause is None


def test_fallback_text_replaces_private_text_with_a_notice():
    desired = build_desired(opened(target(fallback={"title": "An outage"})), render_public=render_public)
    assert (desired.review_cause, desired.content.fields) == (None, {"title": "An outage", "message": "m"})
    assert desired.note == Cause(Reason.FALLBACK_TEXT_USED, detail="an IP address")
    still = build_desired(opened(target(fallback={"message": "Sorry"})), render_public=render_public)
    assert still.review_cause == LEAK


def test_reviewer_s_text_overrides_the_rule_s():
    approved = reviews.Verdict("approved", "ann", NOW, "d", fields={"title": "Hers"})
    desired = build_desired(opened(verdicts={"page": approved}))
    assert desired.content.fields == {"title": "Hers", "message": "m"}
    assert desired.verdict is approved
    dismissed = reviews.Verdict("dismissed", "ann", NOW, "d")
    assert build_desired(opened(verdicts={"page": dismissed})).content.fields["title"] == "10.0.0.1"


def test_dismissed_update_keeps_the_earlier_reviewed_text():
    dismissed = reviews.Verdict("dismissed", "bob", NOW, "d", fields={"title": "Hers"})
    desired = build_desired(opened(verdicts={"page": dismissed}))
    assert (desired.content.fields["title"], desired.note) == ("Hers", None)


def test_decision_applies_to_its_episode_and_page():
    said = {"page": reviews.Verdict("approved", "ann", NOW), "other": reviews.Verdict("dismissed", "bob", NOW)}
    one = opened(verdicts=said)
    assert build_desired(one).verdict is said["page"]
    earlier = publications.Publication("e0", "page", state="open", content=publications.Content(MAJOR, {}))
    assert build_desired(one, earlier).verdict is None
    assert not build_desired(one, earlier).present


def test_policy_applies_to_every_page():
    policy = desired_state.Policy(frozen=FROZEN, tripped=TRIPPED, min_update_interval=5, observe_interval=7)
    desired = build_desired(opened(), policy=policy)
    assert (desired.frozen, desired.review_cause) == (FROZEN, TRIPPED)
    assert (desired.min_update_interval, desired.observe_interval) == (5, 7)
    private = build_desired(opened(), policy=policy, at=place(public=False))
    assert (private.min_update_interval, private.observe_interval) == (0, 7)


def test_leak_precedes_the_guard_as_review_reason():
    desired = build_desired(opened(), render_public=render_public, policy=desired_state.Policy(tripped=TRIPPED))
    assert desired.review_cause == LEAK


@pytest.mark.parametrize("said", ["true", "True", " yes ", "1"])
def test_test_incident_is_suppressed_only_on_public_pages(said):
    tried = opened(labels={"test": said})
    assert build_desired(tried).suppressed == Cause(Reason.TEST_ALERT)
    assert build_desired(tried, at=place(public=False)).suppressed is None


@pytest.mark.parametrize("said", ["false", "no", "0", "", "integration"])
def test_false_test_label_does_not_suppress_the_post(said):
    assert build_desired(opened(labels={"test": said})).suppressed is None


def test_review_settings_of_the_rule_are_included():
    desired = build_desired(opened(target("review", deadline=9, at_deadline="publish")))
    assert (desired.publish, desired.deadline, desired.at_deadline) == ("review", 9, "publish")


def test_redrive_and_discard_apply_to_one_publication():
    one = opened(redriven_at={"e1/page": 5}, discarded_at={"e0/page": 6})
    assert (build_desired(one).redriven_at, build_desired(one).discarded_at) == (5, 0)
    earlier = publications.Publication("e0", "page", content=publications.Content(MAJOR, {}))
    assert (build_desired(one, earlier).redriven_at, build_desired(one, earlier).discarded_at) == (0, 6)


def test_resolution_uses_the_last_sent_content():
    last = publications.Content(MAJOR, {"title": "as it was"})
    closed = opened(status="closed")
    assert build_desired(closed, make_publication(state="open", content=last)).content is last


def test_target_declares_allowed_values_of_variables():
    declared = target(public={"{{ t }}": decisions.Allowed(("10.0.0.1",))})
    assert build_desired(opened(declared), render_public=render_public).review_cause is None


def test_invisible_characters_of_a_reviewer_are_removed():
    approved = reviews.Verdict(
        "approved", "ann", NOW, "d", fields={"title": "He\u200brs\u202e", "components": ["A\u2060"]}
    )
    shown = build_desired(opened(verdicts={"page": approved}), render_public=render_public).content.fields
    assert shown == {"title": "Hers", "message": "m", "components": ["A"]}


class TestSeveralAsks:
    """Each destination gets the texts of the rule that opens it."""

    @staticmethod
    def arrived(name, level, response, status="firing"):
        alert = alerts.Alert("am", name, status, 1, 2 if status == "resolved" else 0, title=f"{name} is {level.word}")
        return decisions.Routed(alert, decisions.Decision("k", level, response))

    @staticmethod
    def make_response(rule, *at):
        return decisions.Response(
            rule, f"f:{rule}", "v1", tuple(decisions.Target(name, {"title": rule}) for name in at)
        )

    def incident(self, *arrived):
        incident = incidents.Incident("k")
        for one in arrived:
            incident = fold.fold(incident, [one], now=NOW, episode="e1")
        return incident

    def desired(self, of, destination, **known):
        desires = desired_state.DesiredStateBuilder(lambda fields, of: {**fields, "alert": of.opening_alert.title})
        one = publications.Publication("e1", destination, **known)
        return desires.build(of, one, [one], place(public=False))

    def test_each_destination_uses_its_own_rule_s_texts(self):
        of = self.incident(
            self.arrived("a", MINOR, self.make_response("tickets", "tickets")),
            self.arrived("b", CRITICAL, self.make_response("pages", "pager")),
        )
        assert self.desired(of, "tickets").content.fields == {"title": "tickets", "alert": "a is minor"}
        assert self.desired(of, "pager").content.fields == {"title": "pages", "alert": "b is critical"}

    def test_destination_removed_by_a_rule_is_unchanged(self):
        of = self.incident(
            self.arrived("a", MINOR, self.make_response("tickets", "tickets")),
            self.arrived("a", CRITICAL, self.make_response("pages", "pager")),
        )
        content = publications.Content(MINOR, {"title": "tickets"})
        desired = self.desired(of, "tickets", state="open", content=content)
        assert (desired.present, desired.content) == (True, content)

    def test_destination_removed_by_a_rule_is_not_opened(self):
        of = self.incident(
            self.arrived("a", MINOR, self.make_response("tickets", "tickets")),
            self.arrived("b", CRITICAL, self.make_response("pages", "pager")),
            self.arrived("b", CRITICAL, self.make_response("pages", "pager"), status="resolved"),
        )
        assert not self.desired(of, "pager").present
        intent = publications.Intent("open", 1, NOW, publications.Content(CRITICAL, {}))
        assert self.desired(of, "pager", intent=intent).present, "the outcome of the open is unknown"
        assert self.desired(of, "tickets").present


MONITORING = decisions.Ending(
    60_000_000, {"update_status": "MONITORING", "update_message": "Fixed."}, {"update_status": "X"}
)
OPEN = {"state": "open", "vendor_id": "v1"}


def make_quiet_incident(*targets: decisions.Target, **more) -> incidents.Incident:
    return opened(*targets, quiet=incidents.QuietPeriod(NOW, NOW), **more)


def test_only_published_posts_of_quiet_incidents_are_monitored():
    one = make_quiet_incident(target(ending=MONITORING))
    desired = build_desired(one, make_publication(**OPEN))
    assert (desired.present, desired.monitored) == (True, True)
    assert desired.content.fields == {"title": "10.0.0.1", "message": "m", **MONITORING.monitoring}
    absent = build_desired(one)
    assert (absent.present, absent.monitored) == (False, False)
    # A draft keeps waiting, with the rule's first text.
    draft = build_desired(one, make_publication(state="draft", vendor_id="v1"))
    assert (draft.present, draft.monitored, "update_status" in draft.content.fields) == (True, False, False)


def test_monitoring_applies_only_to_posts_that_configure_it():
    other = msgspec.structs.replace(target(ending=MONITORING), destination="other")
    desired = build_desired(make_quiet_incident(target(), other), make_publication(**OPEN))
    assert (desired.present, desired.monitored, desired.content.fields["message"]) == (True, False, "m")


def test_refired_monitored_post_returns_to_its_firing_status():
    one = opened(target(ending=MONITORING))
    assert build_desired(one, make_publication(**OPEN, monitored=True)).content.fields["update_status"] == "X"
    assert "update_status" not in build_desired(one, make_publication(**OPEN)).content.fields


def test_monitoring_with_a_leak_waits_or_uses_fallback():
    """The fallback doesn't replace the message of the monitoring update."""
    ending = decisions.Ending(1, {"update_status": "MONITORING", "update_message": "{{ t }} is fixed."})
    leaks = build_desired(
        make_quiet_incident(target(ending=ending)), make_publication(**OPEN), render_public=render_public
    )
    assert leaks.review_cause == LEAK
    fallback = {"title": "An outage", "update_message": "We look on."}
    spared = build_desired(
        make_quiet_incident(target(ending=MONITORING, fallback=fallback)),
        make_publication(**OPEN),
        render_public=render_public,
    )
    assert (spared.review_cause, spared.content.fields["title"]) == (None, "An outage")
    assert spared.content.fields["update_message"] == "Fixed."


def test_only_public_posts_require_a_resolution_review():
    one = opened(target(ending=decisions.Ending(review=True)))
    assert build_desired(one).ends_by_review
    assert not build_desired(one, at=place(public=False)).ends_by_review


def test_reviewer_s_update_text_does_not_replace_the_message():
    words = {"title": "Hers", "update_message": "We look on."}
    one = make_quiet_incident(
        target(ending=MONITORING), verdicts={"page": reviews.Verdict("approved", "ann", NOW, "d", fields=words)}
    )
    fields = build_desired(one, make_publication(**OPEN)).content.fields
    assert (fields["title"], fields["update_message"]) == ("Hers", "Fixed.")
    own = reviews.Verdict("approved", "ann", NOW, "d", fields=words, ending={"update_message": "All is well."})
    fields = build_desired(
        incidents.with_interventions(one, verdicts={"page": own}), make_publication(**OPEN)
    ).content.fields
    assert (fields["title"], fields["update_message"]) == ("Hers", "All is well.")


@pytest.mark.parametrize("label", ["true", "1"])
def test_test_incident_is_marked_in_internal_titles(label):
    one = opened(labels={"test": label})
    private, page = build_desired(one, at=place(public=False)), build_desired(one)
    assert private.content.fields == {"title": "[TEST] 10.0.0.1", "message": "m"}
    assert (page.content.fields["title"], page.suppressed is not None) == ("10.0.0.1", True)
    again = opened(decisions.Target("page", {"name": "[TEST] once", "title": 3}), labels={"test": label})
    marked = desired_state.DesiredStateBuilder(lambda fields, _: dict(fields)).build(
        again, make_publication(), [], place(public=False)
    )
    assert marked.content.fields == {"name": "[TEST] once", "title": 3}
    assert build_desired(opened(), at=place(public=False)).content.fields["title"] == "10.0.0.1"
