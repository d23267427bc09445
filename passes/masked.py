"""Masked: products of which a mask leaves whole blocks out, told so that their kernels look for these.

    before   %1 = matmul(%q, %k)   %2 = select(%causal, %1, -inf)   ...   %6 = exp(%5)   %7 = matmul(%6, %v)
    after    %1 = masked_matmul(%q, %k, where=2)   ...   %7 = masked_matmul(%6, %v, where=0)

Above the diagonal of a causal attention no score is taken, and every weight is zero; so are those of a batch's padding.
No value changes: kernels leave out what they see to be empty. This says where looking is worth its time: where the
choice depends on positions, constants, integers and comparisons for equality, not on which numbers happen to be large.
"""

from __future__ import annotations

from graphc.ir import Graph, Node, rewrite
from graphc.op import traits_of
from graphc.passes.nodes import base_of, elementwise, shown_by

LOW = -1e3
"""A number which, in place of a score or added to it, makes a weight of +0.0."""

HANDING = {"select", "exp", "add", "sub", "mul", "div", "cast"}
"""The ops whose results may be low or zero where their operands are; and so may what views show."""

RESULT = 2
"""The attribute's value where it is the result of which parts are not taken; else it is the operand's number."""


def masked(graph: Graph) -> Graph:
    ops = {node.op for node in graph.nodes}
    if "matmul" not in ops or ops.isdisjoint(("select", "exp")):
        return graph
    seen, users = _Seen(graph), graph.users()
    nodes = iter([node for node in graph.nodes if node.op != "input"])

    def told(made: Node) -> Node:
        node = next(nodes)  # of which `made` is what it has become, as its operands have
        if node.op != "matmul" or not node.dtype.is_float:
            return made
        where = next((n for n, operand in enumerate(node.operands) if operand in seen.zero), None)
        if where is None and not seen.chosen(node, users):
            return made
        attrs = {"where": RESULT if where is None else where, **made.attrs}
        return Node("masked_matmul", made.operands, attrs, made.type, made.loc, made.forward)

    return rewrite(graph, told)


class _Seen:
    """What is known of a graph's nodes.

    Attributes:
        placed: those that depend on positions, constants and integers, and on floats only by whether they are equal.
        zero: those that have +0.0 wherever such a node says so; low: those that have there what `exp` makes +0.0 of.
    """

    def __init__(self, graph: Graph) -> None:
        self.placed: set[Node] = set()
        self.zero: set[Node] = set()
        self.low: set[Node] = set()
        for node in graph.nodes:
            if self._placed(node):
                self.placed.add(node)
            if node.op in HANDING or "view" in traits_of(node):
                if self._low(node):
                    self.low.add(node)
                elif self._zero(node):
                    self.zero.add(node)

    def _placed(self, node: Node) -> bool:
        if node.op == "input":
            return not node.dtype.is_float
        if node.op in ("equal", "not_equal"):
            return all(o in self.placed or base_of(o).op == "input" for o in node.operands)
        return self.placed.issuperset(node.operands) and "random" not in traits_of(node)

    def _low(self, node: Node) -> bool:
        if node.op == "select":
            condition, *values = node.operands
            return condition in self.placed and any(_is_low(v) for v in values)
        if node.op == "mul" and node in self.placed and any(_is_low(o) for o in node.operands):
            return True
        if node.op in ("sub", "div"):
            return node.operands[0] in self.low
        return _handed_on(node, self.low, ("add", "mul"))

    def _zero(self, node: Node) -> bool:
        if node.op == "exp":
            return node.operands[0] in self.low
        if node.op == "select":
            condition, *values = node.operands
            if not any(_constant(v) == 0 for v in values):
                return False
            return condition in self.placed or any(v in self.zero for v in values)
        if node.op == "div":
            return node.operands[0] in self.zero
        return _handed_on(node, self.zero, ("mul",))

    def chosen(self, node: Node, users: dict[Node, list[Node]]) -> bool:
        """Whether what becomes of a node, element by element, is taken only where a placed condition says so."""
        while len(users[node]) == 1 and elementwise(users[node][0], node):
            (user,) = users[node]
            if user.op == "select" and user.operands[0] in self.placed:
                return any(_constant(v) is not None for v in user.operands[1:])
            node = user
        return False


def _handed_on(node: Node, found: set[Node], joining: tuple[str, ...]) -> bool:
    """Whether what was found of an operand holds for the node: a view, a cast, and what the `joining` ops make."""
    same = node.op in joining or node.op == "cast" or ("view" in traits_of(node) and len(node.operands) == 1)
    return same and any(o in found for o in node.operands)


def _constant(node: Node) -> float | None:
    """The number that a node is everywhere, if it is a constant."""
    shown = shown_by(node)
    value = shown.attrs["value"] if shown.op == "constant" else None
    return float(value) if isinstance(value, (int, float)) else None


def _is_low(node: Node) -> bool:
    number = _constant(node)
    return number is not None and number <= LOW
