"""The sections of the configuration file, one model each: the settings, their limits, and their defaults."""

import ipaddress
import urllib.parse
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from router.outbound import loopback
from router.yaml_source import quantities

SENTINEL_PORT = 26379


class Section(pydantic.BaseModel):
    """What every part of the configuration has in common: unknown keys are errors, nothing changes later."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Tls(Section):
    """Files in PEM for a Redis that is reached over TLS; relative paths are relative to the configuration file."""

    ca: Path | None = pydantic.Field(default=None, description="Authorities to trust in the place of the system's.")
    cert: Path | None = pydantic.Field(default=None, description="The router's own certificate.")
    key: Path | None = pydantic.Field(default=None, description="The key of its certificate.")

    @pydantic.model_validator(mode="after")
    def _go_together(self) -> "Tls":
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
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
    if not host or "/" in value or "@" in value:
        raise ValueError("a place of the form host:port is needed here")
    return host, port


HostAndPort = Annotated[
    tuple[str, int],
    pydantic.BeforeValidator(_host_and_port),
    pydantic.WithJsonSchema({"type": "string", "description": "host:port"}),
]


class Sentinel(Section):
    """The sentinels that say which server is the primary; the servers' own user and password stand in the URL."""

    service: str = pydantic.Field(min_length=1, description="The name by which the sentinels know the primary.")
    nodes: tuple[HostAndPort, ...] = pydantic.Field(description="The sentinels, each as host:port.")
    username: str = pydantic.Field(default="", description="The user that the sentinels ask for.")
    password: pydantic.SecretStr = pydantic.Field(
        default=pydantic.SecretStr(""), description="The password that the sentinels ask for."
    )

    @pydantic.field_validator("nodes", mode="after")
    @classmethod
    def _not_none(cls, nodes: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
        if not nodes:  # Not a minimum length, because pydantic would report that error again for an invalid node.
            raise ValueError("at least one sentinel is needed here")
        return nodes


MISSING = "missing"
"""A placeholder for a missing secret, which is reported separately."""
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


class Redis(Section):
    """Where the state is kept. Without a URL, ``run`` starts a server of its own in the folder ``data``."""

    url: pydantic.SecretStr | None = None
    tls: Tls = Tls()
    sentinel: Sentinel | None = pydantic.Field(default=None, description="For servers that Sentinel watches over.")
    cluster: bool = pydantic.Field(default=False, description="Whether the URL is that of a Redis Cluster.")
    replicas: int = pydantic.Field(default=0, ge=0, description="Replicas that must confirm before 202.")
    wait_seconds: float = pydantic.Field(default=1.0, gt=0, le=10)

    @pydantic.field_validator("url")
    @classmethod
    def _with_scheme(cls, url: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
        text = url.get_secret_value() if url is not None else ""
        if text and text != MISSING and not text.startswith(_REDIS_SCHEMES):
            raise ValueError("a Redis URL begins with redis://, rediss:// (TLS), or unix://, as redis://localhost:6379")
        return url

    @pydantic.model_validator(mode="after")
    def _one_or_the_other(self) -> "Redis":
        if self.cluster and self.sentinel is not None:
            raise ValueError("a cluster sees to its primaries itself: leave sentinel or cluster out")
        return self


class Web(Section):
    """The door for webhooks."""

    host: str = "127.0.0.1"
    port: int = pydantic.Field(default=8080, ge=0, le=65535)
    health_host: str = "127.0.0.1"
    health_port: int | None = pydantic.Field(
        default=None, ge=0, le=65535, description="Of probes and metrics; 8083, or a free one if web.port is 0."
    )
    max_body_bytes: int = pydantic.Field(
        default=16 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024, description="Bytes of one body, also once inflated."
    )
    max_depth: int = pydantic.Field(default=32, ge=4, le=200, description="How deeply JSON may be nested.")
    max_alerts: int = pydantic.Field(default=20_000, ge=1, description="Alerts read from one delivery.")
    max_labels: int = pydantic.Field(default=64, ge=1, description="Labels, and annotations, kept of one alert.")
    max_value_bytes: int = pydantic.Field(default=4096, ge=64, description="Bytes kept of one text of an alert.")
    receive_seconds: float = pydantic.Field(default=10.0, gt=0, le=300, description="For a request to be whole.")
    max_in_flight: int = pydantic.Field(default=1000, ge=1, description="Requests in flight at once.")
    max_bytes_in_flight: quantities.Size | None = pydantic.Field(
        default=None,
        description="Bytes of all bodies in flight; by default a quarter of the memory limit, at most 256 MiB.",
    )
    max_connections: int = pydantic.Field(
        default=10_000, ge=1, description="Connections at once. A new one replaces the one that has been idle longest."
    )
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = pydantic.Field(
        default=(), description="Networks of proxies whose X-Forwarded-For is believed."
    )


class Worker(Section):
    """The worker's own settings. ``name`` should stay the same over a restart; the host's name where it is left out."""

    name: str = ""
    lease_seconds: float = pydantic.Field(default=30.0, ge=5, le=600)
    incidents_at_once: int = pydantic.Field(default=64, ge=1, le=4096)
    take_over_idle_seconds: float = pydantic.Field(default=15.0, ge=1)
    health_host: str = "127.0.0.1"
    health_port: int = pydantic.Field(default=8081, ge=0, le=65535)


class Limit(Section):
    """So many in so long."""

    most: int = pydantic.Field(ge=1, description="How many.")
    within: quantities.Duration = pydantic.Field(description="In how long.")


def _domain(text: str) -> str:
    """Check that the text is a domain. It is compared with hosts in texts, so a URL or port would allow nothing."""
    host = text.partition("://")[2] or text
    host = host.partition("/")[0].partition(":")[0].removeprefix("*.")
    if host != text or not host:
        raise ValueError(f"a domain alone is needed here{f', as {host}' if host else ', as example.com'}")
    return text


class Pages(Section):
    """What holds for all public pages, whatever rules say."""

    allowed_hosts: tuple[Annotated[str, pydantic.AfterValidator(_domain)], ...] = pydantic.Field(
        default=(), description="Domains that public texts may name."
    )
    automatic_posts: Limit = Limit.model_validate({"most": 5, "within": "15m"})
    automatic_components: Limit = Limit.model_validate({"most": 10, "within": "15m"})
    updates_apart: quantities.Duration = pydantic.Field(default=quantities.duration("1m"))
    updates_per_hour: int = pydantic.Field(default=30, ge=1, description="Updates that one page gets in an hour.")
    look_every: quantities.Duration = pydantic.Field(default=quantities.duration("5m"))


class Alertmanager(Section):
    """An Alertmanager whose silences hold here too; it is only read."""

    url: str = pydantic.Field(pattern="^https?://", description="Its address, with its path prefix if it has one.")
    bearer: pydantic.SecretStr | None = pydantic.Field(default=None, description="A token it asks for.")


class Silences(Section):
    """Where silences come from, beside those that people make here."""

    alertmanagers: dict[str, Alertmanager] = {}
    devhelm: tuple[str, ...] = pydantic.Field(default=(), description="Accounts at DevHelm, by a destination's name.")
    incident_io: dict[str, dict[str, str]] = pydantic.Field(
        default={},
        description="Accounts at incident.io, by a destination's name: the label for each attribute of its alerts.",
    )
    ask_every: quantities.Duration = pydantic.Field(default=quantities.duration("30s"))


class Oidc(Section):
    """Where people sign in: an OpenID Connect provider, and which of its groups may do what."""

    issuer: str = pydantic.Field(pattern="^https?://", description="The provider's address.")
    client_id: str = pydantic.Field(min_length=1)
    client_secret: pydantic.SecretStr = pydantic.Field(min_length=1)
    scopes: tuple[str, ...] = pydantic.Field(default=("openid", "email", "profile"), description="What is asked for.")
    claim: str = pydantic.Field(default="groups", description="The claim that names a person's groups.")
    viewers: tuple[str, ...] = ()
    responders: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    session: quantities.Duration = pydantic.Field(default=quantities.duration("1h"), description="Until asked again.")

    @pydantic.field_validator("session")
    @classmethod
    def _short(cls, session: int) -> int:
        """Require 5 minutes to 12 hours. A session that begins with a token lasts 12 hours, too."""
        if not quantities.duration("5m") <= session <= quantities.duration("12h"):
            raise ValueError("must be from 5m to 12h")
        return session

    @pydantic.field_validator("issuer")
    @classmethod
    def _private(cls, issuer: str) -> str:
        """Require TLS, so that codes and keys can't be read or changed in transit."""
        if not issuer.startswith("https://") and not loopback.is_loopback(issuer):
            raise ValueError("must start with https://")
        return issuer

    @pydantic.field_validator("scopes")
    @classmethod
    def _says_who(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError('must hold "openid"')
        return scopes

    @pydantic.model_validator(mode="after")
    def _lets_somebody_in(self) -> "Oidc":
        if not self.viewers and not self.responders and not self.admins:
            raise ValueError("name at least one group in viewers, responders or admins")
        return self


class Management(Section):
    """The console and its API, on a port of their own."""

    host: str = "127.0.0.1"
    port: int | None = pydantic.Field(default=None, ge=0, le=65535, description="8082, or free where web.port is 0.")
    public_url: str = pydantic.Field(default="", pattern="^(https?://[^/]+)?$", description="Where browsers find it.")
    oidc: Oidc | None = None

    @pydantic.model_validator(mode="after")
    def _says_where_it_is(self) -> "Management":
        """Require a fixed public URL: the redirect address must not come from the request."""
        if self.oidc is not None and not self.public_url:
            raise ValueError("public_url is needed with oidc: the provider sends people back there")
        return self


class Unreadable(Section):
    """How the router reports that a source sends deliveries that can't be read."""

    destinations: tuple[str, ...] = pydantic.Field(
        default=(), description="Where it is reported; at `self_report.destinations` if left out."
    )
    severity: Literal["critical", "major", "minor", "info"] = pydantic.Field(
        default="major", description="The severity of the incident."
    )
    after: quantities.Duration = pydantic.Field(
        default=0, description="For how long deliveries have to be unreadable before it is reported."
    )
    resolve_after: quantities.Duration = pydantic.Field(
        default=quantities.duration("30m"), description="The incident ends if no delivery is unreadable for so long."
    )


class SelfReport(Section):
    """How the router tells of its own failure."""

    destinations: tuple[str, ...] = pydantic.Field(default=(), description="Where an account that fails is reported.")
    after: quantities.Duration = pydantic.Field(default=quantities.duration("5m"))
    frozen_after: quantities.Duration = pydantic.Field(default=quantities.duration("4h"))
    unreadable: Unreadable = Unreadable()
    ping_url: pydantic.SecretStr | None = pydantic.Field(default=None, description="Asked for as long as it lives.")
    ping_every: quantities.Duration = pydantic.Field(default=quantities.duration("1m"))


class Storm(Section):
    """Limit how many incidents open at once, and name where a storm is reported. Off without ``destinations``."""

    incidents: int = pydantic.Field(default=100, ge=1, description="So many are opened within `within`.")
    within: quantities.Duration = pydantic.Field(default=quantities.duration("1m"), gt=0)
    destinations: tuple[str, ...] = pydantic.Field(default=(), description="Where an incident tells of the storm.")


class Notify(Section):
    """Which notifiers receive which events. Each entry is the name of a notifier."""

    incidents: tuple[str, ...] = pydantic.Field(
        default=(), description="Incidents that open, escalate, are published or updated, and resolve."
    )
    reviews: tuple[str, ...] = pydantic.Field(default=(), description="Posts that wait for a reviewer, and decisions.")
    guard: tuple[str, ...] = pydantic.Field(default=(), description="The publishing guard trips, or is reset.")
    dead_letters: tuple[str, ...] = pydantic.Field(
        default=(), description="Operations that a vendor rejected, and deliveries that could not be processed."
    )
    freezes: tuple[str, ...] = pydantic.Field(default=(), description="Public pages are frozen, or a freeze ends.")
    heartbeats: tuple[str, ...] = pydantic.Field(default=(), description="An expected signal was not received.")


class Archive(Section):
    """How long, and how much of, what was delivered is kept to be explained and replayed; nothing where either is 0."""

    keep: quantities.Duration = pydantic.Field(default=quantities.duration("24h"))
    most: quantities.Size = pydantic.Field(default=quantities.size("256MiB"))

    @property
    def enabled(self) -> bool:
        """Whether anything is archived."""
        return bool(self.keep and self.most)


class Quarantine(Section):
    """How much is kept of what could not be read."""

    max_bytes: quantities.Size = pydantic.Field(
        default=quantities.size("64MiB"), description="Beyond it the oldest bodies are removed."
    )


class Log(Section):
    """How the log is written."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Tracing(Section):
    """Where traces are sent; none are made without an endpoint."""

    endpoint: str = pydantic.Field(default="", pattern="^(https?://[^/]+.*)?$", description="A collector's address.")
    service: str = pydantic.Field(default="incident-router", min_length=1, description="What we are called there.")
    share: float = pydantic.Field(default=1.0, ge=0, le=1, description="Of the traces that begin here, how many.")


class File(Section):
    """The whole file. Each source, destination, and notifier is read by the model of its kind."""

    installation: str = pydantic.Field(
        default="", max_length=100, description="Tells installations that share an account at a vendor apart."
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
    rules: Path = Path("rules")
    data: Path = Path("data")
    sources: dict[str, Any] = {}
    destinations: dict[str, Any] = {}
    notifiers: dict[str, Any] = {}
