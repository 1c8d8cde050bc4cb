"""The registry: one line for each kind of source. Schema, documentation, and contract tests are derived from it."""

import functools
from collections.abc import Callable, Mapping

import msgspec

from router.domain.times import Duration
from router.sources import (
    alertmanager,
    authentication,
    azure,
    base,
    calls,
    cloudwatch,
    datadog,
    eventbridge,
    expiry,
    google,
    grafana,
    json,
    newrelic,
    normalizing,
    opsgenie_api,
    pagerduty,
    pagerduty_events,
    prometheus,
    sentry,
    signatures,
    tokens,
    uptime_kuma,
    verifications,
)
from router.sources.presets import (
    argocd,
    axiom,
    betterstack,
    checkly,
    checkmk,
    cloudflare,
    coralogix,
    cronitor,
    devhelm,
    dynatrace,
    gatus,
    github,
    gitlab,
    healthchecks,
    honeycomb,
    icinga,
    incident_io,
    incident_io_alerts,
    kibana,
    librenms,
    nagios,
    netdata,
    opsgenie,
    pingdom,
    prtg,
    site24x7,
    splunk,
    splunk_observability,
    statuscake,
    statuspage,
    thousandeyes,
    uptimerobot,
    zabbix,
)

KINDS: Mapping[str, base.Kind] = {
    kind.name: kind
    for kind in (
        alertmanager.KIND,
        prometheus.KIND,
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
        opsgenie_api.KIND,
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
        incident_io.KIND,
        cronitor.KIND,
        healthchecks.KIND,
        gatus.KIND,
        site24x7.KIND,
        checkmk.KIND,
        librenms.KIND,
        prtg.KIND,
        netdata.KIND,
        github.KIND,
        argocd.KIND,
        kibana.KIND,
        cloudflare.KIND,
        statuspage.KIND,
        thousandeyes.KIND,
        axiom.KIND,
        coralogix.KIND,
        gitlab.KIND,
        json.KIND,
    )
}


class ConfiguredSource(msgspec.Struct, frozen=True):
    """A configured source: how its senders are authenticated, how its bodies are parsed, and its kind.

    ``in_query``: the query of the URL is parsed instead of a body. ``reads_query``: parts of the query are read in
    addition to the body. ``reply`` is the kind's, with the configuration bound. ``named_headers`` are stored with a
    body.
    """

    name: str
    kind: base.Kind
    source: base.Source
    verifier: authentication.Verifier
    token: tokens.Token | None = None
    signature: signatures.Signature | None = None
    allow_from: tuple[base.Network, ...] = ()
    verification: verifications.Verification | None = None
    in_query: bool = False
    reply: Callable[[calls.Call], calls.Reply | None] | None = None
    reads_query: bool = False
    retry_window: Duration | None = None
    named_headers: frozenset[bytes] = frozenset()


def build(name: str, config: base.Config, fetch: verifications.Fetch = verifications.fetch_nothing) -> ConfiguredSource:
    """Build a configured source. Raises ``KeyError`` if its kind isn't registered.

    ``fetch`` fetches vendors' keys. Without it, deliveries that need them can't be verified.
    """
    kind = KINDS[config.kind]
    verifier = config.verifier()
    token = tokens.Token(config.token) if config.token is not None else None
    signature = signatures.Signature(config.signature) if config.signature is not None else None
    verifies = kind.verification(config, fetch) if kind.verification is not None else None
    # Every source is wrapped, so that no kind can forget to clean its titles and links.
    source: base.Source = normalizing.Normalizing(kind.make(name, config))
    if config.resolve_after:
        source = expiry.Expiring(source, config.resolve_after)
    reply = functools.partial(kind.reply, config) if kind.reply is not None else None
    return ConfiguredSource(
        name,
        kind,
        source,
        verifier,
        token,
        signature,
        config.allow_from,
        verification=verifies,
        in_query=config.in_query,
        reply=reply,
        reads_query=config.reads_query,
        retry_window=kind.retry_window if config.retry_window is None else config.retry_window,
        named_headers=config.named_headers | ({base.QUERY} if config.reads_query else set()),
    )
