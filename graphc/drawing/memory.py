"""The memory plan as SVG: every value a rectangle, from its first to its last group, at its place in the arena."""

from __future__ import annotations

import re
from html import escape
from typing import NamedTuple

_VALUE = re.compile(r"  (\S+) +(\d+) bytes at arena\+(\d+), live in groups (\d+)\.\.(\d+)")
_TALL = 420  # pixels of the whole arena
_STEP = 26  # pixels of a group


class _Live(NamedTuple):
    name: str
    size: int
    offset: int
    first: int
    last: int


def memory_svg(text: str) -> str | None:
    """An `<svg>` element; None where the text plans no arena."""
    found = [_Live(m[1], int(m[2]), int(m[3]), int(m[4]), int(m[5])) for m in map(_VALUE.match, text.splitlines()) if m]
    if not found:
        return None
    end = max(live.offset + live.size for live in found)
    groups = max(live.last for live in found) + 1
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{groups * _STEP + 20}" height="{_TALL + 30}" role="img">']
    parts.append("<title>the arena: bytes downwards, groups in running order to the right</title>")
    for live in found:
        x, y = 10 + live.first * _STEP, 20 + live.offset / end * _TALL
        wide, tall = (live.last - live.first + 1) * _STEP, max(live.size / end * _TALL, 0.5)
        name = escape(live.name)
        label = f'<text x="{x + 3}" y="{y + 11:.1f}">{name}</text>' if tall > 13 else ""
        parts.append(
            f'<g class="live"><title>{name}: {live.size} bytes at {live.offset}, groups {live.first} to {live.last}'
            f'</title><rect x="{x}" y="{y:.1f}" width="{wide}" height="{tall:.1f}"/>{label}</g>'
        )
    parts += [f'<text class="tick" x="{10 + g * _STEP}" y="12">{g}</text>' for g in range(0, groups, 5)]
    return "\n".join([*parts, "</svg>"])
