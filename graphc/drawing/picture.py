"""What is drawn: boxes and arrows, read off the text of a graph or of a schedule.

    picture("graph f(%x: f32[2]) {\\n  %0: f32[2] = tanh(%x)  # net mnist.py:3\\n  return %0\\n}")
    boxes  x (argument), 0 (forward: tanh), return      arrows  x -> 0 -> return
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphc.irtext import BETWEEN


@dataclass(frozen=True)
class Box:
    """One value, group, update or result.

    Attributes:
        key: unique in its picture.
        kind: `argument`, `bound` (a parameter or captured tensor), `forward`, `gradient`, `group`, `update`, `return`.
        title, label: the two lines in the box.
        line: where it stands in the stage's text, counted from 1.
        text: what stands there.
        source: `file.py:14` of the user's line, or "".
    """

    key: str
    kind: str
    title: str
    label: str
    line: int
    text: str
    source: str = ""


@dataclass(frozen=True)
class Picture:
    """Boxes, and arrows as (key of the box that makes a value, key of one that reads it, the value's type or name)."""

    name: str
    boxes: tuple[Box, ...]
    arrows: tuple[tuple[str, str, str], ...]


NAME = r"%(?P<name>[^\s,():;]+)"
_TYPE = r"(?P<type>\w+\[[\d,]*\])"
_INPUT = re.compile(rf"{NAME}: {_TYPE}")
_NODE = re.compile(rf"  {NAME}: {_TYPE} += (?P<op>\w+)\((?P<args>.*)\)(?:  +# (?P<comment>.*))?$")
_UPDATE = re.compile(r"  update %(?P<target>\S+) <- (?P<value>\S+)")
_VALUE = re.compile(NAME)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_SOURCE = re.compile(r"(?:\S+ )?(?P<source>[^\s:]+:\d+)$")
_GROUP = re.compile(r"  group (?P<number>\d+) (?P<kind>\w+) (?P<name>\S+) \{")


def picture(text: str) -> Picture | None:
    """The picture of a stage, without the bodies of loops; None where its text is neither a graph nor a schedule."""
    text = text.split(BETWEEN)[0]
    if text.startswith("graph "):
        return _graph(text.splitlines())
    if text.startswith("schedule "):
        return _schedule(text.splitlines())
    return None


def _graph(lines: list[str]) -> Picture:
    boxes = list(_inputs(lines[0]))
    arrows: list[tuple[str, str, str]] = []
    types = {box.key: box.label for box in boxes}
    sources: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if node := _NODE.match(line):
            key, comment = node["name"], node["comment"] or ""
            sources[key] = _source(comment, sources)
            types[key] = node["type"]
            kind = "gradient" if comment.startswith("vjp of") else "forward"
            boxes.append(Box(key, kind, node["op"], node["type"], number, line.strip(), sources[key]))
            arrows += [(name, key, types[name]) for name in _names(node["args"]) if name in types]
        elif update := _UPDATE.match(line):
            target, value = update["target"], update["value"].removeprefix("%")
            boxes.append(Box(f"update {target}", "update", "update", target, number, line.strip()))
            if value in types:
                arrows.append((value, f"update {target}", types[value]))
        elif line.startswith("  return"):
            boxes.append(Box("return", "return", "return", "", number, line.strip()))
            arrows += [(name, "return", types[name]) for name in _names(line) if name in types]
    read = {maker for maker, _, _ in arrows}
    shown = tuple(box for box in boxes if box.line > 1 or box.key in read)
    return Picture(_name_of(lines[0]), shown, tuple(dict.fromkeys(arrows)))


def _inputs(head: str) -> Iterator[Box]:
    given, _, bound = head.partition(";")
    for kind, part in (("argument", given), ("bound", bound)):
        for match in _INPUT.finditer(part):
            yield Box(match["name"], kind, match["name"], match["type"], 1, match[0])


def _source(comment: str, sources: dict[str, str]) -> str:
    """The user's line that a node's comment names, or that of the forward node it names."""
    if comment.startswith("vjp of %"):
        return sources.get(comment.removeprefix("vjp of %"), "")
    match = _SOURCE.match(comment.removeprefix("vjp of "))
    return match["source"] if match else ""


def _schedule(lines: list[str]) -> Picture:
    boxes: dict[str, Box] = {}
    arrows: list[tuple[str, str, str]] = []
    makers: dict[str, str] = {}
    key = ""
    for number, line in enumerate(lines, 1):
        if group := _GROUP.match(line):
            key = f"group {group['number']}"
            boxes[key] = Box(key, "group", group["name"], f"{key}, {group['kind']}", number, line.strip(" {"))
        elif line.startswith("    computes"):
            box = boxes[key]
            boxes[key] = Box(key, box.kind, box.title, box.label, box.line, f"{box.text}\n{line.strip()}")
        elif line.startswith("    reads"):
            for name in _names(line):
                maker = makers.setdefault(name, name)
                if maker == name:
                    boxes.setdefault(name, Box(name, "bound", name, "", number, f"%{name}"))
                arrows.append((maker, key, f"%{name}"))
        elif line.startswith("    writes"):
            for name in _names(line):
                makers[name] = key
    return Picture(_name_of(lines[0]), tuple(boxes.values()), tuple(dict.fromkeys(arrows)))


def _names(text: str) -> Iterable[str]:
    return [match["name"] for match in _VALUE.finditer(_QUOTED.sub("", text))]


def _name_of(head: str) -> str:
    return head.split("(")[0].split()[1]
