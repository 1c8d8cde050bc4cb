"""An episode reopens only publications that a call of the router ended."""

import dataclasses

import pytest

from router.destinations import base
from router.domain import alerts, decisions, incidents, publications, severities
from router.worker import configured_destinations, desired_state

KIND = base.Kind("test", base.Config, base.Opening, public=False, adopts=False, connect=None, make=None, reopens=True)
AT = configured_destinations.ConfiguredDestination("devhelm", KIND, None)
TARGETS = (decisions.Target("devhelm", {"title": "t"}), decisions.Target("page", {"title": "t"}, "auto"))


def build_desired(
    *siblings: publications.Publication, at: configured_destinations.ConfiguredDestination = AT, **more
) -> publications.Desired:
    response = decisions.Response("r", "f:1", "v", TARGETS)
    first = alerts.Alert("am", "a", "firing", 1, 0, title="t")
    given = {"status": "open", "episode": "e2", "follows": "e1", "severity": severities.Severity.MAJOR, **more}
    incident = incidents.Incident(key="k", response=response, opening_alert=first, **given)
    mine = publications.Publication("e2", at.name)
    return desired_state.DesiredStateBuilder(lambda fields, _: dict(fields)).build(
        incident, mine, [*siblings, mine], at
    )


def earlier(**more) -> publications.Publication:
    given = {"state": "resolved", "vendor_id": "v1", "ended": True, **more}
    return publications.Publication("e1", "devhelm", **given)


def test_post_ended_by_the_router_is_reopened():
    desired = build_desired(earlier())
    assert (desired.reopen_vendor_id, desired.is_previous_closed) == ("v1", True)


@pytest.mark.parametrize(
    ("before", "settled"),
    [
        (earlier(ended=False), True),
        (earlier(state="dismissed"), True),
        (earlier(state="open", ended=False), False),
        (earlier(state="open", ended=False, rejection=publications.Rejection("422", "open:d", 1)), True),
    ],
)
def test_post_not_ended_by_router_is_not_reopened(before, settled):
    desired = build_desired(before)
    assert (desired.reopen_vendor_id, desired.is_previous_closed) == ("", settled)


def test_only_the_previous_episode_can_be_reopened():
    assert build_desired(earlier(), follows="").reopen_vendor_id == ""
    assert build_desired(earlier(), follows="e0").reopen_vendor_id == ""
    never = dataclasses.replace(AT, kind=dataclasses.replace(KIND, reopens=False))
    assert build_desired(earlier(), at=never).reopen_vendor_id == ""


@pytest.mark.parametrize(("reopened", "linked"), [(False, "v1"), (True, "")])
def test_page_post_is_not_linked_to_reopened_incident(reopened, linked):
    page = dataclasses.replace(AT, name="page", kind=dataclasses.replace(KIND, adopts=True), follows="devhelm")
    followed = publications.Publication("e2", "devhelm", state="open", vendor_id="v1", reopened=reopened)
    desired = build_desired(followed, at=page)
    assert (desired.linked_id, desired.may_adopt_draft) == (linked, not reopened)
