"""Every output and every update becomes a node of its own, so that each can have a buffer of its own.

    before   %0 = tanh(%x)   update %w <- %v   return %0, %0, %x
    after    %0 = tanh(%x)   %1 = copy(%0)   %2 = copy(%x)   %3 = copy(%v)   update %w <- %3   return %0, %1, %2
"""

from __future__ import annotations

from dataclasses import replace

from graphc.ir import Graph, Node


def own_outputs(graph: Graph) -> Graph:
    taken: set[Node] = set()

    def own(node: Node) -> Node:
        if node.op in ("input", "constant") or node in taken:
            node = Node("copy", (node,), {}, node.type, node.loc, node.forward)
        taken.add(node)
        return node

    updates = tuple((target, own(value)) for target, value in graph.updates)
    outputs = tuple(own(node) for node in graph.outputs)
    return replace(graph, outputs=outputs, updates=updates)
