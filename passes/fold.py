"""Constant folding: an exact op whose operands are scalars known now becomes a scalar.

    before   %0 = add(2.0, 3.0)   %1 = mul(%x, %0)
    after    %0 = mul(%x, 5.0)

Only ops whose NumPy result is defined to the bit are folded, so that compiled and folded values cannot differ.
"""

from __future__ import annotations

import numpy as np

from graphc.ir import Graph, Node, constant_node, rewrite
from graphc.op import TABLE, traits_of


def fold(graph: Graph) -> Graph:
    return rewrite(graph, _fold)


def _fold(node: Node) -> Node:
    if node.shape or not node.operands or any(o.op != "constant" for o in node.operands):
        return node
    if not TABLE[node.op].exact or "checks" in traits_of(node):
        return node
    with np.errstate(all="ignore"):
        scalars = [np.asarray(o.attrs["value"], o.dtype.np) for o in node.operands]
        value = TABLE[node.op].meaning(*scalars, **node.attrs)
    return constant_node(np.asarray(value, node.dtype.np).item(), node.dtype, node.loc)
