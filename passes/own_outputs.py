"""What must lie in memory of its own becomes a node of its own: outputs, updates, constants for hand-made kernels.

    before   %0 = tanh(%x)   update %w <- %v   return %0, %0, %x
    after    %0 = tanh(%x)   %1 = copy(%0)   %2 = copy(%x)   %3 = copy(%v)   update %w <- %3   return %0, %1, %2
"""

from __future__ import annotations

from graphc.ir import LEAVES, Graph, Node, rewrite, with_results
from graphc.passes.nodes import handmade


def own_outputs(graph: Graph) -> Graph:
    graph = rewrite(graph, _constants_in_memory)
    taken: set[Node] = set()

    def own(node: Node) -> Node:
        if node.op in LEAVES or node in taken:
            node = _copy(node)
        taken.add(node)
        return node

    updates = tuple((target, own(value)) for target, value in graph.updates)
    outputs = tuple(own(node) for node in graph.outputs)
    return with_results(graph, outputs, updates)


def _constants_in_memory(node: Node) -> Node:
    if not handmade(node):
        return node
    return node.with_operands(_copy(o) if o.op == "constant" else o for o in node.operands)


def _copy(node: Node) -> Node:
    return Node("copy", (node,), {}, node.type, node.loc, node.forward)
