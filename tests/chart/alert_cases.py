"""When each alert of the chart fires, and when it does not: series in the notation of ``promtool test rules``.

``promtool`` counts time from 0, and the series here have one sample a minute where nothing else is said.
"""

from typing import NamedTuple


class Case(NamedTuple):
    """Series by what they measure, when the alert is looked at, and the labels of those that fire then.

    ``fires`` are labels beside ``severity``; without any of them nothing fires.
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


def of_process(name: str, instance: str, namespace: str = "a") -> str:
    return f'incident_router_{name}{{namespace="{namespace}",job="router",instance="{instance}"}}'


A = {"namespace": "a"}
PRODUCTION = {**A, "source": "production"}
ON_CALL = {**A, "destination": "on-call"}
BEAT = "worker_heartbeat_seconds"

CASES = [
    Case("IncidentRouterAbsent", "nothing is scraped", "6m", {"up": "1x10"}, ({},)),
    Case("IncidentRouterAbsent", "a web is scraped", "6m", {of_process(BEAT, "web"): "0x10"}),
    Case("IncidentRouterAbsent", "a restart", "8m", {of_process(BEAT, "web"): "0 0 _ _ _ 0 0 0 0"}),
    Case(
        "IncidentRouterWorkerSilent",
        "the only worker stands still, while another release's goes on",
        "6m",
        {
            of_process(BEAT, "w"): "0 60 120 120x10",
            of_process(BEAT, "web"): "0x10",
            of_process(BEAT, "w", "b"): "0+60x10",
        },
        (A,),
    ),
    Case("IncidentRouterWorkerSilent", "there is only a web", "6m", {of_process(BEAT, "web"): "0x10"}, (A,)),
    Case(
        "IncidentRouterWorkerSilent",
        "the second of two workers goes on",
        "6m",
        {of_process(BEAT, "w"): "0 60 120 120x10", of_process(BEAT, "w2"): "0+60x10", of_process(BEAT, "web"): "0x10"},
    ),
    Case(
        "IncidentRouterInboxLag",
        "the oldest grows older",
        "5m",
        {
            of_process("inbox_oldest_seconds", "w"): "0 30 70 130 190 250",
            of_process("inbox_oldest_seconds", "web"): "0x9",
        },
        (A,),
    ),
    Case("IncidentRouterInboxLag", "a short peak", "5m", {of_process("inbox_oldest_seconds", "w"): "0 30 70 130 0 10"}),
    Case(
        "IncidentRouterUnavailable", "the first refusals ever", "5m", {deliveries("unavailable"): "_ _ _ 4 4 4"}, (A,)
    ),
    Case("IncidentRouterUnavailable", "more of them", "20m", {deliveries("unavailable"): "3x15 8x9"}, (A,)),
    Case("IncidentRouterUnavailable", "those of long ago", "20m", {deliveries("unavailable"): "3x30"}),
    Case("IncidentRouterUnavailable", "not scraped for a while", "30m", {deliveries("unavailable"): "3x10 _x15 3x9"}),
    Case(
        "IncidentRouterSendersRefused",
        "a token that is not known any more",
        "5m",
        {deliveries("unauthorized"): "_ _ 1 1 1 1", deliveries("accepted", "other"): "0+1x9"},
        ({**PRODUCTION, "outcome": "unauthorized"},),
    ),
    Case(
        "IncidentRouterSendersRefused",
        "too large, and a failure of our own",
        "30m",
        {deliveries("too_large"): "2x25 3x9", deliveries("internal", "other"): "0x25 1x9"},
        ({**PRODUCTION, "outcome": "too_large"}, {**A, "source": "other", "outcome": "internal"}),
    ),
    Case("IncidentRouterSendersRefused", "put right since", "40m", {deliveries("unauthorized"): "_ _ 1x60"}),
    Case("IncidentRouterSendersRefused", "somebody guesses names", "9m", {deliveries("unknown_source", ""): "_ 1+5x9"}),
    Case(
        "IncidentRouterAlertsLeftOut",
        "three are left out",
        "5m",
        {'incident_router_truncated_alerts_total{namespace="a",source="production"}': "0 0 0 3 3 3"},
        (PRODUCTION,),
    ),
    Case(
        "IncidentRouterAlertsLeftOut",
        "long ago",
        "40m",
        {'incident_router_truncated_alerts_total{namespace="a",source="production"}': "0 3x60"},
    ),
    Case(
        "IncidentRouterPollsFail",
        "it is out of reach",
        "1h",
        {polls("whole"): "0+1x10 10x60", polls("failed"): "0x10 0+1x60"},
        (PRODUCTION,),
    ),
    Case(
        "IncidentRouterPollsFail",
        "some fail",
        "1h",
        {polls("whole"): "0+1x70", polls("failed"): "0+2x70"},
    ),
    Case("IncidentRouterPollsFail", "nobody asks any more", "1h30m", {polls("failed"): "0+1x20 20x80"}),
    Case(
        "IncidentRouterNoDeliveries",
        "a regular sender stops",
        "27h30m",
        {deliveries("accepted"): "0+1x300 300x30", deliveries("accepted", "other"): "0+1x330"},
        (PRODUCTION,),
        "5m",
    ),
    Case("IncidentRouterNoDeliveries", "a rare one", "27h30m", {deliveries("accepted"): "0x100 9x230"}, (), "5m"),
    Case(
        "IncidentRouterNoDeliveries",
        "what comes cannot be read, which is another alert's matter",
        "27h30m",
        {deliveries("accepted"): "0+1x300 300x30", deliveries("quarantined"): "0x300 0+1x30"},
        (),
        "5m",
    ),
    Case(
        "IncidentRouterDeadLetters", "the first refusal ever", "5m", {operations("refused"): "_ _ _ _ 1 1"}, (ON_CALL,)
    ),
    Case(
        "IncidentRouterDeadLetters",
        "one more, at one of two",
        "30m",
        {operations("refused"): "1x25 2x9", operations("refused", "page"): "4x40"},
        (ON_CALL,),
    ),
    Case("IncidentRouterDeadLetters", "what is tried again", "9m", {operations("temporary"): "_ 1+1x9"}),
    Case("IncidentRouterDeadLetters", "not scraped for a while", "60m", {operations("refused"): "1x20 _x25 1x30"}),
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
        "nothing to do",
        "25m",
        {operations("temporary"): "5x30", operations("done"): "5x30"},
    ),
    Case(
        "IncidentRouterCircuitOpen",
        "at one of two workers",
        "4m",
        {
            'incident_router_circuit_open{namespace="a",instance="w",destination="on-call"}': "1x9",
            'incident_router_circuit_open{namespace="a",instance="w2",destination="on-call"}': "0x9",
        },
        (ON_CALL,),
    ),
    Case(
        "IncidentRouterCircuitOpen",
        "for a minute",
        "4m",
        {'incident_router_circuit_open{namespace="a",instance="w",destination="on-call"}': "0 1 0x9"},
    ),
    Case(
        "IncidentRouterBreakerClosed",
        "at one of two workers",
        "2m",
        {of_process("breaker_closed", "w"): "0 1x9", of_process("breaker_closed", "w2"): "0x9"},
        (A,),
    ),
    Case(
        "IncidentRouterBreakerClosed", "after its process ended", "9m", {of_process("breaker_closed", "w"): "1 1 0x9"}
    ),
    Case(
        "IncidentRouterAlertStorm",
        "for a minute, as both workers see it",
        "4m",
        {of_process("storm_waiting", "w"): "0 7x9", of_process("storm_waiting", "w2"): "0 7x9"},
        (A,),
    ),
    Case("IncidentRouterAlertStorm", "over within the minute", "4m", {of_process("storm_waiting", "w"): "0 0 7 0x9"}),
    Case(
        "IncidentRouterRulesRefused",
        "at one of two webs",
        "4m",
        {
            of_process("rules_last_reload_success", "web"): "1 0x9",
            of_process("rules_last_reload_success", "web2"): "1x9",
            'incident_router_rules_info{namespace="a",job="router",instance="web",version="v1"}': "1x9",
            'incident_router_rules_info{namespace="a",job="router",instance="web2",version="v2"}': "1x9",
        },
        (A,),
    ),
    Case(
        "IncidentRouterRulesRefused",
        "a worker that reads no rules",
        "9m",
        {
            of_process("rules_last_reload_success", "w"): "0x9",
            of_process("rules_last_reload_success", "web"): "1x9",
            'incident_router_rules_info{namespace="a",job="router",instance="web",version="v1"}': "1x9",
        },
    ),
    Case(
        "IncidentRouterQuarantineGrows",
        "a body that cannot be read",
        "5m",
        {'incident_router_quarantined_total{namespace="a",source="production"}': "0 0 1x9"},
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
        {of_process("quarantine_dropped_total", "web"): "0 0 1x9"},
        (A,),
    ),
    Case("IncidentRouterQuarantineFull", "none dropped", "5m", {of_process("quarantine_dropped_total", "web"): "0x9"}),
]
