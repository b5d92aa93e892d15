"""Writes the schemas of tools as short as they can be: every client loads all of them before its first call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

Schema = dict[str, Any]

_DEFINITIONS = "#/$defs/"
_TEXT = {"type": "string"}
_SHARED = {"Coverage", "Total", "Window"}
"""Parts of most answers: written out in each they would cost a tenth of the whole list."""


def slim_schema(schema: Schema) -> None:
    """Drop what says nothing: generated titles, null alternatives (an absent field is left out), null defaults."""
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(options) == 1:
        del schema["anyOf"]
        schema |= {**options[0], **schema}
    for part in _list_parts(schema):
        slim_schema(part)


def describe_answer(answer: type[BaseModel], other: type[BaseModel] | None = None) -> Schema:
    """Return the schema of an answer as it is sent, or of either of two: which fields there are, and of which types.

    What they mean is in the documentation, and every client loads this before its first call. So no sentence, no list
    of words and no list of what is always there; several texts are an array, an object of texts is any such object,
    and so is what most answers share.
    """
    schema = answer.model_json_schema(mode="serialization")
    slim_schema(schema)
    definitions: Schema = schema.pop("$defs", {})
    definitions |= {name: {"type": "object"} for name in _SHARED & definitions.keys()}
    for part in (schema, *definitions.values()):
        _shorten(part)
    _settle(schema, "#", definitions, {})
    if other is not None:
        _add_fields(schema["properties"], describe_answer(other)["properties"])
    return schema


def _add_fields(fields: Schema, others: Schema) -> None:
    """Add the fields of another answer; one that both have in different ways can be either."""
    for name, field in others.items():
        both = {one.get("type", "object") for one in (field, fields.get(name, field))}
        if name not in fields or len(both) > 1 or "$ref" in field:
            fields[name] = {**field, "type": sorted(both)} if len(both) > 1 else field
        if "$ref" in fields[name]:
            fields[name] = {"type": "object"}


def _shorten(schema: Schema) -> None:
    """Keep names and types."""
    for name in ("description", "default", "enum", "required", "additionalProperties"):
        schema.pop(name, None)
    for part in _list_parts(schema):
        _shorten(part)
    fields = schema.get("properties", {})
    if fields and all(part == _TEXT for part in fields.values()):
        del schema["properties"]
        schema["additionalProperties"] = _TEXT
    if schema.get("items") == _TEXT:
        del schema["items"]


def _settle(schema: Schema, place: str, definitions: Schema, placed: dict[str, str]) -> None:
    """Write each definition out in the first place that uses it, and let the others refer to that place.

    Args:
        schema: to be changed.
        place: where it stands.
        definitions: by name.
        placed: where definitions have been written, by name.
    """
    name = schema.get("$ref", "").removeprefix(_DEFINITIONS)
    if name in placed:
        schema["$ref"] = placed[name]
        return
    if name:
        placed[name] = place
        del schema["$ref"]
        schema |= definitions[name]
    for field, part in schema.get("properties", {}).items():
        _settle(part, f"{place}/properties/{field}", definitions, placed)
    if "items" in schema:
        _settle(schema["items"], f"{place}/items", definitions, placed)


def _list_parts(schema: Schema) -> list[Schema]:
    """Return the schemas that a schema is made of."""
    named = [part for key in ("properties", "$defs") for part in schema.get(key, {}).values()]
    return [*named, *([schema["items"]] if "items" in schema else [])]
