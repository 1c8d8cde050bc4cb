"""Changes that people make at a vendor are detected before each update, and never reverted."""

import httpx
import pytest

from router.domain.reasons import Edit
from tests.contract import simulated_destinations
from tests.unit.destinations import scripted

PAGES = ["incident-io-status-page", "devhelm-status-page"]
UPDATED = {**simulated_destinations.POST, "update_message": "Still looking."}


@pytest.fixture
def world(simulator):
    for vendor in simulator.app.state.vendors.values():
        vendor.reset()
    return PostWorld(simulator)


class PostWorld(simulated_destinations.World):
    """A post that the router opened, with methods for a person's changes."""

    kind = ""
    opened = None

    def open_post(self, kind):
        self.kind = kind
        self.opened = self.do(kind, "open")
        return self

    def repeat(self, operation, fields, *, severity="major", insists=False, told=None):
        """Perform another operation with the sent state of the previous one."""
        before = scripted.operation("open", simulated_destinations.FIELDS[self.kind], severity="major").content
        asked = scripted.operation(
            operation,
            {**simulated_destinations.FIELDS[self.kind], **fields},
            severity=severity,
            vendor_id=self.opened.vendor_id,
            before=None if insists else before,
            told=self.opened.told if told is None else told,
        )
        return self.run(self.kind, lambda destination: getattr(destination, operation)(asked))

    def person(self, method, path, body):
        url = f"{self.simulator.url}/{simulated_destinations.VENDORS[self.kind]}{path}"
        answer = httpx.request(method, url, json=body, headers={"authorization": f"Bearer {scripted.SECRET}"})
        assert answer.status_code < 300, answer.text

    def rename_post(self, title):
        if self.kind == "devhelm-status-page":
            self.person("PUT", self.path(), {"title": title})
        else:
            self.person("PUT", f"/v2/status_page_incidents/{self.opened.vendor_id}", {"name": title})

    def write_update(self, text):
        if self.kind == "devhelm-status-page":
            body = {"status": "IDENTIFIED", "body": text, "notifySubscribers": False}
            self.person("POST", f"{self.path()}/updates", body)
        else:
            body = {"status_page_incident_id": self.opened.vendor_id, "message": text, "notify_subscribers": False}
            self.person("POST", "/v2/status_page_incident_updates", {**body, "incident_status": "identified"})

    def path(self):
        page, _, post = self.opened.vendor_id.partition("/")
        return f"/api/v1/status-pages/{page}/incidents/{post}"

    def post(self):
        (post,) = self.objects(self.kind)
        return post

    def title(self):
        return self.post().get("title", self.post().get("name"))


def observe_post(world):
    before = scripted.operation("open", simulated_destinations.FIELDS[world.kind], severity="major").content
    operation = scripted.operation(
        "update",
        simulated_destinations.FIELDS[world.kind],
        severity="major",
        vendor_id=world.opened.vendor_id,
        before=before,
        told=world.opened.told,
    )
    return world.run(world.kind, lambda destination: destination.observe(operation))


@pytest.mark.parametrize("kind", PAGES)
def test_title_changed_by_a_person_stays(world, kind):
    world.open_post(kind).rename_post("Card payments fail")
    assert observe_post(world).edited == Edit.TITLE_CHANGED
    seen = world.repeat("update", {"title": "Ours again", "update_message": "Still looking."}, severity="critical")
    assert (seen.state, seen.edited) == ("open", Edit.TITLE_CHANGED)
    assert world.title() == "Card payments fail"
    assert world.repeat("resolve", {}).edited == Edit.TITLE_CHANGED
    assert "resolve" not in str(world.post().get("status", world.post().get("incident_status"))).lower()


@pytest.mark.parametrize("kind", PAGES)
def test_post_updated_by_a_person_is_not_changed(world, kind):
    world.open_post(kind).write_update("We have found the cause.")
    assert observe_post(world).edited == Edit.UPDATE_POSTED
    texts = len(world.post()["updates"])
    assert world.repeat("update", UPDATED, severity="critical").edited == Edit.UPDATE_POSTED
    assert len(world.post()["updates"]) == texts


@pytest.mark.parametrize("kind", PAGES)
def test_unedited_post_is_updated_and_resolved(world, kind):
    world.open_post(kind)
    assert observe_post(world).edited is None
    updated = world.repeat("update", UPDATED, severity="critical")
    assert (updated.state, updated.edited) == ("open", None)
    again = world.repeat("update", UPDATED, severity="critical")
    assert (again.edited, set(again.told)) == (None, set(updated.told))
    assert world.repeat("resolve", UPDATED, severity="critical", told=updated.told).state == "resolved"


@pytest.mark.parametrize("kind", PAGES)
def test_approved_text_replaces_another_person_s_change(world, kind):
    world.open_post(kind).rename_post("Card payments fail")
    seen = world.repeat("update", {"title": "Approved"}, insists=True)
    assert (seen.edited, world.title()) == (None, "Approved")


@pytest.mark.parametrize("kind", PAGES)
def test_router_s_text_before_a_crash_is_no_edit(world, kind):
    """The update succeeded and its response was lost, so the next attempt knows only the earlier sent state."""
    world.open_post(kind)
    world.repeat("update", UPDATED, severity="critical")
    assert world.repeat("update", UPDATED, severity="critical").edited is None


def test_edited_name_stays_and_severity_is_raised(world):
    world.open_post("incident-io")
    path = f"/v2/incidents/{world.opened.vendor_id}/actions/edit"
    world.person("POST", path, {"incident": {"name": "Cards"}, "notify_incident_channel": False})
    rank = world.post()["severity"]["rank"]
    world.repeat("update", {"name": "Ours"}, severity="critical")
    assert world.post()["name"] == "Cards"
    assert world.post()["severity"]["rank"] > rank


def test_severity_falls_only_if_unchanged_at_the_vendor(world):
    world.open_post("incident-io")
    rank = world.post()["severity"]["rank"]
    world.repeat("update", {}, severity="minor")
    assert world.post()["severity"]["rank"] < rank
    world.repeat("update", {}, severity="critical")
    highest = world.post()["severity"]["rank"]
    world.repeat("update", {}, severity="minor")  # It was major at the router's last write: a person has raised it.
    assert world.post()["severity"]["rank"] == highest


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize(("severity", "told"), [("critical", True), ("minor", False), ("major", False)])
def test_subscribers_are_notified_only_of_worse_updates(world, kind, severity, told):
    world.open_post(kind)
    before = len(world.simulator.app.state.calls.all)
    world.repeat("update", UPDATED, severity=severity)
    posts = [call.body for call in world.simulator.app.state.calls.all[before:] if call.method == "POST"]
    (post,) = posts
    assert post.get("notifySubscribers", post.get("notify_subscribers")) is told


@pytest.mark.parametrize("kind", PAGES)
def test_retraction_keeps_a_post_edited_by_a_person(world, kind):
    world.open_post(kind).rename_post("Card payments fail")
    seen = world.repeat("retract", {})
    assert (seen.state, seen.edited) == ("open", Edit.TITLE_CHANGED)
    assert world.title() == "Card payments fail"
    gone = world.repeat("retract", {}, insists=True)
    assert gone.state == ("dismissed" if kind == "devhelm-status-page" else "resolved")


@pytest.mark.parametrize("kind", PAGES)
def test_retraction_keeps_a_post_resolved_by_a_person(world, kind):
    opened = world.open_post(kind).opened
    world.do(kind, "resolve", at=opened.vendor_id)
    before = world.state(kind)
    seen = world.repeat("retract", {})
    assert (seen.state, seen.note) == ("resolved", "it was resolved already")
    assert world.state(kind) == before
