"""Narrowing: what a slice cuts away is not computed.

    before   %0 = conv(%x, %w)        %1 = slice(%0, begin=(0, 0, 1, 1), ...)
    after    %0 = slice(%x, ...)      %1 = conv(%0, %w, size=...)

A slice moves towards the tensor it cuts from, past ops whose results nobody else reads: elementwise ops, margins,
phases woven together, and convolutions, of which every element is a sum of its own. So a causal convolution whose end
is cut off does not compute that end, and the gradient of a convolution whose input was padded by hand does not compute
the padding's. A slice that lies in a margin alone becomes the margin's value, whoever else reads the rest: where only
the last step of a sequence is used, so do the gradients of all other steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from graphc.ir import Graph, Node, TensorType, with_results
from graphc.op import infer_node, traits_of


class Box(NamedTuple):
    """The elements at `begin + i * step` for every i in `shape`."""

    begin: tuple[int, ...]
    shape: tuple[int, ...]
    step: tuple[int, ...]

    @staticmethod
    def of(shape: Sequence[int]) -> Box:
        return Box((0,) * len(shape), tuple(shape), (1,) * len(shape))

    def within(self, outer: Box) -> Box:
        """The box of elements that this box takes of what `outer` takes."""
        begin = tuple(lo + i * s for lo, i, s in zip(outer.begin, self.begin, outer.step, strict=True))
        return Box(begin, self.shape, tuple(s * t for s, t in zip(outer.step, self.step, strict=True)))


def narrow(graph: Graph) -> Graph:
    return _Narrowing(graph).run() if any(node.op == "slice" for node in graph.nodes) else graph


class _Narrowing:
    """The nodes made so far, and who reads those of the graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.users = graph.users()
        self.kept = graph.kept
        self.new: dict[Node, Node] = {}

    def run(self) -> Graph:
        graph, new = self.graph, self.new
        for node in graph.nodes:
            if node.op == "slice":
                new[node] = self.cut(node.operands[0], Box(*(node.attrs[k] for k in Box._fields)))
            else:
                operands = tuple([new[o] for o in node.operands])
                new[node] = node if operands == node.operands else node.with_operands(operands)
        outputs = tuple(new[o] for o in graph.outputs)
        return with_results(graph, outputs, tuple((t, new[v]) for t, v in graph.updates))

    def cut(self, node: Node, box: Box) -> Node:
        """The part of a node's value in a box: the narrowed op where it has a rule and no other reader."""
        if box == Box.of(node.shape):
            return self.new[node]
        value = _beside(node, box)
        if value is not None:
            type_ = TensorType(box.shape, node.dtype)
            return Node("broadcast_to", (self.new[value],), {"shape": box.shape}, type_, node.loc, node.forward)
        if len(self.users[node]) == 1 and node not in self.kept and 0 not in box.shape:
            rule = RULES.get(node.op) or (_elementwise if _is_elementwise(node) else None)
            narrowed = rule(self, node, box) if rule else None
            if narrowed is not None:
                return narrowed
        whole = self.new[node]
        return Node("slice", (whole,), box._asdict(), TensorType(box.shape, node.dtype), node.loc, node.forward)

    def made(self, like: Node, operands: Sequence[Node], **attrs: object) -> Node:
        """The op of a node on other operands, with some attributes changed."""
        node = Node(like.op, tuple(operands), {**like.attrs, **attrs}, like.type, like.loc, like.forward)
        return Node(node.op, node.operands, node.attrs, infer_node(node), node.loc, node.forward)


def _beside(node: Node, box: Box) -> Node | None:
    """The value of a margin, perhaps transposed, that the whole box lies in; None where it does not."""
    while node.op == "transpose":
        axes = [node.attrs["perm"].index(d) for d in range(len(node.shape))]
        box = Box(*(tuple(part[a] for a in axes) for part in box))
        node = node.operands[0]
    if node.op != "pad" or 0 in box.shape:
        return None
    x, value = node.operands
    for extent, low, gap, lo, count, step in zip(x.shape, node.attrs["low"], node.attrs["interior"], *box, strict=True):
        if lo + (count - 1) * step < low or lo >= low + extent + (extent - 1) * gap:
            return value
    return None


Rule = Callable[[_Narrowing, Node, Box], Node | None]


def _is_elementwise(node: Node) -> bool:
    traits = traits_of(node)
    return bool(node.operands) and "elementwise" in traits and not traits & {"random", "checks"}


def _elementwise(n: _Narrowing, node: Node, box: Box) -> Node | None:
    if any(o.shape != node.shape for o in node.operands):
        return None
    return n.made(node, [n.cut(o, box) for o in node.operands])


def _slice(n: _Narrowing, node: Node, box: Box) -> Node | None:
    return n.cut(node.operands[0], box.within(Box(*(node.attrs[k] for k in Box._fields))))


def _pad(n: _Narrowing, node: Node, box: Box) -> Node | None:
    """The margin shrinks, then the operand; a box that lies beside the operand, or steps over elements, stays."""
    x, value = node.operands
    if any(node.attrs["interior"]) or any(s > 1 for s in box.step):
        return None
    low, high, begin, shape = [], [], [], []
    for extent, before, lo, count in zip(x.shape, node.attrs["low"], box.begin, box.shape, strict=True):
        first, last = max(lo - before, 0), min(lo + count - before, extent)
        if first >= last:
            return None
        begin.append(first)
        shape.append(last - first)
        low.append(max(before - lo, 0))
        high.append(count - low[-1] - shape[-1])
    inner = n.cut(x, Box(tuple(begin), tuple(shape), box.step))
    return n.made(node, (inner, n.new[value]), low=tuple(low), high=tuple(high))


def _weave(n: _Narrowing, node: Node, box: Box) -> Node | None:
    """Each of the phases is cut; which comes first may change."""
    if any(s > 1 for s in box.step):
        return None
    parts, begins, step = [], [], node.attrs["step"]
    for part, places in zip(node.operands, node.attrs["begins"], strict=True):
        first = [-((place - lo) // s) for place, lo, s in zip(places, box.begin, step, strict=True)]
        begin = [place + q * s - lo for place, q, s, lo in zip(places, first, step, box.begin, strict=True)]
        shape = [len(range(b, count, s)) for b, count, s in zip(begin, box.shape, step, strict=True)]
        if all(shape):
            parts.append(n.cut(part, Box(tuple(first), tuple(shape), (1,) * len(shape))))
            begins.append(tuple(begin))
    return n.made(node, parts, begins=tuple(begins), shape=box.shape)


def _conv(n: _Narrowing, node: Node, box: Box) -> Node | None:
    """The images and elements that the windows in the box see; all channels."""
    x, w = node.operands
    if box.begin[1] or box.shape[1] != node.shape[1]:
        return None
    stride = tuple(s * t for s, t in zip(node.attrs["stride"], box.step[2:], strict=True))
    first = [lo * s - low for lo, s, low in zip(box.begin[2:], node.attrs["stride"], node.attrs["low"], strict=True)]
    reach = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], node.attrs["dilation"], strict=True)]
    begin = [max(lo, 0) for lo in first]
    end = [
        min(lo + (count - 1) * s + r, extent)
        for lo, count, s, r, extent in zip(first, box.shape[2:], stride, reach, x.shape[2:], strict=True)
    ]  # fmt: skip
    shape = [hi - lo for lo, hi in zip(begin, end, strict=True)]
    if min(shape) < 1:
        return None
    seen = Box(
        (box.begin[0], 0, *begin), (box.shape[0], x.shape[1], *shape), (box.step[0], 1, *(1 for _ in shape))
    )  # fmt: skip
    low = tuple(lo - at for lo, at in zip(begin, first, strict=True))
    return n.made(node, (n.cut(x, seen), n.new[w]), stride=stride, low=low, size=box.shape[2:])


RULES: dict[str, Rule] = {"slice": _slice, "pad": _pad, "weave": _weave, "conv": _conv}
