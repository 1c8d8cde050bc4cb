"""Cases in which each alert of the chart fires or doesn't, with series in the notation of ``promtool test rules``.

``promtool`` counts time from 0. Unless a case says otherwise, the series have one sample per minute.
"""

from typing import NamedTuple


class Case(NamedTuple):
    """A case: the series by metric, the time of evaluation, and the labels of the alerts that fire then.

    ``fires`` has the labels besides ``severity``; if it is empty, no alert fires.
    """

    alert: str
    why: str
    at: str
    series: dict[str, str]
    fires: tuple[dict[str, str], ...] = ()
    interval: str = "1m"


def deliveries(outcome: str, source: str = "production") -> str:
    return f'incident_router_deliveries_total{{namespace="a",instance="web",source="{source}",outcome="{outcome}"}}'


def polls(result: str) -> str:
    return f'incident_router_polls_total{{namespace="a",instance="web",source="production",result="{result}"}}'


def operations(result: str, destination: str = "on-call") -> str:
    labels = f'namespace="a",instance="w",destination="{destination}",operation="open",result="{result}"'
    return f"incident_router_operations_total{{{labels}}}"


def losses(reason: str) -> str:
    return f'incident_router_data_set_losses_total{{namespace="a",instance="w",reason="{reason}"}}'


def process_series(name: str, instance: str, namespace: str = "a") -> str:
    return f'incident_router_{name}{{namespace="{namespace}",job="router",instance="{instance}"}}'


def circuit_breaker(process: str, state: str) -> str:
    labels = f'namespace="a",instance="{process}",destination="on-call",state="{state}"'
    return f"incident_router_circuit_breaker_state{{{labels}}}"


A = {"namespace": "a"}
PRODUCTION = {**A, "source": "production"}
ON_CALL = {**A, "destination": "on-call"}
BEAT = "worker_heartbeat_timestamp_seconds"
BUILD = "build_info"
RULES = "rules"


def web(values: str, instance: str = "web", namespace: str = "a") -> dict[str, str]:
    """Return the series of a scraped webhook server."""
    return {process_series(BUILD, instance, namespace): values, process_series(RULES, instance, namespace): values}


def worker(values: str, beat: str, instance: str = "w", namespace: str = "a") -> dict[str, str]:
    """Return the series of a scraped worker, with the time of its last finished round."""
    return {process_series(BUILD, instance, namespace): values, process_series(BEAT, instance, namespace): beat}


CASES = [
    Case("IncidentRouterAbsent", "nothing was scraped yet", "6m", {"up": "1x10"}, ({},)),
    Case("IncidentRouterAbsent", "a web is scraped", "6m", web("1x10")),
    Case("IncidentRouterAbsent", "only a worker is scraped", "6m", worker("1x10", "0+60x10")),
    Case("IncidentRouterAbsent", "a restart", "8m", web("1 1 _ _ _ 1 1 1 1")),
    Case(
        "IncidentRouterAbsent",
        "the targets are down",
        "12m",
        {**web("1x4 stale _x20"), 'up{namespace="a",job="router",instance="web"}': "1x4 0x20"},
        (A,),
    ),
    Case("IncidentRouterAbsent", "all processes absent for hours", "15h", web("1x60 _x60"), (A,), "10m"),
    Case("IncidentRouterAbsent", "all processes absent for days", "50h", web("1x10 _x300"), ({},), "10m"),
    Case(
        "IncidentRouterAbsent",
        "one of two installations is absent",
        "30m",
        {**web("1x10 _x30"), **worker("1x10 _x30", "0+60x10 _x30"), **web("1x40", "web", "b")},
        (A,),
    ),
    Case("IncidentRouterWebAbsent", "all webs absent, one worker present", "6m", worker("1x10", "0+60x10"), (A,)),
    Case(
        "IncidentRouterWebAbsent",
        "all webs absent for hours",
        "35h",
        {
            **web("1x156 _x60"),
            **worker("1x216", "0+600x216"),
            deliveries("accepted"): "0+100x156 _x60",
        },
        (A,),
        "10m",
    ),
    Case(
        "IncidentRouterWebAbsent",
        "one of two webs present",
        "30m",
        {**web("1x10 _x30"), **web("1x40", "web2"), **worker("1x40", "0+60x40")},
    ),
    Case("IncidentRouterWebAbsent", "a restart", "9m", {**web("1 1 _ _ _ 1 1 1 1 1"), **worker("1x9", "0+60x9")}),
    Case(
        "IncidentRouterWebAbsent",
        "webs only in another installation",
        "9m",
        {**web("1x9", "web", "b"), **worker("1x9", "0+60x9")},
        (A,),
    ),
    Case(
        "IncidentRouterWorkerSilent",
        "the only worker stopped, another release's runs",
        "6m",
        {**worker("1x12", "0 60 120 120x10"), **web("1x10"), **worker("1x10", "0+60x10", "w", "b")},
        (A,),
    ),
    Case("IncidentRouterWorkerSilent", "only a web present", "6m", web("1x10"), (A,)),
    Case(
        "IncidentRouterWorkerSilent",
        "all workers absent for hours",
        "10h",
        {**web("1x70"), **worker("1x6 _x64", "0+600x6 _x64")},
        (A,),
        "10m",
    ),
    Case(
        "IncidentRouterWorkerSilent",
        "a worker without a finished pass",
        "6m",
        {**web("1x10"), process_series(BUILD, "w"): "1x10"},
        (A,),
    ),
    Case(
        "IncidentRouterWorkerSilent",
        "one of two workers runs",
        "6m",
        {**worker("1x12", "0 60 120 120x10"), **worker("1x12", "0+60x10", "w2"), **web("1x10")},
    ),
    Case(
        "IncidentRouterInboxLag",
        "the oldest delivery ages",
        "5m",
        {
            process_series("inbox_oldest_entry_age_seconds", "w"): "0 30 70 130 190 250",
        },
        (A,),
    ),
    Case(
        "IncidentRouterInboxLag",
        "a short peak",
        "5m",
        {process_series("inbox_oldest_entry_age_seconds", "w"): "0 30 70 130 0 10"},
    ),
    Case("IncidentRouterUnavailable", "the first refusal", "5m", {deliveries("unavailable"): "0 0 0 1 1 1"}, (A,)),
    Case(
        "IncidentRouterUnavailable",
        "refusals before the first scrape",
        "5m",
        {deliveries("unavailable"): "_ _ _ 4 4 4"},
        (A,),
    ),
    Case("IncidentRouterUnavailable", "further refusals", "20m", {deliveries("unavailable"): "3x15 8x9"}, (A,)),
    Case("IncidentRouterUnavailable", "earlier refusals only", "20m", {deliveries("unavailable"): "3x30"}),
    Case("IncidentRouterUnavailable", "not scraped for a while", "30m", {deliveries("unavailable"): "3x10 _x15 3x9"}),
    Case(
        "IncidentRouterSendersRefused",
        "an outdated token",
        "5m",
        {deliveries("unauthorized"): "_ _ 1 1 1 1", deliveries("accepted", "other"): "0+1x9"},
        ({**PRODUCTION, "outcome": "unauthorized"},),
    ),
    Case(
        "IncidentRouterSendersRefused",
        "too large, and an internal error",
        "30m",
        {deliveries("too_large"): "2x25 3x9", deliveries("internal", "other"): "0x25 1x9"},
        ({**PRODUCTION, "outcome": "too_large"}, {**A, "source": "other", "outcome": "internal"}),
    ),
    Case("IncidentRouterSendersRefused", "corrected since", "40m", {deliveries("unauthorized"): "_ _ 1x60"}),
    Case("IncidentRouterSendersRefused", "guessed source names", "9m", {deliveries("unknown_source", ""): "_ 1+5x9"}),
    Case(
        "IncidentRouterAlertsLeftOut",
        "three truncated alerts",
        "5m",
        {'incident_router_truncated_alerts_total{namespace="a",source="production"}': "0 0 0 3 3 3"},
        (PRODUCTION,),
    ),
    Case(
        "IncidentRouterAlertsLeftOut",
        "before the first scrape",
        "5m",
        {'incident_router_truncated_alerts_total{namespace="a",source="production"}': "_ _ _ 3 3 3"},
        (PRODUCTION,),
    ),
    Case(
        "IncidentRouterAlertsLeftOut",
        "hours ago, and none since",
        "40m",
        {'incident_router_truncated_alerts_total{namespace="a",source="production"}': "0 3x60"},
    ),
    Case(
        "IncidentRouterPollsFail",
        "every poll fails",
        "1h",
        {polls("whole"): "0+1x10 10x60", polls("failed"): "0x10 0+1x60"},
        (PRODUCTION,),
    ),
    Case(
        "IncidentRouterPollsFail",
        "some polls fail",
        "1h",
        {polls("whole"): "0+1x70", polls("failed"): "0+2x70"},
    ),
    Case("IncidentRouterPollsFail", "polling was disabled", "1h30m", {polls("failed"): "0+1x20 20x80"}),
    Case(
        "IncidentRouterNoDeliveries",
        "a regular sender stops",
        "27h30m",
        {deliveries("accepted"): "0+1x300 300x30", deliveries("accepted", "other"): "0+1x330"},
        (PRODUCTION,),
        "5m",
    ),
    Case(
        "IncidentRouterNoDeliveries",
        "the sender can't reach the webs of a new version",
        "27h30m",
        {
            deliveries("accepted"): "0+1x300 _x30",
            deliveries("accepted").replace('"web"', '"web2"'): "_x300 0x30",
            deliveries("accepted", "other"): "0+1x330",
        },
        (PRODUCTION,),
        "5m",
    ),
    Case("IncidentRouterNoDeliveries", "a rare sender", "27h30m", {deliveries("accepted"): "0x100 9x230"}, (), "5m"),
    Case(
        "IncidentRouterNoDeliveries",
        "unreadable deliveries, which another alert reports",
        "27h30m",
        {deliveries("accepted"): "0+1x300 300x30", deliveries("quarantined"): "0x300 0+1x30"},
        (),
        "5m",
    ),
    Case("IncidentRouterDeadLetters", "the first refusal", "5m", {operations("refused"): "0 0 0 0 1 1"}, (ON_CALL,)),
    Case(
        "IncidentRouterDeadLetters",
        "a refusal before the first scrape",
        "5m",
        {operations("refused"): "_ _ _ _ 1 1"},
        (ON_CALL,),
    ),
    Case(
        "IncidentRouterDeadLetters",
        "a further one, at one of two workers",
        "30m",
        {operations("refused"): "1x25 2x9", operations("refused", "page"): "4x40"},
        (ON_CALL,),
    ),
    Case("IncidentRouterDeadLetters", "retried operations", "9m", {operations("temporary"): "_ 1+1x9"}),
    Case("IncidentRouterDeadLetters", "not scraped for a while", "60m", {operations("refused"): "1x20 _x25 1x30"}),
    Case(
        "IncidentRouterDeadDeliveries",
        "one, reported by both workers",
        "5m",
        {
            process_series("dead_letter_deliveries", "w"): "0 1x9",
            process_series("dead_letter_deliveries", "w2"): "0 1x9",
        },
        (A,),
    ),
    Case(
        "IncidentRouterDeadDeliveries",
        "discarded since",
        "5m",
        {process_series("dead_letter_deliveries", "w"): "1 1 1 0 0 0"},
    ),
    Case("IncidentRouterDataLost", "a process detects the loss", "30m", {losses("vanished"): "0x10 1x30"}, (A,)),
    Case(
        "IncidentRouterDataLost",
        "the detecting process has just started",
        "5m",
        {losses("replaced"): "1x9"},
        (A,),
    ),
    Case("IncidentRouterDataLost", "a restore by an operator", "30m", {losses("restored"): "0x10 1x30"}),
    Case("IncidentRouterDataLost", "a first start", "5m", {losses("new"): "1x9", losses("vanished"): "0x9"}),
    Case("IncidentRouterDataLost", "hours ago", "150m", {losses("went_back"): "0x10 1x150"}),
    Case(
        "IncidentRouterOrphans",
        "one, reported by both workers",
        "20m",
        {process_series("orphans", "w"): "0 1x30", process_series("orphans", "w2"): "0 1x30"},
        (A,),
    ),
    Case("IncidentRouterOrphans", "adopted in time", "20m", {process_series("orphans", "w"): "0 1x10 0x20"}),
    Case(
        "IncidentRouterVendorErrors",
        "three of four fail",
        "25m",
        {operations("unanswered"): "0+2x30", operations("temporary"): "0+1x30", operations("done"): "0+1x30"},
        (ON_CALL,),
    ),
    Case(
        "IncidentRouterVendorErrors",
        "one of four fails",
        "25m",
        {operations("temporary"): "0+1x30", operations("done"): "0+3x30"},
    ),
    Case(
        "IncidentRouterVendorErrors",
        "no operations",
        "25m",
        {operations("temporary"): "5x30", operations("done"): "5x30"},
    ),
    Case(
        "IncidentRouterCircuitBreakerOpen",
        "at one of two workers",
        "4m",
        {
            circuit_breaker("w", "open"): "1 0 1 0 1 0 1x3",
            circuit_breaker("w", "half_open"): "0 1 0 1 0 1 0x3",
            circuit_breaker("w2", "closed"): "1x9",
            circuit_breaker("w2", "open"): "0x9",
        },
        (ON_CALL,),
    ),
    Case(
        "IncidentRouterCircuitBreakerOpen",
        "for a minute",
        "4m",
        {circuit_breaker("w", "open"): "0 1 0x9", circuit_breaker("w", "closed"): "1 0 1x9"},
    ),
    Case(
        "IncidentRouterPublishingGuardTripped",
        "at one of two workers",
        "2m",
        {
            process_series("publishing_guard_tripped", "w"): "0 1x9",
            process_series("publishing_guard_tripped", "w2"): "0x9",
        },
        (A,),
    ),
    Case(
        "IncidentRouterPublishingGuardTripped",
        "after its process ended",
        "9m",
        {process_series("publishing_guard_tripped", "w"): "1 1 0x9"},
    ),
    Case(
        "IncidentRouterAlertStorm",
        "for a minute, reported by both workers",
        "4m",
        {
            process_series("storm_queued_incidents", "w"): "0 7x9",
            process_series("storm_queued_incidents", "w2"): "0 7x9",
        },
        (A,),
    ),
    Case(
        "IncidentRouterAlertStorm",
        "over within the minute",
        "4m",
        {process_series("storm_queued_incidents", "w"): "0 0 7 0x9"},
    ),
    Case(
        "IncidentRouterRulesRefused",
        "at one of two webs",
        "4m",
        {
            process_series("rules_last_reload_successful", "web"): "1 0x9",
            process_series("rules_last_reload_successful", "web2"): "1x9",
        },
        (A,),
    ),
    Case(
        "IncidentRouterRulesRefused",
        "corrected within a minute",
        "9m",
        {process_series("rules_last_reload_successful", "web"): "1 0 1x9"},
    ),
    Case(
        "IncidentRouterQuarantineGrows",
        "an unreadable body",
        "5m",
        {'incident_router_quarantined_total{namespace="a",source="production"}': "0 0 1x9"},
        (PRODUCTION,),
    ),
    Case(
        "IncidentRouterQuarantineGrows",
        "a body before the first scrape",
        "20m",
        {'incident_router_quarantined_total{namespace="a",source="production"}': "_x10 1x20"},
        (PRODUCTION,),
    ),
    Case(
        "IncidentRouterQuarantineGrows",
        "more than an hour ago",
        "90m",
        {'incident_router_quarantined_total{namespace="a",source="production"}': "0 0 1x120"},
    ),
    Case(
        "IncidentRouterQuarantineFull",
        "one dropped",
        "5m",
        {process_series("quarantine_dropped_total", "web"): "0 0 1x9"},
        (A,),
    ),
    Case(
        "IncidentRouterQuarantineFull",
        "some dropped before the first scrape",
        "20m",
        {process_series("quarantine_dropped_total", "web"): "_x10 7x20"},
        (A,),
    ),
    Case(
        "IncidentRouterQuarantineFull", "none dropped", "5m", {process_series("quarantine_dropped_total", "web"): "0x9"}
    ),
    Case(
        "IncidentRouterRedisMemory",
        "above the limit after the archive shrank",
        "9m",
        {
            process_series("redis_memory_used_ratio", "w"): "0.5 0.72x9",
            process_series("redis_memory_used_ratio", "web"): "0.5x9",
        },
        (A,),
    ),
    Case(
        "IncidentRouterRedisMemory",
        "the archive shrinks",
        "9m",
        {process_series("redis_memory_used_ratio", "w"): "0.5 0.72 0.72 0.6x9"},
    ),
]
