"""Common-subexpression elimination: nodes that compute the same thing become one node.

    before   %0 = tanh(%x)   %1 = tanh(%x)   %2 = add(%0, %1)
    after    %0 = tanh(%x)   %1 = add(%0, %0)
"""

from __future__ import annotations

from typing import Any

from graphc.ir import Graph, Node, rewrite
from graphc.op import unrolled


def cse(graph: Graph) -> Graph:
    first: dict[tuple[Any, ...], Node] = {}
    return rewrite(graph, lambda node: first.setdefault((_side(node), *node.key), node))


def _side(node: Node) -> bool:
    """Kept apart are tiles that a derivative reads: to have them till then takes more room than to make them anew."""
    return bool(unrolled(node)) and node.forward is not None
