"""Winograd: convolutions of three taps along each dimension with fewer multiplications.

    before   %0 = conv(%x, %w)                                                         %w: f32[64,64,3,3]
    after    %0 = to_tiles(%x)   %1 = to_tiles(%w)   %2 = matmul(%1, %0)   %3 = from_tiles(%2)

Two neighbours along a dimension take six multiplications, or four: F(2, 3) of Winograd, "Arithmetic complexity of
computations", 1980, as Lavin and Gray use it for images ("Fast algorithms for convolutional neural networks", 2015).
For pairs of rows and columns these are 16 instead of 36, and the sum over channels is a product of matrices. What is
computed is not to the last bit what one chain over taps is, so it is decided first of all and by the shape of one image
alone: eager mode and graphs, and batches of any size, decide alike.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from graphc.ir import Graph, Node, rewrite
from graphc.op import TABLE

INPUT = ((1.0, 0.0, -1.0, 0.0), (0.0, 1.0, 1.0, 0.0), (0.0, -1.0, 1.0, 0.0), (0.0, 1.0, 0.0, -1.0))
WEIGHT = ((1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.0, 0.0, 1.0))
RESULT = ((1.0, 1.0, 1.0, 0.0), (0.0, 1.0, -1.0, -1.0))

TAPS, PAIR = len(WEIGHT[0]), len(RESULT)

FEWEST_CHANNELS, FEWEST_TILES, MOST_BEYOND = 16, 16, 1.2
"""Channels on either side, and tiles of an image, from which on what is saved is more than what the maps take; and of
how many times the pixels that there are, tiles may be, which the last ones of an odd number reach beyond."""


def winograd(graph: Graph) -> Graph:
    return rewrite(graph, lambda node: _in_tiles(node) if _pays(node) else node)


def _pays(node: Node) -> bool:
    """Whether a node is a convolution that takes less time in tiles."""
    if node.op != "conv" or node.dtype.short != "f32" or node.attrs.get("groups", 1) != 1:
        return False
    weights, size = node.operands[1].shape, node.attrs["size"]
    small = all(k == TAPS for k in weights[2:]) and len(size) == 2
    dense = all(n == 1 for n in (*node.attrs["stride"], *node.attrs["dilation"]))
    tiles = prod(-(-n // PAIR) for n in size)
    full = tiles * PAIR ** len(size) <= MOST_BEYOND * prod(size)
    return small and dense and full and min(weights[:2]) >= FEWEST_CHANNELS and tiles >= FEWEST_TILES


Maker = Callable[..., Node]


def _as_stored(w: Node, made: Maker) -> tuple[bool, Node]:
    """Whether weights are a view that exchanges channels and features, perhaps flipped; and what it is a view of.

    So they are in the gradient of an input. Their maps read vectors of what lies side by side.
    """
    if w.op == "flip":
        turned, base = _as_stored(w.operands[0], made)
        return turned, made("flip", base, **w.attrs) if turned else w
    turned = w.op == "transpose" and w.attrs["perm"] == (1, 0, *range(2, len(w.shape)))
    return turned, w.operands[0] if turned else w


def _in_tiles(node: Node) -> Node:
    def made(op: str, *operands: Node, **attrs: Any) -> Node:
        inferred = TABLE[op].infer(*(o.type for o in operands), **attrs)
        return Node(op, operands, attrs, inferred, node.loc, node.forward)

    (x, w), size, low = node.operands, node.attrs["size"], node.attrs["low"]
    images, channels, features = x.shape[0], x.shape[1], w.shape[0]
    count = tuple(-(-n // PAIR) for n in size)
    points = len(INPUT) ** len(size)
    tiles = made("to_tiles", x, matrix=INPUT, step=PAIR, low=low, count=count)
    tiles = made("reshape", tiles, shape=(images, points, channels, prod(count)))
    turned, w = _as_stored(w, made)
    weights = made("reshape", w, shape=(1, features * channels, *w.shape[2:]))
    weights = made("to_tiles", weights, matrix=WEIGHT, step=1, low=(0,) * len(size), count=(1,) * len(size))
    weights = made("reshape", weights, shape=(points, *w.shape[:2]))
    weights = made("transpose", weights, perm=(0, 2, 1)) if turned else weights
    weights = made("broadcast_to", weights, shape=(images, points, features, channels))
    products = made("matmul", weights, tiles, transpose_a=False, transpose_b=False)
    products = made("reshape", products, shape=(images, *(len(INPUT),) * len(size), features, *count))
    found = made("from_tiles", products, matrix=RESULT)
    if found.shape == node.shape:
        return found
    return made("slice", found, begin=(0,) * len(node.shape), shape=node.shape, step=(1,) * len(node.shape))
