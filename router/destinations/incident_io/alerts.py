"""The kind ``incident-io-alert``: an alert of an HTTP source, so that incident.io's own routes page a responder.

An alert event has a deduplication key instead of an ID. The first firing event creates an alert, later firing events
update it, and a resolved event ends it. So the router can retry every event. Each episode has its own key. With one key
for an incident, the vendor would assign the next episode to the resolved alert, and might not page a responder.

The vendor accepts an event before processing it, and drops events that the source's filter rejects. Only the account's
API shows the result, which requires ``account_key``:

    without it   an accepted event counts as done
    with it      the alert is read back: resolved by a person, dropped by a filter, or processed late

As soon as both exist, the alert is attached to the incident that another destination opened. Neither waits for the
other, so an incident that can't be opened doesn't delay a page.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, Self

import msgspec

from router.destinations import base, list_rows, name_lookup, observations, reduced_calls, references, rule_fields
from router.destinations.incident_io import account, alert_config, names, wire
from router.domain import operations, publications, texts
from router.outbound import call_policy, client, errors

_ATTACHED = "incident"  # Key in a view: the incident that the alert is or was attached to.
_MARK_LENGTH, _EPISODE_LENGTH = 6, 8  # Hexadecimal digits in a deduplication key.
_HTTP = "http"
_DROPPED = "no alert shows the accepted event: the source's filter has dropped it, or the key may not see the alert"


class AlertClient(client.Client):
    """The client of an alert source. ``reads`` is the client of the account; None without ``account_key``.

    The quota of the source doesn't apply to reads, because the vendor limits them separately.
    """

    reads: client.Client | None = None

    def within(self, budget: call_policy.CallBudget) -> Self:
        """Return a client with this budget, for calls and for reads."""
        limited = super().within(budget)
        limited.reads = self.reads.within(budget) if self.reads is not None else None
        return limited

    async def aclose(self) -> None:
        """Close the connections of both clients."""
        await super().aclose()
        if self.reads is not None:
            await self.reads.aclose()


def connect(name: str, config: alert_config.AlertConfig, now: base.Clock) -> AlertClient:
    """Create the client of the destination ``name`` with the source's token, and with the account's key if set."""
    token = config.api_key.get_secret_value()
    account_key = config.account_key.get_secret_value() if config.account_key is not None else ""

    def make_client(key: str, kind: type[client.Client]) -> client.Client:
        return kind(
            name=name,
            base_url=config.base_url,
            headers={"authorization": f"Bearer {key}"},
            timeout_seconds=config.timeout_seconds,
            now=now,
            # The account's API shows the source's token, so both clients mask both keys.
            secrets=[token, account_key],
            read_error=account.read_error,
        )

    connection = make_client(token, AlertClient)
    assert isinstance(connection, AlertClient)  # noqa: S101 - made of that class
    connection.reads = make_client(account_key, client.Client) if account_key else None
    return connection


class Alerts:
    """One HTTP alert source."""

    repeatable_open = True

    def __init__(self, name: str, config: alert_config.AlertConfig, http: client.Client) -> None:
        self.name = name
        self._config = config
        self._http = http
        self._reads = http.reads if isinstance(http, AlertClient) else None

    def within(self, budget: call_policy.CallBudget) -> "Alerts":
        """Return this destination with a budget for its calls. Both share connections and caches."""
        return Alerts(self.name, self._config, self._http.within(budget))

    async def adopt(self, _operation: operations.Operation) -> operations.VendorState | None:
        """Return None, because the vendor doesn't create alerts for the router's incidents."""
        return None

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Read the alert with the operation's deduplication key. Return None without ``account_key``."""
        alert = await self._read_alert(_key_of(operation)) if self._reads is not None else None
        return _make_state(alert, operation) if alert is not None else None

    async def end_duplicates(self, _operation: operations.Operation) -> tuple[str, ...]:
        """Do nothing, because the vendor creates only one alert for a deduplication key."""
        return ()

    async def list_open(self, _others: Collection[str] = ()) -> list[operations.OpenItem]:
        """List the source's firing alerts with keys of this destination. Return none without ``account_key``."""
        if self._reads is None:
            return []
        firing: dict[str, str | int | list[str]] = {"page_size": names.PAGE_SIZE, "status[one_of]": "firing"}
        query = {**firing, **self._source_query()}
        open_items = []
        async for page in account.list_pages(self._reads, "/v2/alerts", wire.Alerts, query):
            alerts = list_rows.parse_rows(page.alerts, wire.Alert, "alert")
            open_items += [_item(alert) for alert in alerts if alert.status == "firing" and self._is_own(alert)]
        return [item for item in open_items if item.reference]

    def recognizes(self, item: operations.OpenItem, operation: operations.Operation) -> bool:  # noqa: ARG002 - a Destination
        """Return False, because every deduplication key contains its reference."""
        return False

    async def open(self, operation: operations.Operation) -> operations.VendorState:
        """Send a firing event, or a resolved one if the incident ended before the outcome of an attempt was known."""
        # An alert of an earlier attempt ends. If there is none, the vendor creates none, and pages no one.
        if operation.is_over and operation.is_repeated:
            _, omitted = await self._send(operation, "resolved", _key_of(operation))
            return operations.VendorState(_key_of(operation), "resolved", ended=True, omitted=omitted)
        accepted, omitted = await self._send(operation, "firing", _key_of(operation))
        seen = _make_accepted_state(accepted.deduplication_key, operation)
        return msgspec.structs.replace(seen, omitted=omitted, differs=self._describe_attachment(operation, seen))

    async def update(self, operation: operations.Operation) -> operations.VendorState:
        """Send a firing event with the current texts, and attach the alert to its incident."""
        alert = await self._read_alert(operation.vendor_id) if self._reads is not None else None
        # A person has resolved the alert, and a firing event might reopen it.
        if alert is not None and alert.status != "firing":
            return _make_state(alert, operation)
        omitted: tuple[operations.Omission, ...] = ()
        # Only attaching is pending: the alert fires, and the vendor has already accepted these texts.
        if alert is not None and operation.before == operation.content:
            seen = _make_state(alert, operation)
        else:
            accepted, omitted = await self._send(operation, "firing", operation.vendor_id)
            seen = _make_accepted_state(accepted.deduplication_key, operation)
        if alert is not None:
            seen = await self._attach(alert, operation, seen)
        return msgspec.structs.replace(
            seen, omitted=(*omitted, *seen.omitted), differs=self._describe_attachment(operation, seen)
        )

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Update the alert, because the vendor has no drafts."""
        return await self.update(operation)

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """Send a resolved event. It doesn't change an alert that is already resolved."""
        await self._send(operation, "resolved", operation.vendor_id)
        return operations.VendorState(operation.vendor_id, "resolved", ended=True)

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the alert, because the vendor has no drafts."""
        return await self.resolve(operation)

    async def retract(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the alert. Nothing else is needed, because customers don't see alerts."""
        return await self.resolve(operation)

    async def correct(self, _operation: operations.Operation) -> operations.VendorState:
        """Raise ``Permanent``, because alerts have no updates."""
        raise errors.Permanent(f"{self.name}: alerts have no updates to correct")

    async def observe(self, operation: operations.Operation) -> operations.VendorState:
        """Read whether the alert fires. Without ``account_key``, read nothing and report it as firing."""
        if self._reads is None:
            return operations.VendorState(operation.vendor_id, "open")
        alert = await self._read_alert(operation.vendor_id)
        # The vendor may have accepted the event without having processed it yet.
        if alert is None and operation.lags:
            return operations.VendorState(operation.vendor_id, "open", is_stale=True)
        # The key may lack access to private alerts. Count a missing alert as firing, so that its end is sent anyway.
        if alert is None:
            return operations.VendorState(operation.vendor_id, "open", differs=_DROPPED)
        seen = _make_state(alert, operation)
        return msgspec.structs.replace(seen, differs=self._describe_attachment(operation, seen))

    async def probe(self) -> None:
        """Read one alert to test the account's key. Do nothing without ``account_key``."""
        if self._reads is not None:
            await self._reads.call("GET", "/v2/alerts", query={"page_size": 1, **self._source_query()})

    def touches(self, _operation: operations.Operation) -> Mapping[str, str]:
        """Return an empty mapping, because alerts have no public page."""
        return {}

    async def check(self, fields: Mapping[str, Any] = base.NOTHING) -> list[str]:
        """Check that the source exists, accepts HTTP events, and has the configured token. Return the problems.

        Without ``account_key``, nothing can be checked, because a test event would create an alert.
        """
        if self._reads is None or fields:
            return []
        path = f"/v2/alert_sources/{client.segment(self._config.alert_source)}"
        try:
            source = (await self._reads.read(path, wire.AlertSourceAnswer)).alert_source
        except errors.NotFound:
            return [f'alert source "{self._config.alert_source}" does not exist']
        except errors.Failure as problem:
            return [problem.message]
        if source.source_type != _HTTP:
            return [f'alert source "{source.name}" is of type {source.source_type}: it accepts no HTTP events']
        if source.secret_token and source.secret_token != self._config.api_key.get_secret_value():
            return [f'"api_key" is not the token of alert source "{source.name}"']
        return await name_lookup.list_problems(self.probe())

    async def channels(self) -> list[base.Channel]:
        """Return no channels, because the router doesn't read where the vendor sends alerts."""
        return []

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(
        self, operation: operations.Operation, status: str, key: str
    ) -> tuple[wire.EventAnswer, tuple[operations.Omission, ...]]:
        """Send an event. Omit and report the fields that the vendor rejects."""
        opening, omitted = rule_fields.parse_fitted(alert_config.AlertOpening, self._config, operation)
        calls = reduced_calls.ReducibleCall(self._http, operation.is_repeated, omitted=list(omitted))
        metadata = {"severity": operation.content.severity.word, "reference": operation.reference}
        event = wire.AlertEvent(
            opening.title,
            status,
            key,
            references.add_footer(opening.description, operation.reference),
            {**metadata, **opening.metadata},
            opening.source_url,
        )
        path = f"/v2/alert_events/http/{client.segment(self._config.alert_source)}"
        answer = (await calls.call("POST", path, event)).read(wire.EventAnswer)
        return answer, tuple(calls.omitted)

    async def _read_alert(self, key: str) -> wire.Alert | None:
        """Read the source's alert with a deduplication key. Prefer a firing alert if there are several."""
        assert self._reads is not None  # noqa: S101 - callers check it
        query = {"page_size": names.PAGE_SIZE, "deduplication_key[is]": key, **self._source_query()}
        page = await self._reads.read("/v2/alerts", wire.Alerts, query=query)
        rows = list_rows.parse_rows(page.alerts, wire.Alert, "alert", vendor_id=key)
        alerts = [row for row in rows if row.deduplication_key == key]
        return next((alert for alert in alerts if alert.status == "firing"), next(iter(alerts), None))

    async def _attach(
        self, alert: wire.Alert, operation: operations.Operation, seen: operations.VendorState
    ) -> operations.VendorState:
        """Attach the alert to its incident, if the incident is open and the alert isn't attached yet.

        A rejection is final: a person has detached the alert, or the key lacks the permission. The alert still fires.
        """
        incident = operation.linked_id
        if not self._describe_attachment(operation, seen) or self._reads is None:
            return seen
        omitted: tuple[operations.Omission, ...] = ()
        try:
            await self._reads.call("POST", "/v2/incident_alerts", json=wire.AttachAlert(alert.id, incident))
        except (errors.Permanent, errors.Denied) as problem:
            omitted = (
                operations.Omission("attach_to", "refused", f"not attached, because the vendor refused it: {problem}"),
            )
        view = observations.view(operation, {**operation.view.fields, _ATTACHED: incident}, ())
        return msgspec.structs.replace(seen, view=view, omitted=omitted)

    def _describe_attachment(self, operation: operations.Operation, seen: operations.VendorState) -> str:
        """Return the difference to report while the alert isn't attached to its incident; empty otherwise."""
        if not self._config.attach_to or not operation.linked_id or seen.state != "open":
            return ""
        fields = seen.view.fields if seen.view is not None else {}
        is_done = fields.get(_ATTACHED) == operation.linked_id
        return "" if is_done else f"the alert is not attached to incident {operation.linked_id} yet"

    def _source_query(self) -> dict[str, str]:
        return {"alert_source[one_of]": self._config.alert_source}

    def _is_own(self, alert: wire.Alert) -> bool:
        # Several destinations may send to one source. The mark of the destination's name tells their alerts apart.
        return alert.deduplication_key.rpartition(".")[2][:_MARK_LENGTH] == _mark(self.name, _MARK_LENGTH)


def _mark(text: str, digits: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=digits // 2).hexdigest()


def _key_of(operation: operations.Operation) -> str:
    """Return the deduplication key of an episode at a destination, such as ``IR-7F3K2QXM-A1B4T9.3f09c2c6a1d04e``.

    The part after the dot hashes the destination and the episode, because references can repeat after thousands of
    episodes. The key has at most 33 characters.
    """
    marks = _mark(operation.destination, _MARK_LENGTH) + _mark(operation.episode, _EPISODE_LENGTH)
    return f"{operation.reference}.{marks}"


def _item(alert: wire.Alert) -> operations.OpenItem:
    reference = alert.deduplication_key.rpartition(".")[0]
    tag = references.find_in_text(references.footer(reference))
    return operations.OpenItem(
        alert.deduplication_key, tag, alert.title, opened_at=observations.moment(alert.created_at)
    )


def _make_accepted_state(key: str, operation: operations.Operation) -> operations.VendorState:
    view = observations.view(operation, operation.view.fields, (), is_unconfirmed=True)
    return operations.VendorState(key, "open", told=(texts.mark(key),), view=view)


def _make_state(alert: wire.Alert, operation: operations.Operation) -> operations.VendorState:
    key = alert.deduplication_key
    stamp = observations.moment(alert.updated_at)
    view = observations.view(operation, {**operation.view.fields, "title": alert.title}, (), stamp=stamp)
    state: publications.State = "open" if alert.status == "firing" else "resolved"
    return operations.VendorState(key, state, told=(texts.mark(key),), view=view)
