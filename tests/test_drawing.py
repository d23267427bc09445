"""Drawings: what is read off a stage's text, where boxes stand, and that every form of output is well formed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import networkx as nx
import pytest

from graphc.drawing import dot, html_page, picture, svg
from graphc.drawing.layered import place
from graphc.drawing.memory import memory_svg

GRAPH = """\
graph step(%x: f32[2,3]; %w: f32[3], %unread: f32[3]) {
  %0: f32[2,3] = broadcast_to(%w, shape=(2, 3))  # net.fc mnist.py:14
  %1: f32[2,3] = mul(%x, %0)                     # net.fc mnist.py:14
  %2: f32[2,3] = pad(%1, mode='%w')              # net mnist.py:15
  %3: f32[2,3] = mul(%2, 0.5)                    # vjp of %1
  %4: f32[3]   = sum(%3, axis=(0,))              # vjp of %0
  update %w <- %4
  return %2
}"""

SCHEDULE = """\
schedule step {
  group 0 loops mul {
    computes %0 broadcast_to, %1 mul, %2 pad
    reads    %w, %x
    writes   %2: f32[2,3] rows
  }
  group 1 loops mul_sum {
    computes %3 mul, %4 sum
    reads    %2
    writes   %4: f32[3] rows
  }
}"""

MEMORY = """\
memory step: arena 88 bytes, largest live set 88 bytes
  %2                   24 bytes at arena+64, live in groups 0..1
  %4                   12 bytes at arena+0, live in groups 1..1"""


def test_picture_of_a_graph():
    drawn = picture(GRAPH)
    assert drawn.name == "step"
    assert {box.key: box.kind for box in drawn.boxes} == {
        "x": "argument", "w": "bound", "0": "forward", "1": "forward", "2": "forward", "3": "gradient",
        "4": "gradient", "update w": "update", "return": "return",
    }  # fmt: skip
    assert {(maker, reader) for maker, reader, _ in drawn.arrows} == {
        ("w", "0"), ("x", "1"), ("0", "1"), ("1", "2"), ("2", "3"), ("3", "4"), ("4", "update w"), ("2", "return"),
    }  # fmt: skip
    by_key = {box.key: box for box in drawn.boxes}
    assert (by_key["2"].title, by_key["2"].label, by_key["2"].line) == ("pad", "f32[2,3]", 4)
    assert by_key["2"].source == "mnist.py:15"
    assert by_key["4"].source == "mnist.py:14", "a gradient comes from its forward node's line"


def test_picture_of_a_schedule():
    drawn = picture(SCHEDULE)
    assert [(box.key, box.title) for box in drawn.boxes if box.kind == "group"] == [
        ("group 0", "mul"), ("group 1", "mul_sum"),
    ]  # fmt: skip
    assert set(drawn.arrows) == {("w", "group 0", "%w"), ("x", "group 0", "%x"), ("group 0", "group 1", "%2")}


def test_other_text_has_no_picture():
    assert picture("kernel mul(x: f32[6]) {\n}") is None


def test_readers_stand_below_what_they_read_and_boxes_do_not_overlap():
    drawn = picture(_random_graph(60))
    places = place(drawn)
    for maker, reader, _ in drawn.arrows:
        assert places[maker][1] < places[reader][1]
    rows: dict[int, list[float]] = {}
    for column, row in places.values():
        rows.setdefault(row, []).append(column)
    for columns in rows.values():
        gaps = [b - a for a, b in zip(sorted(columns), sorted(columns)[1:], strict=False)]
        assert all(gap >= 1 - 1e-9 for gap in gaps)
    assert min(column for column, _ in places.values()) == 0
    assert len(rows) == nx.dag_longest_path_length(nx.DiGraph(arrow[:2] for arrow in drawn.arrows)) + 1


def _random_graph(count: int) -> str:
    lines = ["graph g(%x: f32[2]) {", "  %0: f32[2] = tanh(%x)"]
    for node in range(1, count):
        lines.append(f"  %{node}: f32[2] = add(%{node * 7 % node}, %{max(0, node - 1 - node % 5)})")
    return "\n".join([*lines, f"  return %{count - 1}", "}"])


def test_svg_is_xml_with_a_shape_for_everything():
    drawn = picture(GRAPH)
    root = ElementTree.fromstring(svg(drawn))
    assert len(root.findall(".//{*}rect")) == len(drawn.boxes)
    assert len(root.findall(".//{*}path")) == len(drawn.arrows)


def test_memory_is_drawn_to_scale():
    root = ElementTree.fromstring(memory_svg(MEMORY))
    tall = [float(rect.attrib["height"]) for rect in root.findall(".//{*}rect")]
    assert tall[0] == pytest.approx(2 * tall[1], rel=0.02)
    assert memory_svg("memory f: arena 0 bytes, largest live set 0 bytes") is None


def test_dot_names_every_box_and_arrow():
    drawn = picture(GRAPH)
    text = dot(drawn)
    assert text.count(" -> ") == len(drawn.arrows)
    assert all(f'"{box.key}" [' in text for box in drawn.boxes)
    assert re.search(r'"0" \[label="broadcast_to\\nf32\[2,3\]"', text)


class _Page(HTMLParser):
    """Collects what matters of a page, and that its elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if "href" in given and tag == "a" else []
        self.fetched += [given[key] for key in ("src", "href") if key in given and tag != "a"]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag == "rect"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page() -> _Page:
    read = _Page()
    read.feed(html_page("a <b> step", {"traced": GRAPH, "schedule": SCHEDULE, "memory": MEMORY, "asm": "mov <eax>"},
                        {"mnist.py": "\n" * 13 + "x = a < b\ny = x\n"}))  # fmt: skip
    return read


def test_page_is_whole_and_needs_nothing_else(page):
    assert page.open == [] and page.fetched == []
    assert len(page.ids) == len(set(page.ids))


def test_every_link_of_the_page_leads_somewhere(page):
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert "src-mnist.py-14" in page.ids and "#src-mnist.py-14" in page.links
    assert "#traced-L3" in page.links, "a name leads to the line that defines it"


def test_bodies_of_loops_are_drawn_by_themselves():
    drawn = picture(f"{SCHEDULE}\n\n{SCHEDULE.replace('mul', 'exp')}")
    assert drawn == picture(SCHEDULE)
    read = _Page()
    read.feed(html_page("step", {"traced": f"{GRAPH}\n\n{GRAPH}", "schedule": f"{SCHEDULE}\n\n{SCHEDULE}"}))
    assert len(read.ids) == len(set(read.ids)) and {link.removeprefix("#") for link in read.links} <= set(read.ids)
    assert "#traced-L3" in read.links and "#traced1-L3" in read.links


def test_page_escapes_what_it_shows():
    text = html_page("<t>", {"kernels": "<script>alert(1)</script>"})
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
