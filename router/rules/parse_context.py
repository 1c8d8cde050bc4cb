"""The position in a rule file during parsing. Problems are reported with the position, and parsing continues."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pydantic

from router.yaml_source import documents, problems, suggestions, validation

Shape = TypeVar("Shape", bound=pydantic.BaseModel)


@dataclass(slots=True)
class Context:
    """A part of a document, at ``path``.

    ``prefix`` begins each message, such as ``rule "name": ``. ``problems`` collects the reported problems.
    """

    document: documents.Document
    path: tuple[str | int, ...]
    problems: list[problems.LocatedProblem]
    prefix: str = ""

    def child(self, *path: str | int) -> "Context":
        """Return the context of a path below this one."""
        return Context(self.document, (*self.path, *path), self.problems, self.prefix)

    def with_prefix(self, prefix: str) -> "Context":
        """Return this context with another prefix."""
        return Context(self.document, self.path, self.problems, prefix)

    def report(self, message: str, *path: str | int, key: bool = False) -> None:
        """Report a problem at the value that a path below this context leads to, or at its key."""
        self.problems.append(self.document.problem(self.prefix + message, (*self.path, *path), key=key))

    def raw_text(self) -> Any:
        """Return the data as written in the file: a label is text, and 007 is not 7."""
        return self.document.raw_text(self.path)

    def validate(self, model: type[Shape], data: Any) -> Shape | None:
        """Return the data as a model. Report invalid data and return None."""
        try:
            return model.model_validate(data)
        except pydantic.ValidationError as error:
            self.problems.extend(
                validation.problems_of(error, self.document, at=self.path, model=model, prefix=self.prefix)
            )
            return None


def check_notifiers(context: Context, data: Mapping[str, Any], key: str, notifiers: Collection[str] | None) -> None:
    """Report the names under a key that don't belong to a notifier. Report nothing if the notifiers aren't known."""
    names = data.get(key)
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if notifiers is not None and isinstance(name, str) and name not in notifiers:
            context.report(f'unknown notifier "{name}"{suggestions.hint(name, notifiers)}', key, index)
