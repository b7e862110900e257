"""The metadata of an article as its author types it. The description of a field says what to write."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
)

from feeds import dates, shapes
from feeds.addresses import ascii_id, is_slug, web_url
from feeds.located import Quoted
from feeds.markup import one_line
from feeds.problems import FieldError

MAX_ID = 255
"""Characters of an id in a feed: readers keep it in a column of that width."""

MAX_TITLE = 1000
"""Characters of a title; a longer one is kept, with a warning."""

_URI = r"[A-Za-z][A-Za-z0-9+.-]*:\S+"
_MIME_TYPE = r"[a-z]+/[a-z0-9.+-]+"
_EMAIL = r"[^@\s<>()]+@[^@\s<>()]+\.[^@\s<>()]+"

_TRUE = {"true", "yes", "on"}
_FALSE = {"false", "no", "off"}


def _switch(value: Any) -> Any:
    """YAML scalars stay text, so the words are read here; a quoted "false" is a text and no guess is made."""
    if isinstance(value, str) and not isinstance(value, Quoted) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    if isinstance(value, bool):
        return value
    raise ValueError(f"must be true or false, not {value!r}")


def _moment(value: Any, info: ValidationInfo) -> datetime:
    """A date in the publication's zone; what deserves a warning goes to the context."""
    assert info.context is not None  # noqa: S101 - article.py gives one
    moment, warning = dates.parse(one_line(str(value)), info.context["zone"])
    if warning:
        info.context["warnings"].append((info.field_name, warning))
    return moment


def _person(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


def _one_line(value: Any) -> Any:
    return one_line(value) if isinstance(value, str) else value


def _said(value: str) -> str:
    if not value.strip():  # a no-break space is typography, and no text
        raise ValueError("must not be empty")
    return value


def _uri(value: str) -> str:
    if not re.fullmatch(_URI, value):
        raise FieldError("id-invalid", value=value)
    if len(ascii_id(value)) > MAX_ID:
        raise ValueError(f"must have at most {MAX_ID} characters when it is percent-encoded")
    return value


def _mime_type(value: str) -> str:
    if not re.fullmatch(_MIME_TYPE, value):
        raise FieldError("mime-type-invalid", value=value)
    return value


def _email(value: str) -> str:
    if not re.fullmatch(_EMAIL, value):
        raise FieldError("email-invalid", value=value)
    return value


def _own_slug(value: str) -> str:
    if not is_slug(value):
        raise FieldError("slug-invalid", value=value)
    return value


Line = Annotated[
    str, BeforeValidator(_one_line), StringConstraints(min_length=1), AfterValidator(_said), shapes.SAID
]
Text = Annotated[str, BeforeValidator(_one_line)]
_Tag = Annotated[Text, shapes.SAID]
Lines = Annotated[list[_Tag], BeforeValidator(_listed, json_schema_input_type=list[_Tag] | _Tag)]
Address = Annotated[Line, AfterValidator(web_url), shapes.WEB_ADDRESS]
Moment = Annotated[datetime, BeforeValidator(_moment), shapes.MOMENT]
Switch = Annotated[bool, BeforeValidator(_switch), shapes.SWITCH]
Pixels = Annotated[int, Field(gt=0, le=100_000)]
MimeType = Annotated[str, AfterValidator(_mime_type), shapes.shape(_MIME_TYPE)]


class Fields(BaseModel):
    """Unknown keys are warned about elsewhere: they may be meant for another program."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class AuthorFields(Fields):
    name: Line = Field(description="the name as readers see it")
    url: Address | None = Field(None, description="a page about the author")
    email: Annotated[str, AfterValidator(_email), shapes.shape(_EMAIL)] | None = Field(
        None, description="public: it stands in the feeds"
    )


_Person = Annotated[AuthorFields, BeforeValidator(_person, json_schema_input_type=Line | AuthorFields)]
Byline = Annotated[list[_Person], BeforeValidator(_listed, json_schema_input_type=_Person | list[_Person])]


class ImageFields(Fields):
    url: Annotated[Line, shapes.REFERENCE] = Field(
        validation_alias=AliasChoices("url", "path", "src"), description="write url: /media/port.jpg"
    )
    alt: Text | None = Field(None, description="what the picture shows, for those who do not see it")
    caption: Text | None = Field(None, description="a sentence below the picture")
    credit: Text | None = Field(None, description="who made it")
    width: Pixels | None = Field(None, description="in pixels; a file in media/ tells it itself")
    height: Pixels | None = Field(None, description="in pixels; a file in media/ tells it itself")
    type: MimeType | None = Field(
        None, description="write type: image/jpeg; a file in media/ tells it itself"
    )


class EnclosureFields(Fields):
    url: Annotated[Line, shapes.REFERENCE] = Field(
        validation_alias=AliasChoices("url", "path", "src"), description="write url: /media/a.mp3"
    )
    length: Annotated[int, Field(gt=0, lt=2**53)] | None = Field(
        None, description="in bytes; a file in media/ tells it itself"
    )
    type: MimeType | None = Field(
        None, description="write type: audio/mpeg; a file in media/ tells it itself"
    )
    duration: Annotated[int, Field(gt=0, lt=10_000_000)] | None = Field(None, description="in seconds")


def _image(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


_Picture = Annotated[Line, shapes.REFERENCE] | ImageFields


class ArticleFields(Fields):
    title: Line = Field(
        description="write title: A headline in plain text", json_schema_extra={"maxLength": MAX_TITLE}
    )
    published: Moment = Field(
        validation_alias=AliasChoices("published", "date"), description="write published: 2026-05-12 13:20"
    )
    updated: Moment | None = Field(None, description="write updated: 2026-05-12 18:00, or leave it out")
    id: (
        Annotated[
            str,
            StringConstraints(max_length=MAX_ID),
            AfterValidator(_uri),
            shapes.shape(_URI, maxLength=MAX_ID),
        ]
        | None
    ) = Field(None, description="write a URI such as tag:example.org,2026:first-article, or leave it out")
    authors: Byline | None = Field(
        None,
        validation_alias=AliasChoices("authors", "author"),
        description="write authors: [Ana López, {name: Li Wei, email: li@example.org}]",
    )
    section: Line | None = Field(None, description="write section: Culture")
    tags: Lines | None = Field(None, description="write tags: [harbour, fishing]")
    summary: Text | None = Field(None, description="write summary: One or two sentences of plain text")
    slug: Annotated[Text, AfterValidator(_own_slug), shapes.SLUG] | None = Field(
        None, description="write slug: letters-digits-and-hyphens"
    )
    link: Address | None = Field(None, description="write link: https://example.org/the-article")
    language: Annotated[Line, shapes.LANGUAGE] | None = Field(
        None, description="write a language tag such as language: es"
    )
    draft: Switch | None = Field(None, description="write draft: true, or draft: false without quotes")
    expires: Moment | None = Field(None, description="write expires: 2026-12-31 23:59")
    withdrawn: Line | None = Field(None, description="write withdrawn: The reason in a sentence")
    correction: Line | None = Field(None, description="write correction: What was wrong, in a sentence")
    rights: Line | None = Field(None, description="write rights: © 2026 Ana López")
    image: Annotated[ImageFields, BeforeValidator(_image, json_schema_input_type=_Picture)] | None = Field(
        None,
        description="write image: {url: /media/port.jpg, alt: What it shows, width: 1200, height: 675}",
    )
    enclosure: EnclosureFields | None = Field(
        None,
        description="write enclosure: {url: /media/a.mp3, length: 48210, type: audio/mpeg, duration: 12}",
    )
    editor_schema: str | None = Field(
        None, validation_alias=AliasChoices("$schema"), description="the JSON Schema, for editors of JSON"
    )
