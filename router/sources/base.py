"""What every kind of source offers the door: authenticate a request, then turn its body into alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pydantic

from router.domain import alert as alerts


class Unparsable(Exception):  # noqa: N818 - it says what the body is; nothing went wrong in the program
    """An authentic body that is not what this kind of source sends.

    ``where`` names the place in the body (a JSON pointer or a path of the mapping), ``problem`` what is wrong there
    and what to do about it.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where = where
        self.problem = problem


class Config(pydantic.BaseModel):
    """One configured source; a kind's own settings are added by its subclass.

    Credentials: ``bearer`` tokens and ``basic`` (``user:password``), several of each at once for rotation; or
    ``auth: none`` said in so many words.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    kind: str
    bearer: tuple[pydantic.SecretStr, ...] = ()
    basic: tuple[pydantic.SecretStr, ...] = ()
    auth: str = "required"


class Source(Protocol):
    """One configured source, ready to read bodies."""

    name: str

    def parse(self, body: bytes, headers: Mapping[bytes, bytes], now: int) -> list[alerts.Alert]:
        """Turn the body into alerts in the normal form; ``Unparsable`` where it is not what the kind sends.

        ``headers`` have lower-case names. ``now`` (microseconds) stands in for times that the sender leaves out.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """One line of the registry."""

    name: str
    config: type[Config]
    make: Any  # Callable[[name, config], Source]; typed loosely because each kind takes its own configuration.
    summary: str
