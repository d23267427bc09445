"""What passes ask about a node, whatever the graph around it."""

from __future__ import annotations

from graphc.ir import LEAVES, Node
from graphc.op import TABLE, traits_of

CHEAP = {"add", "sub", "mul", "neg", "square", "maximum", "minimum", "abs", "relu"}
"""Ops that take no longer than a load."""


def is_free(node: Node) -> bool:
    """Whether reading the node is only reading something else at another index."""
    return node.op == "constant" or "view" in traits_of(node)


def is_contraction(node: Node) -> bool:
    """Whether the node is a sum of products that can be computed in tiles."""
    return "contraction" in traits_of(node) and node.dtype.is_float


def narrow_factors(node: Node) -> bool:
    """Whether the node multiplies narrow numbers as they are, two terms of its sum at a time."""
    return "contraction" in traits_of(node) and node.operands[0].dtype is not node.dtype


def handmade(node: Node) -> str | None:
    """The name of the kernel that was written by hand for the node's op, if there is one."""
    return None if node.op in LEAVES else TABLE[node.op].kernel


def base_of(node: Node) -> Node:
    """The node whose memory a view reads: what a concatenation stores, the view itself if it shows several or none."""
    seen = shown_by(node)
    return node if is_free(seen) and "joins" not in traits_of(seen) else seen


def shown_by(node: Node) -> Node:
    """What a view of one value shows in the end: a constant, what is computed, or what shows several values."""
    while is_free(node) and len(node.operands) == 1 and "joins" not in traits_of(node):
        node = node.operands[0]
    return node


def permutes(view: Node, base: Node) -> bool:
    """Whether a view of `base` has its axes in another order."""
    while view is not base:
        if "permutes" in traits_of(view):
            return True
        view = view.operands[0]
    return False


def elementwise(user: Node, operand: Node) -> bool:
    """Whether each element of a node is made of that element of its operand, among others."""
    return "elementwise" in traits_of(user) and user.shape == operand.shape
