"""Escalations of an incident at incident.io. Each pages a responder, at most once for each severity of an episode.

The view of a publication records the pages: each severity with the ID of its escalation. The record exists as soon as
the router has opened the incident. An incident that was adopted after data loss has no record, and is never escalated,
because its responder has already been paged.

    opened at   now        on_raise   recorded                    next
    minor       minor      -          {}                          nothing, below ``at_least``
    minor       critical   -          {}                          page, key 0
    major       critical   no         {major: 01A}                nothing
    major       critical   yes        {major: 01A}                page, key 1
    major       critical   yes        {major: 01A, critical: 01B} nothing

The idempotency key contains the number of earlier pages instead of the severity. So if the first response is lost, the
retry returns the escalation of the first call, even if the severity has changed meanwhile.

A failed page doesn't fail the opening, because the incident is open. The publication then differs from the desired
state, and the router updates it until the page is confirmed. If the vendor rejects the update, it is a dead letter.
"""

from collections.abc import Mapping

import msgspec

from router.destinations.incident_io import names, wire
from router.destinations.incident_io.config import IncidentOpening
from router.domain import identity, operations, severities
from router.outbound import client, errors

PAGED = "escalations"
"""The key in a view whose value records the escalations by severity."""
_FIELD = "escalation"
Paged = Mapping[str, str]
_NONE: Paged = {}


def add_record(operation: operations.Operation, state: operations.VendorState) -> operations.VendorState:
    """Add the record of pages to the state of an incident that this episode has opened."""
    assert state.view is not None  # noqa: S101 - callers pass the observed state
    fields = {**state.view.fields, PAGED: _read_record(operation) or {}}
    return msgspec.structs.replace(state, view=msgspec.structs.replace(state.view, fields=fields))


def describe_pending(operation: operations.Operation, opening: IncidentOpening, paged: Paged | None) -> str:
    """Return why a page is pending, as text for the timeline; empty if none is pending."""
    escalation, severity = opening.escalation, operation.content.severity
    # The rule pages no one, the router didn't open the incident, or its severity is too low.
    if escalation is None or paged is None or severity < severities.parse(escalation.at_least):
        return ""
    if not paged:
        return f"no page at severity {severity.word} is confirmed yet"
    worst = max(severities.parse(word) for word in paged)
    # A severity that fell and rises again doesn't page again: the responder knows the worst one.
    is_raised = escalation.on_raise and severity > worst
    return f"no page for the raise from {worst.word} to {severity.word} is confirmed yet" if is_raised else ""


class Escalations:
    """Creates and cancels the escalations of one account."""

    def __init__(self, name: str, http: client.Client, lookups: names.Names) -> None:
        self._name = name
        self._http = http
        self._names = lookups

    async def after_open(
        self, operation: operations.Operation, opening: IncidentOpening, state: operations.VendorState
    ) -> operations.VendorState:
        """Page for a newly opened incident. If the page fails, return the state with the difference to report."""
        before = add_record(operation, state)
        # The incident ended while each attempt to open it failed, so no page was made, and none is needed. Without a
        # recorded failure, a killed worker may have paged: repeating the page returns its ID, to cancel it.
        if operation.is_over and operation.failures:
            return before
        try:
            return await self.page(operation, opening, before)
        except errors.Failure as problem:
            return msgspec.structs.replace(before, differs=f"no page is confirmed yet: {problem}")

    async def page(
        self, operation: operations.Operation, opening: IncidentOpening, state: operations.VendorState
    ) -> operations.VendorState:
        """Page if a page is pending. Return the state with the updated record.

        Raise ``Permanent`` if the vendor rejects it: an unknown path or user, or a key without permission.
        """
        paged = state.view.fields.get(PAGED) if state.view is not None else None
        if state.view is None or state.state != "open" or not describe_pending(operation, opening, paged):
            return state
        escalation_id = await self._create(operation, opening, state.vendor_id, len(paged or _NONE))
        fields = {**state.view.fields, PAGED: {**(paged or _NONE), operation.content.severity.word: escalation_id}}
        return msgspec.structs.replace(state, view=msgspec.structs.replace(state.view, fields=fields))

    async def cancel(self, operation: operations.Operation, opening: IncidentOpening | None) -> str:
        """Cancel the escalations of an ended incident. Return a note on failures; empty if none failed.

        A resolved or expired escalation can't be canceled, but has ended anyway. ``opening`` is None if the rule's
        fields can no longer be read.
        """
        # If the rule's fields can't be read, the default applies: the escalations are canceled.
        if opening is not None and opening.escalation is not None and not opening.escalation.cancel:
            return ""
        notes = []
        for escalation_id in (_read_record(operation) or _NONE).values():
            path = f"/v2/escalations/{client.segment(escalation_id)}/actions/cancel"
            try:
                await self._http.call("POST", path)
            except (errors.Permanent, errors.Denied) as problem:
                notes.append(f"escalation {escalation_id} was not canceled: {problem}")
        return "; ".join(notes)

    async def _create(
        self, operation: operations.Operation, opening: IncidentOpening, incident_id: str, earlier: int
    ) -> str:
        """Create the escalation. If the vendor rejects the incident or the description, retry without both.

        The retry reuses the idempotency key, because the vendor creates nothing for a rejected call.
        """
        escalation = opening.escalation
        assert escalation is not None  # noqa: S101 - a page is pending
        path_id = None
        if escalation.path:
            path_id = await self._names.escalation_paths.id_of(escalation.path, field=_FIELD)
        create_escalation = wire.CreateEscalation(
            identity.idempotency_key(operation.episode, f"{operation.destination}/escalation", earlier),
            opening.name,
            path_id,
            list(escalation.users) or None,
        )
        full = msgspec.structs.replace(create_escalation, incident_id=incident_id, description=opening.summary or None)
        try:
            try:
                answer = await self._http.call("POST", "/v2/escalations", json=full)
            except errors.Permanent:
                answer = await self._http.call("POST", "/v2/escalations", json=create_escalation)
        except errors.Denied as problem:
            # The key can still open incidents, so don't raise an account failure, which would pause those, too.
            message = f"{self._name}: the key may not create escalations: {problem}"
            raise errors.Permanent(message, status=problem.status, field=_FIELD) from problem
        return answer.read(wire.EscalationAnswer).escalation.id


def _read_record(operation: operations.Operation) -> Paged | None:
    """Return the recorded pages. Return None if the router didn't open the incident."""
    previous = operation.view.fields.get(PAGED)
    return dict(previous) if isinstance(previous, Mapping) else None
