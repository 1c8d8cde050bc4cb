"""The condition ``expr``: a CEL expression, type-checked when rules load, for what other conditions can't express.

Google's implementation evaluates it. See https://cel.dev for the language.
"""

import functools
import re
from typing import Any

from router.domain import alerts, patterns
from router.yaml_source import suggestions

VARIABLES = {
    "alert.title": "string",
    "alert.source": "string",
    "alert.severity": "string",
    "alert.labels": "map(string, string)",
    "alert.annotations": "map(string, string)",
}
"""What an expression sees, with the types in CEL's words."""

_FUNCTIONS = ("size", "has", "matches", "startsWith", "endsWith", "contains", "all", "exists", "exists_one", "int")
MAX_CHARACTERS = 10_000
MAX_MACROS = 8
MAX_GROWTH = 64
"""The maximum factor by which an expression may lengthen a text."""

_LITERAL = patterns.compile(r"""\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'""")
_MACRO = patterns.compile(r"\.\s*(?:map|filter|all|exists|exists_one|existsOne|transform\w*)\s*\(")
_COMPLAINT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'.*")


@functools.cache
def _environment() -> Any:
    """Return the environment in which expressions are compiled."""
    # Few rules have an expression, and importing CEL takes 0.3 s. Commands such as `check` don't import it at startup.
    from cel_expr_python import cel

    texts = cel.Type.Map(cel.Type.STRING, cel.Type.STRING)
    types = {"string": cel.Type.STRING, "map(string, string)": texts}
    return cel.NewEnv(variables={name: types[kind] for name, kind in VARIABLES.items()})


class InvalidExpression(Exception):
    """An invalid expression, with the problem and its line and column in the expression, both from 1."""

    def __init__(self, problem: str, line: int = 1, column: int = 1) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.column = column


class Expression:
    """One compiled expression. Two expressions are equal if their texts are."""

    __slots__ = ("_program", "text")

    def __init__(self, text: str) -> None:
        """Compile and check the expression. Raises ``InvalidExpression`` if it is invalid."""
        self.text = text
        _check_cost(text)
        try:
            self._program = _environment().compile(text)
        except (MemoryError, RecursionError) as error:
            raise InvalidExpression("the expression is nested too deeply") from error
        except RuntimeError as error:  # The library raises no more specific error.
            raise _to_invalid_expression(str(error), text) from error
        kind = self._program.return_type()
        # Any other result would be neither true nor false for every alert.
        if kind.name() != "BOOL":
            raise InvalidExpression(f"the expression is a {kind.name().lower()}; it must be true or false")

    def __eq__(self, other: object) -> bool:
        """Compare the texts."""
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        """Return the hash of the text."""
        return hash(self.text)

    def holds(self, alert: alerts.Alert) -> bool:
        """Return whether the expression is true for an alert; False if it fails, for example on an absent label."""
        return self.explain(alert) is True

    def explain(self, alert: alerts.Alert) -> bool | str:
        """Return the expression's result for an alert, or the error message if it fails."""
        try:
            outcome = self._program.eval(
                data={
                    "alert.title": alert.title,
                    "alert.source": alert.source,
                    "alert.severity": alert.severity,
                    "alert.labels": alert.labels,
                    "alert.annotations": alert.annotations,
                }
            )
        # The process must survive: other rules still decide the alert.
        except MemoryError:
            return "it needs more memory than is available"
        except (RuntimeError, UnicodeError) as error:  # A text that UTF-8 can't encode can't be passed.
            return str(error).partition("\n")[0]
        value = outcome.value()
        return value if isinstance(value, bool) else str(value).partition("\n")[0]


def _check_cost(text: str) -> None:
    """Raise ``InvalidExpression`` if the result could be too long, since the expression joins its results repeatedly.

    Each ``map`` can multiply the length of a text by the number of ``+`` in it plus one. Only macros can use a result
    twice.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidExpression("the expression contains an unpaired surrogate, which no text can contain")
    if len(text) > MAX_CHARACTERS:
        raise InvalidExpression(f"the expression has {len(text)} characters, and the limit is {MAX_CHARACTERS}")
    # A plus sign or a word such as `map(` within a text has no cost.
    bare = _LITERAL.sub(b"''", patterns.encode(text))
    macros, joins = len(_MACRO.findall(bare)), bare.count(b"+")
    if macros > MAX_MACROS:
        raise InvalidExpression(f"the expression goes through lists {macros} times, and the limit is {MAX_MACROS}")
    # The worst case distributes the joins evenly over the nested macros.
    if macros and (joins // macros + 1) ** macros > MAX_GROWTH:
        raise InvalidExpression("the expression joins texts within lists too often, which could exhaust the memory")


def _to_invalid_expression(complaint: str, text: str) -> InvalidExpression:
    match = _COMPLAINT.search(complaint)
    if match is None:
        return InvalidExpression(complaint.partition("\n")[0])
    line, column, problem = int(match[1]), int(match[2]), match[3]
    undeclared = _UNDECLARED.fullmatch(problem)
    if undeclared is None:
        return InvalidExpression(problem, line, column)
    name = undeclared[1]
    # CEL reports the position of the last dot of a name, and the position after the name of a function.
    if said_of_function := text.splitlines()[line - 1][column - 1 : column] == "(":
        close = suggestions.nearest(name, _FUNCTIONS)
        hint = f'; did you mean "{close}"?' if close else ""
    else:
        hint = suggestions.hint(name, VARIABLES)
    before = name.rfind(".") if "." in name else len(name) if said_of_function else 0
    return InvalidExpression(f'unknown name "{name}"{hint}', line, column - before)
