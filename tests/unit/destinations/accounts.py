"""For each destination kind, an account in which every operation succeeds, and a rule that sets every field."""

import dataclasses
from collections.abc import Callable
from typing import Any

from tests.unit.destinations import scripted

PAGE = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
ID = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
LINKED = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
COMPONENT = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
AT = "2023-11-14T22:13:25Z"

POST = {
    "title": "Checkout is failing",
    "message": "Payments may fail.",
    "components": {"Website": "major_outage"},
    "components_from": {"labels.service": {"web": "Website"}},
    "update_message": "It is worse.",
    "resolve_message": "All is well.",
    "notify": True,
    "page": "Public",
}


@dataclasses.dataclass(frozen=True)
class Account:
    """An account of one kind: scripted answers, settings, and supported operations."""

    script: Callable[[scripted.Vendor, bool], None]
    fields: dict[str, Any]
    vendor_id: str
    kinds: tuple[str, ...]
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    linked_id: str = ""


def incident_io(vendor: scripted.Vendor, draft: bool = False) -> None:
    """Incidents at incident.io."""
    vendor.answer("GET", "/v1/severities", {"severities": [{"id": "sev", "name": "Critical", "rank": 3}]})
    vendor.answer("GET", "/v1/incident_types", {"incident_types": [{"id": "type", "name": "Production"}]})
    status = {"id": "done", "name": "Closed", "category": "closed"}
    live = {"id": "live", "name": "Fixing", "category": "live"}
    vendor.answer("GET", "/v1/incident_statuses", {"incident_statuses": [status, live]})
    for version in ("v1", "v2"):
        vendor.answer("POST", f"/{version}/incidents", {"incident": {"id": "inc"}})
    shown = {"incident": {"id": "inc", "name": "Old", "summary": "x IR-", "incident_status": live}}
    vendor.answer("GET", "/v2/incidents/inc", shown)
    edited = {**shown["incident"], "incident_status": status}
    vendor.answer("GET", "/v2/escalation_paths", {"escalation_paths": [{"id": "path", "name": "Primary"}]})
    vendor.answer("POST", "/v2/escalations", {"escalation": {"id": "escalation", "status": "triggered"}}, status=201)
    stamps = [{"id": "impact", "name": "Impact started"}]
    vendor.answer("GET", "/v2/incident_timestamps", {"incident_timestamps": stamps})
    vendor.answer("POST", "/v2/incidents/inc/actions/edit", {"incident": edited})


SOURCE = "01GW2G3V0S59R238FAHPDS1R66"


def incident_io_alert(vendor: scripted.Vendor, draft: bool = False) -> None:
    """An HTTP alert source at incident.io. Its only alert is firing and not attached to an incident yet."""
    accepted = {"status": "success", "message": "Event accepted for processing", "deduplication_key": "key"}
    vendor.answer("POST", f"/v2/alert_events/http/{SOURCE}", accepted, status=202)
    alert = {"id": "alert", "deduplication_key": "key", "status": "firing", "title": "Old"}
    vendor.answer("GET", "/v2/alerts", {"alerts": [alert]})
    vendor.answer("POST", "/v2/incident_alerts", {"incident_alert": {"id": "connection"}}, status=201)


def incident_io_page(vendor: scripted.Vendor, draft: bool = False) -> None:
    """A status page at incident.io."""
    vendor.answer("GET", "/v2/status_pages", {"status_pages": [{"id": "page", "name": "Public"}]})
    items = [{"component": {"component_id": "web", "name": "Website"}}]
    vendor.answer("GET", "/v2/status_page_structures/page", {"current_structure": {"items": items}})
    post = {"id": "post", "status_page_id": "page", "name": "Old", "incident_status": "investigating"}
    for call in (("POST", ""), ("GET", "/post"), ("PUT", "/post")):
        vendor.answer(call[0], f"/v2/status_page_incidents{call[1]}", {"status_page_incident": post})
    vendor.answer("POST", "/v2/status_page_incident_updates", {}, status=201)
    over = {"status_page_incident": {**post, "incident_status": "resolved"}}
    vendor.answer("POST", "/v2/status_page_retrospective_incidents", over, status=201)


def devhelm(vendor: scripted.Vendor, draft: bool = False) -> None:
    """Incidents at DevHelm."""
    path = "/api/v1/incidents"
    incident = {"id": ID, "status": "TRIGGERED", "severity": "DEGRADED", "createdAt": AT}
    for call in (
        ("POST", ""),
        ("GET", f"/{ID}"),
        ("PATCH", f"/{ID}"),
        ("POST", f"/{ID}/updates"),
        ("POST", f"/{ID}/resolve"),
    ):
        vendor.answer(call[0], f"{path}{call[1]}", {"data": {"incident": incident, "updates": []}})
    reference = scripted.operation("open", {}).reference
    twins = [{**incident, "id": id_, "title": f"x [{reference}]"} for id_ in (ID, LINKED)]
    vendor.answer("GET", path, {"data": twins, "hasNext": False})
    vendor.answer("POST", f"{path}/{LINKED}/resolve", {"data": {"incident": incident, "updates": []}})


def devhelm_page(vendor: scripted.Vendor, draft: bool = False) -> None:
    """A status page at DevHelm with a linked post, which is a draft or published."""
    path = f"/api/v1/status-pages/{PAGE}/incidents"
    listed = {"hasNext": False, "hasPrev": False}
    vendor.answer("GET", "/api/v1/status-pages", {"data": [{"id": PAGE, "name": "Public"}], **listed})
    components = {"data": [{"id": COMPONENT, "name": "Website"}], **listed}
    vendor.answer("GET", f"/api/v1/status-pages/{PAGE}/components", components)
    affected = {"statusPageComponentId": COMPONENT, "componentStatus": "OPERATIONAL", "componentName": "Website"}
    post = {"id": ID, "statusPageId": PAGE, "title": "Old", "status": "INVESTIGATING", "impact": "MINOR"}
    post |= {"createdAt": AT, "publishedAt": None if draft else AT, "affectedComponents": [affected]}
    for call in (
        ("POST", ""),
        ("GET", f"/{ID}"),
        ("PUT", f"/{ID}"),
        ("POST", f"/{ID}/updates"),
        ("POST", f"/{ID}/publish"),
    ):
        published = {"publishedAt": AT} if call[1].endswith("/publish") else {}
        published = {"publishedAt": None} if call[0] == "PUT" else published
        vendor.answer(call[0], f"{path}{call[1]}", {"data": {**post, "incidentId": LINKED, **published}})
    vendor.answer("POST", f"{path}/{ID}/dismiss", status=204)
    incident = {"id": LINKED, "status": "TRIGGERED", "severity": "DOWN", "createdAt": AT}
    own = {"incident": incident, "statusPageIncidents": [{"id": ID, "connectionMode": "AUTO"}]}
    vendor.answer("GET", f"/api/v1/incidents/{LINKED}", {"data": own})
    vendor.answer("POST", f"{path}/{LINKED}/updates", {"data": post})
    body = f"x\n\nReference: {scripted.operation('open', {}).reference}"
    signed = {**post, "publishedAt": AT, "updates": [{"status": "INVESTIGATING", "body": body}]}
    entries = [{**post, "incidentId": LINKED}] if draft else [{**signed, "id": id_} for id_ in (ID, LINKED)]
    vendor.answer("GET", path, {"data": entries, **listed})


ACCOUNTS = {
    "incident-io": Account(
        incident_io,
        {
            "name": "Checkout is failing",
            "summary": "5xx above 20%",
            "severity": "Critical",
            "visibility": "private",
            "mode": "test",
            "incident_type": "Production",
            "status": "fixing",
            "custom_field_entries": [
                {
                    "custom_field_id": "cf",
                    "values": [
                        {"id": "v", "value_catalog_entry_id": "c"},
                        {"value_link": "https://x.test"},
                        {"value_numeric": "1.5"},
                        {"value_option_id": "o"},
                        {"value_text": "t"},
                        {"value_timestamp": "2023-11-14T22:13:25Z"},
                    ],
                }
            ],
            "incident_role_assignments": [
                {"incident_role_id": "r", "assignee": {"email": "a@b.test", "id": "u", "slack_user_id": "U1"}}
            ],
            "incident_timestamps": {"Impact started": "2023-11-14T22:13:25Z"},
            "escalation": {"path": "Primary", "at_least": "major", "on_raise": True, "cancel": True},
            "slack_team_id": "T1",
            "source_message_channel_id": "C1",
            "source_message_timestamp": "1653650280.526509",
        },
        "inc",
        ("open", "update", "resolve"),
    ),
    "incident-io-alert": Account(
        incident_io_alert,
        {
            "title": "Checkout is failing",
            "description": "5xx above 20%",
            "source_url": "https://grafana.test/d/1",
            "metadata": {"team": ["payments", "checkout"], "service": "checkout"},
        },
        "key",
        ("open", "update", "resolve"),
        {"alert_source": SOURCE, "account_key": scripted.SECRET, "attach_to": "incidents"},
        "inc",
    ),
    "incident-io-status-page": Account(
        incident_io_page,
        {**POST, "status": "monitoring", "update_status": "identified"},
        "post",
        ("open", "update", "resolve", "retract", "retrospective"),
    ),
    "devhelm": Account(
        devhelm,
        {
            "title": "Checkout is failing",
            "body": "5xx above 20%",
            "severity": "DOWN",
            "monitor_id": LINKED,
            "update_message": "It is worse.",
            "update_status": "CONFIRMED",
            "resolve_message": "All is well.",
            "notify": True,
        },
        ID,
        ("open", "find", "update", "resolve"),
    ),
    "devhelm-status-page": Account(
        devhelm_page,
        {
            **POST,
            "status": "MONITORING",
            "impact": "CRITICAL",
            "update_status": "IDENTIFIED",
            "postmortem_body": "What happened",
            "postmortem_url": "https://pm.test/1",
            "keep_draft": ["title"],
        },
        f"{PAGE}/{ID}",
        ("open", "find", "adopt", "publish", "update", "resolve", "dismiss", "retract"),
        {"org_id": "7", "workspace_id": "42"},
        LINKED,
    ),
}

OPERATIONS = [(kind, operation) for kind, account in ACCOUNTS.items() for operation in account.kinds]
CHANGES = [
    operation for operation in OPERATIONS if operation[1] != "adopt"
]  # Adopting a post only reads from the vendor.
# These operations apply only to drafts.
OF_DRAFTS = {"adopt", "publish", "dismiss"}


def perform(vendor: scripted.Vendor, kind: str, operation: str, **settings: Any) -> Any:
    """Perform one operation of a kind against its account, with every field set."""
    account = ACCOUNTS[kind]
    linked = account.linked_id if operation != "open" else ""
    is_new = operation in {"open", "adopt", "find", "retrospective"}
    given: dict[str, Any] = {"linked_id": linked, "vendor_id": "" if is_new else account.vendor_id}
    if operation == "retrospective":
        given |= {"began_at": scripted.OPENED_AT - 7_200_000_000, "ended_at": scripted.OPENED_AT}
    method = "open" if operation == "retrospective" else operation
    asked = scripted.operation("open" if method == "find" else method, account.fields, **given)
    return vendor.run(kind, lambda destination: getattr(destination, method)(asked), **{**account.settings, **settings})


def scripted_account(kind: str, operation: str) -> scripted.Vendor:
    """Script the vendor for this operation."""
    vendor = scripted.Vendor()
    ACCOUNTS[kind].script(vendor, operation in OF_DRAFTS)
    return vendor
