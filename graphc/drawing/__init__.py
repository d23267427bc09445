"""Drawings of a compile's stages: what `graphc dump` and `set_context(save_graphs=True)` print, as pictures.

A stage is its name and its text; the text is all that is read here, so a dump drawn later looks as one drawn at once.

    picture     text -> boxes and arrows        layered     where the boxes stand
    svg         picture -> SVG                  memory      memory plan -> SVG of live ranges
    dot         picture -> Graphviz             page        stages -> one HTML file

    stages = dict(graphc.compiler.stage_texts(graph))
    Path("step.html").write_text(html_page("step", stages))
"""

from graphc.drawing.dot import dot
from graphc.drawing.page import html_page
from graphc.drawing.picture import Picture, picture
from graphc.drawing.svg import svg

__all__ = ["Picture", "dot", "html_page", "picture", "svg"]
