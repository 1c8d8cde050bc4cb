"""Every metric of the router, with its labels and its help, in one registry of its own.

The door counts deliveries and alerts, the worker counts operations; ``GET /metrics`` renders them all.
"""

import prometheus_client
from prometheus_client import exposition

from router.telemetry import tracing

# A gauge of its own for each counter's birth would double what is stored, and nothing of ours reads it.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = prometheus_client.CollectorRegistry(auto_describe=True)

deliveries = prometheus_client.Counter(
    "incident_router_deliveries_total",
    "Requests to /v1/webhooks, by source and outcome: accepted, empty (without alerts), quarantined, disconnected, "
    "unauthorized, method, too_large, unavailable, internal, or unknown_source (with an empty source).",
    ["source", "outcome"],
    registry=REGISTRY,
)

alerts = prometheus_client.Counter(
    "incident_router_alerts_total",
    "Alerts in accepted deliveries, by source and outcome: firing or resolved where a rule routed them, "
    "ignored where none did.",
    ["source", "outcome"],
    registry=REGISTRY,
)

truncated_alerts = prometheus_client.Counter(
    "incident_router_truncated_alerts_total",
    "Alerts that the sender said it left out of a delivery, by source: they were never received.",
    ["source"],
    registry=REGISTRY,
)

notices = prometheus_client.Counter(
    "incident_router_notices_total",
    "What was cut, replaced, or ignored in accepted alerts, by source and code (alerts_truncated, labels_truncated, "
    "value_truncated, time_unreadable, field_ignored, group_empty, clock_behind).",
    ["source", "code"],
    registry=REGISTRY,
)

skipped_silences = prometheus_client.Gauge(
    "incident_router_skipped_silences",
    "Silences that an Alertmanager listed and that can't be read, by its name: they mute nothing here.",
    ["source"],
    registry=REGISTRY,
)

late_alerts = prometheus_client.Counter(
    "incident_router_late_alerts_total",
    "Messages that the worker ignored as late deliveries, by source: they contradict what was received before them.",
    ["source"],
    registry=REGISTRY,
)

decisions = prometheus_client.Counter(
    "incident_router_decisions_total",
    "Alerts in accepted deliveries, by the rule that decided them; the rule is empty where none did.",
    ["rule"],
    registry=REGISTRY,
)

quarantined = prometheus_client.Counter(
    "incident_router_quarantined_total",
    "Authentic bodies that could not be parsed and were kept in the quarantine, by source.",
    ["source"],
    registry=REGISTRY,
)

operations = prometheus_client.Counter(
    "incident_router_operations_total",
    "Operations at vendors, by destination, operation (open, update, publish, resolve, ...) and result.",
    ["destination", "operation", "result"],
    registry=REGISTRY,
)

redis_clock_set_back = prometheus_client.Counter(
    "incident_router_redis_clock_set_back_total",
    "Times that a worker saw the clock of its Redis set back by more than two seconds, for each of 16 shards.",
    registry=REGISTRY,
)

vendor_webhooks = prometheus_client.Counter(
    "incident_router_vendor_webhooks_total",
    "Requests to /v1/vendor-webhooks, by destination and outcome: looked_at, unrelated (to nothing that is open), "
    "duplicate, unreadable, disconnected, unauthorized, method, too_large, unavailable, or unknown_destination (with "
    "an empty destination).",
    ["destination", "outcome"],
    registry=REGISTRY,
)

omitted_fields = prometheus_client.Counter(
    "incident_router_omitted_fields_total",
    "Fields that an operation did without, so that it could be done, by destination, field and code (cut, left_out, "
    "refused by the vendor, replaced).",
    ["destination", "field", "code"],
    registry=REGISTRY,
)

unreadable_rows = prometheus_client.Counter(
    "incident_router_unreadable_rows_total",
    "Rows of vendors' lists that could not be read and were passed over, by list (severity, status page, incident, "
    "...).",
    ["list"],
    registry=REGISTRY,
)

not_found = prometheus_client.Counter(
    "incident_router_not_found_total",
    "Incidents and posts that a vendor does not have any more, by destination: after several answers over a minute.",
    ["destination"],
    registry=REGISTRY,
)

duplicates_ended = prometheus_client.Counter(
    "incident_router_duplicates_ended_total",
    "Incidents and posts that the router ended since the vendor carried out an open late, by destination.",
    ["destination"],
    registry=REGISTRY,
)

polls = prometheus_client.Counter(
    "incident_router_polls_total",
    "Times that a source's Alertmanager was asked for its alerts, by source and result: whole, partial (nothing ends "
    "by it), failed or unavailable (Redis was).",
    ["source", "result"],
    registry=REGISTRY,
)

polled_alerts = prometheus_client.Counter(
    "incident_router_polled_alerts_total",
    "Alerts that no webhook told of, by source and outcome: found where they fire, "
    "repeated where they would soon have ended here by themselves, ended where they do not fire any more.",
    ["source", "outcome"],
    registry=REGISTRY,
)

inbox_entries = prometheus_client.Gauge(
    "incident_router_inbox_entries",
    "Deliveries in the inbox: accepted, and not yet folded into incidents.",
    registry=REGISTRY,
)

rules = prometheus_client.Gauge(
    "incident_router_rules",
    "Rules that are in force now, of all files together.",
    registry=REGISTRY,
)

rules_info = prometheus_client.Gauge(
    "incident_router_rules_info",
    "1 for the version of the rules in force.",
    ["version"],
    registry=REGISTRY,
)

rules_reloads = prometheus_client.Counter(
    "incident_router_rules_reloads",
    "Times that changed rules were read, by result: loaded, unchanged or refused.",
    ["result"],
    registry=REGISTRY,
)

rules_last_reload_success = prometheus_client.Gauge(
    "incident_router_rules_last_reload_success",
    "1 where the rules on the disk are all in force, 0 where some were refused.",
    registry=REGISTRY,
)

rules_last_reload_seconds = prometheus_client.Gauge(
    "incident_router_rules_last_reload_seconds",
    "When rules were last taken over after the start, in seconds since the epoch.",
    registry=REGISTRY,
)

rules_folder_refused = prometheus_client.Gauge(
    "incident_router_rules_folder_refused",
    "1 for a folder that stands apart and is not in force as it is on the disk.",
    ["folder"],
    registry=REGISTRY,
)

circuit_open = prometheus_client.Gauge(
    "incident_router_circuit_open",
    "1 while a destination is left alone because its vendor does not answer.",
    ["destination"],
    registry=REGISTRY,
)
breaker_closed = prometheus_client.Gauge(
    "incident_router_breaker_closed",
    "1 while what would be posted automatically waits for a person: there was too much of it, or a source has "
    "contradicted itself.",
    registry=REGISTRY,
)

contradictions = prometheus_client.Counter(
    "incident_router_contradictions",
    "Deliveries that say of the same alert that it fires and that it is resolved, by source.",
    ["source"],
    registry=REGISTRY,
)

storm_waiting = prometheus_client.Gauge(
    "incident_router_storm_waiting",
    "Incidents that are held back in an alert storm and wait for their turn to open.",
    registry=REGISTRY,
)

storms = prometheus_client.Counter(
    "incident_router_storms",
    "Alert storms that have begun: more incidents were to be opened than may be in a while.",
    registry=REGISTRY,
)

quarantine_dropped = prometheus_client.Counter(
    "incident_router_quarantine_dropped",
    "Bodies that had to leave a full quarantine before a person has looked at them.",
    registry=REGISTRY,
)

quarantine_entries = prometheus_client.Gauge(
    "incident_router_quarantine_entries",
    "Bodies in quarantine now.",
    registry=REGISTRY,
)

dead_deliveries = prometheus_client.Gauge(
    "incident_router_dead_deliveries",
    "Deliveries that could not be processed and wait for a person.",
    registry=REGISTRY,
)

redis_fullness = prometheus_client.Gauge(
    "incident_router_redis_fullness",
    "Redis' used memory as a share of its maxmemory; 0 where no limit is set.",
    registry=REGISTRY,
)

archive_entries = prometheus_client.Gauge(
    "incident_router_archive_entries",
    "Deliveries that are kept after they were processed.",
    registry=REGISTRY,
)

archive_bytes = prometheus_client.Gauge(
    "incident_router_archive_bytes",
    "Memory that they take in Redis, by its own estimate.",
    registry=REGISTRY,
)

inbox_oldest_seconds = prometheus_client.Gauge(
    "incident_router_inbox_oldest_seconds",
    "Age of the oldest delivery in the inbox, in seconds; 0 where it is empty.",
    registry=REGISTRY,
)

accepted_to_opened_seconds = prometheus_client.Histogram(
    "incident_router_accepted_to_opened_seconds",
    "Seconds from accepting the alert that opened an incident to the vendor's answer that it is open, by destination.",
    ["destination"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
    registry=REGISTRY,
)

worker_heartbeat_seconds = prometheus_client.Gauge(
    "incident_router_worker_heartbeat_seconds",
    "When the worker last finished a round, in seconds since the Unix epoch; 0 before its first.",
    registry=REGISTRY,
)


def opened(destination: str, seconds: float, reference: str, trace: str = "") -> None:
    """Count that an incident was opened so long after its alert was accepted.

    ``reference`` and the id of the trace (``trace`` is a ``traceparent``, or empty) are the exemplar: by them one
    finds in the log, at the vendor and among the traces what took so long.
    """
    exemplar = {"reference": reference}
    if found := tracing.trace_id(trace):
        exemplar["trace_id"] = found
    accepted_to_opened_seconds.labels(destination).observe(max(seconds, 0.0), exemplar)


def render(accept: str = "") -> tuple[bytes, str]:
    """Render all metrics, with their content type: as OpenMetrics, with exemplars, where the header ``Accept`` asks
    for it, and else in the Prometheus text format.
    """
    encoder, content_type = exposition.choose_encoder(accept)
    return encoder(REGISTRY), content_type
