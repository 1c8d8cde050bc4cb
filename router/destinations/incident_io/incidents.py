"""The kind ``incident-io``: the last stage of an alert that pages a responder, an incident at incident.io."""

import contextlib
import datetime as dt
from collections.abc import Awaitable, Collection, Mapping
from typing import Any

import msgspec

from router.destinations import (
    base,
    half_done,
    list_rows,
    name_lookup,
    observations,
    reduced_calls,
    references,
    rule_fields,
    severity_mapping,
)
from router.destinations.incident_io import account, categories, details, escalations, names, online_checks, wire
from router.destinations.incident_io.api_versions import Version
from router.destinations.incident_io.config import IncidentConfig, IncidentOpening, to_builtins
from router.destinations.incident_io.shared_state import SharedState
from router.domain import operations, publications, severities, times
from router.outbound import call_policy, client, errors

# How long before the episode's opening to search for its incident: the vendor's clock may differ.
_SKEW = dt.timedelta(hours=3)
_TIMESTAMPS = "incident_timestamps"
_PAUSED_SECONDS = 300.0
_SPARED = ("custom_field_entries", "incident_role_assignments")
_NOTHING_SENT = details.DetailChange()


class Incidents:
    """Incidents of one account."""

    # A repeated idempotency key gets the original response.
    repeatable_open = True

    def __init__(
        self, name: str, config: IncidentConfig, http: client.Client, shared: SharedState | None = None
    ) -> None:
        self.name = name
        self._config = config
        self._http = http
        self._shared = shared or SharedState.create(name, config)
        self._names = names.Names(http, self._shared.caches)
        self._escalations = escalations.Escalations(name, http, self._names)

    def within(self, budget: call_policy.CallBudget) -> "Incidents":
        """Return this destination with a budget for its calls. Both share connections and caches."""
        return Incidents(self.name, self._config, self._http.within(budget), self._shared)

    async def adopt(self, operation: operations.Operation) -> None:
        """Do nothing: the vendor doesn't open incidents that the router could adopt."""

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Search for the incident whose summary has the operation's reference, among those since the opening."""
        query: dict[str, str | int] = {
            "page_size": names.PAGE_SIZE,
            "created_at[gte]": (times.to_datetime(operation.opened_at) - _SKEW).date().isoformat(),
            # Without it, the vendor omits tests.
            "mode[one_of]": "test" if self._is_test(operation) else "standard",
        }
        async for page in account.list_pages(self._http, "/v2/incidents", wire.Incidents, query):
            rows = list_rows.parse_rows(page.incidents, wire.Incident, "incident", vendor_id=operation.reference)
            incident = next((row for row in rows if references.has_footer(row.summary, operation.reference)), None)
            if incident is not None:
                seen = _make_state(incident, operation)
                return self._with_pending(operation, escalations.add_record(operation, seen))
        return None

    async def list_open(self, _others: Collection[str] = ()) -> list[operations.OpenItem]:
        """Read the unfinished incidents whose summary has a reference."""
        query: dict[str, str | int | list[str]] = {
            "page_size": names.PAGE_SIZE,
            "status_category[not_in]": sorted(categories.OVER),
            # Without it, the vendor omits tests.
            "mode[one_of]": ["standard", "test"],
        }
        open_items = []
        async for page in account.list_pages(self._http, "/v2/incidents", wire.Incidents, query):
            rows = list_rows.parse_rows(page.incidents, wire.Incident, "incident")
            open_items += [_item(row) for row in rows if row.incident_status.category not in categories.OVER]
        return [item for item in open_items if item.reference]

    def recognizes(self, item: operations.OpenItem, operation: operations.Operation) -> bool:  # noqa: ARG002 - a Destination
        """Recognize nothing: every incident carries its reference."""
        return False

    async def end_duplicates(self, operation: operations.Operation) -> tuple[str, ...]:  # noqa: ARG002 - a Destination
        """End nothing: the vendor creates one incident for an idempotency key."""
        return ()

    async def open(self, operation: operations.Operation) -> operations.VendorState:
        """Create the incident."""
        opening, omitted = rule_fields.parse_fitted(IncidentOpening, self._config, operation)
        calls = reduced_calls.ReducibleCall(self._http, operation.is_repeated, omitted=list(omitted))
        severity = await self._severity_id(opening, operation.content.severity, calls.omitted)
        version = self._shared.versions.choose(operation.key, is_repeated=operation.is_repeated)
        moments = await self._timestamps(operation, opening, calls.omitted)
        body = await self._create_body(operation, opening, severity, calls.omitted)
        try:
            answer = await self._create(calls, version, body, moments)
        except errors.NotFound:
            # A removed v1 has created nothing, so a first open may be sent to v2. A repeated open keeps its version.
            if operation.is_repeated or version == "v2" or not await self._shared.versions.is_gone(self._http):
                raise
            version = self._shared.versions.choose(operation.key, is_repeated=False)
            answer = await self._create(calls, version, body, moments)
        created = answer.read(wire.CreatedAnswer).incident
        # A broken proxy may swap two responses. The other incident would then be resolved together with this one.
        references.check_reference(references.find_in_text(created.summary), operation.reference)
        if version == "v1" and moments:
            created = await self._set_timestamps(created, moments, calls.omitted)
        sent = details.DetailChange(body.custom_field_entries, body.incident_role_assignments)
        fields = {
            "title": created.name,
            "summary": created.summary,
            **({"severity": created.severity.id} if created.severity is not None else {}),
            **({"category": categories.TRIAGE} if categories.is_in_triage(created) else {}),
            **details.collect_bases(created, operation, sent),
        }
        view = observations.view(
            operation, fields, (), stamp=observations.moment(created.updated_at), is_unconfirmed=True
        )
        state = operations.VendorState(created.id, "open", created.permalink, view=view, omitted=tuple(calls.omitted))
        return await self._escalations.after_open(operation, opening, state)

    async def _create(
        self,
        calls: reduced_calls.ReducibleCall,
        version: Version,
        body: wire.CreateV1,
        moments: list[wire.TimestampValue],
    ) -> client.VendorResponse:
        sent: wire.CreateV1 | wire.CreateV2 = body
        if version == "v2":
            second = await self._in_v2(body, calls.omitted)
            sent = msgspec.structs.replace(second, incident_timestamp_values=moments or None)
        return await calls.call("POST", f"/{version}/incidents", sent)

    async def _timestamps(
        self, operation: operations.Operation, opening: IncidentOpening, omitted: list[operations.Omission]
    ) -> list[wire.TimestampValue]:
        """Return the times by the IDs of the account's incident timestamps. Those whose lookup fails are omitted."""
        timestamps = []
        for name, value in opening.incident_timestamps.items():
            try:
                timestamp_id = await self._names.timestamps.id_of(name, field=_TIMESTAMPS)
            except errors.Failure as problem:
                # A repeated open must send the same request, so it waits for the list, unless the failure is final.
                if operation.is_repeated and not isinstance(problem, errors.Permanent | errors.Denied):
                    raise
                omitted.append(operations.Omission(_TIMESTAMPS, "left_out", f"left out: {problem}"))
            else:
                timestamps.append(wire.TimestampValue(timestamp_id, dt.datetime.fromisoformat(value).isoformat()))
        return timestamps

    async def _set_timestamps(
        self, created: wire.Created, moments: list[wire.TimestampValue], omitted: list[operations.Omission]
    ) -> wire.Created:
        """Set the times of an incident that version 1 has created: version 1 accepts them only in an edit.

        The incident is open already, so a failed edit doesn't fail the opening. A repeated open sets the same times.
        """
        body = wire.EditIncident(wire.Edit(incident_timestamp_values=moments), notify_incident_channel=False)
        path = f"/v2/incidents/{client.segment(created.id)}/actions/edit"
        try:
            answer = await self._http.call("POST", path, json=body)
            edited = answer.read(wire.IncidentAnswer).incident
        except errors.Failure as problem:
            omitted.append(operations.Omission(_TIMESTAMPS, "refused", f"omitted, because the edit failed: {problem}"))
            return created
        return msgspec.structs.replace(created, updated_at=edited.updated_at)

    async def update(self, operation: operations.Operation) -> operations.VendorState:
        """Edit the name, summary, and severity if they differ.

        A severity that a person has set is raised, never lowered.
        """
        opening = rule_fields.parse_current(IncidentOpening, self._config, operation)
        incident = await self._show(operation.vendor_id)
        if incident.incident_status.category in categories.OVER:
            return _make_state(incident, operation)
        observations.check_fresh(operation, None, observations.moment(incident.updated_at))
        before = rule_fields.parse_previous(IncidentOpening, self._config, operation)
        uncertain = [earlier for earlier, _ in self._uncertain(operation)]
        edit = wire.Edit(
            name=details.changed_name(incident, operation, opening, before, uncertain),
            summary=details.changed_summary(incident, operation, opening, before, uncertain),
            severity_id=await self._changed_severity(incident, operation, opening, before),
        )
        change = details.change(incident, operation, opening, before)
        edit.custom_field_entries, edit.incident_role_assignments = change
        omitted = list(details.report_unchangeable(opening, before))
        if edit != wire.Edit():
            incident = await self._edit_with_fallback(incident, edit, omitted)
        seen = _make_state(
            incident, operation, details.DetailChange(edit.custom_field_entries, edit.incident_role_assignments)
        )
        view = details.make_base_view(incident, operation, seen.view, edit)
        state = msgspec.structs.replace(seen, view=view, omitted=tuple(omitted))
        with half_done.record_on_failure(None if edit == wire.Edit() else state):
            return await self._escalations.page(operation, opening, state)

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Update the incident: the vendor has no drafts."""
        return await self.update(operation)

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """Move the incident to the closing status, unless it is finished already. Then stop paging."""
        resolved = await self._close(operation)
        opening = None
        with contextlib.suppress(errors.Permanent):
            opening = rule_fields.parse_current(IncidentOpening, self._config, operation)
        return msgspec.structs.replace(resolved, note=await self._escalations.cancel(operation, opening))

    async def _close(self, operation: operations.Operation) -> operations.VendorState:
        incident = await self._show(operation.vendor_id)
        if incident.incident_status.category in categories.OVER:
            return _make_state(incident, operation)
        if incident.incident_status.category == categories.PAUSED:
            # The vendor doesn't allow closing it. The router retries, because the person may resume or close it.
            raise errors.Conflict(f"{self.name}: a person has paused it, so it is not closed", _PAUSED_SECONDS)
        closed = await self._closed_status_id()
        edited = await self._edit(operation.vendor_id, wire.Edit(incident_status_id=closed))
        if edited.incident_status.id != closed and edited.incident_status.category not in categories.OVER:
            raise errors.Unanswered(
                f"{self.name}: the vendor answered the closing with the status {edited.incident_status.name}"
            )
        return operations.VendorState(edited.id, "resolved", edited.permalink)

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the incident: the vendor has no drafts."""
        return await self.resolve(operation)

    async def retract(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the incident: customers don't see incidents."""
        return await self.resolve(operation)

    async def correct(self, _operation: operations.Operation) -> operations.VendorState:
        """Raise ``Permanent``: the vendor can't change posted updates."""
        raise errors.Permanent(f"{self.name}: the vendor's API can't change a posted update")

    async def observe(self, operation: operations.Operation) -> operations.VendorState:
        """Read the incident's state."""
        incident = await self._show(operation.vendor_id)
        seen = _make_state(incident, operation)
        if observations.is_stale(operation, None, observations.moment(incident.updated_at)):
            return msgspec.structs.replace(seen, view=None, is_stale=seen.state == "open")
        differs = "" if seen.state != "open" else await self._describe_leftovers(incident, operation)
        view = details.make_base_view(incident, operation, seen.view)
        return self._with_pending(operation, msgspec.structs.replace(seen, view=view, differs=differs))

    def _with_pending(self, operation: operations.Operation, seen: operations.VendorState) -> operations.VendorState:
        """Return the observed state, with the page that the router has yet to create."""
        paged = seen.view.fields.get(escalations.PAGED) if seen.view is not None else None
        if seen.state != "open" or paged is None:
            return seen
        try:
            opening = rule_fields.parse_current(IncidentOpening, self._config, operation)
        except errors.Permanent:  # The next update reports it.
            return seen
        differs = filter(None, (seen.differs, escalations.describe_pending(operation, opening, paged)))
        return msgspec.structs.replace(seen, differs=", ".join(differs))

    async def probe(self) -> None:
        """Read the account's severities, a permission that every key needs anyway."""
        await self._http.call("GET", "/v1/severities")

    def touches(self, _operation: operations.Operation) -> Mapping[str, str]:
        """Return nothing: incidents have no page."""
        return {}

    async def check(self, fields: Mapping[str, Any] = base.NOTHING) -> list[str]:
        """Look up every severity of the mapping, the closing status, and the names in the defaults."""
        defaults = {**self._config.defaults, **fields}
        problems: list[str] = []
        if not fields:
            with contextlib.suppress(errors.Failure):  # The other requests report the account's problems.
                await self._shared.versions.detect(self._http)
        severities_named = {*self._config.severities.values(), *_list_names(defaults, "severity")}
        lookups: list[Awaitable[object]] = [self._closed_status_id()]
        lookups += [self._names.severities.find(name, field="severity") for name in sorted(severities_named)]
        lookups += [
            self._names.types.find(name, field="incident_type") for name in _list_names(defaults, "incident_type")
        ]
        if self._shared.versions.current == "v2":
            lookups += [self._names.statuses.find(name, field="status") for name in _list_names(defaults, "status")]
        problems += [problem for lookup in lookups for problem in await name_lookup.list_problems(lookup)]
        problems += await online_checks.check_custom_fields(self._names, defaults.get("custom_field_entries"))
        problems += await online_checks.check_escalation(self._names, defaults.get("escalation"))
        problems += await online_checks.check_roles(self._names, defaults.get("incident_role_assignments"))
        lookups = [self._names.timestamps.find(name, field=_TIMESTAMPS) for name in defaults.get(_TIMESTAMPS) or ()]
        problems += [problem for lookup in lookups for problem in await name_lookup.list_problems(lookup)]
        # Report an invalid key once, although several requests fail.
        return list(dict.fromkeys(problems))

    async def channels(self) -> list[base.Channel]:
        """Return nothing: incidents aren't forwarded from here."""
        return []

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _is_test(self, operation: operations.Operation) -> bool:
        return {**self._config.defaults, **operation.content.fields}.get("mode") == "test"

    async def _create_body(
        self,
        operation: operations.Operation,
        opening: IncidentOpening,
        severity_id: str | None,
        omitted: list[operations.Omission],
    ) -> wire.CreateV1:
        type_id = None
        if opening.incident_type:
            lookup = self._names.types.id_of(opening.incident_type, field="incident_type")
            type_id = await reduced_calls.find_or_omit(lookup, "incident_type", omitted)
        return wire.CreateV1(
            idempotency_key=operation.key,
            visibility=opening.visibility,
            name=opening.name,
            summary=references.add_footer(opening.summary, operation.reference),
            mode=opening.mode,
            severity_id=severity_id,
            incident_type_id=type_id,
            status=opening.status,
            custom_field_entries=to_builtins(opening.custom_field_entries) or None,
            incident_role_assignments=to_builtins(opening.incident_role_assignments) or None,
            slack_team_id=opening.slack_team_id,
            source_message_channel_id=opening.source_message_channel_id,
            source_message_timestamp=opening.source_message_timestamp,
        )

    async def _in_v2(self, body: wire.CreateV1, omitted: list[operations.Omission]) -> wire.CreateV2:
        status_id = None
        if body.status:
            status_id = await reduced_calls.find_or_omit(
                self._names.statuses.id_of(body.status, field="status"), "status", omitted
            )
        return wire.CreateV2(
            idempotency_key=body.idempotency_key,
            visibility=body.visibility,
            name=body.name,
            summary=body.summary,
            mode="standard" if body.mode == "real" else body.mode,
            severity_id=body.severity_id,
            incident_type_id=body.incident_type_id,
            incident_status_id=status_id,
            custom_field_entries=body.custom_field_entries,
            incident_role_assignments=body.incident_role_assignments,
            slack_team_id=body.slack_team_id,
        )

    async def _severity_id(
        self, opening: IncidentOpening, severity: severities.Severity, omitted: list[operations.Omission]
    ) -> str | None:
        """Return the ID of the rule's severity, of the mapped severity, or of the nearest one that the account has."""
        for name in dict.fromkeys(
            filter(None, (opening.severity, severity_mapping.map_severity(self._config.severities, severity)))
        ):
            severity_id = await reduced_calls.find_or_omit(
                self._names.severities.id_of(name, field="severity"), "severity", omitted
            )
            if severity_id is not None:
                return severity_id
        # A wrong severity is better than no incident, so use the one at the nearest position of the account's ranks.
        ranked = sorted(await self._names.severities.entries(), key=lambda severity: severity.rank)
        if not ranked:
            return None
        nearest = ranked[round((len(ranked) - 1) * list(severities.Severity).index(severity) / 3)]
        omitted.append(operations.Omission("severity", "replaced", f'"{nearest.name}" was used instead'))
        return nearest.id

    async def _changed_severity(
        self,
        incident: wire.Incident,
        operation: operations.Operation,
        desired: IncidentOpening,
        before: IncidentOpening | None,
    ) -> str | None:
        """Return the ID of the severity to set; None if it is set already, or a person has set a worse one."""
        severity_id = await self._severity_id(desired, operation.content.severity, [])
        if severity_id is None:
            return None
        if incident.severity is None:
            return severity_id
        if incident.severity.id == severity_id:
            return None
        # A severity that no person has changed may also be lowered.
        if incident.severity.id == operation.view.fields.get("severity"):
            return severity_id
        last = operation.before
        our_openings = [(before, last.severity)] if before and last else []
        for opening, severity in (*our_openings, *self._uncertain(operation)):
            if incident.severity.id == await self._severity_id(opening, severity, []):
                return severity_id
        # A person has set the severity. It is raised, and never lowered.
        ranks = {entry.id: entry.rank for entry in await self._names.severities.entries()}
        return severity_id if ranks.get(severity_id, incident.severity.rank) >= incident.severity.rank else None

    def _uncertain(self, operation: operations.Operation) -> list[tuple[IncidentOpening, severities.Severity]]:
        return rule_fields.parse_uncertain(IncidentOpening, self._config, operation)

    async def _describe_leftovers(self, incident: wire.Incident, operation: operations.Operation) -> str:
        """Return what an uncertain update has left instead of the wanted values; empty if nothing."""
        uncertain = self._uncertain(operation)
        if not uncertain:
            return ""
        opening = rule_fields.parse_current(IncidentOpening, self._config, operation)
        differences = details.describe_leftovers(
            incident, operation, opening, [uncertain_opening for uncertain_opening, _ in uncertain]
        )
        severity = await self._severity_id(opening, operation.content.severity, [])
        for uncertain_opening, level in uncertain:
            left = await self._severity_id(uncertain_opening, level, [])
            if incident.severity is not None and incident.severity.id == left != severity:
                differences.add(f"the severity is {incident.severity.name}")
        return ", ".join(sorted(differences))

    async def _closed_status_id(self) -> str:
        if self._config.closed_status:
            return await self._names.statuses.id_of(self._config.closed_status, field="closed_status")
        closed = [status for status in await self._names.statuses.entries() if status.category == "closed"]
        if not closed:
            raise errors.Permanent(
                f"{self.name}: the account has no status of category closed; set closed_status", field="closed_status"
            )
        return min(closed, key=lambda status: status.rank).id

    async def _show(self, vendor_id: str) -> wire.Incident:
        return (await self._http.read(f"/v2/incidents/{client.segment(vendor_id)}", wire.IncidentAnswer)).incident

    async def _edit_with_fallback(
        self, incident: wire.Incident, edit: wire.Edit, omitted: list[operations.Omission]
    ) -> wire.Incident:
        """Edit the incident, without custom fields and roles if the vendor refuses the edit with them."""
        try:
            return await self._edit(incident.id, edit, omitted)
        except errors.NotFound:
            raise
        except errors.Permanent as problem:
            spared = [name for name in _SPARED if getattr(edit, name) is not None]
            # The refusal is about an essential field, so it is final.
            if not spared:
                raise
            detail = f"unchanged, because the vendor refused the change: {problem}"
            omitted += [operations.Omission(name, "refused", detail) for name in spared]
        edit.custom_field_entries = edit.incident_role_assignments = None
        return incident if edit == wire.Edit() else await self._edit(incident.id, edit, omitted)

    async def _edit(
        self, vendor_id: str, edit: wire.Edit, omitted: list[operations.Omission] | None = None
    ) -> wire.Incident:
        body = wire.EditIncident(edit, self._config.notify_incident_channel)
        path = f"/v2/incidents/{client.segment(vendor_id)}/actions/edit"
        calls = reduced_calls.ReducibleCall(
            self._http, needed=("incident_status_id",), omitted=[] if omitted is None else omitted
        )
        return (await calls.call("POST", path, body)).read(wire.IncidentAnswer).incident


def _item(incident: wire.Incident) -> operations.OpenItem:
    return operations.OpenItem(
        incident.id,
        references.find_in_text(incident.summary),
        incident.name,
        url=incident.permalink,
        opened_at=observations.moment(incident.created_at),
    )


def _list_names(defaults: Mapping[str, Any], field: str) -> list[str]:
    return [defaults[field]] if defaults.get(field) else []


def _make_state(
    incident: wire.Incident, operation: operations.Operation, sent: details.DetailChange = _NOTHING_SENT
) -> operations.VendorState:
    over = incident.incident_status.category in categories.OVER
    fields: dict[str, Any] = {
        "title": incident.name,
        "summary": incident.summary,
        "status": incident.incident_status.name,
        "category": operation.view.fields.get("category") or incident.incident_status.category,
    }
    if incident.severity is not None:
        fields["severity"] = incident.severity.id
    fields |= details.collect_bases(incident, operation, sent)
    view = observations.view(operation, fields, (), stamp=observations.moment(incident.updated_at))
    state: publications.State = "resolved" if over else "open"
    accepted = categories.is_accepted(incident, operation)
    return operations.VendorState(incident.id, state, incident.permalink, view=view, is_acknowledged=accepted)
