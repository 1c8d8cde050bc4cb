"""The sections of the configuration file, one model each: the settings, their limits, and their defaults."""

import ipaddress
import urllib.parse
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from router.domain.times import Duration
from router.outbound import loopback
from router.yaml_source import quantities

SENTINEL_PORT = 26379


class Section(pydantic.BaseModel):
    """The base of all sections: unknown keys are errors, and values can't be changed after validation."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Tls(Section):
    """PEM files for a TLS connection to Redis. Relative paths are relative to the configuration file."""

    ca: Path | None = pydantic.Field(
        default=None, description="Trusted certificate authorities, instead of the system's."
    )
    cert: Path | None = pydantic.Field(default=None, description="The router's client certificate.")
    key: Path | None = pydantic.Field(default=None, description="The private key of the client certificate.")

    @pydantic.model_validator(mode="after")
    def _go_together(self) -> "Tls":
        # A certificate can't be used without its key, and Redis would report only a failed handshake.
        if (self.cert is None) != (self.key is None):
            raise ValueError("set both cert and key, or neither")
        return self


def _host_and_port(value: Any) -> Any:
    """Parse ``host:port``. The default port is Sentinel's."""
    if not isinstance(value, str):
        return value
    try:
        parts = urllib.parse.urlsplit(f"//{value}")
        host, port = parts.hostname, parts.port or SENTINEL_PORT
    except ValueError:
        host, port = None, 0
    # The parser accepts a path and a user, which would be ignored.
    if not host or "/" in value or "@" in value:
        raise ValueError("must have the form host:port")
    return host, port


HostAndPort = Annotated[
    tuple[str, int],
    pydantic.BeforeValidator(_host_and_port),
    pydantic.WithJsonSchema({"type": "string", "description": "host:port"}),
]


class Sentinel(Section):
    """The sentinels that name the primary. The user and password of the Redis servers are in the URL."""

    service: str = pydantic.Field(min_length=1, description="The name of the primary at the sentinels.")
    nodes: tuple[HostAndPort, ...] = pydantic.Field(description="The sentinels, each as host:port.")
    username: str = pydantic.Field(default="", description="The user name for the sentinels.")
    password: pydantic.SecretStr = pydantic.Field(
        default=pydantic.SecretStr(""), description="The password for the sentinels."
    )

    @pydantic.field_validator("nodes", mode="after")
    @classmethod
    def _not_none(cls, nodes: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
        if not nodes:  # Not a minimum length, because pydantic would report that error again for an invalid node.
            raise ValueError("must name at least one sentinel")
        return nodes


MISSING = "missing"
"""A placeholder for a missing secret, which is reported separately."""
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


class Redis(Section):
    """The Redis that stores the state. Without a URL, ``run`` starts an embedded Valkey in the folder ``data``."""

    url: pydantic.SecretStr | None = None
    tls: Tls = Tls()
    sentinel: Sentinel | None = pydantic.Field(
        default=None, description="The sentinels, if Sentinel manages the servers."
    )
    cluster: bool = pydantic.Field(
        default=False, description="Whether the URL is the URL of one server of a Redis Cluster."
    )
    replicas: int = pydantic.Field(
        default=0, ge=0, description="Replicas that must acknowledge a delivery before the router returns 202."
    )
    replica_ack_timeout_seconds: float = pydantic.Field(default=1.0, gt=0, le=10)

    @pydantic.field_validator("url")
    @classmethod
    def _with_scheme(cls, url: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
        text = url.get_secret_value() if url is not None else ""
        # A missing secret is reported already. A second error about its placeholder would confuse.
        if text and text != MISSING and not text.startswith(_REDIS_SCHEMES):
            raise ValueError("must begin with redis://, rediss:// (TLS), or unix://, such as redis://localhost:6379")
        return url

    @pydantic.model_validator(mode="after")
    def _one_or_the_other(self) -> "Redis":
        # Both determine the primary, in different ways.
        if self.cluster and self.sentinel is not None:
            raise ValueError("a Redis Cluster doesn't use Sentinel: remove sentinel or cluster")
        return self


class Web(Section):
    """The webhook server: its addresses and limits."""

    host: str = "127.0.0.1"
    port: int = pydantic.Field(default=8080, ge=0, le=65535)
    health_host: str = "127.0.0.1"
    health_port: int | None = pydantic.Field(
        default=None,
        ge=0,
        le=65535,
        description="The port of health checks and metrics: 8083, or a free port if web.port is 0.",
    )
    max_body_bytes: int = pydantic.Field(
        default=16 * 1024 * 1024,
        ge=1024,
        le=256 * 1024 * 1024,
        description="The maximum size of a body, received and decompressed.",
    )
    max_depth: int = pydantic.Field(default=32, ge=4, le=200, description="The maximum nesting of JSON.")
    max_alerts: int = pydantic.Field(
        default=20_000, ge=1, description="The maximum number of alerts that are read from a delivery."
    )
    max_labels: int = pydantic.Field(
        default=64, ge=1, description="The maximum number of labels, and of annotations, of an alert."
    )
    max_value_bytes: int = pydantic.Field(
        default=4096, ge=64, description="The maximum size of a label, annotation, or other text of an alert."
    )
    request_timeout_seconds: float = pydantic.Field(
        default=10.0, gt=0, le=300, description="The time limit for receiving a complete request."
    )
    max_in_flight: int = pydantic.Field(default=1000, ge=1, description="The maximum number of concurrent requests.")
    max_bytes_in_flight: quantities.Size | None = pydantic.Field(
        default=None,
        description="The maximum size of all bodies in flight; by default a quarter of the memory limit up to 256 MiB.",
    )
    max_connections: int = pydantic.Field(
        default=10_000,
        ge=1,
        description="The maximum number of connections. A new one replaces the one that has been idle longest.",
    )
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = pydantic.Field(
        default=(), description="Networks of proxies whose X-Forwarded-For is trusted."
    )


class Worker(Section):
    """The worker's settings. ``name`` should stay the same across restarts; the default is the host name."""

    name: str = ""
    lease_seconds: float = pydantic.Field(default=30.0, ge=5, le=600)
    concurrency: int = pydantic.Field(default=64, ge=1, le=4096)
    reclaim_idle_seconds: float = pydantic.Field(default=15.0, ge=1)
    health_host: str = "127.0.0.1"
    health_port: int = pydantic.Field(default=8081, ge=0, le=65535)


class Limit(Section):
    """A rate limit: at most ``max`` within each ``window``."""

    max: int = pydantic.Field(ge=1, description="The maximum number per window.")
    window: quantities.Duration = pydantic.Field(description="The length of the window.")


def _domain(text: str) -> str:
    """Check that the text is a domain. It is compared with hosts in texts, so a URL or port would allow nothing."""
    # The suggestion in the error is the domain within the URL, which is most likely what was meant.
    host = text.partition("://")[2] or text
    host = host.partition("/")[0].partition(":")[0].removeprefix("*.")
    if host != text or not host:
        raise ValueError(f"must be a domain without scheme, port, or path, such as {host or 'example.com'}")
    return text


class Pages(Section):
    """Limits for all public pages. Rules can't override them."""

    allowed_hosts: tuple[Annotated[str, pydantic.AfterValidator(_domain)], ...] = pydantic.Field(
        default=(), description="Domains that public texts may link to."
    )
    automatic_posts: Limit = Limit.model_validate({"max": 5, "window": "15m"})
    automatic_components: Limit = Limit.model_validate({"max": 10, "window": "15m"})
    min_update_interval: quantities.Duration = pydantic.Field(default=quantities.duration("1m"))
    max_updates_per_hour: int = pydantic.Field(default=30, ge=1, description="The maximum number of updates of a page.")
    observe_interval: quantities.Duration = pydantic.Field(default=quantities.duration("5m"))


class Alertmanager(Section):
    """An Alertmanager whose silences also apply in the router. The router never changes them."""

    url: str = pydantic.Field(pattern="^https?://", description="The Alertmanager's URL, with its path prefix.")
    bearer: pydantic.SecretStr | None = pydantic.Field(default=None, description="A bearer token for the Alertmanager.")


class Silences(Section):
    """The systems from which silences and maintenance windows are read."""

    alertmanagers: dict[str, Alertmanager] = {}
    devhelm: tuple[str, ...] = pydantic.Field(
        default=(), description="Destinations at DevHelm; the maintenance windows of their accounts are silences."
    )
    incident_io: dict[str, dict[str, str]] = pydantic.Field(
        default={},
        description="Maps a destination at incident.io to the label for each attribute of its alerts.",
    )
    poll_interval: quantities.Duration = pydantic.Field(default=quantities.duration("30s"))


class Oidc(Section):
    """The OpenID Connect provider that authenticates people, and the groups that get each role."""

    issuer: str = pydantic.Field(pattern="^https?://", description="The provider's issuer URL.")
    client_id: str = pydantic.Field(min_length=1)
    client_secret: pydantic.SecretStr = pydantic.Field(min_length=1)
    scopes: tuple[str, ...] = pydantic.Field(
        default=("openid", "email", "profile"), description="The requested scopes."
    )
    groups_claim: str = pydantic.Field(default="groups", description="The claim that holds a person's groups.")
    viewers: tuple[str, ...] = ()
    responders: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    session_lifetime: quantities.Duration = pydantic.Field(
        default=quantities.duration("1h"), description="The time after which a person must sign in again."
    )

    @pydantic.field_validator("session_lifetime")
    @classmethod
    def _check_lifetime(cls, lifetime: int) -> int:
        """Require 5 minutes to 12 hours. A session that begins with a token lasts 12 hours, too."""
        if not quantities.duration("5m") <= lifetime <= quantities.duration("12h"):
            raise ValueError("must be from 5m to 12h")
        return lifetime

    @pydantic.field_validator("issuer")
    @classmethod
    def _check_tls(cls, issuer: str) -> str:
        """Require TLS, so that codes and keys can't be read or changed in transit."""
        if not issuer.startswith("https://") and not loopback.is_loopback(issuer):
            raise ValueError("must start with https://")
        return issuer

    @pydantic.field_validator("scopes")
    @classmethod
    def _with_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        # Without this scope, a provider returns no ID token.
        if "openid" not in scopes:
            raise ValueError('must contain "openid"')
        return scopes

    @pydantic.model_validator(mode="after")
    def _has_groups(self) -> "Oidc":
        # Without a group, no person could sign in.
        if not self.viewers and not self.responders and not self.admins:
            raise ValueError("name at least one group in viewers, responders, or admins")
        return self


class Management(Section):
    """The server of the console and the management API, on its own port."""

    host: str = "127.0.0.1"
    port: int | None = pydantic.Field(
        default=None, ge=0, le=65535, description="8082, or a free port if web.port is 0."
    )
    public_url: str = pydantic.Field(
        default="", pattern="^(https?://[^/]+)?$", description="The URL of the console in browsers."
    )
    oidc: Oidc | None = None

    @pydantic.model_validator(mode="after")
    def _has_public_url(self) -> "Management":
        """Require a fixed public URL: the redirect address must not come from the request."""
        if self.oidc is not None and not self.public_url:
            raise ValueError("oidc requires public_url: the provider redirects browsers to it")
        return self


class Unreadable(Section):
    """The incident that reports a source whose deliveries can't be read."""

    destinations: tuple[str, ...] = pydantic.Field(
        default=(), description="The destinations of the incident; by default `self_report.destinations`."
    )
    severity: Literal["critical", "major", "minor", "info"] = pydantic.Field(
        default="major", description="The severity of the incident."
    )
    after: quantities.Duration = pydantic.Field(
        default=Duration(0), description="How long deliveries have to be unreadable before the incident opens."
    )
    resolve_after: quantities.Duration = pydantic.Field(
        default=quantities.duration("30m"),
        description="The incident resolves if all deliveries were readable for this long.",
    )


class SelfReport(Section):
    """How the router reports its own failures."""

    destinations: tuple[str, ...] = pydantic.Field(
        default=(), description="The destinations that report failures of the router."
    )
    after: quantities.Duration = pydantic.Field(default=quantities.duration("5m"))
    frozen_after: quantities.Duration = pydantic.Field(default=quantities.duration("4h"))
    unreadable: Unreadable = Unreadable()
    ping_url: pydantic.SecretStr | None = pydantic.Field(
        default=None, description="A URL that a worker requests periodically while it is healthy."
    )
    ping_interval: quantities.Duration = pydantic.Field(default=quantities.duration("1m"))


class Storm(Section):
    """Limits how many incidents open per window, and names where a storm is reported. Off without ``destinations``."""

    max_incidents: int = pydantic.Field(default=100, ge=1, description="The maximum number that opens per window.")
    window: quantities.Duration = pydantic.Field(default=quantities.duration("1m"), gt=0)
    destinations: tuple[str, ...] = pydantic.Field(
        default=(), description="The destinations where one incident reports the storm."
    )


class Notify(Section):
    """The notifiers that receive the events of each topic, and those of each owner, by name."""

    incidents: tuple[str, ...] = pydantic.Field(
        default=(), description="Incidents that open, escalate, are published or updated, and resolve."
    )
    reviews: tuple[str, ...] = pydantic.Field(default=(), description="Posts that wait for a reviewer, and decisions.")
    guard: tuple[str, ...] = pydantic.Field(default=(), description="The publishing guard trips, or is reset.")
    dead_letters: tuple[str, ...] = pydantic.Field(
        default=(), description="Operations that a vendor rejected, and deliveries that could not be processed."
    )
    delays: tuple[str, ...] = pydantic.Field(
        default=(), description="An incident can't be opened at a destination with `failover`, or was opened at last."
    )
    freezes: tuple[str, ...] = pydantic.Field(default=(), description="Public pages are frozen, or a freeze ends.")
    heartbeats: tuple[str, ...] = pydantic.Field(default=(), description="An expected signal was not received.")
    owners: dict[str, tuple[str, ...]] = pydantic.Field(
        default={}, description="All events of incidents whose rule has the owner."
    )


_SlackUsers = tuple[Annotated[str, pydantic.Field(pattern="^[UWS][A-Z0-9]{2,20}$")], ...]


class SlackApp(Section):
    """The Slack app whose buttons, forms, and slash commands the router answers, and which of its users may do what.

    Users are IDs (U…, W…), user groups are IDs (S…).
    """

    token: pydantic.SecretStr = pydantic.Field(min_length=1, description="The bot's token, xoxb-….")
    signing_secret: pydantic.SecretStr | None = pydantic.Field(
        default=None, min_length=1, description="Verifies the requests that Slack sends."
    )
    app_token: pydantic.SecretStr | None = pydantic.Field(
        default=None, min_length=1, description="The app-level token for Socket Mode, xapp-…."
    )
    base_url: str = pydantic.Field(default="https://slack.com/api", pattern="^https?://", description="The Web API.")
    team: str = pydantic.Field(
        default="", pattern="^(T[A-Z0-9]{2,20})?$", description="The only workspace whose users may act; any if empty."
    )
    viewers: _SlackUsers = ()
    responders: _SlackUsers = ()
    admins: _SlackUsers = ()
    groups_for: quantities.Duration = pydantic.Field(
        default=quantities.duration("1m"), description="How long the members of a user group are remembered."
    )

    @pydantic.model_validator(mode="after")
    def _can_be_reached(self) -> "SlackApp":
        # Requests arrive over HTTP with a signature, or over Socket Mode with an app token.
        if self.signing_secret is None and self.app_token is None:
            raise ValueError("set signing_secret, if Slack sends requests here, or app_token, for Socket Mode")
        # Without a user, every click would be refused.
        if not self.viewers and not self.responders and not self.admins:
            raise ValueError("name at least one user or user group in viewers, responders, or admins")
        return self


class Archive(Section):
    """How long, and up to which size, processed deliveries are kept for ``explain`` and ``replay``; 0 keeps none."""

    retention: quantities.Duration = pydantic.Field(default=quantities.duration("24h"))
    max_bytes: quantities.Size = pydantic.Field(default=quantities.size("256MiB"))

    @property
    def enabled(self) -> bool:
        """Return whether deliveries are archived."""
        # Either limit can turn the archive off.
        return bool(self.retention and self.max_bytes)


class Quarantine(Section):
    """The size of the quarantine, which keeps authentic bodies that could not be read."""

    max_bytes: quantities.Size = pydantic.Field(
        default=quantities.size("64MiB"), description="Beyond this size, the oldest bodies are removed."
    )


class Log(Section):
    """The format and level of the log."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Tracing(Section):
    """Where traces are sent. Without an endpoint, no traces are recorded."""

    endpoint: str = pydantic.Field(
        default="", pattern="^(https?://[^/]+.*)?$", description="The URL of an OpenTelemetry collector."
    )
    service_name: str = pydantic.Field(
        default="incident-router", min_length=1, description="The service.name of the spans."
    )
    sample_ratio: float = pydantic.Field(default=1.0, ge=0, le=1, description="The sampling ratio of root traces.")


class File(Section):
    """The whole file. Each source, destination, and notifier is read by the model of its kind."""

    installation: str = pydantic.Field(
        default="", max_length=100, description="Distinguishes installations that share an account at a vendor."
    )
    redis: Redis = Redis()
    web: Web = Web()
    worker: Worker = Worker()
    log: Log = Log()
    archive: Archive = Archive()
    quarantine: Quarantine = Quarantine()
    pages: Pages = Pages()
    silences: Silences = Silences()
    management: Management = Management()
    self_report: SelfReport = SelfReport()
    storm: Storm = Storm()
    tracing: Tracing = Tracing()
    notify: Notify = Notify()
    slack_app: SlackApp | None = None
    rules: Path = Path("rules")
    data: Path = Path("data")
    # The model of each kind validates these parts later, because it depends on `kind` in the entry.
    sources: dict[str, Any] = {}
    destinations: dict[str, Any] = {}
    notifiers: dict[str, Any] = {}
