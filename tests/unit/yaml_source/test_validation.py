from typing import Annotated, Literal

import pydantic
import pytest

from router.yaml_source import documents, validation


class Limits(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    body_bytes: int = 1
    timeout: float = pydantic.Field(default=1.0, gt=0)


class Source(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    kind: Literal["json", "alertmanager"]
    bearer: list[pydantic.SecretStr] = []
    limits: Limits | None = None


class File(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    sources: dict[str, Source] = {}
    listed: list[Source] = []
    either: int | Limits | None = None
    named: dict[Annotated[str, pydantic.StringConstraints(pattern="^[a-z]+$")], int] = {}
    shown: bool = pydantic.Field(default=False, alias="show")

    @pydantic.field_validator("shown")
    @classmethod
    def _never(cls, value):
        if value:
            raise ValueError("This is never shown")
        return value


def list_problems(text, at=(), model=File, about=""):
    document = documents.parse(text.encode(), "c.yaml")
    data = document.data
    for step in at:
        data = data[step]
    with pytest.raises(pydantic.ValidationError) as raised:
        model.model_validate(data)
    problems = validation.problems_of(raised.value, document, at=at, model=model, prefix=about)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in problems]


def test_unknown_key_gets_position_and_nearest_name():
    assert list_problems("soures: {}\n") == ['1:1: unknown key "soures"; did you mean "sources"?']


def test_suggestions_come_from_the_model_at_the_position():
    text = "sources:\n  a:\n    kind: json\n    limits:\n      timeot: 1\nlisted:\n  - kind: json\n    beaer: []\n"
    assert list_problems(text) == [
        '5:7: unknown key "timeot"; did you mean "timeout"?',
        '8:5: unknown key "beaer"; did you mean "bearer"?',
    ]


def test_suggestion_uses_the_alias_of_a_field():
    assert list_problems("shwo: true\n") == ['1:1: unknown key "shwo"; did you mean "show"?']


def test_missing_key_gets_the_position_of_its_parent():
    assert list_problems("sources:\n  a: {bearer: []}\n") == ['2:6: "kind" is missing']


def test_invalid_value_has_the_position_of_the_value():
    assert list_problems("sources:\n  a:\n    kind: jso\n") == ["3:11: \"kind\": must be 'json' or 'alertmanager'"]


def test_type_errors_are_described_without_python_types():
    assert list_problems("sources: 5\n") == ['1:10: "sources": expected a mapping of keys to values']
    assert list_problems("listed: {}\n") == [
        '1:9: "listed": expected a list: put it in [ ], or begin each entry with "- "'
    ]
    assert list_problems("sources: {a: {kind: json, bearer: [5]}}\n") == [
        '1:36: "bearer": expected a text; put a number in quotes'
    ]


def test_custom_validator_message_is_kept():
    assert list_problems("show: true\n") == ['1:7: "show": this is never shown']


def test_union_branches_are_not_part_of_the_path():
    problems = list_problems("either:\n  timeout: 0\n")
    assert '2:12: "timeout": must be greater than 0' in problems


def test_wrong_mapping_key_gets_its_position():
    assert list_problems("named:\n  ABC: 1\n")[0].startswith('2:3: "ABC": must match pattern')


def test_part_of_a_document_keeps_its_positions():
    assert list_problems(
        "sources:\n  a:\n    kind: json\n    x: 1\n", at=("sources", "a"), model=Source, about="a: "
    ) == ['4:5: a: unknown key "x"; valid here: bearer, kind, limits']


def test_error_messages_contain_no_values():
    text = "sources:\n  a:\n    kind: json\n    bearer: {x: hunter2}\n    limits: hunter2\n"
    assert "hunter2" not in "\n".join(list_problems(text))
