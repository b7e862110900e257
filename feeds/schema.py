"""JSON Schemas (2020-12) of front matter and of `publication.toml`, made from the models, for editors.

What `check` speaks of, warnings included, a schema refuses where it can: unknown keys, for one.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from feeds.config import PublicationTable
from feeds.shapes import SAID
from feeds.source.fields import ArticleFields
from feeds.typed import spellings

Schema = dict[str, Any]

_TEXTS: list[Schema | None] = [SAID.json_schema, {"type": "string"}]


def front_matter_schema() -> Schema:
    """Of the metadata of an article, in YAML, TOML or JSON."""
    made: Schema = _with_scalars_as_texts(_schema(ArticleFields, "Metadata of an article for Feedwright"))
    return made


def publication_schema() -> Schema:
    """Of `publication.toml`."""
    return _schema(PublicationTable, "publication.toml of Feedwright")


def _schema(model: type[BaseModel], title: str) -> Schema:
    made = model.model_json_schema(schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": title} | made


class _Generator(GenerateJsonSchema):
    """Adds what pydantic does not tell: all spellings of a key, and that others are unknown."""

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        made = super().model_schema(schema)
        made["additionalProperties"] = False
        made.pop("title", None)
        made.pop("description", None)
        for value in made["properties"].values():
            _say_what_to_write(value)
        model: type[BaseModel] = schema["cls"]
        for names in spellings(model):
            _spell(made, names)
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if (key, value) != ("default", None)}


def _say_what_to_write(value: Schema) -> None:
    """VS Code and its relatives show this where they would quote the pattern."""
    for form in (value, *value.get("anyOf", ())):
        if "pattern" in form and "description" in value:
            form["patternErrorMessage"] = value["description"]


def _spell(made: Schema, names: list[str]) -> None:
    """Of several `names` for one key, exactly one stands where it is required, and at most one elsewhere."""
    first, *others = names
    made["properties"] |= dict.fromkeys(others, made["properties"][first])
    if first in made["required"]:
        made["required"].remove(first)
        rule: Schema = {"oneOf": [{"required": [name]} for name in names]}
    else:
        rule = {"not": {"required": names}}
    made["allOf"] = [*made.get("allOf", ()), rule]


def _with_scalars_as_texts(made: Any) -> Any:
    """YAML takes `2024` for a number and `true` for a switch where the program reads what was typed."""
    if isinstance(made, list):
        return [_with_scalars_as_texts(item) for item in made]
    if not isinstance(made, dict):
        return made
    if {key: made[key] for key in ("type", "pattern") if key in made} in _TEXTS:
        made |= {"type": ["string", "number", "boolean"]}
    return {key: _with_scalars_as_texts(value) for key, value in made.items()}
