"""Messages in colour, where a person reads them on a terminal.

click.echo takes the colour out again where the stream is none.
"""

from __future__ import annotations

import os

import click

from feeds.problems import Problem

_COLOURS = {"error": "red", "warning": "yellow"}


def wants_no_colour() -> bool:
    """Whether the person says so (https://no-color.org), or the terminal has none."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def level_word(level: str) -> str:
    """`error` in red, `warning` in yellow, any other as it is."""
    return click.style(level, fg=_COLOURS[level]) if level in _COLOURS else level


def problem_line(problem: Problem) -> str:
    """`str(problem)`, with its level and place set off."""
    where, _, what = str(problem).partition(f" {problem.level}[{problem.code}] ")
    code = click.style(f"[{problem.code}]", dim=True)
    return f"{click.style(where, bold=True)} {level_word(problem.level)}{code} {what}"
