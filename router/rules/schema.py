"""The JSON Schema (draft 2020-12) of rule files, for completion and descriptions in editors.

It is generated from the models of rule files, the registry of conditions, and the configured destinations. It is less
strict than ``check``, which also checks what a schema can't express, such as the names in a template.
"""

from collections.abc import Mapping
from typing import Any

import pydantic

from router.rules import destination_info, fields, intervals, model, parse_when, rule_tests
from router.rules.conditions import registry

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_NUMBER: Schema = {"type": ["number", "string"]}
_SCALARS: Schema = {"type": "array", "items": _SCALAR, "minItems": 1}
_ONE_OR_MORE: Schema = {"anyOf": [_SCALAR, _SCALARS]}
_CONDITION = {"$ref": "#/$defs/condition"}
_WHEN = {"$ref": "#/$defs/when"}
_WHEN_ANY: Schema = {**_WHEN, "minProperties": 1}
_NULL: Schema = {"type": "null"}
_TEMPLATE: Schema = {"type": "string", "pattern": r"\{\{|\{%"}
_ASKED: Mapping[str, Schema] = {
    "equal": _SCALAR,
    "one_of": _SCALARS,
    "not": _CONDITION,
    "exists": {"type": "boolean"},
    "matches": _SCALAR,
    **dict.fromkeys(("gt", "gte", "lt", "lte"), _NUMBER),
}
"""The value of each condition's key; the value of other keys is one text or several."""


def rule_file_schema(destinations: destination_info.Destinations) -> Schema:
    """Return the schema of a rule file whose rules may use these destinations."""
    definitions: dict[str, Schema] = {"condition": _condition(), "when": _when(), "interval": _interval()}
    opens = [_opening(name, destination, definitions) for name, destination in destinations.items()]
    definitions["rule"] = _rule(opens, definitions)
    definitions["defaults"] = _defaults(destinations, definitions)
    definitions["test"] = _test(definitions)
    file = _of(model.FileShape, "", definitions)
    file["properties"] |= {
        "defaults": _with(file, "defaults", {"anyOf": [{"$ref": "#/$defs/defaults"}, _NULL]}),
        "lists": _with(file, "lists", {"type": ["object", "null"], "additionalProperties": _SCALARS}),
        "time_intervals": _with(file, "time_intervals", _named_intervals()),
        "inhibit_rules": _with(file, "inhibit_rules", _inhibitions(definitions)),
        "rules": _with(file, "rules", {"type": "array", "items": {"$ref": "#/$defs/rule"}}),
        "tests": _with(file, "tests", {"type": "array", "items": {"$ref": "#/$defs/test"}}),
    }
    heading = {"title": "incident-router rule file", "description": "What alerts mean, and where incidents appear."}
    return {"$schema": _DIALECT, **file, **heading, "$defs": definitions}


def _rule(opens: list[Schema], definitions: dict[str, Schema]) -> Schema:
    rule = _of(model.RuleShape, "rule.", definitions)
    rule["properties"] |= {
        "when": _with(rule, "when", _WHEN),
        "unless": _with(rule, "unless", _WHEN_ANY),
        "during": _with(rule, "during", _times()),
        "except_during": _with(rule, "except_during", _times()),
        "mute_during": _with(rule, "mute_during", _times()),
        "open": _with(rule, "open", {"type": "array", "items": {"anyOf": opens} if opens else {"type": "object"}}),
    }
    rule["oneOf"] = [{"required": ["open"]}, {"required": ["ignore"]}]
    return rule


def _inhibitions(definitions: dict[str, Schema]) -> Schema:
    schema = _of(model.InhibitShape, "inhibit.", definitions)
    schema["properties"] |= {
        "source_match": _with(schema, "source_match", _WHEN_ANY),
        "target_match": _with(schema, "target_match", _WHEN),
    }
    definitions["inhibit_rule"] = schema
    return {"type": ["array", "null"], "items": {"$ref": "#/$defs/inhibit_rule"}}


def _defaults(destinations: destination_info.Destinations, definitions: dict[str, Schema]) -> Schema:
    defaults = _of(model.DefaultsShape, "defaults.", definitions)
    by_name = {
        name: {**_fields(name, destination, definitions), "description": f"at every {name}"}
        for name, destination in destinations.items()
    }
    inner = {"type": "object", "properties": by_name, "additionalProperties": not by_name}
    defaults["properties"]["open"] = _with(defaults, "open", inner)
    return defaults


def _opening(name: str, destination: destination_info.DestinationInfo, definitions: dict[str, Schema]) -> Schema:
    """Return the schema of an entry of ``open``. Only ``at`` is required, since defaults may set required fields."""
    shape = _fields(name, destination, definitions)
    properties = _of(model.OpenShape, "open.", definitions)["properties"]
    at = {"const": name, "description": f"a destination of kind {destination.kind}"}
    return {**shape, "properties": {**properties, "at": at, **shape["properties"]}, "required": ["at"]}


def _fields(name: str, destination: destination_info.DestinationInfo, definitions: dict[str, Schema]) -> Schema:
    inner: dict[str, Schema] = {}
    shape: Schema = _or_template(_of(destination.opening, f"{name}.", inner))
    definitions |= {definition_name: _or_template(definition) for definition_name, definition in inner.items()}
    # Defaults may set a required field, so an editor must not demand it in each rule.
    shape.pop("required", None)
    return shape


def _or_template(part: Any) -> Any:
    """Return the schema with a template permitted for each Boolean and each text with constraints."""
    if isinstance(part, list):
        return [_or_template(member) for member in part]
    if not isinstance(part, dict):
        return part
    # A text without constraints accepts a template anyway.
    if part.get("type") != "boolean" and not part.keys() & {"enum", "pattern", "format", "maxLength"}:
        return {name: _or_template(inner) for name, inner in part.items()}
    described = {name: part[name] for name in ("title", "description", "default") if name in part}
    return {**described, "anyOf": [{name: value for name, value in part.items() if name not in described}, _TEMPLATE]}


def _test(definitions: dict[str, Schema]) -> Schema:
    """Return the schema of a test. Tests read values as text, so numbers and Booleans are permitted for texts."""
    inner: dict[str, Schema] = {}
    test = _of(rule_tests.RuleTestShape, "test.", inner)
    definitions |= {name: _as_written(definition) for name, definition in inner.items()}
    schema: Schema = _as_written(test)
    return schema


def _as_written(part: Any) -> Any:
    """Return the schema with a number or a Boolean permitted for each text without constraints."""
    if isinstance(part, list):
        return [_as_written(member) for member in part]
    if not isinstance(part, dict):
        return part
    plain = part.get("type") == "string" and not part.keys() & {"enum", "format", "pattern"}
    return {name: _as_written(inner) for name, inner in part.items()} | (_SCALAR if plain else {})


def _condition() -> Schema:
    words = {
        word: {**_ASKED.get(word, _ONE_OR_MORE), "description": kind.summary}
        for word, kind in registry.CONDITIONS.items()
    }
    mapping = {"type": "object", "properties": words, "additionalProperties": False, "minProperties": 1}
    return {"anyOf": [_SCALAR, _SCALARS, mapping]}


def _when() -> Schema:
    plain = {name: {**_CONDITION, "description": meaning} for name, meaning in fields.PLAIN.items()}
    combinators = {
        rf"^{part}\.{fields.NAME}$": {**_CONDITION, "description": meaning} for part, meaning in fields.NAMED.items()
    }
    groups = {
        word: {"type": "array", "items": _WHEN_ANY, "minItems": 1, "description": meaning}
        for word, meaning in parse_when.GROUPS.items()
    }
    return {
        "type": "object",
        "properties": {**plain, **groups},
        "patternProperties": combinators,
        "additionalProperties": False,
    }


def _interval() -> Schema:
    shape = intervals.Shape.model_json_schema()
    time = shape.pop("$defs")["TimeShape"]
    shape["properties"]["times"]["items"] = time
    for name in ("days_of_month", "months", "years"):
        shape["properties"][name]["items"] = {"type": ["string", "integer"]}
    return shape


def _times() -> Schema:
    schema = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/interval"}]}
    return {"anyOf": [*schema["anyOf"], {"type": "array", "items": schema, "minItems": 1}, _NULL]}


def _named_intervals() -> Schema:
    schema = {"$ref": "#/$defs/interval"}
    return {
        "type": ["object", "null"],
        "additionalProperties": {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]},
    }


def _of(shape: type[pydantic.BaseModel], prefix: str, definitions: dict[str, Schema]) -> Schema:
    """Return a model's schema. Add the models within it to the definitions, with the prefix before their names."""
    schema = shape.model_json_schema(by_alias=True, ref_template=f"#/$defs/{prefix}{{model}}")
    definitions |= {f"{prefix}{name}": inner for name, inner in schema.pop("$defs", {}).items()}
    return schema


def _with(shape: Schema, name: str, inner: Schema) -> Schema:
    """Return a key's own schema with the description in the model's schema."""
    return {**inner, "description": shape["properties"][name]["description"]}
