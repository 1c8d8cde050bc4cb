"""Every kind of source, one line each; settings, documentation and the contract tests are derived from it."""

from collections.abc import Mapping

import msgspec

from router.sources import (
    alertmanager,
    authentication,
    azure,
    base,
    cloudwatch,
    datadog,
    eventbridge,
    google,
    grafana,
    json,
    newrelic,
    pagerduty,
    pagerduty_events,
    sentry,
    signatures,
    tokens,
    uptime_kuma,
)
from router.sources.presets import (
    betterstack,
    checkly,
    devhelm,
    dynatrace,
    honeycomb,
    icinga,
    incident_io_alerts,
    nagios,
    opsgenie,
    pingdom,
    splunk,
    splunk_observability,
    statuscake,
    uptimerobot,
    zabbix,
)

KINDS: Mapping[str, base.Kind] = {
    kind.name: kind
    for kind in (
        alertmanager.KIND,
        grafana.KIND,
        pagerduty_events.KIND,
        datadog.KIND,
        cloudwatch.KIND,
        eventbridge.KIND,
        sentry.KIND,
        azure.KIND,
        google.KIND,
        newrelic.KIND,
        uptime_kuma.KIND,
        pagerduty.KIND,
        zabbix.KIND,
        uptimerobot.KIND,
        pingdom.KIND,
        dynatrace.KIND,
        opsgenie.KIND,
        betterstack.KIND,
        nagios.KIND,
        icinga.KIND,
        splunk.KIND,
        splunk_observability.KIND,
        checkly.KIND,
        honeycomb.KIND,
        statuscake.KIND,
        incident_io_alerts.KIND,
        devhelm.KIND,
        json.KIND,
    )
}


class Endpoint(msgspec.Struct, frozen=True):
    """One configured source as the door needs it: who may post, how bodies are read, what the kind is like."""

    name: str
    kind: base.Kind
    source: base.Source
    verifier: authentication.Verifier
    token: tokens.Token | None = None
    signature: signatures.Signature | None = None


def build(name: str, config: base.Config) -> Endpoint:
    """Make the endpoint of one configured source; ``KeyError`` where its kind is not registered."""
    kind = KINDS[config.kind]
    verifier = authentication.verifier(config.bearer, config.basic, config.auth, otherwise=config.proves)
    token = tokens.Token(config.token) if config.token is not None else None
    signature = signatures.Signature(config.signature) if config.signature is not None else None
    return Endpoint(name, kind, kind.make(name, config), verifier, token, signature)
