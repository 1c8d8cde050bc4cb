"""The state of the simulated DevHelm and its transitions: drafts, publication, component states."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from router.simulator.devhelm import refusals, requests
from router.simulator.options import Options

# There is a page for each mode, because the router creates, adopts, or finds published posts, depending on the mode.
MODES = {"acme": ("Acme", "MANUAL"), "acme-eu": ("Acme EU", "REVIEW"), "acme-auto": ("Acme Auto", "AUTOMATIC")}
COMPONENTS = ("Checkout API", "Payments", "Web shop", "Search")
_WORST_FIRST = ["MAJOR_OUTAGE", "PARTIAL_OUTAGE", "DEGRADED_PERFORMANCE", "UNDER_MAINTENANCE", "OPERATIONAL"]
# The severity of an incident decides the impact of a post that a page creates automatically.
_IMPACTS = {"DOWN": "CRITICAL", "DEGRADED": "MINOR", "MAINTENANCE": "NONE"}


@dataclass
class Update:
    """One entry of a timeline; ``at`` is microseconds since the epoch."""

    id: str
    at: int
    status: str
    body: str | None
    notify: bool
    old_status: str | None = None
    by_itself: bool = False


@dataclass
class Incident:
    """One incident."""

    id: str
    title: str
    severity: str
    created_at: int
    monitor_id: str | None = None
    status: str = "CONFIRMED"
    resolved_at: int = 0
    reopened: int = 0
    updates: list[Update] = field(default_factory=list)


@dataclass
class Component:
    """One component of a page.

    ``base`` is its status apart from active posts: set by a user, or by the last resolution.
    """

    id: str
    name: str
    status: str = "OPERATIONAL"
    base: str = "OPERATIONAL"


@dataclass
class Post:
    """A page incident. It is a draft until ``published_at``; ``by_itself`` if no call created it."""

    id: str
    page_id: str
    title: str
    impact: str
    status: str
    created_at: int
    incident_id: str | None = None
    by_itself: bool = False
    published_at: int = 0
    resolved_at: int = 0
    changed_at: int = 0
    postmortem_body: str | None = None
    postmortem_url: str | None = None
    affected: dict[str, str] = field(default_factory=dict)
    updates: list[Update] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        """Return whether customers see it as active."""
        return bool(self.published_at) and not self.resolved_at


@dataclass
class Page:
    """One status page."""

    id: str
    name: str
    slug: str
    mode: str
    components: list[Component]
    posts: dict[str, Post] = field(default_factory=dict)


class State:
    """The whole state of one organization at DevHelm."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.incidents: dict[str, Incident] = {}
        self.pages: dict[str, Page] = {}
        for slug, (name, mode) in MODES.items():
            page = Page(self.new_id(), name, slug, mode, [Component(self.new_id(), c) for c in COMPONENTS])
            self.pages[page.id] = page

    def new_id(self) -> str:
        """Return a UUID. The same seed gives the same UUIDs."""
        return str(uuid.UUID(int=self._options.randomness.getrandbits(128), version=4))

    def now(self) -> int:
        """Return the vendor's time, in microseconds since the epoch."""
        return self._options.clock()

    def reset(self) -> None:
        """Delete incidents and posts. Pages and components stay, and all components become operational."""
        self.incidents.clear()
        for page in self.pages.values():
            page.posts.clear()
            for component in page.components:
                component.base = "OPERATIONAL"
            self.update_components(page)

    def open_incident(self, create_incident: requests.CreateIncident) -> Incident:
        """Create an incident manually. Pages with the mode REVIEW draft a post, and AUTOMATIC ones publish it."""
        monitor = str(create_incident.monitor_id) if create_incident.monitor_id else None
        incident = Incident(self.new_id(), create_incident.title, create_incident.severity, self.now(), monitor)
        # `CONFIRMED` means that a second region has confirmed a failure. A manual incident needs no such confirmation.
        incident.updates.append(self._update("CONFIRMED", create_incident.body, notify=False))
        self.incidents[incident.id] = incident
        for page in self.pages.values():
            # Such posts appear without a call, so the router's own create could be the second post about one incident.
            if page.mode != "MANUAL":
                self._post_by_itself(page, incident)
        return incident

    def _post_by_itself(self, page: Page, incident: Incident) -> None:
        impact = _IMPACTS[incident.severity]
        post = Post(
            self.new_id(), page.id, incident.title, impact, "INVESTIGATING", self.now(), incident.id, by_itself=True
        )
        # A draft notifies no subscriber before it is published.
        first = self._update("INVESTIGATING", incident.title, notify=page.mode == "AUTOMATIC")
        post.updates.append(replace(first, by_itself=True))
        if page.mode == "AUTOMATIC":
            post.published_at = self.now()
        page.posts[post.id] = post

    def update_incident(self, incident: Incident, add_update: requests.AddUpdate) -> None:
        """Add an update, with a new status if given."""
        old, new = incident.status, add_update.new_status or incident.status
        incident.updates.append(self._update(new, add_update.body, notify=add_update.notify_subscribers, old=old))
        incident.status = new
        if new == "RESOLVED" and old != "RESOLVED":
            self._end(incident)
        # An update with an active status reopens a resolved incident. DevHelm counts these returns.
        elif old == "RESOLVED" and new != "RESOLVED":
            incident.resolved_at = 0
            incident.reopened += 1

    def resolve_incident(self, incident: Incident, body: str | None) -> None:
        """End an incident. Raises ``Refusal`` if it is already resolved."""
        if incident.status == "RESOLVED":
            # The router's repeated resolution gets this conflict if the response to the first one was lost.
            raise refusals.Refusal(409, "incident is already resolved")
        incident.updates.append(self._update("RESOLVED", body, notify=False, old=incident.status))
        incident.status = "RESOLVED"
        self._end(incident)

    def _end(self, incident: Incident) -> None:
        incident.resolved_at = self.now()
        for page in self.pages.values():
            for post in page.posts.values():
                # DevHelm ends only posts that it published automatically. A reviewed or manual post stays open until a
                # call resolves it.
                if post.by_itself and page.mode == "AUTOMATIC" and post.incident_id == incident.id and post.is_active:
                    self.update_post(page, post, "RESOLVED", "This incident has been resolved.", notify=True)

    def create_post(self, page: Page, create_post: requests.CreatePost) -> Post:
        """Create a post, which is published immediately."""
        linked = str(create_post.monitoring_incident_id) if create_post.monitoring_incident_id else None
        # This 404 names no field, so the router can't tell from it which optional field is at fault.
        if linked is not None and linked not in self.incidents:
            raise refusals.Refusal(404, "monitoring incident not found")
        status = create_post.status or "INVESTIGATING"
        post = Post(self.new_id(), page.id, create_post.title, create_post.impact, status, self.now(), linked)
        post.affected = self.parse_affected(page, create_post.affected_components) or {}
        post.published_at = self.now()
        post.updates.append(self._update(status, create_post.body, notify=create_post.notify_subscribers is not False))
        page.posts[post.id] = post
        if status == "RESOLVED":
            post.resolved_at = self.now()
        self.update_components(page)
        return post

    def put_post(self, page: Page, post: Post, put_post: requests.PutPost) -> None:
        """Change the post's own fields: null keeps a field, an empty value clears it."""
        affected = self.parse_affected(page, put_post.affected_components)
        post.title = put_post.title or post.title
        post.impact = put_post.impact or post.impact
        post.affected = post.affected if affected is None else affected
        # An empty text clears the postmortem, and null keeps it. Titles can't be cleared.
        if put_post.postmortem_body is not None:
            post.postmortem_body = put_post.postmortem_body or None
        if put_post.postmortem_url is not None:
            post.postmortem_url = put_post.postmortem_url or None
        if put_post.published is not None:
            # Unpublishing turns the post into a draft again, which is the only form that can be dismissed.
            post.published_at = (post.published_at or self.now()) if put_post.published else 0
        if put_post.status is not None:
            self._move(post, put_post.status)
        post.changed_at = self.now()
        self.update_components(page)

    def publish(self, page: Page, post: Post, publish_post: requests.PublishPost) -> None:
        """Publish a draft. Raises ``Refusal`` if the post isn't a draft."""
        # A person may have published the draft first. The conflict keeps the router from replacing the person's text.
        if post.published_at:
            raise refusals.Refusal(409, "only a draft can be published")
        status = publish_post.status or post.status
        # A draft that was resolved before its publication is refused, too, unless the call sets an active status.
        if status == "RESOLVED":
            raise refusals.invalid("status", "must be an active status")
        affected = self.parse_affected(page, publish_post.affected_components)
        post.title = publish_post.title or post.title
        post.impact = publish_post.impact or post.impact
        self._move(post, status)
        post.affected = post.affected if affected is None else affected
        body = publish_post.body or post.updates[0].body
        # Publishing replaces the draft's first text and keeps later updates.
        post.updates[:1] = [self._update(post.status, body, notify=publish_post.notify_subscribers is not False)]
        post.published_at = self.now()
        self.update_components(page)

    def update_post(
        self, page: Page, post: Post, status: str, body: str, *, notify: bool, affected: dict[str, str] | None = None
    ) -> None:
        """Add an update to the timeline and set the post's status."""
        post.updates.append(self._update(status, body, notify=notify))
        post.affected = post.affected if affected is None else affected
        if status == "RESOLVED":
            for component in page.components:
                # The statuses of the resolving update stay after the post, so a resolution can keep a component under
                # maintenance.
                component.base = (affected or {}).get(component.id, component.base)
        self._move(post, status)
        self.update_components(page)

    def maintain(self, name: str, status: str = "UNDER_MAINTENANCE") -> None:
        """Set the status of the component with this name on every page, as a user does in DevHelm's application."""
        for page in self.pages.values():
            for component in page.components:
                component.base = status if component.name == name else component.base
            self.update_components(page)

    def dismiss(self, page: Page, post: Post) -> None:
        """Delete a draft. Raises ``Refusal`` if the post is published."""
        # Customers have seen a published post, so it must be resolved and not deleted.
        if post.published_at:
            raise refusals.Refusal(409, "only a draft can be dismissed")
        del page.posts[post.id]

    def update_components(self, page: Page) -> None:
        """Set each component's status to the worst of its base status and the statuses in active posts."""
        for component in page.components:
            # Drafts and resolved posts don't affect components, but keep the list of those that they named.
            statuses_of_posts = [post.affected for post in page.posts.values() if post.is_active]
            statuses = [affected[component.id] for affected in statuses_of_posts if component.id in affected]
            component.status = worst([component.base, *statuses])

    def _move(self, post: Post, status: str) -> None:
        post.status = status
        # A repeated resolution keeps the first time, and an active status reopens the post.
        post.resolved_at = (post.resolved_at or self.now()) if status == "RESOLVED" else 0

    def parse_affected(self, page: Page, affecteds: list[requests.Affected] | None) -> dict[str, str] | None:
        """Return component IDs with their statuses; None if none are given. Raises ``Refusal`` for unknown ones."""
        if affecteds is None:
            return None
        # Components belong to one page, so the ID of a component with the same name on another page is refused.
        component_ids = {component.id for component in page.components}
        for affected in affecteds:
            if str(affected.component_id) not in component_ids:
                raise refusals.invalid("affectedComponents", f"component {affected.component_id} is not on this page")
        return {str(component.component_id): component.status for component in affecteds}

    def _update(self, status: str, body: str | None, *, notify: bool, old: str | None = None) -> Update:
        return Update(self.new_id(), self.now(), status, body, notify, old)


def worst(states: Iterable[str]) -> str:
    """Return the worst of some component states; OPERATIONAL if there are none."""
    return min(states, key=_WORST_FIRST.index, default="OPERATIONAL")
