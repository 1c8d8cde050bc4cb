"""One part of a rule file while it is read: what is wrong in it is told with its place, and reading goes on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pydantic

from router.yaml_source import documents, problems, suggestions, validation

Shape = TypeVar("Shape", bound=pydantic.BaseModel)


@dataclass(slots=True)
class Part:
    """What stands at ``at`` in a document.

    ``about`` is put before each message (``rule "name": ``), ``found`` collects what is wrong.
    """

    document: documents.Document
    at: tuple[str | int, ...]
    found: list[problems.Problem]
    about: str = ""

    def inside(self, *path: str | int) -> "Part":
        """The part that stands at a path within this one."""
        return Part(self.document, (*self.at, *path), self.found, self.about)

    def named(self, about: str) -> "Part":
        """The same part with other words before each message."""
        return Part(self.document, self.at, self.found, about)

    def say(self, message: str, *path: str | int, key: bool = False) -> None:
        """Tell a problem at the value that a path within this part leads to, or at its key."""
        self.found.append(self.document.problem(self.about + message, (*self.at, *path), key=key))

    def written(self) -> Any:
        """The data as written, not as YAML means it: a label is text, and 007 is not 7."""
        return self.document.written(self.at)

    def shaped(self, model: type[Shape], data: Any) -> Shape | None:
        """The data as a model, or None where it does not fit, which is then told."""
        try:
            return model.model_validate(data)
        except pydantic.ValidationError as error:
            self.found.extend(validation.problems_of(error, self.document, at=self.at, model=model, about=self.about))
            return None


def check_notifiers(at: Part, data: Mapping[str, Any], key: str, notifiers: Collection[str] | None) -> None:
    """Report the names under a key that no notifier has; nothing if the notifiers aren't known."""
    names = data.get(key)
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if notifiers is not None and isinstance(name, str) and name not in notifiers:
            at.say(f'unknown notifier "{name}"{suggestions.hint(name, notifiers)}', key, index)
