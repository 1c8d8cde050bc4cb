"""A vendor's normalization of the router's texts is not a person's edit. Edits are detected despite normalization.

Each test opens, reads, updates, and resolves every kind of object at a vendor with a different style of
normalization.
"""

import msgspec
import pytest

from router.domain.reasons import Edit
from router.simulator import faults
from tests.contract import simulated_destinations
from tests.unit.destinations import scripted

PAGES = ["incident-io-status-page", "devhelm-status-page"]
STYLES = ["strip", "fold", "crlf", "escape", "bullets", "paragraph", "backslash", "cut", "impact"]
LONG = "Payments  may fail & refunds, too:\n\n- card_payments\n- invoices\n\nWe are sorry, and look into it <now>."
POST = {
    "title": "Unavailable in  the EU & the UK, so that customers can't pay at all there ",
    "message": LONG,
    "update_message": "Still looking:\n\n- card_payments & refunds are what we look at for the time being",
    "resolve_message": "- All is well & good again, for every one of our customers in the EU and in the UK",
    "components": ["Checkout API"],
}
FIELDS = {
    "incident-io": {"name": POST["title"], "summary": LONG},
    "incident-io-alert": {"title": POST["title"], "description": LONG},
    "incident-io-status-page": POST,
    "devhelm": {"title": POST["title"], "body": LONG},
    "devhelm-status-page": POST,
}


class Life(simulated_destinations.World):
    """One object of a kind, with the worker's complete state of it."""

    def __init__(self, simulator, kind):
        super().__init__(simulator)
        self.kind = kind
        self.seen = None
        self.before = None

    def perform(self, operation, *, severity="major", lags=False, **fields):
        asked = scripted.operation(
            operation if operation != "observe" else "update",
            {**FIELDS[self.kind], **fields},
            severity=severity,
            vendor_id=self.seen.vendor_id if self.seen else "",
            before=self.before,
            told=self.seen.told if self.seen else (),
            lags=lags,
        )
        if self.seen and self.seen.view:
            asked = msgspec.structs.replace(asked, view=self.seen.view)
        result = self.run(self.kind, lambda destination: getattr(destination, operation)(asked))
        kept = {"told": result.told or asked.told, "view": result.view or asked.view}
        self.seen = msgspec.structs.replace(result, **kept)
        if operation != "observe":
            self.before = asked.content
        return result

    def person(self, **changes):
        """Change the object without the API, as a person can."""
        vendor = self.simulator.app.state.vendors[simulated_destinations.VENDORS[self.kind]]
        if self.kind == "devhelm-status-page":
            (post,) = next(page for page in vendor._state.pages.values() if page.name == "Acme").posts.values()
        else:
            (post,) = vendor._state.posts.values()
        for name, value in changes.items():
            if name == "update":
                updates = post.updates
                newest = updates[-1]
                text = {"body": value} if self.kind == "devhelm-status-page" else {"message": value}
                updates.append(type(newest)(**{**vars(newest), "id": "of-a-person", **text}))
            elif name == "rewrites":
                setattr(post.updates[-1], "body" if self.kind == "devhelm-status-page" else "message", value)
            elif name == "title":
                setattr(post, "title" if self.kind == "devhelm-status-page" else "name", value)
            else:
                setattr(post, name, value)


@pytest.fixture
def life(simulator, kind):
    simulated_destinations.reset(simulator)
    return Life(simulator, kind)


def add_rewriting_fault(life, action, style):
    life.simulator.app.state.faults.append(faults.Fault(action=action, style=style, count=1000, length=60))


each_style = pytest.mark.parametrize("style", STYLES)
each_action = pytest.mark.parametrize("action", ["normalize", "render"])
each_page = pytest.mark.parametrize("kind", PAGES)


@simulated_destinations.each_kind
@each_action
@each_style
def test_normalized_texts_are_no_edits(life, style, action):
    add_rewriting_fault(life, action, style)
    assert (life.perform("open").state, life.seen.edited) == ("open", None)
    assert life.perform("observe").edited is None
    assert life.perform("update", severity="critical").edited is None
    assert life.perform("observe", severity="critical").edited is None
    life.simulator.app.state.calls.all.clear()
    assert life.perform("update", severity="critical").edited is None
    # The router doesn't revert the vendor's normalization.
    assert life.changes() == []
    assert life.perform("resolve", severity="critical").state == "resolved"


@simulated_destinations.each_kind
@each_style
def test_normalized_title_follows_the_rule(life, style):
    add_rewriting_fault(life, "normalize", style)
    life.perform("open")
    field = "name" if life.kind == "incident-io" else "title"
    assert life.perform("update", **{field: "Everything is down now"}).edited is None
    (stored,) = life.objects(life.kind)
    incident = stored.get("incident", stored)
    # A DevHelm incident has the router's reference before its title. One of the styles truncates the end.
    assert "Everything" in (incident.get("title") or incident.get("name"))


EDITS = {
    Edit.TITLE_CHANGED: {"title": "Card payments fail"},
    Edit.UPDATE_POSTED: {"update": "We have found the cause."},
    Edit.UPDATE_CHANGED: {"rewrites": "We have found the cause, and nothing else."},
}


@each_page
@each_action
@each_style
@pytest.mark.parametrize("edit", EDITS)
def test_person_s_edit_is_detected_despite_normalization(life, style, action, edit):
    add_rewriting_fault(life, action, style)
    life.perform("open")
    life.person(**EDITS[edit])
    assert life.perform("observe").edited == edit


@each_page
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("operation", ["update", "resolve"])
def test_person_s_edit_stops_an_operation(life, operation, edit):
    life.perform("open")
    life.perform("update", severity="critical")
    life.person(**EDITS[edit])
    life.simulator.app.state.calls.all.clear()
    assert life.perform(operation, severity="major", title="Ours").edited == edit
    assert life.changes() == []


@each_page
def test_small_title_edit_is_detected(life):
    life.perform("open")
    life.person(title=life.seen.view.fields["title"].replace(" at all there", ""))
    assert life.perform("observe").edited == Edit.TITLE_CHANGED


@pytest.mark.parametrize("kind", ["devhelm-status-page"])
def test_changed_impact_is_detected_despite_derivation(life):
    add_rewriting_fault(life, "normalize", "impact")
    life.perform("open", severity="minor")
    life.person(impact="CRITICAL")
    assert life.perform("observe", severity="minor").edited == Edit.IMPACT_CHANGED


@pytest.mark.parametrize("kind", ["devhelm-status-page"])
def test_component_changed_by_a_person_is_detected(life):
    life.perform("open")
    (component,) = life.seen.view.asked
    life.person(affected={component: "UNDER_MAINTENANCE"})
    assert life.perform("observe").edited == Edit.COMPONENT_CHANGED


@each_page
def test_reviewed_edit_is_replaced_and_later_one_kept(life):
    """The detected text becomes the new baseline: an approval covers that text, and no later edit."""
    life.perform("open")
    life.person(title="Card payments fail")
    life.perform("observe")
    assert life.perform("update", title="Approved words").edited is None
    life.person(title="Once more by hand")
    life.perform("observe")
    life.person(title="And again, unseen")
    assert life.perform("update", title="Other approved words").edited == Edit.TITLE_CHANGED
