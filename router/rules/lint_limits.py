"""Lint warnings about texts that a vendor takes only up to a length, and that an alert may make longer."""

import re
from collections.abc import Iterator

from router.rules import lint_warnings, model, templates

_LONG = re.compile(r"alert\.(title|annotations)")  # What senders write whole sentences into.
_SHORT = 500  # Characters: titles. What may be longer than this is seldom exceeded by an alert's texts.


def lint_limits(rule: model.Rule, limits: lint_warnings.Limits) -> Iterator[lint_warnings.LintWarning]:
    """Every templated text of a rule that has a limit and isn't shortened to it."""
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
