"""Access: where an op's lowering reads its operands, as seen by passes that choose layouts.

    Access().of(conv).reads      # [(x, [out0, k1, out2+k3, out3+k4]), (w, [out1, k1, k3, k4])]
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import prod
from typing import NamedTuple

from graphc.index import Ix, IxLike, Var
from graphc.ir import Node
from graphc.loop_builder import LoopBuilder, Reader
from graphc.loops import Value
from graphc.op import TABLE
from graphc.passes.nodes import handmade

OUTPUT = "out"
"""How the variables of the result's axes are called: out0, out1, ..."""


class Seen(NamedTuple):
    """Each read of an operand with its index, and what the lowering made of them."""

    reads: list[tuple[Node, tuple[Ix, ...]]]
    value: Value | None

    def indices(self, operand: Node) -> list[tuple[Ix, ...]]:
        return [index for node, index in self.reads if node is operand]


class Access:
    """What the nodes of a graph read; of those that do the same to values of the same types one is looked at."""

    def __init__(self) -> None:
        self._seen: dict[Node, Seen] = {}
        self._alike: dict[Hashable, Node] = {}

    def of(self, node: Node) -> Seen:
        if node not in self._seen:
            operands = tuple([(o.type, node.operands.index(o)) for o in node.operands])
            first = self._alike.setdefault((node.op, tuple(node.attrs.items()), node.type, operands), node)
            if first is node:
                self._seen[node] = _seen(node)
            else:
                own, seen = dict(zip(first.operands, node.operands, strict=True)), self._seen[first]
                self._seen[node] = Seen([(own[operand], index) for operand, index in seen.reads], seen.value)
        return self._seen[node]

    def products(self, node: Node) -> int:
        """The multiplications of a contraction."""
        value = self.of(node).value
        summed = prod(v.extent for v in value.data[0]) if value is not None and value.kind == "contract" else 1
        return prod(node.shape) * summed

    def slides(self, node: Node) -> bool:
        """Whether a contraction's summed indices move along axes of the result's: a window that slides."""
        return any(len(ix.terms) > 1 for _, index in self.of(node).reads for ix in index)

    def places_once(self, node: Node) -> bool:
        """Whether a contraction reads no place under several taps: no index has several variables that move."""
        return all(moves(ix) < 2 for _, index in self.of(node).reads for ix in index)


def moves(ix: Ix) -> int:
    """How many variables an index depends on."""
    return sum(not isinstance(v, Var) or v.extent > 1 for v, _ in ix.terms)


def _seen(node: Node) -> Seen:
    lowering = TABLE[node.op].lower
    if lowering is None or handmade(node):
        return Seen([], None)
    b = LoopBuilder()
    reads: list[tuple[Node, tuple[Ix, ...]]] = []

    def reader(operand: Node) -> Reader:
        def read(index: Sequence[IxLike]) -> Value:
            at = tuple(Ix.of(i) for i in index)
            reads.append((operand, at))
            return b.given(f"{id(operand)}{at}", operand.dtype, frozenset().union(*(i.variables for i in at)))

        return Reader(operand.shape, operand.dtype, read)

    index = [Ix.of(Var(f"{OUTPUT}{d}", n)) for d, n in enumerate(node.shape)]
    return Seen(reads, lowering(b, index, *(reader(o) for o in node.operands), **node.attrs))
