"""Pairs: complex numbers become two real ones each, as they lie in memory.

    before   f(%z: c64[3])     %0 = imag(%z)                        %1 = neg(%0)   return complex(%0, %1)
    after    f(%z: f32[3,2])   %0 = slice(%z, begin=(0, 1), ...)    %1 = neg(%0)   return concat(%0, %1, axis=1)

What reads or makes complex numbers are `real`, `imag`, `complex`, casts, and ops that only move elements. The parts of
what is moved are moved each by itself; the parts of `complex(x, y)` are x and y. So complex numbers stay only where the
graph begins and ends.
"""

from __future__ import annotations

from graphc.dtype import bool_, part_of
from graphc.ir import Graph, GraphError, Node, TensorType, constant_node, input_node
from graphc.op import infer_node, traits_of

Pair = tuple[Node, Node]


def pairs(graph: Graph) -> Graph:
    return _Pairing(graph).run() if any(node.dtype.is_complex for node in (*graph.inputs, *graph.nodes)) else graph


class _Pairing:
    """The real nodes, and the parts of the complex ones, that were made so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.new: dict[Node, Node] = {}
        self.parts: dict[Node, Pair] = {}

    def run(self) -> Graph:
        graph = self.graph
        for node in graph.inputs:
            self.new[node] = _interleaved(node) if node.dtype.is_complex else node
            if node.dtype.is_complex:
                self.parts[node] = self.taken_apart(node)
        for node in graph.nodes:
            if node.op == "input":
                continue
            if node.dtype.is_complex:
                self.parts[node] = self.parts_of(node)
            else:
                self.new[node] = self.real(node)
        updates = tuple((self.new[target], self.whole(value)) for target, value in graph.updates)
        outputs = tuple(self.whole(node) for node in graph.outputs)
        return Graph(graph.name, tuple(self.new[x] for x in graph.inputs), outputs, updates, graph.arguments)

    def made(self, like: Node, op: str, *operands: Node, **attrs: object) -> Node:
        """A node in the place of another."""
        forward = like.forward
        if forward is not None:
            forward = self.parts[forward][0] if forward in self.parts else self.new.get(forward, forward)
        node = Node(op, operands, attrs, like.type, like.loc, forward)
        return Node(op, operands, attrs, infer_node(node), like.loc, forward)

    def real(self, node: Node) -> Node:
        """The node in whose place complex operands are pairs."""
        if not node.operands:
            return node
        if not any(o.dtype.is_complex for o in node.operands):
            return self.made(node, node.op, *(self.new[o] for o in node.operands), **node.attrs)
        re, im = self.parts[node.operands[0]]
        if node.op in ("real", "imag"):
            return re if node.op == "real" else im
        if node.op == "cast":
            found = self.made(node, "cast", re, **node.attrs)
            either = node.dtype is bool_
            return self.made(node, "logical_or", found, self.made(node, "cast", im, **node.attrs)) if either else found
        raise GraphError(f"pairs: {node.op} reads complex numbers, {' and '.join(str(o.type) for o in node.operands)}")

    def parts_of(self, node: Node) -> Pair:
        """The real and the imaginary part of what a node makes."""
        if node.op == "complex":
            re, im = (self.new[o] for o in node.operands)
            return re, im
        if node.op == "cast":
            (x,), dtype = node.operands, part_of(node.dtype)
            if not x.dtype.is_complex:
                zeros = self.made(node, "broadcast_to", constant_node(0, dtype, node.loc), shape=node.shape)
                return self.made(node, "cast", self.new[x], dtype=dtype), zeros
            re, im = (self.made(node, "cast", part, dtype=dtype) for part in self.parts[x])
            return re, im
        if node.op == "scan" or not traits_of(node) & {"view", "moves"}:
            raise GraphError(f"pairs: {node.op} makes complex numbers, {node.type}")
        re, im = (self.made(node, node.op, *(self.parts[o][k] for o in node.operands), **node.attrs) for k in (0, 1))
        return re, im

    def taken_apart(self, node: Node) -> Pair:
        """The parts of an input."""
        pair, begin = self.new[node], (0,) * len(node.shape)
        one = {"shape": (*node.shape, 1), "step": (1,) * len(pair.shape)}
        re, im = (self.made(pair, "slice", pair, begin=(*begin, k), **one) for k in (0, 1))
        return self.made(node, "reshape", re, shape=node.shape), self.made(node, "reshape", im, shape=node.shape)

    def whole(self, node: Node) -> Node:
        """What the graph makes of a node: a complex one's parts side by side."""
        if not node.dtype.is_complex:
            return self.new[node]
        shape = (*node.shape, 1)
        parts = [self.made(node, "reshape", part, shape=shape) for part in self.parts[node]]
        return self.made(node, "concat", *parts, axis=len(node.shape))


def _interleaved(node: Node) -> Node:
    """An input of complex numbers as one of their parts, which lie side by side."""
    return input_node(node.attrs["name"], TensorType((*node.shape, 2), part_of(node.dtype)), node.loc)
