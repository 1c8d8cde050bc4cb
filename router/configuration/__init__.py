"""Reads the configuration file, the environment, and secret files into one validated object before a process starts.

The file never contains a secret. It refers to one as ``{env: NAME}`` or ``{file: PATH}``.
"""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pydantic
import pydantic_settings

import router.destinations.base
import router.destinations.registry
import router.notifiers.base
import router.notifiers.registry
import router.sources.base
import router.sources.registry
from router.configuration import destination_links, inline_secrets, sections, simulated_slack
from router.domain import patterns
from router.outbound import loopback
from router.sources import signatures
from router.yaml_source import documents, phrases, problems, suggestions, validation

DEFAULT_FILE = Path("incident-router.yaml")
SECRET_PARTS = frozenset({"sources", "destinations", "notifiers", "slack_app"})


class InvalidConfiguration(Exception):
    """The configuration is invalid. ``problems`` has every error with its position."""

    def __init__(self, all_problems: list[problems.LocatedProblem]) -> None:
        self.problems = sorted(all_problems, key=lambda problem: problem.order)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class _Environment(pydantic_settings.BaseSettings):
    """The environment variables that override the file."""

    model_config = pydantic_settings.SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    redis_url: pydantic.SecretStr | None = None
    incident_router_installation: str | None = None
    incident_router_rules: Path | None = None
    incident_router_data: Path | None = None
    incident_router_log_format: Literal["json", "console"] | None = None
    incident_router_log_level: Literal["debug", "info", "warning", "error"] | None = None

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls, *_: Any, init_settings: Any, **__: Any
    ) -> tuple[Any, ...]:
        """Read only the values that the caller passes, not the process's environment."""
        return (init_settings,)


@dataclass(frozen=True)
class Settings:
    """The validated configuration of a process.

    ``simulated`` are the names of simulated destinations and notifiers. ``made_up`` maps the unset environment
    variables of sources to the generated values.
    """

    file: str
    redis: sections.Redis
    web: sections.Web
    worker: sections.Worker
    log: sections.Log
    archive: sections.Archive
    quarantine: sections.Quarantine
    pages: sections.Pages
    silences: sections.Silences
    management: sections.Management
    self_report: sections.SelfReport
    storm: sections.Storm
    tracing: sections.Tracing
    rules: Path
    data: Path
    sources: Mapping[str, router.sources.base.Config]
    destinations: Mapping[str, router.destinations.base.Config]
    installation: str = ""
    simulated: frozenset[str] = frozenset()
    made_up: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notifiers: Mapping[str, router.notifiers.base.Config] = dataclasses.field(default_factory=dict)
    notify: sections.Notify = dataclasses.field(default_factory=sections.Notify)
    slack_app: sections.SlackApp | None = None


@dataclass(frozen=True)
class StandIn:
    """The replacements for unset secrets with ``--simulate``: a webhook token, and simulated vendors.

    ``vendors`` maps the prefix of a kind's name (``incident-io``, ``devhelm``, ``slack``) to the simulator's base URL.
    Without ``slack``, nothing is sent to Slack.
    """

    webhook_token: str
    vendors: Mapping[str, str]


def load(
    path: Path,
    environment: Mapping[str, str],
    stand_in: StandIn | None = None,
    needs: Collection[str] = SECRET_PARTS,
) -> Settings:
    """Read the file. Raise ``InvalidConfiguration`` with all problems. Relative paths are relative to the file.

    ``needs`` are the parts whose secrets must be set: a webhook server doesn't call vendors, and a worker doesn't
    authenticate senders. The console answers clicks in Slack, and a worker only shows the buttons.
    """
    document = documents.read(path, holds_secrets=True)
    reading = _Reading(document, environment, stand_in, needs)
    settings = reading.settings(path)
    if reading.problems or settings is None:
        raise InvalidConfiguration(reading.problems)
    return settings


def log_format(path: Path, environment: Mapping[str, str]) -> Literal["json", "console"]:
    """Return the format of the log before the configuration has been read: JSON unless another format is set.

    The configuration may be refused, and the refusal has to be logged in some format.
    """
    format_name = environment.get("INCIDENT_ROUTER_LOG_FORMAT")
    if format_name is None:
        data = documents.read(path, holds_secrets=True).data
        section = data.get("log") if isinstance(data, dict) else None
        format_name = section.get("format") if isinstance(section, dict) else None
    return "console" if format_name == "console" else "json"


_VENDOR_KEYS = ("api_key", "account_key")
_VARIABLE = patterns.compile(r"\$\{?([A-Z][A-Z0-9_]*)\}?")


def doubtful(settings: Settings, *, calls_vendors: bool = True) -> list[problems.LocatedProblem]:
    """Return warnings: secrets in the file, and no installation name although real vendors are called."""
    document = documents.read(Path(settings.file), holds_secrets=True)
    data = document.data if isinstance(document.data, dict) else {}
    warnings = []
    real = (
        destination.base_url for name, destination in settings.destinations.items() if name not in settings.simulated
    )
    # Simulated vendors and those on this machine lose nothing, so a trial needs no name.
    if calls_vendors and not settings.installation and not all(map(loopback.is_loopback, real)):
        message = (
            '"installation" is not set: if Redis loses all data while no process is running, the router opens '
            'incidents again that are open at the vendors; add a name, such as "installation: production"'
        )
        warnings.append(dataclasses.replace(document.problem(message, ("destinations",)), level="warning"))
    for path in inline_secrets.paths(vars(settings), data):
        # The innermost name is that of the setting. A list has only positions.
        key = next(str(part) for part in reversed(path) if isinstance(part, str))
        hint = f"the file contains a secret; refer to it instead: {{env: {key.upper()}}}"
        warnings.append(dataclasses.replace(document.problem(f'"{key}": {hint}', path), level="warning"))
    return warnings


def unused_owners(settings: Settings, owners: Collection[str]) -> list[problems.LocatedProblem]:
    """Warn of owners in ``notify`` that no rule has. ``owners`` are those of all rules."""
    document = documents.read(Path(settings.file))
    warnings = []
    for owner in settings.notify.owners:
        if owner not in owners:
            message = f'no rule has the owner "{owner}"{suggestions.hint(owner, owners)}'
            problem = document.problem(message, ("notify", "owners", owner), key=True)
            warnings.append(dataclasses.replace(problem, level="warning"))
    return warnings


class _Reading:
    """One reading of one file, which collects the problems."""

    def __init__(
        self,
        document: documents.Document,
        environment: Mapping[str, str],
        stand_in: StandIn | None,
        needs: Collection[str],
    ) -> None:
        self._needs = needs
        self._document = document
        self._environment = environment
        self._stand_in = stand_in
        self._simulated_names: set[str] = set()
        self._made_up: dict[str, str] = {}
        self._has_no_slack_app = False  # A first try without its secrets.
        self.problems = list(document.problems)

    def settings(self, path: Path) -> Settings | None:
        if self.problems:
            return None
        data = self._document.data if self._document.data is not None else {}
        if not isinstance(data, dict):
            self.problems.append(self._document.problem("the configuration must be a mapping of settings"))
            return None
        data = self._with_secrets(data, ())
        # An error in one section doesn't hide those of others: all problems are reported together.
        file = self._validate(sections.File, data, ())
        found_sources = self._sources(data)
        found_destinations = self._destinations(data)
        found_notifiers = self._notifiers(data)
        # The names include entries with errors, so that a wrong notifier isn't also reported as unknown.
        self._check_subscriptions(file.notify if file is not None else sections.Notify(), _names(data, "notifiers"))
        for place, name in enumerate(file.self_report.destinations if file is not None else ()):
            self._check_report_destination(("self_report", "destinations", place), name, found_destinations)
        for place, name in enumerate(file.self_report.unreadable.destinations if file is not None else ()):
            self._check_report_destination(
                ("self_report", "unreadable", "destinations", place), name, found_destinations
            )
        for place, name in enumerate(file.storm.destinations if file is not None else ()):
            self._check_report_destination(("storm", "destinations", place), name, found_destinations)
        for place, name in enumerate(file.silences.devhelm if file is not None else ()):
            self._check_maintenance_destination(("devhelm", place), name, ("devhelm", "DevHelm"), found_destinations)
        for name in file.silences.incident_io if file is not None else ():
            self._check_maintenance_destination(
                ("incident_io", name), name, ("incident-io", "incident.io"), found_destinations
            )
        if self.problems or file is None:
            return None
        # Variables override the file last, so that a chart can set them for any file.
        return self._with_environment(
            Settings(
                str(path),
                file.redis,
                file.web,
                file.worker,
                file.log,
                file.archive,
                file.quarantine,
                file.pages,
                file.silences,
                file.management,
                file.self_report,
                file.storm,
                file.tracing,
                _beside(path, file.rules),
                _beside(path, file.data),
                found_sources,
                found_destinations,
                file.installation,
                frozenset(self._simulated_names),
                dict(self._made_up),
                found_notifiers,
                file.notify,
                None if self._has_no_slack_app else file.slack_app,
            )
        )

    def _with_environment(self, settings: Settings) -> Settings:
        environment = self._read_environment()
        redis = (
            settings.redis.model_copy(update={"url": environment.redis_url})
            if environment.redis_url
            else settings.redis
        )
        log = {"format": environment.incident_router_log_format, "level": environment.incident_router_log_level}
        return dataclasses.replace(
            settings,
            redis=redis,
            log=settings.log.model_copy(update={key: value for key, value in log.items() if value}),
            installation=environment.incident_router_installation or settings.installation,
            rules=environment.incident_router_rules or settings.rules,
            data=environment.incident_router_data or settings.data,
        )

    def _read_environment(self) -> _Environment:
        """Return the settings from the environment. An empty variable counts as unset, an invalid one is a problem."""
        # Compose files and charts pass an empty variable for an unset value.
        variables = {name.lower(): value for name, value in self._environment.items() if value}
        try:
            return _Environment.model_validate(variables)
        except pydantic.ValidationError as error:
            for detail in error.errors():
                variable = str(detail["loc"][0])
                self.problems.append(problems.LocatedProblem(variable.upper(), 0, 0, phrases.phrase(detail)))
                # Without the invalid variables, the rest can still be checked.
                del variables[variable]
            return _Environment.model_validate(variables)

    def _sources(self, data: dict[str, Any]) -> dict[str, router.sources.base.Config]:
        return self._by_kind(data, "sources", router.sources.registry.KINDS)

    def _destinations(self, data: dict[str, Any]) -> dict[str, router.destinations.base.Config]:
        kinds = router.destinations.registry.KINDS
        destinations: dict[str, router.destinations.base.Config] = self._by_kind(data, "destinations", kinds)
        for name, setting, message in destination_links.problems(destinations, _names(data, "notifiers")):
            self.problems.append(self._document.problem(message, ("destinations", name, *setting)))
        for name, config in destinations.items():
            self._check_webhook_secrets(name, config)
        return destinations

    def _notifiers(self, data: dict[str, Any]) -> dict[str, router.notifiers.base.Config]:
        kinds = router.notifiers.registry.KINDS
        destinations: dict[str, router.notifiers.base.Config] = self._by_kind(data, "notifiers", kinds)
        for name in _names(data, "notifiers") & _names(data, "destinations"):
            # Metrics and log lines identify a destination or notifier by its name alone.
            message = f'"{name}" is also the name of a destination'
            self.problems.append(self._document.problem(message, ("notifiers", name), key=True))
        return destinations

    def _check_subscriptions(self, notify: sections.Notify, names: Collection[str]) -> None:
        subscribed: dict[tuple[str, ...], tuple[str, ...]] = {
            **{(topic,): getattr(notify, topic) for topic in sections.Notify.model_fields if topic != "owners"},
            **{("owners", owner): notifier_names for owner, notifier_names in notify.owners.items()},
        }
        for path, notifier_names in subscribed.items():
            for place, name in enumerate(notifier_names):
                if name not in names:
                    message = f'unknown notifier "{name}"{suggestions.hint(name, names)}'
                    self.problems.append(self._document.problem(message, ("notify", *path, place)))

    def _check_webhook_secrets(self, name: str, config: router.destinations.base.Config) -> None:
        """Check that the secrets of a vendor's webhook have the vendor's format."""
        if config.webhook is None:
            return
        # The secrets must fit every scheme of the vendor, because any of them may sign a webhook.
        for scheme in router.destinations.registry.KINDS[config.kind].webhook_schemes:
            try:
                signatures.Config.model_validate({"scheme": scheme, "secrets": config.webhook.secrets})
            except pydantic.ValidationError as error:
                self.problems += validation.problems_of(error, self._document, at=("destinations", name, "webhook"))
                return

    def _check_report_destination(
        self, at: tuple[str | int, ...], name: str, destinations: Mapping[str, router.destinations.base.Config]
    ) -> None:
        """Check that self-reports go to a configured internal destination."""
        if name not in destinations:
            self.problems.append(
                self._document.problem(f'unknown destination "{name}"{suggestions.hint(name, destinations)}', at)
            )
        elif router.destinations.registry.KINDS[destinations[name].kind].public:
            self.problems.append(self._document.problem(f'"{name}" is public: customers would see it', at))

    def _check_maintenance_destination(
        self,
        place: tuple[str | int, ...],
        name: str,
        vendor: tuple[str, str],
        destinations: Mapping[str, router.destinations.base.Config],
    ) -> None:
        """Check that maintenance is read from a configured destination of the vendor."""
        at = ("silences", *place)
        kind, vendor_name = vendor
        if name not in destinations:
            self.problems.append(
                self._document.problem(f'unknown destination "{name}"{suggestions.hint(name, destinations)}', at)
            )
        elif not destinations[name].kind.startswith(kind):
            self.problems.append(self._document.problem(f'"{name}" is not an account at {vendor_name}', at))

    def _by_kind(self, data: dict[str, Any], part: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
        """Read the entries of ``sources``, ``destinations``, or ``notifiers``, each with the model of its kind."""
        entries = data.get(part) or {}
        destinations = {}
        for name, entry in entries.items() if isinstance(entries, dict) else []:
            at = (part, str(name))
            # The kind selects the model, so it is checked before all other settings of the entry.
            kind = entry.get("kind") if isinstance(entry, dict) else None
            if kind is None:
                self.problems.append(self._document.problem(f'"{name}" needs a kind', at, key=True))
            elif not isinstance(kind, str):
                self.problems.append(self._document.problem('"kind": expected a text', (*at, "kind")))
            elif kind not in kinds:
                message = f'unknown kind "{kind}"{suggestions.hint(str(kind), kinds)}'
                self.problems.append(self._document.problem(message, (*at, "kind")))
            elif (config := self._validate(kinds[kind].config, entry, at)) is not None:
                destinations[str(name)] = config
        return destinations

    def _validate(self, model: Any, data: Any, at: tuple[str, ...]) -> Any:
        try:
            return model.model_validate(data)
        except pydantic.ValidationError as error:
            self.problems += validation.problems_of(error, self._document, at=at, model=model)
            return None

    def _with_secrets(self, data: Any, at: tuple[str | int, ...]) -> Any:
        """Replace every ``{env: NAME}`` and ``{file: PATH}`` by its value, or by a stand-in if it is unset."""
        if isinstance(data, dict):
            # A mapping with further keys, such as one of labels, is no reference.
            if set(data) == {"env"} or set(data) == {"file"}:
                return self._secret(data, at)
            replaced = {key: self._with_secrets(value, (*at, key)) for key, value in data.items()}
            return self._simulate(replaced, at)
        if isinstance(data, list):
            return [self._with_secrets(value, (*at, position)) for position, value in enumerate(data)]
        if isinstance(data, str) and (variable := _VARIABLE.fullmatch(patterns.encode(data))) is not None:
            name = variable.group(1).decode()
            message = f"${name} is not expanded; for an environment variable, write {{env: {name}}}"
            self.problems.append(self._document.problem(message, at))
        return data

    def _secret(self, reference: dict[str, Any], at: tuple[str | int, ...]) -> str | None:
        # The process that receives deliveries of sources also receives the webhooks of vendors.
        part = "sources" if _of_a_webhook(at) else at[0]
        needed = part not in SECRET_PARTS or part in self._needs
        if "env" in reference:
            name = str(reference["env"])
            value = self._environment.get(name, "")
            if value:
                return value
            # Another process has the secret, so it is absent here on purpose.
            if not needed:
                return _placeholder(at)
            # A simulated vendor sends no webhooks, and no sender can know this secret.
            if self._stand_in is not None and _of_a_webhook(at):
                return _UNSIGNED
            if self._stand_in is not None and at[0] == "sources":
                # The banner prints the generated value, so that the person can send alerts.
                self._made_up[name] = self._stand_in.webhook_token
                return self._stand_in.webhook_token
            if self._stand_in is not None and at[0] == "destinations" and at[-1] in _VENDOR_KEYS:
                return _SimulatedKey(f"simulated-{name}")
            if self._stand_in is not None and at[0] in {"notifiers", "slack_app"}:
                return self._leave_out(at)
            self.problems.append(self._document.problem(f"the environment variable {name} is not set", at))
            return _placeholder(at) if at[0] == "notifiers" else sections.MISSING
        try:
            # Most editors end a file with a line break, which is no part of the secret.
            return Path(str(reference["file"])).read_text(encoding="utf-8").strip()
        except OSError as error:
            if not needed:
                return _placeholder(at)
            message = f"the secret file {reference['file']} can't be read: {error.strerror}"
            self.problems.append(self._document.problem(message, at))
            return _placeholder(at) if at[0] == "notifiers" else sections.MISSING

    def _leave_out(self, at: tuple[str | int, ...]) -> str:
        """Return a placeholder for an unset secret, and record the secret if no simulator replaces it."""
        # The simulated workspace replaces these secrets of Slack.
        if self._slack() and at[-1] in {"token", "app_token", "signing_secret"}:
            return simulated_slack.UNSET
        if at[0] == "notifiers":
            self._simulated_names.add(str(at[1]))
        else:
            # Without a simulator, the app is left out: no request of Slack could be verified.
            self._has_no_slack_app = True
        return _placeholder(at)

    def _slack(self) -> str:
        """Return the URL of the simulated Slack's Web API; empty if there is none."""
        return self._stand_in.vendors.get(simulated_slack.PREFIX, "") if self._stand_in is not None else ""

    def _simulate(self, entry: dict[str, Any], at: tuple[str | int, ...]) -> dict[str, Any]:
        """Point a destination, a Slack notifier, or the Slack app whose secret is not set at the simulator."""
        if simulated_slack.is_unset(entry):
            if at == ("slack_app",):
                return simulated_slack.app(entry, self._slack())
            if entry.get("kind") == "slack":
                return simulated_slack.notifier(entry, self._slack())
            self._simulated_names.add(str(at[1]))
        if self._stand_in is None or not isinstance(entry.get("api_key"), _SimulatedKey):
            return entry
        kind = str(entry.get("kind", ""))
        # Only a destination without its key is simulated. Others keep their real vendor, even in a trial.
        url = next((url for prefix, url in self._stand_in.vendors.items() if kind.startswith(prefix)), None)
        self._simulated_names.add(str(at[-1]))
        return {**entry, "base_url": url} if url else entry


def _names(data: Mapping[str, Any], part: str) -> set[str]:
    """Return the names of the entries of a part, including invalid entries."""
    entries = data.get(part)
    return {str(name) for name in entries} if isinstance(entries, dict) else set()


def _placeholder(at: tuple[str | int, ...]) -> str:
    """Return a placeholder for a secret that this process doesn't need, in the format of the credential."""
    if at[0] == "notifiers":
        if "urls" in at:
            return "jsons://not-needed.invalid/"
        return "https://not-needed.invalid/" if at[-1] == "url" else _UNUSED_KEY
    # The models check the format of credentials, so each placeholder has the right one.
    return _UNSIGNED if "signature" in at or _of_a_webhook(at) else "not-needed:by-this-process"


def _of_a_webhook(at: tuple[str | int, ...]) -> bool:
    return at[0] == "destinations" and "webhook" in at[2:]


_UNUSED_KEY = "whsec_bm90LW5lZWRlZC1ieS10aGlzLXByb2Nlc3M="
_UNSIGNED = "whsec_bm90LW5lZWRlZA=="  # A secret that no vendor signs with, in the vendors' format.


class _SimulatedKey(str):
    """The replacement of an unset key. It contains the variable's name: different keys are of different accounts."""

    __slots__ = ()


def _beside(file: Path, path: Path) -> Path:
    return path if path.is_absolute() else file.parent / path
