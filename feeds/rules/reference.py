"""The reference of all rules, made from the rules: `python -m feeds.rules.reference`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from feeds.rules import GROUPS, Rule

PATH = "docs/reference/rules.md"

_HEAD = """# Rules

What `feedwright check` looks for in the content, and in the feeds that are made from it. An **error** keeps
its file out of the feeds until it is mended; what a **warning** is about is published. `build` and `serve`
tell of what they find while reading, and leave the rest to `check`. Words in braces stand for what is in your
file, or for what belongs there.

`feedwright check --explain CODE` prints one rule; with `--json`, as an object. This page is made from the
rules by `make rules`.

It is quick enough to run on every save. Of 10,000 articles of 2 to 6 KB the first check takes 12 s on two
cores; the next one, which reads what changed, 2 s. For that, what it found stands in `public.index/check/`
where something was built before; that may be deleted at any time.
"""
_PLACES = {"metadata": "yaml", "text": "markdown", "publication.toml": "toml"}


def reference() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for title, rules in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += ["\n".join(_section(rule)) for rule in rules]
    return "\n".join(parts)


def plain(sentence: str) -> str:
    """A sentence of a rule for people: its words in braces without how they are written."""
    return re.sub(r"\{(\w+)[!:][^{}]*\}", r"{\1}", sentence.replace("{{", "{").replace("}}", "}"))


def explained(rule: Rule) -> str:
    """The rule for a terminal."""
    texts = (plain(rule.found), plain(rule.write), rule.why, rule.source)
    facts = zip(("found", "write", "why", "source"), texts, strict=True)
    lines = [f"{rule.code} ({rule.level})", ""]
    lines += [
        textwrap.fill(text, 88, initial_indent=f"{name:8}", subsequent_indent=" " * 8) for name, text in facts
    ]
    place = rule.place if rule.place not in ("metadata", "text") else f"the {rule.place}"
    for label, shown in ((f"In {place}, this breaks it:", rule.bad), ("And this does not:", rule.good)):
        if shown:
            lines += ["", label, textwrap.indent(_short(shown), "    ")]
    return "\n".join(lines)


def _section(rule: Rule) -> Iterator[str]:
    yield f"### {rule.code}\n"
    yield f"**{rule.level.capitalize()}:** {_code(rule.found)}\n"
    yield f"**What to write:** {_code(rule.write)}\n"
    yield f"{rule.why}\n"
    yield f"Source: {rule.source}.\n"
    for label, shown in (("Breaks it", rule.bad), ("Does not", rule.good)):
        if shown:
            where = "" if rule.place in _PLACES else f", in `{rule.place}`"
            language = _PLACES.get(rule.place, Path(rule.place).suffix[1:])
            yield f"{label}{where}:\n\n````{language}\n{_short(shown)}\n````\n"


def _code(text: str) -> str:
    """As a span of code, in which braces and angle brackets show as they are."""
    text = plain(text)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _short(shown: str) -> str:
    shown = shown.rstrip("\n")
    return shown if len(shown) <= 400 else f"{shown[:200]} …"


if __name__ == "__main__":
    (Path(__file__).parents[2] / PATH).write_text(reference(), "utf-8")
