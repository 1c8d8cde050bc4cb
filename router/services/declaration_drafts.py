"""Drafts declarations of public variables, from the values in recorded deliveries, for the author of the rules."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from router import configuration
from router.bootstrap import factories
from router.domain import alerts, recordings, visible
from router.domain.times import Timestamp
from router.rules import leak_guard, load, model, public_texts, ruleset, templates

_MAX_DRAFTS = 50
"""Texts that are written out; more of them than this are no list that an author reads through."""

_MAX_LENGTH = 60


class DeclarationDraft(NamedTuple):
    """The undeclared public variables of one rule. Each has the texts that were recorded, and how often."""

    rule: model.Rule
    seen: dict[templates.Variable, Counter[str]]


def load_undeclared(settings: configuration.Settings, folder: Path) -> ruleset.RuleSet:
    """Load rules whose public variables need no declaration yet. Raises ``load.RulesRefused`` for every other error."""
    destination_infos = {
        # Loading refuses an undeclared variable on a public page, and these drafts are for rules that have one.
        name: dataclasses.replace(known_destination, declares=False)
        for name, known_destination in factories.known_destinations(settings).items()
    }
    return load.load(folder, destination_infos)


def drafts(
    settings: configuration.Settings, rule_set: ruleset.RuleSet, recorded_labels: Iterable[recordings.Recording]
) -> list[DeclarationDraft]:
    """Decide on recorded alerts, and collect the values of the rules' undeclared public variables."""
    destinations = factories.known_destinations(settings)
    new_drafts = {}
    for rule in rule_set.rules:
        names = _find_undeclared(rule, {name for name, destination in destinations.items() if destination.public})
        if names:
            new_drafts[rule.name] = DeclarationDraft(rule, {variable: Counter() for variable in names})
    for recording in recorded_labels:
        for alert in recording.alerts:
            _add(rule_set, alert, recording.received_at, new_drafts)
    return list(new_drafts.values())


def render(draft: DeclarationDraft) -> Iterator[str]:
    """Return the lines to paste into the rule, with comments on omitted values."""
    yield f"# {draft.rule.place}: rule {draft.rule.name}"
    yield "    public:"
    for variable, seen in draft.seen.items():
        name = _name(variable)
        # The most frequent texts come first, so that the author reads the important ones before the rare ones.
        texts = [text for text, _ in seen.most_common()]
        fit = [text for text in texts if _is_fit(text)]
        if not texts:
            yield f"      # {name}: no recorded alert carried a text; write its list yourself"
        elif len(fit) > _MAX_DRAFTS:
            yield f"      # {name}: {len(fit)} different texts; write a pattern or a list, or do without the variable"
        elif fit:
            yield f"      {name}: {{values: [{', '.join(map(_quote, fit))}]}}"
        if left := len(texts) - len(fit):
            yield f"      # {name}: {left} texts are omitted: customers should not see them"


def _find_undeclared(rule: model.Rule, pages: set[str]) -> list[templates.Variable]:
    targets = [target for target in rule.targets if target.destination in pages]
    texts = [
        text
        for target in targets
        for text in public_texts.templates_in({**target.fields, "resolve": target.ending.monitoring})
    ]
    used_variables = dict.fromkeys(variable for text in texts for variable in templates.variables(text))
    declared = {*rule.common.public, *public_texts.MADE_HERE}
    return [
        variable
        for variable in used_variables
        if variable not in declared and templates.LOOKED_UP not in variable and len(variable) > 1
    ]


def _add(
    rule_set: ruleset.RuleSet, alert: alerts.Alert, now: Timestamp, new_drafts: dict[str, DeclarationDraft]
) -> None:
    decision = rule_set.decide(alert, now)
    response = decision.response
    # Posts are rendered with firing alerts only, and an ignored alert has no post.
    if response is None or alert.status != "firing":
        return
    seen = templates.context(
        alert, response, key=decision.incident_key, severity=decision.severity, reference="", opened_at=now
    )
    # A decision may combine several rules, and each of them declares the variables of its own texts.
    for because in response.because:
        draft = new_drafts.get(because.rule)
        for variable, counter in draft.seen.items() if draft is not None else ():
            text = public_texts.value(variable, seen)
            # An empty text needs no declaration: it reveals nothing.
            if text:
                counter[text] += 1


def _is_fit(text: str) -> bool:
    return (
        # A text with invisible characters, line breaks, or what the leak guard finds must not become an allowed value
        # by pasting the draft.
        len(text) <= _MAX_LENGTH
        and text == visible.visible(text)
        and text.isprintable()
        and not leak_guard.value_objections(text)
    )


def _name(variable: templates.Variable) -> str:
    plain = all(letter.isalnum() or letter in "_-" for letter in variable[-1])
    return ".".join(variable) if plain else f"\"{'.'.join(variable[:-1])}['{variable[-1]}']\""


def _quote(text: str) -> str:
    """Return a text as a YAML scalar that YAML parsers read as the same text."""
    return "'" + text.replace("'", "''") + "'"
