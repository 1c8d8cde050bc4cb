"""Every metric of the router, with its labels, its help, and the role of the processes that export it.

The webhook server counts deliveries and alerts, the worker counts operations; both measure vendor calls and Redis.
"""

import prometheus_client

import router
from router.telemetry import instruments, registries, tracing

REGISTRY = registries.combine(registries.ROLES)
"""All metrics of the router, as a process that is both a web and a worker exports them. A new one is registered by its
role: in ``registries.WEB``, ``WORKER``, or ``SHARED``."""

render = registries.render

deliveries = instruments.Counter(
    "incident_router_deliveries_total",
    "Requests to /v1/webhooks, by source and outcome: accepted, empty (without alerts), dry_run, quarantined, "
    "duplicate, disconnected, unauthorized, forbidden, method, too_large, too_slow, encoding, origin, unknown_call, "
    "unavailable, internal, or unknown_source (with an empty source).",
    ["source", "outcome"],
    registry=registries.WEB,
)

alerts = instruments.Counter(
    "incident_router_alerts_total",
    "Alerts in accepted deliveries, by source and outcome: firing or resolved if a rule routed them, "
    "ignored if none did.",
    ["source", "outcome"],
    registry=registries.WEB,
)

truncated_alerts = prometheus_client.Counter(
    "incident_router_truncated_alerts_total",
    "Alerts that senders reported as left out of a delivery, by source. The router never received them.",
    ["source"],
    registry=registries.WEB,
)

notices = prometheus_client.Counter(
    "incident_router_notices_total",
    "Values that were truncated, replaced, or ignored in accepted alerts, by source and code (alerts_truncated, "
    "labels_truncated, value_truncated, time_unreadable, field_ignored, group_empty, clock_behind).",
    ["source", "code"],
    registry=registries.WEB,
)

slack_connected = instruments.LateGauge(
    "incident_router_slack_connected",
    "Whether this process receives clicks and commands from Slack over Socket Mode (1), or can't (0). Absent if Socket "
    "Mode is not configured.",
    registry=registries.WEB,
)

skipped_silences = prometheus_client.Gauge(
    "incident_router_skipped_silences",
    "Silences of an Alertmanager that can't be read and mute nothing here, by its name.",
    ["source"],
    registry=registries.SHARED,
)

late_alerts = prometheus_client.Counter(
    "incident_router_late_alerts_total",
    "Messages that the worker ignored as late deliveries, by source. A newer message was received before.",
    ["source"],
    registry=registries.WORKER,
)

decisions = instruments.Counter(
    "incident_router_decisions_total",
    "Alerts in accepted deliveries, by the rule that decided them; the rule is empty if none did.",
    ["rule"],
    registry=registries.WEB,
)

quarantined = prometheus_client.Counter(
    "incident_router_quarantined_total",
    "Authentic bodies that could not be parsed and were kept in the quarantine, by source.",
    ["source"],
    registry=registries.WEB,
)

operations = prometheus_client.Counter(
    "incident_router_operations_total",
    "Operations at vendors, by destination, operation (open, update, publish, resolve, ...) and result.",
    ["destination", "operation", "result"],
    registry=registries.WORKER,
)

redis_clock_set_back = prometheus_client.Counter(
    "incident_router_redis_clock_set_back_total",
    "Times that a worker saw the clock of its Redis set back by more than two seconds, for each of 16 shards.",
    registry=registries.WORKER,
)

data_set_losses = prometheus_client.Counter(
    "incident_router_data_set_losses_total",
    "Times that a process noticed that the data set in Redis was lost or restored, by reason.",
    ["reason"],
    registry=registries.SHARED,
)

data_set_unread_destinations = instruments.LateGauge(
    "incident_router_data_set_unread_destinations",
    "Destinations whose open items have not been read since the data set was lost. The router opens nothing there.",
    registry=registries.WORKER,
)

orphans = instruments.LateGauge(
    "incident_router_orphans",
    "Open items at vendors that belong to no known incident since the data set was lost.",
    registry=registries.WORKER,
)

vendor_webhooks = prometheus_client.Counter(
    "incident_router_vendor_webhooks_total",
    "Requests to /v1/vendor-webhooks, by destination and outcome: looked_at, unrelated (to no open item), "
    "duplicate, unreadable, disconnected, unauthorized, method, too_large, unavailable, or unknown_destination (with "
    "an empty destination).",
    ["destination", "outcome"],
    registry=registries.WEB,
)

omitted_fields = prometheus_client.Counter(
    "incident_router_omitted_fields_total",
    "Fields that the router changed or omitted so that an operation could succeed, by destination, field, and code "
    "(cut, left_out, refused by the vendor, replaced).",
    ["destination", "field", "code"],
    registry=registries.WORKER,
)

unreadable_rows = prometheus_client.Counter(
    "incident_router_unreadable_rows_total",
    "Rows of vendors' lists that could not be read and were skipped, by list (severity, status page, incident, ...).",
    ["list"],
    registry=registries.SHARED,
)

not_found = prometheus_client.Counter(
    "incident_router_not_found_total",
    "Incidents and posts that a vendor no longer has, according to several responses over a minute, by destination.",
    ["destination"],
    registry=registries.WORKER,
)

notifications = prometheus_client.Counter(
    "incident_router_notifications_total",
    "Events by notifier and result: delivered, failed (an attempt, which is retried), dropped (after 24 hours), or "
    "coalesced (replaced by a later event during quiet hours).",
    ["notifier", "result"],
    registry=registries.WORKER,
)

notification_delay_seconds = prometheus_client.Histogram(
    "incident_router_notification_delay_seconds",
    "Seconds from a change to the delivery of its event, by notifier.",
    ["notifier"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
    registry=registries.WORKER,
)

duplicates_ended = prometheus_client.Counter(
    "incident_router_duplicates_ended_total",
    "Incidents and posts that the router ended because the vendor carried out an open late, by destination.",
    ["destination"],
    registry=registries.WORKER,
)

failovers = prometheus_client.Counter(
    "incident_router_failovers_total",
    "Incidents that a failover announced because the vendor did not open them, by destination.",
    ["destination"],
    registry=registries.WORKER,
)

retractions = prometheus_client.Counter(
    "incident_router_retractions_total",
    "Posts that an operator retracted and that the router took down, by destination.",
    ["destination"],
    registry=registries.WORKER,
)

polls = prometheus_client.Counter(
    "incident_router_polls_total",
    "Polls of a source's Alertmanager, by source and result: whole, partial (ends no alert), failed, or unavailable "
    "(Redis).",
    ["source", "result"],
    registry=registries.WEB,
)

polled_alerts = prometheus_client.Counter(
    "incident_router_polled_alerts_total",
    "Alerts that a poll corrected, by source and outcome: found (they fire), repeated (they were about to expire), or "
    "ended (they no longer fire).",
    ["source", "outcome"],
    registry=registries.WEB,
)

inbox_entries = instruments.LateGauge(
    "incident_router_inbox_entries",
    "Deliveries in the inbox: accepted, but not yet folded into incidents.",
    registry=registries.WORKER,
)

rules = instruments.LateGauge(
    "incident_router_rules",
    "Active rules of all files.",
    registry=registries.WEB,
)

rules_info = prometheus_client.Gauge(
    "incident_router_rules_info",
    "1 for the version of the active rules.",
    ["version"],
    registry=registries.WEB,
)

rules_reloads = prometheus_client.Counter(
    "incident_router_rules_reloads",
    "Times that changed rules were read, by result: loaded, unchanged or refused.",
    ["result"],
    registry=registries.WEB,
)

rules_last_reload_successful = instruments.LateGauge(
    "incident_router_rules_last_reload_successful",
    "1 if all rule files on disk are active, 0 if a file is invalid.",
    registry=registries.WEB,
)

rules_fallback_active = prometheus_client.Gauge(
    "incident_router_rules_fallback_active",
    "1 while a process uses the last good rules from Redis because it started with invalid rule files.",
    registry=registries.WEB,
)

rules_last_reload_success_timestamp_seconds = instruments.LateGauge(
    "incident_router_rules_last_reload_success_timestamp_seconds",
    "When changed rules last took effect, as Unix time; no value before the first reload.",
    registry=registries.WEB,
)

rules_folder_refused = prometheus_client.Gauge(
    "incident_router_rules_folder_refused",
    "1 for an isolated folder whose files on disk are invalid and not active.",
    ["folder"],
    registry=registries.WEB,
)

circuit_breaker_state = prometheus_client.Gauge(
    "incident_router_circuit_breaker_state",
    "1 for the state of a destination's circuit breaker, 0 for the others: closed (the vendor is healthy), open (calls "
    "are stopped), or half_open (a probe is under way).",
    ["destination", "state"],
    registry=registries.WORKER,
)

publishing_guard_tripped = instruments.LateGauge(
    "incident_router_publishing_guard_tripped",
    "1 while the publishing guard has tripped and automatic posts need an approval. It trips on too many posts, or "
    "on a source that contradicts itself.",
    registry=registries.WORKER,
)

publishing_frozen = instruments.LateGauge(
    "incident_router_publishing_frozen",
    "1 while publishing is frozen and nothing is posted on public pages.",
    registry=registries.WORKER,
)

damaged = prometheus_client.Counter(
    "incident_router_damaged_data",
    "Times that a key of a wrong type, or a document that can't be read, was found in Redis, by the kind of key.",
    ["kind"],
    registry=registries.SHARED,
)

conflicting_deliveries = prometheus_client.Counter(
    "incident_router_conflicting_deliveries",
    "Deliveries that report the same alert as both firing and resolved, by source.",
    ["source"],
    registry=registries.WORKER,
)

storm_queued_incidents = instruments.LateGauge(
    "incident_router_storm_queued_incidents",
    "Incidents in the queue of an alert storm, which open later.",
    registry=registries.WORKER,
)

storms = prometheus_client.Counter(
    "incident_router_storms",
    "Alert storms that have begun because more incidents were due than may open per window.",
    registry=registries.WORKER,
)

quarantine_dropped = prometheus_client.Counter(
    "incident_router_quarantine_dropped",
    "Bodies that were removed from a full quarantine before an operator had handled them.",
    registry=registries.SHARED,
)

quarantine_entries = instruments.LateGauge(
    "incident_router_quarantine_entries",
    "Bodies in the quarantine.",
    registry=registries.WORKER,
)

dead_letter_deliveries = instruments.LateGauge(
    "incident_router_dead_letter_deliveries",
    "Deliveries that could not be processed and need an operator.",
    registry=registries.WORKER,
)

redis_memory_used_ratio = instruments.LateGauge(
    "incident_router_redis_memory_used_ratio",
    "Redis' used memory as a share of its maxmemory; 0 if no limit is set.",
    registry=registries.SHARED,
)

archive_entries = instruments.LateGauge(
    "incident_router_archive_entries",
    "Deliveries that are kept after they were processed.",
    registry=registries.WORKER,
)

archive_bytes = instruments.LateGauge(
    "incident_router_archive_bytes",
    "Memory of the kept deliveries in Redis, as Redis estimates it.",
    registry=registries.WORKER,
)

inbox_oldest_entry_age_seconds = instruments.LateGauge(
    "incident_router_inbox_oldest_entry_age_seconds",
    "Age of the oldest delivery in the inbox, in seconds; 0 if the inbox is empty.",
    registry=registries.WORKER,
)

accepted_to_opened_seconds = prometheus_client.Histogram(
    "incident_router_accepted_to_opened_seconds",
    "Seconds from the acceptance of the alert that opened an incident to the vendor's confirmation, by destination.",
    ["destination"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
    registry=registries.WORKER,
)

worker_heartbeat_timestamp_seconds = instruments.LateGauge(
    "incident_router_worker_heartbeat_timestamp_seconds",
    "When the worker last finished a round, as Unix time; no value before its first round.",
    registry=registries.WORKER,
)

webhook_duration_seconds = instruments.Histogram(
    "incident_router_webhook_duration_seconds",
    "Time from a request's headers to the response, by source and class of the status code (2xx, 4xx, 5xx). It "
    "includes the transfer of the body.",
    ["source", "code"],
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registries.WEB,
)

vendor_request_duration_seconds = instruments.Histogram(
    "incident_router_vendor_request_duration_seconds",
    "Time from sending an HTTP request to the end of the response, by destination, by the operation that the request "
    "is part of (open, update, ..., look, search, or other), and by outcome: ok, throttled, temporary, unanswered, "
    "or refused.",
    ["destination", "operation", "outcome"],
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registries.SHARED,
)

redis_command_duration_seconds = instruments.Histogram(
    "incident_router_redis_command_duration_seconds",
    "Time from sending a command to Redis to its response, by command; pipeline stands for several commands in one "
    "round trip. Reads that wait for deliveries are omitted.",
    ["command"],
    (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registries.SHARED,
)

build_info = prometheus_client.Gauge(
    "incident_router_build_info",
    "1 for the version of the router.",
    ["version"],
    registry=registries.SHARED,
)
build_info.labels(router.__version__).set(1)


def observe_opening(destination: str, seconds: float, reference: str, trace: str = "") -> None:
    """Count an opened incident and the seconds since its alert was accepted.

    ``reference`` and the trace ID (``trace`` is a ``traceparent``, or empty) are the exemplar. With them, an operator
    finds the slow incident in the log, at the vendor, and among the traces.
    """
    # OpenMetrics allows 128 characters for the names and values of an exemplar together.
    exemplar = {"reference": reference}
    if trace_id := tracing.trace_id(trace):
        exemplar["trace_id"] = trace_id
    # The times of acceptance and opening may be of different clocks, so the difference may be negative.
    accepted_to_opened_seconds.labels(destination).observe(max(seconds, 0.0), exemplar)
