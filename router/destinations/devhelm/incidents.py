"""The kind ``devhelm``: manual incidents at DevHelm.

The vendor has no idempotency keys, so every incident has our reference before its title, by which it is found.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from router.destinations import base, half_done, observations, reduced_calls, references, rule_fields, severity_mapping
from router.destinations.devhelm import account, names, wire
from router.destinations.devhelm.config import IncidentConfig, IncidentOpening, Severity
from router.domain import operations, severities, texts, times
from router.outbound import call_policy, client, errors

_PATH = "/api/v1/incidents"
_CHANNELS = "/api/v1/alert-channels"
_AUTOMATIC = "AUTOMATIC"  # The mode of a page that publishes incidents automatically.
_PAGES = "devhelm-status-page"
_KINDS = {"incident_io": "incident-io"}  # Kind of destination that each type of channel reports to.
_FIRES = "CONFIRMED"  # The type of an incident opened by hand.
# Statuses, besides a conflict, by which the vendor says that the incident is gone or can't get this status.
_NOT_AGAIN = frozenset({400, 404, 422})
# Search from this long before the episode opened, because the vendor's clock differs from ours.
_SKEW = dt.timedelta(hours=1)


class Incidents:
    """Incidents of one account."""

    repeatable_open = False

    def __init__(self, name: str, config: IncidentConfig, http: client.Client) -> None:
        self.name = name
        self._config = config
        self._http = http

    def within(self, budget: call_policy.CallBudget) -> "Incidents":
        """Return this destination with a budget for its calls. Both share connections and caches."""
        return Incidents(self.name, self._config, self._http.within(budget))

    async def adopt(self, operation: operations.Operation) -> None:
        """Return None: the vendor's automatic incidents concern its own monitors."""

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Search for our reference. Keep the oldest open incident that carries it, and resolve the others.

        An incident that was to be reopened comes first if it is open.
        """
        if operation.vendor_id and (reopened := await self._find_open(operation)):
            return reopened
        incidents = await self._find_signed(operation)
        # A lost response made the router repeat the open. Open incidents are first in the list, so one of them is kept.
        for further in incidents[1:]:
            if not _is_over(further):
                await self._resolve(further.id, _duplicate(operation))
        return _make_state(incidents[0]) if incidents else None

    async def end_duplicates(self, operation: operations.Operation) -> tuple[str, ...]:
        """Resolve every other open incident that carries our reference."""
        further = [
            incident
            for incident in await self._find_signed(operation)
            if incident.id != operation.vendor_id and not _is_over(incident)
        ]
        for incident in further:
            await self._resolve(incident.id, _duplicate(operation))
        return tuple(other.id for other in further)

    async def list_open(self, _others: Collection[str] = ()) -> list[operations.OpenItem]:
        """List the open incidents that carry a reference."""
        items = []
        for status in wire.OPEN:
            query = {"search": "IR-", "source": "MANUAL", "status": status}
            async for page in account.read_pages(self._http, _PATH, wire.Incident, query, noun="incident"):
                items += [
                    _item(incident)
                    for incident in page
                    if not _is_over(incident) and references.find_in_title(incident.title or "")
                ]
        return items

    def recognizes(self, item: operations.OpenItem, operation: operations.Operation) -> bool:  # noqa: ARG002 - a Destination
        """Return False: every incident carries its reference."""
        return False

    async def _find_signed(self, operation: operations.Operation) -> list[wire.Incident]:
        """Return the incidents that carry our reference: open ones first, then the oldest."""
        query = {
            "search": operation.reference,
            "source": "MANUAL",
            "startedFrom": _iso(times.to_datetime(operation.opened_at) - _SKEW),
        }
        pages = account.read_pages(
            self._http, _PATH, wire.Incident, query, noun="incident", vendor_id=operation.reference
        )
        reference = operation.reference
        signed = [
            incident async for page in pages for incident in page if references.has_tag(incident.title or "", reference)
        ]
        return sorted(signed, key=lambda incident: (_is_over(incident), incident.created_at))

    async def open(self, operation: operations.Operation) -> operations.VendorState:
        """Create the incident, or reopen the previous one. If the vendor doesn't reopen it, create a new one."""
        opening, omitted = rule_fields.parse_fitted(IncidentOpening, self._config, operation)
        calls = reduced_calls.ReducibleCall(self._http, suspects=("monitor_id",), omitted=list(omitted))
        if operation.vendor_id and (reopened := await self._reopen(operation, opening)):
            return reopened
        note = "the vendor did not reopen the previous incident" if operation.vendor_id else ""
        body = wire.CreateIncident(
            title=references.add_tag(opening.title, operation.reference),
            severity=self._severity(opening, operation),
            monitor_id=opening.monitor_id or None,
            body=opening.body or None,
        )
        answer = await calls.call("POST", _PATH, body)
        detail = answer.read(wire.DetailAnswer).data
        # A broken proxy may swap two responses. The other incident would then be resolved together with this one.
        references.check_reference(references.find_in_title(detail.incident.title or ""), operation.reference)
        seen = _make_detailed_state(detail, operation)
        return msgspec.structs.replace(seen, note=note, omitted=tuple(calls.omitted))

    async def update(self, operation: operations.Operation) -> operations.VendorState:
        """Change severity and title unless a person has, and post an update with the current severity."""
        opening = rule_fields.parse_current(IncidentOpening, self._config, operation)
        detail = await self._show(operation.vendor_id)
        # A person or the vendor has resolved it, and an update would reopen it.
        if _is_over(detail.incident):
            return _make_detailed_state(detail, operation)
        timeline = _timeline(detail)
        observations.check_fresh(operation, timeline, observations.moment(detail.incident.updated_at))
        incident, omitted = await self._patch(detail.incident, operation, opening)
        text = self._update_text(incident, opening, operation)
        # Only the newest update says anything about the present.
        if observations.is_posted(operation, timeline, text) or observations.is_newest_text(operation, timeline, text):
            return msgspec.structs.replace(_make_detailed_state(detail, operation), omitted=omitted)
        update = wire.AddUpdate(opening.notify, text, opening.update_status)
        # If posting fails, the view must have the new title and severity, or they would look like a person's edit.
        left = None if incident is detail.incident else _make_partial_state(incident, operation)
        with half_done.record_on_failure(left):
            answer = await self._http.call("POST", f"{_path(operation.vendor_id)}/updates", json=update)
        return msgspec.structs.replace(
            _make_detailed_state(answer.read(wire.DetailAnswer).data, operation), omitted=omitted
        )

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Update the incident, because there are no drafts."""
        return await self.update(operation)

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the incident, unless it is resolved already."""
        opening = rule_fields.parse_current(IncidentOpening, self._config, operation)
        detail = await self._show(operation.vendor_id)
        if not _is_over(detail.incident):
            text = self._config.resolve_message if opening.resolve_message is None else opening.resolve_message
            detail = (await self._resolve(operation.vendor_id, text)).read(wire.DetailAnswer).data
            return msgspec.structs.replace(_make_detailed_state(detail, operation), state="resolved", ended=True)
        return _make_detailed_state(detail, operation)

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the incident, because there are no drafts."""
        return await self.resolve(operation)

    async def retract(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the incident, because customers don't see it."""
        return await self.resolve(operation)

    async def correct(self, _operation: operations.Operation) -> operations.VendorState:
        """Raise ``Permanent``: updates of incidents can't be changed."""
        raise errors.Permanent(f"{self.name}: the vendor's API can't change a posted update")

    async def observe(self, operation: operations.Operation) -> operations.VendorState:
        """Read the incident's state."""
        detail = await self._show(operation.vendor_id)
        stamp = observations.moment(detail.incident.updated_at)
        # A stale read would report our own change as a person's edit.
        if not _is_over(detail.incident) and observations.is_stale(operation, _timeline(detail), stamp):
            return msgspec.structs.replace(_make_state(detail.incident), is_stale=True)
        seen = _make_detailed_state(detail, operation)
        if seen.state != "open":
            return seen
        return msgspec.structs.replace(seen, differs=self._describe_leftovers(detail.incident, operation))

    async def probe(self) -> None:
        """Read the account's newest incident."""
        await self._http.call("GET", _PATH, query={"page": 0, "size": 1})

    def touches(self, _operation: operations.Operation) -> Mapping[str, str]:
        """Return no components: incidents have no page."""
        return {}

    async def check(self, fields: Mapping[str, Any] = base.NOTHING) -> list[str]:  # noqa: ARG002 - no field names anything
        """Check that the key can read incidents. There are no names to look up."""
        try:
            await self._http.read(_PATH, wire.Listed, query={"page": 0, "size": 1})
        except errors.Failure as problem:
            return [problem.message]
        return []

    async def channels(self) -> list[base.Channel]:
        """Return the enabled alert channels to other vendors, and the pages on which DevHelm publishes incidents."""
        pages_of_channels = account.read_pages(self._http, _CHANNELS, wire.AlertChannel, noun="alert channel")
        channels = [channel async for batch in pages_of_channels for channel in batch if channel.enabled]
        # An incident that the router opens at DevHelm is reported there a second time (see `worker/double_reports.py`).
        vendor_channels = [
            base.Channel(channel.name, _KINDS[channel.channel_type])
            for channel in channels
            if channel.channel_type in _KINDS
        ]
        pages = account.read_pages(self._http, names.PAGES, wire.Page, noun="status page")
        automatic = [page async for batch in pages for page in batch if page.incident_mode == _AUTOMATIC]
        return vendor_channels + [
            base.Channel(page.name, _PAGES, (page.id, page.name, page.slug)) for page in automatic
        ]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _find_open(self, operation: operations.Operation) -> operations.VendorState | None:
        """Return the incident to reopen, if it is open already."""
        try:
            seen = await self.observe(operation)
        # Deleted at the vendor: the caller opens a new one.
        except errors.NotFound:
            return None
        return seen if seen.state == "open" else None

    async def _reopen(self, operation: operations.Operation, opening: IncidentOpening) -> operations.VendorState | None:
        """Reopen a resolved incident; an open one stays. Return None if it is gone or the vendor refuses."""
        try:
            incident = (await self._show(operation.vendor_id)).incident
            # A repeated operation finds the incident open already.
            if _is_over(incident):
                text = f"An alert fires again.\n\nReference: {operation.reference}"
                update = wire.AddUpdate(opening.notify, text, opening.update_status or _FIRES)
                await self._http.call("POST", f"{_path(operation.vendor_id)}/updates", json=update)
        # The vendor no longer reopens this incident, so a new one is opened.
        except errors.Conflict:
            return None
        except errors.Permanent as problem:
            if problem.status in _NOT_AGAIN:
                return None
            raise
        return operations.VendorState(incident.id, "open", incident.shortlink or "")

    def _severity(self, opening: IncidentOpening, operation: operations.Operation) -> Severity:
        return self._severity_of(opening, operation.content.severity)

    def _severity_of(self, opening: IncidentOpening, level: severities.Severity) -> Severity:
        if opening.severity:
            return opening.severity
        return severity_mapping.map_severity(self._config.severities, level)

    async def _patch(
        self, incident: wire.Incident, operation: operations.Operation, opening: IncidentOpening
    ) -> tuple[wire.Incident, tuple[operations.Omission, ...]]:
        """Update severity and title to the content, unless a person has changed them."""
        change = wire.PatchIncident(
            title=self._changed_title(incident, operation, opening),
            severity=self._changed_severity(incident, operation, opening),
        )
        # Nothing differs, so no call is made.
        if change == wire.PatchIncident():
            return incident, ()
        try:
            answer = await self._http.call("PATCH", _path(operation.vendor_id), json=change)
        except errors.Permanent as problem:
            if isinstance(problem, errors.NotFound):  # Reading the incident will show that it is gone.
                await self._show(operation.vendor_id)
            # The update text is still posted: a refused title must not hide that the incident got worse.
            left = [name for name, value in msgspec.structs.asdict(change).items() if value is not None]
            detail = f"unchanged, because the vendor refused the change: {problem}"
            return incident, tuple(operations.Omission(name, "refused", detail) for name in left)
        return answer.read(wire.DetailAnswer).data.incident, ()

    def _changed_severity(
        self, incident: wire.Incident, operation: operations.Operation, opening: IncidentOpening
    ) -> str | None:
        severity = self._severity(opening, operation)
        before, last = rule_fields.parse_previous(IncidentOpening, self._config, operation), operation.before
        if before is not None and last is not None:
            our_severities = {self._severity_of(before, last.severity)}
            our_severities |= {
                self._severity_of(uncertain_opening, level) for uncertain_opening, level in self._uncertain(operation)
            }
            # A person has set this severity, so it stays.
            if incident.severity not in our_severities:
                return None
        return severity if severity != incident.severity else None

    def _changed_title(
        self, incident: wire.Incident, operation: operations.Operation, opening: IncidentOpening
    ) -> str | None:
        before = rule_fields.parse_previous(IncidentOpening, self._config, operation)
        # Without the earlier content, a person's title can't be told from ours.
        if before is None:
            return None
        vendor_title, title = incident.title or "", references.add_tag(opening.title, operation.reference)
        our_titles = [
            references.add_tag(uncertain_opening.title, operation.reference)
            for uncertain_opening, _ in self._uncertain(operation)
        ]
        if before.title != opening.title:
            our_titles.append(references.add_tag(before.title, operation.reference))
        is_ours = any(
            texts.alike(vendor_title, our_title) or texts.is_cut(vendor_title, our_title) for our_title in our_titles
        )
        return title if is_ours and not texts.alike(vendor_title, title) else None

    def _describe_leftovers(self, incident: wire.Incident, operation: operations.Operation) -> str:
        """Return what an uncertain update has left instead of the wanted severity and title; empty if nothing."""
        opening = rule_fields.parse_current(IncidentOpening, self._config, operation)
        severity, differences = self._severity(opening, operation), set()
        for uncertain_opening, level in self._uncertain(operation):
            if incident.severity == self._severity_of(uncertain_opening, level) != severity:
                differences.add(f"the severity is {incident.severity}, not {severity}")
            title = references.add_tag(uncertain_opening.title, operation.reference)
            if uncertain_opening.title != opening.title and texts.alike(incident.title or "", title):
                differences.add(f'the title is "{uncertain_opening.title}", not "{opening.title}"')
        return ", ".join(sorted(differences))

    def _uncertain(self, operation: operations.Operation) -> list[tuple[IncidentOpening, severities.Severity]]:
        return rule_fields.parse_uncertain(IncidentOpening, self._config, operation)

    def _update_text(self, incident: wire.Incident, opening: IncidentOpening, operation: operations.Operation) -> str:
        severity = self._severity(opening, operation)
        severity_text = f"Severity is now {operation.content.severity.word}."
        # A person has set another severity, or the vendor has refused the change.
        if severity != incident.severity:
            severity_text = (
                f"Severity is now {operation.content.severity.word} ({severity}; opened as {incident.severity})."
            )
        return f"{opening.update_message}\n\n{severity_text}" if opening.update_message else severity_text

    async def _show(self, vendor_id: str) -> wire.Detail:
        return (await self._http.read(_path(vendor_id), wire.DetailAnswer)).data

    async def _resolve(self, vendor_id: str, text: str) -> client.VendorResponse:
        return await self._http.call("POST", f"{_path(vendor_id)}/resolve", json=wire.ResolveIncident(text or None))


def _path(vendor_id: str) -> str:
    return f"{_PATH}/{client.segment(vendor_id)}"


def _duplicate(operation: operations.Operation) -> str:
    return f"A duplicate of another incident with the reference {operation.reference}."


def _is_over(incident: wire.Incident) -> bool:
    return incident.status == "RESOLVED"


def _make_state(incident: wire.Incident) -> operations.VendorState:
    return operations.VendorState(incident.id, "resolved" if _is_over(incident) else "open", incident.shortlink or "")


def _item(incident: wire.Incident) -> operations.OpenItem:
    return operations.OpenItem(
        incident.id,
        references.find_in_title(incident.title or ""),
        incident.title or "",
        url=incident.shortlink or "",
        opened_at=observations.moment(incident.created_at),
    )


def _timeline(detail: wire.Detail) -> list[observations.Entry]:
    entries = [
        observations.Entry(update.id, update.body or "", "", observations.moment(update.created_at))
        for update in detail.updates or ()
    ]
    return observations.sort_entries(entries)


def _make_detailed_state(detail: wire.Detail, operation: operations.Operation) -> operations.VendorState:
    """Return the state of an incident and what it shows, the base of later comparisons."""
    incident, timeline = detail.incident, _timeline(detail)
    fields = {"title": incident.title or "", "status": incident.status, "severity": incident.severity}
    stamp = observations.moment(incident.updated_at)
    view = observations.view(operation, fields, timeline, stamp=stamp)
    return msgspec.structs.replace(_make_state(incident), view=view, told=observations.marks(operation, timeline))


def _make_partial_state(incident: wire.Incident, operation: operations.Operation) -> operations.VendorState:
    """Return the state between the two calls of an update: title and severity are changed, no text is posted yet."""
    fields = {"title": incident.title or "", "status": incident.status, "severity": incident.severity}
    stamp = observations.moment(incident.updated_at)
    return msgspec.structs.replace(_make_state(incident), view=observations.view(operation, fields, (), stamp=stamp))


def _iso(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
