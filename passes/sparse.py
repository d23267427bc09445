"""Sparse: a tensor that is zero but for a few rows is a list of these rows, and made from it where it is read.

    before   %0 = broadcast_to(0.0)   %1 = scatter_add(%0, %i, %u)                                    %1: f32[50000,64]
    after    %0 = first_places(%i)    %1 = gather(%0, %i)   %2 = scatter_add(zeros, %1, %u)           %2: f32[32,64]
             %3 = rows_or_zero(%2, %0)

The gradient of an embedding is such a tensor. As large as the table, it would be filled with zeros, written and read;
instead an optimizer makes its elements while it updates the table, from the rows that were looked up. Each element is
the same sum as before, begun with 0.0.
"""

from __future__ import annotations

import math
from math import prod

from graphc.ir import Graph, Node, constant_node, rewrite
from graphc.op import maker

FEWER, WIDE = 4, 16
"""How many times as many rows there are as positions, and elements in a row, from which on it pays."""


def sparse(graph: Graph) -> Graph:
    return rewrite(graph, lambda node: _of_rows(node) if _few_rows(node) else node)


def _few_rows(node: Node) -> bool:
    """Whether a node adds few wide rows to zeros."""
    if node.op != "scatter_add" or not node.dtype.is_float:
        return False
    zeros, positions, _ = node.operands
    while zeros.op in ("broadcast_to", "reshape"):
        zeros = zeros.operands[0]
    none = zeros.op == "constant" and zeros.attrs["value"] == 0 and math.copysign(1, zeros.attrs["value"]) > 0
    return none and 0 < positions.type.size * FEWER <= node.shape[0] and prod(node.shape[1:]) >= WIDE


def _of_rows(node: Node) -> Node:
    made = maker(node)
    _, positions, updates = node.operands
    places = made("first_places", positions, extent=node.shape[0], name=node.op)
    own = made("gather", places, positions, axis=0, batch_dims=0)
    zeros = made(
        "broadcast_to", constant_node(0.0, node.dtype, node.loc), shape=(positions.type.size, *node.shape[1:])
    )
    return made("rows_or_zero", made("scatter_add", zeros, own, updates), places)
