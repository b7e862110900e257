"""Lines -> SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 300, 50, 50, 270


@dataclass(frozen=True)
class Line:
    name: str
    across: Sequence[float]
    up: Sequence[float]


def svg(title: str, lines: Sequence[Line]) -> str:
    """`lines` over the same values across, from 0 upwards."""
    widest = max(max(line.across) for line in lines) or 1
    highest = max(max(line.up) for line in lines) * 1.1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"',
        ' font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="10" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for part in range(5):
        value = highest * part / 4
        y = BOTTOM - (BOTTOM - TOP) * part / 4
        parts.append(f'<path d="M{LEFT} {y:.0f}H{WIDTH - 20}" stroke="#ccc"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end" fill="#555">{value:.0f}</text>')
    for number, line in enumerate(lines):
        points = " ".join(
            f"{LEFT + (WIDTH - LEFT - 20) * x / widest:.1f},{BOTTOM - (BOTTOM - TOP) * y / highest:.1f}"
            for x, y in zip(line.across, line.up, strict=False)
        )
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{LEFT + 150 * number}" y="40" fill="{colour}">{escape(line.name)}</text>')
    parts.append(
        f'<text x="{WIDTH - 20}" y="{BOTTOM + 18}" text-anchor="end" fill="#555">{widest:.0f} h</text>'
    )
    return "\n".join([*parts, "</svg>", ""])
