"""One part of a rule file while it is read: what is wrong in it is told with its place, and reading goes on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pydantic

from router.yaml_source import documents, problems, suggestions, validation

Shape = TypeVar("Shape", bound=pydantic.BaseModel)


@dataclass(slots=True)
class Context:
    """What stands at ``at`` in a document.

    ``about`` is put before each message (``rule "name": ``), ``found`` collects what is wrong.
    """

    document: documents.Document
    path: tuple[str | int, ...]
    problems: list[problems.Problem]
    prefix: str = ""

    def child(self, *path: str | int) -> "Context":
        """The part that stands at a path within this one."""
        return Context(self.document, (*self.path, *path), self.problems, self.prefix)

    def with_prefix(self, about: str) -> "Context":
        """The same part with other words before each message."""
        return Context(self.document, self.path, self.problems, about)

    def report(self, message: str, *path: str | int, key: bool = False) -> None:
        """Tell a problem at the value that a path within this part leads to, or at its key."""
        self.problems.append(self.document.problem(self.prefix + message, (*self.path, *path), key=key))

    def raw_text(self) -> Any:
        """The data as written, not as YAML means it: a label is text, and 007 is not 7."""
        return self.document.raw_text(self.path)

    def validate(self, model: type[Shape], data: Any) -> Shape | None:
        """The data as a model, or None where it does not fit, which is then told."""
        try:
            return model.model_validate(data)
        except pydantic.ValidationError as error:
            self.problems.extend(
                validation.problems_of(error, self.document, at=self.path, model=model, about=self.prefix)
            )
            return None


def check_notifiers(at: Context, data: Mapping[str, Any], key: str, notifiers: Collection[str] | None) -> None:
    """Report the names under a key that no notifier has; nothing if the notifiers aren't known."""
    names = data.get(key)
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if notifiers is not None and isinstance(name, str) and name not in notifiers:
            at.report(f'unknown notifier "{name}"{suggestions.hint(name, notifiers)}', key, index)
