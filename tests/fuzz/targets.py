"""The fuzz targets: every parser of external text.

Each target creates an input and judges the result. An input may be refused with a message. Anything else that is
not the proper result is a problem.
"""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from router import configuration
from router.cli import terminal
from router.domain import alerts, decisions, severities, silences
from router.rules import check, expressions, leak_guard, templates
from router.sources import base, registry, repairs, times
from router.web import request_limits, vendor_webhooks
from router.yaml_source import documents
from tests.fuzz import bodies, texts
from tests.unit.rules import conftest, hostile

_TESTS = Path(__file__).parent.parent
_MOST_CHARACTERS = 100_000
NOW = bodies.NOW


class Target(NamedTuple):
    """One place that is fuzzed. ``make`` makes an input; ``judge`` returns the problem with its handling.

    ``title`` is its row in the table of docs/concepts/security.md.
    """

    title: str
    make: Callable[[random.Random], bytes]
    judge: Callable[[bytes, Path], str]


def _encoded(text: str) -> bytes:
    return text[:_MOST_CHARACTERS].encode(errors="surrogatepass")


def _of(corpus: list[str]) -> Callable[[random.Random], bytes]:
    return lambda chance: _encoded(texts.mutate(chance, chance.choice(corpus)))


def _files(*patterns: str) -> list[str]:
    return [path.read_text() for pattern in patterns for path in sorted(_TESTS.parent.glob(pattern))]


def _text(data: bytes) -> str:
    return data.decode(errors="surrogatepass")


class _Deliveries:
    """Bodies for every kind of source, read as the webhook endpoint reads them."""

    def __init__(self) -> None:
        self._known = [(kind, case) for kind, cases in bodies.load_samples().items() for case in cases]
        self._endpoints: dict[int, registry.ConfiguredSource] = {}

    def make(self, chance: random.Random) -> bytes:
        number = chance.randrange(len(self._known))
        _, (_, body) = self._known[number]
        return number.to_bytes(2, "big") + bodies.mutate(chance, body)

    def judge(self, data: bytes, _: Path) -> str:
        number, body = int.from_bytes(data[:2], "big"), data[2:]
        if number not in self._endpoints:
            kind, (wanted, _) = self._known[number]
            config = registry.KINDS[kind].config(kind=kind, auth="none", **wanted)
            self._endpoints[number] = registry.build("here", config)
        return bodies.problem(_Bounded(self._endpoints[number]), body)


class _Bounded:
    """A source that reads bodies with all limits."""

    name = "here"

    def __init__(self, endpoint: registry.ConfiguredSource) -> None:
        self._endpoint = endpoint

    def parse(self, body: bytes, headers: dict[bytes, bytes], now: int) -> base.Parsed:
        return request_limits.read(self._endpoint, body, headers, now, bounds=request_limits.RequestLimits())


def _repaired(data: bytes, _: Path) -> str:
    repairs.repair(data)
    return ""


def _rules(data: bytes, folder: Path) -> str:
    rules = folder / "rules"
    shutil.rmtree(rules, ignore_errors=True)
    rules.mkdir()
    (rules / "a.yaml").write_bytes(data)
    report = check.check_folder(rules, conftest.DESTINATIONS)
    if report.rules is None:
        return "" if report.count("error") else "the rules can't be used, and no error says why"
    report.rules.decide(alerts.Alert("json", "f", "firing", NOW, 0, title=data[:200].decode(errors="replace")), NOW)
    return ""


def _configuration(data: bytes, folder: Path) -> str:
    file = folder / "incident-router.yaml"
    file.write_bytes(data)
    try:
        configuration.load(file, {})
    except configuration.InvalidConfiguration as refused:
        return "" if refused.problems else "it is refused, and no problem says why"
    return ""


def _template(data: bytes, _: Path) -> str:
    text = _text(data)
    if templates.problems(text):
        return ""
    alert = alerts.Alert("json", "f", "firing", NOW, 0, title=text[:500], labels={"service": text[:500]})
    nothing = decisions.Response("rule", "a.yaml:1", "v1")
    seen = templates.context(
        alert, nothing, key="k", severity=severities.Severity.MAJOR, reference="IR-00000000", opened_at=NOW
    )
    rendered = templates.render({"title": text}, seen)["title"]
    return "" if isinstance(rendered, str) else f"the text became {type(rendered).__name__}"


def _expression(data: bytes, _: Path) -> str:
    try:
        compiled = expressions.Expression(_text(data))
    except expressions.InvalidExpression:
        return ""
    held = compiled.holds(alerts.Alert("json", "f", "firing", NOW, 0, title="down", labels={"service": "checkout"}))
    return "" if isinstance(held, bool) else "it is neither true nor false"


def _matcher(data: bytes, _: Path) -> str:
    try:
        made = silences.matcher(_text(data))
        silences.test(made)(alerts.Alert("json", "f", "firing", NOW, 0, labels={"service": "x" * 5_000}))
    except silences.InvalidMatcher as error:
        return "" if str(error) else "it does not say what is wrong"
    return ""


def _time(data: bytes, _: Path) -> str:
    try:
        moment = times.from_text(_text(data))
    except ValueError as error:
        return "" if str(error) else "it does not say what is wrong"
    return "" if isinstance(moment, int) else "the time is no number"


def _value(data: bytes, _: Path) -> str:
    leak_guard.objections(_text(data))
    leak_guard.value_objections(_text(data))
    return ""


def _terminal(data: bytes, _: Path) -> str:
    shown = terminal.plain(_text(data)) + terminal.lines(_text(data)).replace("\n", "")
    return "" if shown.isprintable() or not any(ord(one) < 32 or ord(one) == 127 for one in shown) else "it is obeyed"


def _vendor_webhook(data: bytes, _: Path) -> str:
    found = vendor_webhooks.ids(data)
    return "" if found is None or all(isinstance(one, str) for one in found) else "an id is no text"


def _document(data: bytes, folder: Path) -> str:
    file = folder / "document.yaml"
    file.write_bytes(data)
    document = documents.read(file)
    return "" if document.data is not None or document.problems or not data.strip() else "it is empty"


def _hostile_value(chance: random.Random) -> bytes:
    words = hostile.WordGenerator(chance)
    _, make = chance.choice(list(hostile.KINDS.items()))
    return _encoded(texts.mutate(chance, make(words)) if chance.random() < 0.5 else make(words))


_DELIVERIES = _Deliveries()
_TEMPLATES = [
    "{{ alert.title }} in {{ alert.labels.region | default: 'an unknown region' | upcase }}",
    "{% if alert.severity == 'critical' %}Down{% else %}{{ alert.labels['a.b'] | truncate: 20 }}{% endif %}",
    "{% for one in alert.labels %}{{ one[0] }}={{ one[1] | replace: 'a', 'b' }} {% endfor %}",
    "{{ incident.opened_at | date: '%H:%M' }} {{ rule.owner | split: ' ' | first | append: '!' }}",
]
_EXPRESSIONS = [
    'alert.labels.service == "checkout" && alert.title.startsWith("d")',
    'alert.labels.exists(name, name.matches("^s")) || size(alert.labels) > 3',
    'alert.labels.all(name, alert.labels[name] != "") ? true : alert.severity in ["a", "b"]',
]
_MATCHERS = ['service="checkout"', 'service=~"check(out|in).*"', '"a name"!="b\\"c"', 'region!~"eu-[0-9]+"']
_TIMES = [
    "2026-03-02T12:00:00.123456789Z",
    "Mon, 02 Mar 2026 12:00:00 GMT",
    "2026.03.02 12:00:00",
    "2026-03-02 12:00:00 +0100 CET",
    "1772450000",
    "12:00 PM 2 March 2026",
]
_TITLES = [
    "Checkout is down \N{EN DASH} see runbook",
    "disk /var is 97 % full",
    "Größe überschritten",
    "日本語のアラート",
]

TARGETS = {
    "deliveries": Target("bodies of deliveries, for every kind of source", _DELIVERIES.make, _DELIVERIES.judge),
    "repairs": Target("bodies that are not JSON", lambda chance: _DELIVERIES.make(chance)[2:], _repaired),
    "vendor-webhooks": Target(
        "bodies of vendors' webhooks", lambda chance: _DELIVERIES.make(chance)[2:], _vendor_webhook
    ),
    "rules": Target("rule files", _of(_files("tests/data/rules/*.yaml", "rules/**/*.yaml")), _rules),
    "configuration": Target(
        "configuration files", _of(_files("tests/data/config/*.yaml", "incident-router.yaml")), _configuration
    ),
    "templates": Target("Liquid templates", _of(_TEMPLATES), _template),
    "expressions": Target("CEL expressions", _of(_EXPRESSIONS), _expression),
    "matchers": Target("matchers of silences", _of(_MATCHERS), _matcher),
    "times": Target("times", _of(_TIMES), _time),
    "values": Target("values that a public page must not show", _hostile_value, _value),
    "documents": Target("YAML documents", _of(_files("charts/*/values.yaml", "rules/**/*.yaml")), _document),
    "terminal": Target("texts in a terminal", _of(_TITLES), _terminal),
}
