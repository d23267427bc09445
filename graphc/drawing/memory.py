"""The memory plan as SVG: every value a rectangle, from its first to its last group across, at its place in the arena."""

from __future__ import annotations

import re
from html import escape

_VALUE = re.compile(r"  (\S+) +(\d+) bytes at arena\+(\d+), live in groups (\d+)\.\.(\d+)")
_TALL = 420  # pixels of the whole arena
_STEP = 26  # pixels of a group


def memory_svg(text: str) -> str | None:
    """An `<svg>` element; None where the text plans no arena."""
    found = [(m[1], *map(int, m.groups()[1:])) for m in map(_VALUE.match, text.splitlines()) if m]
    if not found:
        return None
    end = max(offset + size for _, size, offset, _, _ in found)
    groups = max(last for *_, last in found) + 1
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{groups * _STEP + 20}" height="{_TALL + 30}" role="img">']
    parts.append("<title>the arena: bytes downwards, groups in running order to the right</title>")
    for name, size, offset, first, last in found:
        x, y = 10 + first * _STEP, 20 + offset / end * _TALL
        wide, tall = (last - first + 1) * _STEP, max(size / end * _TALL, 0.5)
        label = f'<text x="{x + 3}" y="{y + 11:.1f}">{escape(name)}</text>' if tall > 13 else ""
        parts.append(
            f'<g class="live"><title>{escape(name)}: {size} bytes at {offset}, groups {first} to {last}</title>'
            f'<rect x="{x}" y="{y:.1f}" width="{wide}" height="{tall:.1f}"/>{label}</g>'
        )
    parts += [f'<text class="tick" x="{10 + g * _STEP}" y="12">{g}</text>' for g in range(0, groups, 5)]
    return "\n".join([*parts, "</svg>"])
