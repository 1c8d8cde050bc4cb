"""The shape of a rule file as it is written, and a rule as it is once everything about it has been checked."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic

from router.domain import decision as decisions
from router.domain import severity as severities
from router.rules import fields
from router.rules.conditions import condition

Name = Annotated[str, pydantic.Field(min_length=1, max_length=100)]


class OpenShape(pydantic.BaseModel):
    """One entry of ``open``; every further key belongs to the destination, whose own model checks it."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    at: str
    publish: Literal["shadow", "review", "auto"] = "review"


class RuleShape(pydantic.BaseModel):
    """One entry of ``rules``."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Name
    when: dict[str, Any]
    severity: Literal["critical", "major", "minor", "info"] | None = None
    group_by: list[str] = []
    continue_: bool = pydantic.Field(default=False, alias="continue")
    open: list[OpenShape]
    owner: str = ""
    runbook: str = ""

    @pydantic.field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        # The name is part of incident keys, metric labels and log lines.
        if not all(letter.isascii() and (letter.isalnum() or letter in "-_.") for letter in name):
            raise ValueError("a rule's name is made of letters, digits, '-', '_' and '.'")
        return name


class FileShape(pydantic.BaseModel):
    """A rule file; its parts are checked one by one, so that one mistake does not hide another."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    rules: list[Any] = []
    tests: list[Any] = []


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that is right in itself. ``place`` is ``file:line``; every condition has to hold."""

    name: str
    place: str
    conditions: tuple[tuple[fields.Field, condition.Condition], ...]
    targets: tuple[decisions.Target, ...] = ()
    severity: severities.Severity | None = None
    group_by: tuple[fields.Field, ...] = ()
    continues: bool = False
    owner: str = ""
    runbook: str = ""
