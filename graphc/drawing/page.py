"""All stages of a compile as one HTML file that needs nothing else: a tab for each, its drawing and its text.

Hovering over a box marks what it reads and what reads it; a click leads to its line in the text; from there, names lead
to where they are defined and `mnist.py:14` to that line of the user's file, which is in the page too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from graphc.drawing.dot import COLOURS
from graphc.drawing.memory import memory_svg
from graphc.drawing.picture import NAME, picture
from graphc.drawing.svg import svg
from graphc.irtext import BETWEEN

_DEFINITION = re.compile(rf"  {NAME}: ")
_NAME = re.compile(NAME)
_PLACE = re.compile(r"(?P<file>[^\s:]+):(?P<line>\d+)$")


def html_page(title: str, stages: Mapping[str, str], sources: Mapping[str, str] | None = None) -> str:
    """One HTML document.

    Args:
        title: its heading.
        stages: name to text, in order.
        sources: the text of the user's files, by the short names that the stages' comments use.
    """
    sources = sources or {}
    tabs = [*stages, *(["source"] if sources else [])]
    links = " ".join(f'<a href="#{escape(tab)}">{escape(tab)}</a>' for tab in tabs)
    sections = [_stage(name, text, sources) for name, text in stages.items()]
    if sources:
        files = "\n".join(_file(name, text) for name, text in sources.items())
        sections.append(f'<section id="source">\n{files}\n</section>')
    legend = " ".join(
        f'<span style="background:{colour}">{kind}</span>' for kind, colour in COLOURS.items() if kind != "group"
    )
    return "\n".join((
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">', f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style></head><body>", f"<header><h1>{escape(title)}</h1><nav>{links}</nav>",
        f'<p class="legend">{legend}</p></header>', *sections, f"<script>{_SCRIPT}</script>", "</body></html>", "",
    ))  # fmt: skip


def _stage(name: str, text: str, sources: Mapping[str, str]) -> str:
    parts = text.split(BETWEEN) if name not in ("llvm", "asm") else [text]
    shown = "\n".join(_part(f"{name}{number or ''}", part, sources) for number, part in enumerate(parts))
    return f'<section id="{escape(name)}">\n<h2>{escape(name)}</h2>\n{shown}\n</section>'


def _part(name: str, text: str, sources: Mapping[str, str]) -> str:
    """The stage of the graph, or of the body of a loop."""
    drawn = picture(text)
    drawing = svg(drawn, f"{name}-") if drawn else memory_svg(text)
    above = f'<div class="drawing">{drawing}</div>\n' if drawing else ""
    body = _linked(name, text, sources) if drawn else escape(text)
    return f"{above}<pre>{body}</pre>"


def _linked(stage: str, text: str, sources: Mapping[str, str]) -> str:
    """The text with an anchor on each line, names that lead to their definitions, places that lead to the source."""
    lines = text.splitlines()
    defined = {match["name"]: at for at, line in enumerate(lines, 1) if (match := _DEFINITION.match(line))}

    def name_link(match: re.Match[str]) -> str:
        name, line = match["name"], defined.get(match["name"])
        return f'<a href="#{stage}-L{line}">%{escape(name)}</a>' if line else escape(match[0])

    def linked(line: str) -> str:
        code, hash_, comment = line.partition("  # ")
        place = _PLACE.search(comment)
        if place and place["file"] in sources:
            before, anchor = comment[: place.start()], _anchor(place["file"], int(place["line"]))
            comment = f'{escape(before)}<a href="#{anchor}">{escape(place[0])}</a>'
        else:
            comment = _substituted(comment, name_link)
        return _substituted(code, name_link) + (f'<i>{hash_}{comment}</i>' if hash_ else "")

    return "\n".join(f'<span id="{stage}-L{at}">{linked(line)}</span>' for at, line in enumerate(lines, 1))


def _substituted(text: str, link: object) -> str:
    """The text escaped, but for names, which `link` makes into links."""
    assert callable(link)
    parts, end = [], 0
    for match in _NAME.finditer(text):
        parts += [escape(text[end : match.start()]), link(match)]
        end = match.end()
    return "".join([*parts, escape(text[end:])])


def _file(name: str, text: str) -> str:
    lines = "\n".join(
        f'<span id="{_anchor(name, at)}"><b>{at:4d}</b>  {escape(line)}</span>'
        for at, line in enumerate(text.splitlines(), 1)
    )
    return f"<h2>{escape(name)}</h2>\n<pre>{lines}</pre>"


def _anchor(file: str, line: int) -> str:
    return f"src-{re.sub(r'[^A-Za-z0-9_.-]', '_', file)}-{line}"


_FILLS = "\n".join(f".{kind} rect{{fill:{colour}}}" for kind, colour in COLOURS.items())

_STYLE = f"""
body{{margin:0 16px 40px;font:14px/1.5 system-ui,sans-serif;color:#1f2937;background:#fff}}
header{{position:sticky;top:0;background:#fff;border-bottom:1px solid #d1d5db;z-index:1}}
h1{{font-size:18px;margin:0;padding:8px 0 0}} h2{{font-size:15px}}
nav a{{display:inline-block;padding:2px 8px;color:#1d4ed8;text-decoration:none;border-radius:4px 4px 0 0}}
nav a.open{{background:#1d4ed8;color:#fff}}
.legend{{margin:4px 0 6px;font-size:12px}} .legend span{{padding:1px 8px;border-radius:4px}}
section.closed{{display:none}}
.drawing{{overflow:auto;max-height:70vh;border:1px solid #d1d5db;resize:vertical}}
svg text{{font:12px system-ui,sans-serif;text-anchor:middle;fill:#111827;pointer-events:none}}
svg .label{{font-size:10px;fill:#4b5563}} svg a{{cursor:pointer}}
.box rect{{stroke:#6b7280;stroke-width:1}} .box.near rect,.box:hover rect{{stroke:#1d4ed8;stroke-width:2.5}}
.arrow{{fill:none;stroke:#9ca3af;stroke-width:1.2;opacity:.55}}
.arrow.near,.arrow:hover{{stroke:#1d4ed8;stroke-width:2.5;opacity:1}}
.live rect{{fill:#dcfce7;stroke:#16a34a}} .live:hover rect{{fill:#86efac}}
.live text,.tick{{text-anchor:start!important;font-size:10px!important}}
pre{{font:12px/1.45 ui-monospace,monospace;overflow:auto;max-height:85vh;background:#f9fafb;padding:8px}}
pre a{{color:#1d4ed8;text-decoration:none}} pre a:hover{{text-decoration:underline}}
pre i{{color:#6b7280;font-style:normal}} pre b{{color:#9ca3af;font-weight:normal}}
pre span:target{{background:#fef08a}}
{_FILLS}
"""

# Tabs: only the section of the address's anchor is open. Without scripts all of them are, one below the other.
_SCRIPT = """
const sections = [...document.querySelectorAll("section")], tabs = [...document.querySelectorAll("nav a")];
function show() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1))) || sections[0];
  const shown = target.closest("section");
  sections.forEach(s => s.classList.toggle("closed", s !== shown));
  tabs.forEach(t => t.classList.toggle("open", t.hash === "#" + shown.id));
  if (target !== shown) target.scrollIntoView({block: "center"});
}
addEventListener("hashchange", show);
show();
document.querySelectorAll("svg").forEach(svg => {
  const boxes = new Map([...svg.querySelectorAll("[data-box]")].map(b => [b.dataset.box, b]));
  const arrows = [...svg.querySelectorAll(".arrow")];
  boxes.forEach((box, key) => ["mouseenter", "mouseleave"].forEach((event, leaving) =>
    box.addEventListener(event, () => arrows.forEach(arrow => {
      const {from, to} = arrow.dataset;
      if (from !== key && to !== key) return;
      arrow.classList.toggle("near", !leaving);
      boxes.get(from === key ? to : from).classList.toggle("near", !leaving);
    }))));
});
"""
