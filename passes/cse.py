"""Common-subexpression elimination: nodes that compute the same thing become one node.

    before   %0 = tanh(%x)   %1 = tanh(%x)   %2 = add(%0, %1)
    after    %0 = tanh(%x)   %1 = add(%0, %0)
"""

from __future__ import annotations

from typing import Any

from graphc.ir import Graph, Node, rewrite


def cse(graph: Graph) -> Graph:
    first: dict[tuple[Any, ...], Node] = {}
    return rewrite(graph, lambda node: first.setdefault(node.key, node))
