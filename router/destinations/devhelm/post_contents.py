"""Compares a post with what the router wants it to show, has sent, and may have sent. Pure.

An update of unknown or partial effect is in ``operation.uncertain``: what a post shows of it is not a person's change,
and is set back.
"""

from collections.abc import Collection, Mapping

from router.destinations import components, observations, references, rule_fields, severity_mapping
from router.destinations.devhelm import posts, wire
from router.destinations.devhelm.config import Impact, PostConfig, PostOpening
from router.domain import operations, severities, texts
from router.domain.reasons import Edit


class PostContents:
    """The contents of posts of one destination."""

    def __init__(self, config: PostConfig) -> None:
        self._config = config

    def impact(self, opening: PostOpening, severity: severities.Severity) -> Impact:
        """Return the impact to show."""
        return (
            severity_mapping.map_severity(self._config.impacts, severity) if opening.impact is None else opening.impact
        )

    def update_text(self, opening: PostOpening) -> str:
        """Return the text of an update; empty if updates have none."""
        return self._config.update_message if opening.update_message is None else opening.update_message

    def resolve_text(self, opening: PostOpening) -> str:
        """Return the text of the resolution."""
        return opening.resolve_message or self._config.resolve_message

    def statuses(self, opening: PostOpening, severity: severities.Severity) -> Mapping[str, components.Status]:
        """Return the component statuses that a rule sets, by the names that it uses."""
        return components.statuses(opening.components, severity, self._config.component_statuses)

    def uncertain_statuses(self, operation: operations.Operation) -> list[Mapping[str, components.Status]]:
        """Return the component statuses that uncertain updates may have set, by the names that rules use."""
        candidates: list[Mapping[str, components.Status]] = []
        for opening, severity in self._uncertain(operation):
            statuses = self.statuses(opening, severity)
            # What was sent depended on other incidents, which may have changed since. So both forms count as ours.
            candidates += [statuses, components.merge_statuses(statuses, operation.others)]
        return candidates

    def difference(
        self, post: wire.Post, operation: operations.Operation, opening: PostOpening, status: str | None
    ) -> wire.PutPost:
        """Return the changes of title, status, and impact. Values that the vendor derived from ours stay."""
        last, view = operation.before, operation.view
        before = rule_fields.parse_previous(PostOpening, self._config, operation)
        impact = self.impact(opening, operation.content.severity)
        change = wire.PutPost(status=status if status != post.status else None)
        # What an uncertain update has left isn't derived from what was sent last.
        is_certain = not operation.uncertain
        if not texts.alike(opening.title, post.title):
            is_derived = before is not None and before.title == opening.title and post.title in view.titles[-1:]
            change.title = None if is_certain and is_derived else opening.title
        if impact != post.impact:
            sent = self.impact(before, last.severity) if before is not None and last is not None else None
            is_derived = sent == impact and view.fields.get("impact") == post.impact
            change.impact = None if is_certain and is_derived else impact
        return change

    def describe_leftovers(self, post: wire.Post, operation: operations.Operation, opening: PostOpening) -> list[str]:
        """Return what an uncertain update has left in the post instead of the wanted title, impact, and status."""
        impact, status = self.impact(opening, operation.content.severity), opening.update_status
        differences = set()
        for uncertain_opening, severity in self._uncertain(operation):
            if post.impact == self.impact(uncertain_opening, severity) != impact:
                differences.add(f"the impact is {post.impact}, not {impact}")
            if texts.alike(post.title, uncertain_opening.title) and not texts.alike(post.title, opening.title):
                differences.add(f'the title is "{post.title}", not "{opening.title}"')
            if status and post.status == uncertain_opening.update_status != status:
                differences.add(f"the status is {post.status}, not {status}")
        return sorted(differences)

    def list_our_texts(self, operation: operations.Operation, opening: PostOpening) -> set[str]:
        """Return every text that the router may have posted by this operation, the previous one, or uncertain ones."""
        openings = self._list_openings(operation, opening)
        our_texts = {sign(uncertain_opening, operation) for uncertain_opening in openings} | {
            self.update_text(uncertain_opening) for uncertain_opening in openings
        }
        # An earlier attempt at the resolution may have ended the post before a late update reopened it.
        if operation.kind == "resolve":
            our_texts.add(self.resolve_text(opening))
        return {text for text in our_texts if text}

    def find_edit(self, post: wire.Post, operation: operations.Operation, opening: PostOpening) -> Edit | None:
        """Return a person's changes: they differ from the vendor's response and from the desired state."""
        last, view = operation.before, operation.view
        before = rule_fields.parse_previous(PostOpening, self._config, operation)
        is_ended = posts.state(post) == "resolved"
        # A draft that the page created contains nothing of ours yet. Compare it with how it was found.
        if is_ended or (before is None and not view.fields):
            return None
        if observations.has_edited_title(
            operation,
            post.title,
            {uncertain_opening.title for uncertain_opening in self._list_openings(operation, opening)},
        ):
            return Edit.TITLE_CHANGED
        impacts = {self.impact(opening, operation.content.severity), view.fields.get("impact")}
        if before is not None and last is not None:
            impacts.add(self.impact(before, last.severity))
        impacts |= {
            self.impact(uncertain_opening, severity) for uncertain_opening, severity in self._uncertain(operation)
        }
        if post.impact not in impacts:
            return Edit.IMPACT_CHANGED
        our_texts = self.list_our_texts(operation, opening) | posts.list_automatic_texts(post)
        return observations.find_timeline_edit(operation, posts.timeline(post), our_texts)

    def has_message(self, post: wire.Post, operation: operations.Operation, opening: PostOpening) -> bool:
        """Return whether the timeline has the rule's message, as normalized by the vendor."""
        if posts.is_signed(post, operation.reference):
            return True
        our_texts = self.list_our_texts(operation, opening)
        return any(
            texts.is_cut(entry.text, text)
            for entry in posts.timeline(post)
            for text in our_texts
            # Only a text with the reference identifies the message, even if the vendor has cut it.
            if "Reference" in text
        )

    def has_newest_text(
        self, post: wire.Post, operation: operations.Operation, opening: PostOpening, text: str, status: str
    ) -> bool:
        """Return whether the post's newest update already has the text and the status.

        An operation that only restores the fields of unchanged content also accepts the post's message as the text.
        """
        timeline = posts.timeline(post)
        messages = [text, sign(opening, operation)] if operation.is_repeat_of_last else [text]
        return any(observations.is_newest_text(operation, timeline, message, status) for message in messages)

    def _uncertain(self, operation: operations.Operation) -> list[tuple[PostOpening, severities.Severity]]:
        return rule_fields.parse_uncertain(PostOpening, self._config, operation)

    def _list_openings(self, operation: operations.Operation, opening: PostOpening) -> list[PostOpening]:
        """Return the contents of which the post may show a part."""
        before = rule_fields.parse_previous(PostOpening, self._config, operation)
        return [
            *([] if before is None else [before]),
            opening,
            *(uncertain_opening for uncertain_opening, _ in self._uncertain(operation)),
        ]


def sign(opening: PostOpening, operation: operations.Operation) -> str:
    """Return the post's first text, with the router's reference."""
    return references.add_footer(opening.message, operation.reference)


def changed_components(
    post: wire.Post, affected: Collection[wire.AffectedComponent]
) -> list[wire.AffectedComponent] | None:
    """Return the whole component list to send, or None if nothing is new. Entries that others have added stay."""
    current = posts.affected_components(post)
    changed = {
        **current,
        **{affected_component.component_id: affected_component.status for affected_component in affected},
    }
    if changed == current:
        return None
    return [wire.AffectedComponent(component_id, status) for component_id, status in changed.items()]
