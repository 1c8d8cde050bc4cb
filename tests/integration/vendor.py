"""A vendor in memory that implements the destination protocol and fails on demand."""

import itertools
from typing import Self

from router.destinations import base
from router.domain import operations
from router.domain.reasons import Edit
from router.outbound import call_policy, errors
from router.worker import configured_destinations


class Vendor:
    """Incidents by ID. Each call consumes one of ``faults``: an exception to raise before or after acting."""

    def __init__(self, *, repeatable_open: bool = True) -> None:
        self.repeatable_open = repeatable_open
        self.incidents: dict[str, dict] = {}
        self.by_key: dict[str, str] = {}
        self.calls: list[operations.Operation] = []
        self.before: list[Exception | None] = []
        self.after: list[Exception] = []
        self.drafts: dict[str, str] = {}
        self.finds = 0
        self.failing_finds: list[Exception | None] = []
        self.looks = 0
        self.probes = 0
        self.missing: list[Exception | None] = []
        self.unreadable: Exception | None = None
        self._ids = itertools.count(1)

    @property
    def kinds(self) -> list[str]:
        return [call.kind for call in self.calls]

    def states(self) -> list[str]:
        return [incident["state"] for incident in self.incidents.values()]

    def _called(self, operation: operations.Operation) -> None:
        self.calls.append(operation)
        if self.before and (failure := self.before.pop(0)) is not None:
            raise failure

    def _acted(self, vendor_id: str) -> operations.VendorState:
        if self.after:
            raise self.after.pop(0)
        return operations.VendorState(
            vendor_id, self.incidents[vendor_id]["state"], f"https://vendor.example/{vendor_id}"
        )

    def _set(self, call: operations.Operation, state: str = "") -> operations.VendorState:
        self._called(call)
        self._missed(call)
        state = state or self.incidents[call.vendor_id]["state"]
        if edited := self._edited(call):
            return operations.VendorState(call.vendor_id, self.incidents[call.vendor_id]["state"], edited=edited)
        self.incidents[call.vendor_id] |= {"state": state, "content": call.content}
        return self._acted(call.vendor_id)

    async def adopt(self, call: operations.Operation) -> operations.VendorState | None:
        self._called(call)
        vendor_id = self.drafts.get(call.linked_id)
        return self._acted(vendor_id) if vendor_id else None

    async def find(self, call: operations.Operation) -> operations.VendorState | None:
        self.finds += 1
        if self.failing_finds and (failure := self.failing_finds.pop(0)) is not None:
            raise failure
        for vendor_id, incident in self.incidents.items():
            if incident["reference"] == call.reference:
                return operations.VendorState(vendor_id, incident["state"])
        return None

    async def open(self, call: operations.Operation) -> operations.VendorState:
        self._called(call)
        vendor_id = self.by_key.get(call.key) if self.repeatable_open else None
        if vendor_id is None:
            vendor_id = self.by_key[call.key] = f"v{next(self._ids)}"
            self.incidents[vendor_id] = {"state": "open", "content": call.content, "reference": call.reference}
        return self._acted(vendor_id)

    async def update(self, call: operations.Operation) -> operations.VendorState:
        return self._set(call)

    async def publish(self, call: operations.Operation) -> operations.VendorState:
        return self._set(call, "open")

    async def resolve(self, call: operations.Operation) -> operations.VendorState:
        return self._set(call, "resolved")

    async def dismiss(self, call: operations.Operation) -> operations.VendorState:
        self._called(call)
        self._missed(call)
        del self.incidents[call.vendor_id]
        return operations.VendorState(call.vendor_id, "dismissed")

    async def correct(self, call: operations.Operation) -> operations.VendorState:
        return self._set(call, "open")

    async def retract(self, call: operations.Operation) -> operations.VendorState:
        return await self.dismiss(call)

    async def observe(self, call: operations.Operation) -> operations.VendorState:
        self.looks += 1
        self._missed(call)
        incident = self.incidents[call.vendor_id]
        acknowledged = bool(incident.get("acknowledged"))
        return operations.VendorState(
            call.vendor_id, incident["state"], edited=self._edited(call), is_acknowledged=acknowledged
        )

    def within(self, _budget: call_policy.CallBudget) -> Self:
        return self

    async def probe(self) -> None:
        self.probes += 1
        if self.unreadable is not None:
            raise self.unreadable

    def _missed(self, call: operations.Operation) -> None:
        if self.missing and (failure := self.missing.pop(0)) is not None:
            raise failure
        if call.vendor_id not in self.incidents:
            raise not_found()

    def _edited(self, call: operations.Operation) -> Edit | None:
        return self.incidents[call.vendor_id].get("edited") if call.before is not None else None

    async def end_duplicates(self, call: operations.Operation) -> tuple[str, ...]:
        found = [
            vendor_id
            for vendor_id, incident in self.incidents.items()
            if incident["reference"] == call.reference and vendor_id != call.vendor_id and incident["state"] == "open"
        ]
        for vendor_id in found:
            self.incidents[vendor_id]["state"] = "resolved"
        return tuple(found)

    def touches(self, call: operations.Operation) -> dict[str, str]:
        said = call.content.fields.get("components", {})
        return said if isinstance(said, dict) else dict.fromkeys(said, "major_outage")

    async def check(self, fields=None) -> list[str]:  # noqa: ARG002 - as destinations take it
        return []

    async def aclose(self) -> None:
        return None


class Opening(base.Opening):
    """The fields of reports about the router itself; rules of tests set any fields."""

    name: str = ""
    body: str = ""


def place(
    name: str, vendor: Vendor, *, public: bool = False, adopts: bool = False, follows: str = ""
) -> configured_destinations.ConfiguredDestination:
    kind = base.Kind("test", base.Config, Opening, public, adopts, connect=None, make=None)
    return configured_destinations.ConfiguredDestination(name, kind, vendor, follows, timeout_seconds=10.0)


def on_call(vendor: Vendor) -> configured_destinations.ConfiguredDestination:
    return place("on-call", vendor)


def temporary(retry_after: float | None = None) -> errors.Temporary:
    return errors.Temporary("429: too many requests", retry_after)


def make_unanswered() -> errors.Unanswered:
    return errors.Unanswered("no answer within 10 s")


def not_found() -> errors.NotFound:
    return errors.NotFound("404: incident not found", status=404)


def make_permanent() -> errors.Permanent:
    return errors.Permanent("422: no such component")
