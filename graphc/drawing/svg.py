"""A picture as SVG: a box for every value or group, curves from what makes a value to what reads it."""

from __future__ import annotations

from html import escape

from graphc.drawing.layered import place
from graphc.drawing.picture import Box, Picture

WIDTH, HEIGHT, ACROSS, DOWN = 150, 36, 18, 30  # a box, and the gaps between two
_LETTERS = 20  # that fit into a box


def svg(picture: Picture, prefix: str = "") -> str:
    """An `<svg>` element.

    Args:
        picture: what to draw.
        prefix: put before the line numbers that boxes link to: `#<prefix>L12`. Without it they link to nothing.
    """
    corners = {
        key: (10 + column * (WIDTH + ACROSS), 10 + row * (HEIGHT + DOWN))
        for key, (column, row) in place(picture).items()
    }
    numbers = {box.key: number for number, box in enumerate(picture.boxes)}
    right = max((x for x, _ in corners.values()), default=0) + WIDTH + 10
    bottom = max((y for _, y in corners.values()), default=0) + HEIGHT + 10
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{right:.0f}" height="{bottom:.0f}" role="img">']
    parts.append(f"<title>{escape(picture.name)}</title>")
    for maker, reader, label in picture.arrows:
        parts.append(
            f'<path class="arrow" data-from="{numbers[maker]}" data-to="{numbers[reader]}" '
            f'd="{_curve(corners[maker], corners[reader])}"><title>{escape(label)}</title></path>'
        )
    parts += [_box(box, *corners[box.key], numbers[box.key], prefix) for box in picture.boxes]
    return "\n".join([*parts, "</svg>"])


def _curve(maker: tuple[float, float], reader: tuple[float, float]) -> str:
    x, y = maker[0] + WIDTH / 2, maker[1] + HEIGHT
    to_x, to_y = reader[0] + WIDTH / 2, reader[1]
    bend = min(60.0, (to_y - y) / 2)
    return f"M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y:.0f}"


def _box(box: Box, x: float, y: float, number: int, prefix: str) -> str:
    middle = x + WIDTH / 2
    hover = f"{box.text}\n{box.source}".strip()
    drawn = (
        f'<g class="box {box.kind}" data-box="{number}"><title>{escape(hover)}</title>'
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>'
        f'<text x="{middle:.0f}" y="{y + (15 if box.label else 22):.0f}">{escape(_short(box.title))}</text>'
        f'<text class="label" x="{middle:.0f}" y="{y + 29:.0f}">{escape(_short(box.label))}</text></g>'
    )
    return f'<a href="#{escape(prefix)}L{box.line}">{drawn}</a>' if prefix else drawn


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"
