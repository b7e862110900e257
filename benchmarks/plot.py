"""Numbers -> SVG: for each row a dot for each program, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from benchmarks.programs import NAMES

COLOURS = {
    "feedwright": "#d55e00",
    "hugo": "#0072b2",
    "nginx": "#009e73",
    "caddy": "#cc79a7",
    "django": "#b8860b",
    "pelican": "#56b4e9",
}
WIDTH, LEFT, RIGHT, ROW = 720, 150, 40, 26


@dataclass(frozen=True, slots=True)
class Panel:
    """`rows`: by label, by program."""

    title: str
    rows: Mapping[str, Mapping[str, float]]

    @property
    def height(self) -> int:
        return 90 + ROW * len(self.rows)


def svg(panels: Iterable[Panel]) -> str:
    """One below the other, those without a row left out."""
    parts, top = [], 0
    for panel in panels:
        if panel.rows:
            parts += [f'<g transform="translate(0 {top})">', *_panel(panel), "</g>"]
            top += panel.height
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif"'
    background = f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>'
    return "\n".join([f'{head} font-size="13">', background, *parts, "</svg>", ""])


def _panel(panel: Panel) -> Iterable[str]:
    values = [value for row in panel.rows.values() for value in row.values()]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    scale = (WIDTH - LEFT - RIGHT) / max(1, high - low)
    bottom = 64 + ROW * len(panel.rows)

    def across(value: float) -> float:
        return LEFT + (math.log10(value) - low) * scale

    yield f'<text x="10" y="20" font-weight="bold">{escape(panel.title)}</text>'
    yield from _legend(dict.fromkeys(program for row in panel.rows.values() for program in row))
    for power in range(low, high + 1):
        x = across(10.0**power)
        yield f'<path d="M{x:.1f} 54V{bottom}" stroke="#ccc"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle" fill="#555">{10.0**power:,g}</text>'
    for number, (label, row) in enumerate(panel.rows.items()):
        y = 74 + ROW * number
        yield f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(label)}</text>'
        for program, value in row.items():
            yield _dot(across(value), y, program)


def _legend(programs: Iterable[str]) -> Iterable[str]:
    for number, program in enumerate(programs):
        x = LEFT + 100 * number
        yield _dot(x, 38, program)
        yield f'<text x="{x + 11}" y="42">{NAMES[program]}</text>'


def _dot(x: float, y: int, program: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y}" r="5.5" fill="{COLOURS[program]}" fill-opacity=".85"/>'
