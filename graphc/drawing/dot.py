"""A picture in the language of Graphviz: `graphc dump lenet --stage schedule --format dot | dot -Tsvg`."""

from __future__ import annotations

from graphc.drawing.picture import Picture

COLOURS = {
    "argument": "#dbeafe", "bound": "#e5e7eb", "forward": "#dcfce7", "gradient": "#fde8d0", "group": "#dcfce7",
    "update": "#f5d0fe", "return": "#fef9c3",
}  # fmt: skip
"""The fill of each kind of box, in every form of drawing."""


def dot(picture: Picture) -> str:
    """A `digraph`: boxes with the stage's text as tooltip, arrows with their value's."""
    lines = [
        f"digraph {_quoted(picture.name)} {{",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=10];',
        "  edge [arrowsize=0.6];",
    ]
    for box in picture.boxes:
        label = f"{box.title}\n{box.label}".strip()
        tooltip = f"{box.text}\n{box.source}".strip()
        lines.append(
            f"  {_quoted(box.key)} [label={_quoted(label)}, tooltip={_quoted(tooltip)}, "
            f'fillcolor="{COLOURS[box.kind]}"];'
        )
    for maker, reader, label in picture.arrows:
        lines.append(f"  {_quoted(maker)} -> {_quoted(reader)} [tooltip={_quoted(label)}];")
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
