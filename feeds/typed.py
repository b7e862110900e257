"""Located data as a pydantic model, or what is wrong with them in words for an author."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo

from feeds.addresses import AddressError
from feeds.dates import DateError
from feeds.located import Located, Place
from feeds.problems import FieldError, Problem

_WORDS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must hold names and values",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a shorter number",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "model_type": "must hold names and values",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be a text",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
}
"""What pydantic's types of errors mean to an author."""

Model = TypeVar("Model", bound=BaseModel)


def check(
    model: type[Model], found: Located, path: str, context: Any = None
) -> tuple[Model | None, list[Problem]]:
    """`found` as a `model`, or None and every problem; the hint of each is the field's description."""
    try:
        return model.model_validate(found.values, context=context), []
    except ValidationError as error:
        return None, [_problem(model, found, path, details) for details in error.errors()]


def _problem(model: type[BaseModel], found: Located, path: str, details: Any) -> Problem:
    place: Place = details["loc"]
    name = str(place[0]) if place else "metadata"
    shown = ".".join(part for part in place if isinstance(part, str) and part != "[key]")
    if details["type"] == "missing" or details["input"] is None:
        return found.problem("key-missing", path, place, key=shown, wanted=wanted(model, name))
    if details["type"] == "extra_forbidden":
        *around, last = place
        inner = model.model_fields[str(around[0])].annotation if around else model
        known = known_names(inner) if isinstance(inner, type) and issubclass(inner, BaseModel) else ()
        return found.problem("setting-unknown", path, place, key=last, better=did_you_mean(str(last), known))
    code, values = _broken_rule(details)
    return found.problem(code, path, place, key=shown, wanted=wanted(model, name), **values)


def _broken_rule(details: Any) -> tuple[str, dict[str, Any]]:
    """Which rule a value breaks, and what there is to say about it."""
    error = details.get("ctx", {}).get("error")
    if isinstance(error, FieldError):
        return error.code, error.values
    said = _WORDS.get(details["type"], details["msg"].removeprefix("Value error, "))
    said = said.format(**details["ctx"]) if details["type"] in _WORDS and "ctx" in details else said
    codes = {DateError: "date-invalid", AddressError: "address-invalid"}
    return codes.get(type(error), "value-invalid"), {"said": said}


def wanted(model: type[BaseModel], name: str) -> str:
    """What to write for the field `name`: its description in the model."""
    for field_name, info in model.model_fields.items():
        if name in _names(field_name, info) and info.description:
            return info.description.removeprefix("write ")
    raise KeyError(name)


@cache
def known_names(model: type[BaseModel]) -> set[str]:
    """The names that an author may write for the fields of `model`."""
    return {name for field_name, info in model.model_fields.items() for name in _names(field_name, info)}


@cache
def spellings(model: type[BaseModel]) -> list[list[str]]:
    """The names of each field that has several, the one that counts first."""
    names = (_names(field_name, info) for field_name, info in model.model_fields.items())
    return [several for several in names if len(several) > 1]


def _names(field_name: str, info: FieldInfo) -> list[str]:
    alias = info.validation_alias
    return [str(name) for name in alias.choices] if isinstance(alias, AliasChoices) else [field_name]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What an author probably meant by an unknown name, `: did you mean title?`, or nothing."""
    spellings = {one.lower(): one for one in sorted(known)}
    close = difflib.get_close_matches(name.lower(), spellings, 1, 0.6)
    return f": did you mean {spellings[close[0]]}?" if close else ""
