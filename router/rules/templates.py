"""Liquid templates: checked when rules load, rendered when an incident is sent to a destination.

An unknown name is a mistake in the rule file. A label that an alert doesn't have is not a mistake: it renders as the
empty text, because an incident must never be lost because of a text. A template can't run code.
"""

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import liquid
from liquid import exceptions as liquid_errors
from liquid.filter import liquid_filter

from router.domain import alerts, decisions, patterns, severities
from router.domain.times import Timestamp
from router.rules import fields, filter_limits
from router.yaml_source import suggestions

NAMES: Mapping[str, Mapping[str, str]] = {
    "alert": {
        "title": "the title of the alert that opened the incident",
        "source": "the name of the source",
        "severity": "the severity in the sender's words",
        "link": "the sender's link",
        "starts_at": "when it started, for example 2031-05-01T09:30:00Z",
        "labels": "its labels: `alert.labels.service`, or `alert.labels['a.b']` for names with dots",
        "annotations": "its annotations: `alert.annotations.summary`",
    },
    "incident": {
        "key": "the incident key",
        "severity": "the current severity of the incident: critical, major, minor, or info",
        "reference": "the reference of the incident, for example IR-7F3K2QXM-A1B4T9",
        "follows": "the reference of the incident that it reopens soon after its end, or empty",
        "opened_at": "when it opened, for example 2031-05-01T09:30:00Z",
    },
    "rule": {
        "name": "the name of the rule that opened the incident",
        "owner": "the owner of the rule",
        "runbook": "instructions, or a link to them",
    },
}
"""Every variable, with its description. The names below ``labels`` and ``annotations`` depend on the alert."""

_OPEN = ("labels", "annotations")
_BLANKS = patterns.compile(r"\s{101}")
_MARKED = patterns.compile(r"(?s)\{\{.*?\}\}|\{%.*?%\}")
_GO = patterns.compile(r"\{\{-?\s*(?:range\s+|if\s+|with\s+)?([.$][A-Za-z0-9_.$]*)")
_FILTERS: Mapping[str, str] = {
    "upper": "upcase",
    "toupper": "upcase",
    "uppercase": "upcase",
    "lower": "downcase",
    "tolower": "downcase",
    "lowercase": "downcase",
    "title": "capitalize",
    "trim": "strip",
    "len": "size",
    "length": "size",
    "safe": "escape",
    "or": "default",
    "sub": "minus",
    "add": "plus",
    "mul": "times",
    "div": "divided_by",
}
"""Filters of other template languages, and their names here."""
# Characters and iterations: far above any vendor's limits, and far below what takes much memory or time.
_LIMIT = 100_000
MAX_CHARACTERS = 10_000
"""Of a template itself; reading it takes time that grows with the square of its length at worst."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Environment(liquid.Environment):
    loop_iteration_limit = _LIMIT
    local_namespace_limit = _LIMIT
    output_stream_limit = _LIMIT


@liquid_filter
def _date(value: object, shape: str) -> str:
    """Format an ISO 8601 time with ``strftime``'s directives. Return any other text unchanged.

    Liquid's own filter guesses and reads the clock (for ``now``, and to complete an incomplete date), so the same
    incident would be rendered differently from day to day.
    """
    try:
        return datetime.fromisoformat(str(value)).strftime(shape)
    except ValueError:
        return str(value)


def _make_environment() -> liquid.Environment:
    # In strict mode, a typing error is reported with the rules and doesn't render as an empty text.
    environment = _Environment(tolerance=liquid.Mode.STRICT, strict_filters=True)
    for name in ("include", "render"):  # There are no other templates to include.
        del environment.tags[name]
    environment.filters["date"] = _date
    environment.filters["strip_html"] = filter_limits.strip_html
    environment.filters = {name: filter_limits.limit(name, function) for name, function in environment.filters.items()}
    return environment


_ENVIRONMENT = _make_environment()

# Exceptions that filters raise for invalid values at run time. Most are LiquidErrors.
_FAILURES = (
    liquid_errors.LiquidError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
    MemoryError,
)


def is_template(text: str) -> bool:
    """Return whether the text has Liquid syntax."""
    return "{{" in text or "{%" in text


@functools.lru_cache(maxsize=4_096)
def problems(text: str) -> tuple[str, ...]:
    """Return all problems of a template: syntax, unknown names, and unknown filters; empty if it is valid."""
    if not is_template(text):
        return ()
    if len(text) > MAX_CHARACTERS:
        return (f"a text with variables has at most {MAX_CHARACTERS} characters, and this one has {len(text)}",)
    # Liquid's own error for a Go template doesn't say what is wrong.
    if go := _GO.search(patterns.encode(text)):
        return (_as_liquid(go.group(1).decode()),)
    if wrong := _find_syntax_problem(text):
        return (f"the template is broken: {wrong}",)
    try:
        template = _compile(text)
        analysis = template.analyze()
    except _FAILURES as error:
        return (f"the template is broken: {_first_line(error) or type(error).__name__}",)
    filters = _ENVIRONMENT.filters
    messages = [f'unknown filter "{name}"{_filter_hint(name)}' for name in analysis.filters if name not in filters]
    for variables in analysis.globals.values():
        messages += [message for variable in variables if (message := _find_name_problem(list(variable.segments)))]
    return tuple(messages or _trial(template))


def _as_liquid(variable: str) -> str:
    """Return a message with the Liquid equivalent of a variable of a Go template, as in Alertmanager and Grafana."""
    part, _, name = variable.lstrip(".$").partition(".")
    if part.endswith("Labels") or part == "labels":
        correction = f"alert.labels.{name or 'service'}"
    elif part.endswith("Annotations"):
        correction = f"alert.annotations.{name or 'summary'}"
    else:
        correction = "alert.title"
    return f'"{variable}" is a variable of a Go template; texts are Liquid here: {{{{ {correction} }}}}'


def _filter_hint(name: str) -> str:
    correction = _FILTERS.get(name.lower()) or suggestions.nearest(name, _ENVIRONMENT.filters)
    return f'; did you mean "{correction}"?' if correction else ""


LOOKED_UP = "[…]"
"""Stands for the part of a variable's name that a template looks up."""

Variable = tuple[str, ...]
"""The way to a variable: ``("alert", "labels", "region")``."""


class UnknownVariable(Exception):
    """The name is not a variable. The message states the reason."""


def variable(name: str) -> Variable:
    """Parse a variable's name as written in a template. Raises ``UnknownVariable``."""
    try:
        parsed = _variables("{{ " + name + " }}")
    except liquid_errors.LiquidError:
        parsed = []
    # The name was put into a template, so it must not end that template or add a filter.
    if len(parsed) != 1 or "}}" in name or "|" in name:
        raise UnknownVariable(f'"{name}" is not the name of a variable; write one as alert.labels.region')
    problem = _find_name_problem(list(parsed[0]))
    if problem:
        field_path = _as_field(name)
        raise UnknownVariable(field_path or problem.replace(" in a template", ""))
    if parsed[0][1:] in {(part,) for part in _OPEN}:
        raise UnknownVariable(f'"{name}" has several parts; name each: {name}.region')
    return parsed[0]


def _as_field(name: str) -> str:
    """Return a message if the name is a field, which lacks the variable's prefix ``alert.``; empty otherwise."""
    first = name.partition(".")[0]
    return f'unknown name "{name}"; did you mean "alert.{name}"?' if first in NAMES["alert"] else ""


@functools.lru_cache(maxsize=4096)
def variables(text: str) -> tuple[Variable, ...]:
    """Return the variables that a template uses, in order. A name that is itself looked up is shown as ``[…]``.

    An invalid template uses none.
    """
    try:
        return tuple(_variables(text)) if is_template(text) else ()
    except _FAILURES:
        return ()


def _variables(text: str) -> list[Variable]:
    analysis = _compile(text).analyze()
    found = [variable for variables in analysis.globals.values() for variable in variables]
    return [tuple(part if isinstance(part, str) else LOOKED_UP for part in one.segments) for one in found]


def literals(text: str) -> list[str]:
    """Return the literal parts of a text, between variables and tags, in linear time."""
    return [part.decode() for part in _MARKED.sub(b"\0", patterns.encode(text)).split(b"\0")]


def _find_syntax_problem(text: str) -> str:
    """Return the problem of a variable or tag that is not closed or has too many blanks, in linear time."""
    content = patterns.encode(text)
    marked = _MARKED.findall(content)
    if any(_BLANKS.search(tag) is not None for tag in marked):
        return "more than 100 spaces within a tag"
    # Whatever remains is literal text, so an opening mark there has no end.
    rest = _MARKED.sub(b"", content)
    for opening, closing in ((b"{{", "}}"), (b"{%", "%}")):
        if opening in rest:
            return f"expected '{closing}', found end of file"
        if any(opening in tag[2:] for tag in marked):
            return f"expected '{closing}', found '{opening.decode()}'"
    return ""


def _find_name_problem(segments: list[Any]) -> str | None:
    """Return the problem of a path to a variable; None if it is valid."""
    path = [segment if isinstance(segment, str) else LOOKED_UP for segment in segments]
    root = NAMES.get(path[0])
    if root is None:
        return f'unknown name "{".".join(path)}" in a template{suggestions.hint(path[0], NAMES)}'
    if len(path) == 1:
        return f'"{path[0]}" is not a text; use one of its parts: {", ".join(root)}'
    if path[1] not in root:
        hint = suggestions.hint(path[1], root)
        if path[0] == "alert":  # Probably a label, unless it is very similar to a part: "service" is not "source".
            close = suggestions.nearest(path[1], root, likeness=0.79)
            hint = f'; did you mean "alert.{close or f"labels.{path[1]}"}"?'
        return f'unknown name "{".".join(path[:2])}" in a template{hint}'
    if len(path) > 2 and path[1] not in _OPEN:
        return f'"{path[0]}.{path[1]}" is a text and has no parts'
    if len(path) > 3:
        return f"a name with dots is written {path[0]}.{path[1]}['{'.'.join(path[2:])}']"
    return None


def sample() -> dict[str, Any]:
    """Return the context of an alert that has only a title."""
    nothing = alerts.Alert("", "", "firing", Timestamp(0), Timestamp(0), title="title")
    nowhere = decisions.Response("rule", "", "")
    return context(
        nothing, nowhere, key="key", severity=severities.Severity.INFO, reference="IR-00000000", opened_at=Timestamp(0)
    )


def _trial(template: liquid.BoundTemplate) -> list[str]:
    """Render the template for an alert without labels. A template that fails for it would fail for most alerts."""
    try:
        template.render(_sample())
    except _FAILURES as error:
        return [f"the template fails for an alert without labels: {_first_line(error)}"]
    return []


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def context(
    alert: alerts.Alert,
    response: decisions.Response,
    *,
    key: str,
    severity: severities.Severity,
    reference: str,
    opened_at: Timestamp,
    follows: str = "",
) -> dict[str, Any]:
    """Return the context in which templates are rendered. ``opened_at`` is in microseconds since the epoch.

    Labels that the rules set override those of the alert. An alert without a title gets the incident key as its title,
    so that a rendered title is never empty.
    """
    return {
        "alert": {
            "title": alert.title or key,
            "source": alert.source,
            "severity": alert.severity,
            "link": alert.link,
            "starts_at": _moment(alert.starts_at),
            "labels": effective_labels(alert, response),
            "annotations": alert.annotations,
        },
        "incident": {
            "key": key,
            "severity": severity.word,
            "reference": reference,
            "follows": follows,
            "opened_at": _moment(opened_at),
        },
        "rule": {"name": response.rule, "owner": response.owner, "runbook": response.runbook},
    }


def _moment(micros: Timestamp) -> str:
    return (_EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%SZ")


def effective_labels(alert: alerts.Alert, response: decisions.Response) -> dict[str, str]:
    """Return the alert's labels with those that the rules set or copy. An empty text is not copied."""
    copied = {name: fields.parse(source).reader()(alert) for name, source in response.copied.items()}
    return alert.labels | response.labels | {name: text for name, text in copied.items() if text}


def render_sample(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Render every text in a target's fields, at any depth, for an alert that has only a title."""
    return {name: _each_text(value, _sample_text) for name, value in fields.items()}


_sample = functools.cache(sample)


@functools.lru_cache(maxsize=4_096)
def _sample_text(text: str) -> str:
    sample = _sample()
    return _render_text(text, sample, sample["alert"]["title"])


def render(fields: Mapping[str, Any], context: Mapping[str, Any], instead: str = "") -> dict[str, Any]:
    """Render every text in a target's fields, at any depth. Other values stay unchanged.

    A text that fails for this alert (for example, because of a value that a filter doesn't accept) becomes ``instead``,
    or else the alert's title.
    """
    # The title is never empty, and an incident with a poor text is better than none.
    otherwise = instead or str(context["alert"]["title"])
    return {
        name: _each_text(value, lambda text: _render_text(text, context, otherwise)) for name, value in fields.items()
    }


def _each_text(value: Any, render_text: Callable[[str], str]) -> Any:
    """Return the value with each template in it rendered, at any depth."""
    match value:
        case str():
            return render_text(value) if is_template(value) else value
        case Mapping():
            return {key: _each_text(inner, render_text) for key, inner in value.items()}
        case list() | tuple():
            return [_each_text(inner, render_text) for inner in value]
    return value


def _render_text(text: str, context: Mapping[str, Any], otherwise: str) -> str:
    try:
        return _compile(text).render(context)
    except _FAILURES:
        return otherwise


@functools.lru_cache(maxsize=4_096)
def _compile(text: str) -> liquid.BoundTemplate:
    # Liquid's parser takes at least quadratic time in the length of a malformed text.
    wrong = "it is too long" if len(text) > MAX_CHARACTERS else _find_syntax_problem(text)
    if wrong:
        raise liquid_errors.LiquidSyntaxError(wrong, token=None)
    return _ENVIRONMENT.from_string(text)
