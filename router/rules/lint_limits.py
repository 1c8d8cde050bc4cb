"""Lint warnings about templates that an alert may render to more characters than the vendor accepts."""

import re
from collections.abc import Iterator

from router.rules import lint_warnings, model, templates

_LONG = re.compile(r"alert\.(title|annotations)")  # Fields into which senders write whole sentences.
_SHORT = 500  # Characters. Only titles have lower limits; alerts rarely exceed higher ones.


def lint_limits(rule: model.Rule, limits: lint_warnings.Limits) -> Iterator[lint_warnings.LintWarning]:
    """Warn of every template of a rule whose field has a limit and that isn't truncated to it."""
    for index, target in enumerate(rule.targets):
        known = limits.get(target.destination, {})
        for name, text in target.fields.items():
            most = known.get(name, 0)
            if not isinstance(text, str) or not 0 < most <= _SHORT or not templates.is_template(text):
                continue
            if _LONG.search(text) and "truncate" not in text:
                yield lint_warnings.LintWarning(
                    rule,
                    f"may come to more than the {most} characters that {target.destination} takes, and is cut then; "
                    f"shorten what an alert says with | truncate: {most // 2}",
                    ("open", index, name),
                )
