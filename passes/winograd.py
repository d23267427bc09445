"""Winograd: convolutions of three taps along each dimension with fewer multiplications.

    before   %0 = conv(%x, %w)                                                         %w: f32[64,64,3,3]
    after    %0 = to_tiles(%x)   %1 = to_tiles(%w)   %2 = matmul(%1, %0)   %3 = from_tiles(%2)

Two neighbours along a dimension take six multiplications, or four: F(2, 3) of Winograd, "Arithmetic complexity of
computations", 1980, as Lavin and Gray use it for images ("Fast algorithms for convolutional neural networks", 2015).
For pairs of rows and columns these are 16 instead of 36, and the sum over channels is a product of matrices.

The result differs in its last bits from one chain over taps. So this is decided before anything else, in eager mode as
well, and by shapes alone: by the shape of one image, so that it is the same in a batch of any size. A gradient of
weights, which sums over the batch, takes as many images at a time as a cache holds.
"""

from __future__ import annotations

from math import prod

from graphc.dtype import float32
from graphc.ir import Graph, Node, rewrite
from graphc.op import Maker, maker
from graphc.passes.nodes import narrow_factors

INPUT = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
WEIGHT = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))
RESULT = ((1, 1, 1, 0), (0, 1, -1, -1))
"""What four pixels, three taps and four products are multiplied by: B^T, G and A^T of Lavin and Gray."""

TAPS, PAIR = len(WEIGHT[0]), len(RESULT)
INPUT_TILE, POINTS = (len(INPUT), len(INPUT)), len(INPUT) ** 2

FEWEST_CHANNELS, FEWEST_SUMMED, FEWEST_TILES, MOST_BEYOND = 16, 32, 16, 1.2
"""Channels on either side, those for a gradient of weights, and tiles of an image, from which on what is saved is more
than what the maps take; and of how many times the pixels that there are, tiles may be, which the last ones of an odd
number reach beyond."""

LARGE, FEWEST_SAVED = 8 << 20, 16
"""Bytes of an image's tiles from which on they go to memory and back; and the product of both channels over their sum,
multiplications saved for each element of a tile, from which on that pays."""

PART, MOST_PARTS, LARGEST_PART = 4 << 20, 32, 20 << 20
"""Bytes of the tiles from which a part of a gradient of weights is made, so that they stay in a last-level cache; how
many parts there are at most, and how large they may be then."""


def winograd(graph: Graph) -> Graph:
    return rewrite(graph, _in_tiles)


def _in_tiles(node: Node) -> Node:
    """What takes the place of a convolution, or of the gradient of its weights, that takes less time in tiles."""
    if narrow_factors(node):
        return node  # whose sum takes half the time as it is
    if node.op == "conv" and fits_tiles(node, node.operands[1].shape, node.shape, FEWEST_CHANNELS):
        features, channels = node.operands[1].shape[:2]
        saves = features * channels >= FEWEST_SAVED * (features + channels)
        return _convolution(node, maker(node)) if saves or _bytes(node, features + channels) < LARGE else node
    if node.op == "conv_grad_weight" and fits_tiles(node, node.shape, node.operands[1].shape):
        return _gradient_of_weights(node, maker(node)) if _images_at_once(node) else node
    return node


def fits_tiles(
    node: Node, weights: tuple[int, ...], image: tuple[int, ...], fewest: int = FEWEST_SUMMED
) -> bool:
    """Whether tiles save time, of weights and a result of these shapes: by default for the gradient of the weights."""
    if node.dtype is not float32 or weights[2:] != (TAPS, TAPS) or node.attrs.get("groups", 1) != 1:
        return False
    if any(n != 1 for n in (*node.attrs["stride"], *node.attrs["dilation"])) or min(weights[:2]) < fewest:
        return False
    tiles = prod(_count(image[2:]))
    return tiles >= FEWEST_TILES and tiles * PAIR**2 <= MOST_BEYOND * prod(image[2:])


def _images_at_once(node: Node) -> int:
    """From how many images' tiles each part of a gradient of weights is made; 0 if they are too large."""
    images, each = node.operands[0].shape[0], _bytes(node.operands[1], sum(node.shape[:2]))
    most = max(PART // each, -(-images // MOST_PARTS), 1)
    alike = -(-images // -(-images // most)) if images else 0
    return alike if alike * each <= LARGEST_PART else 0


def _bytes(image: Node, channels: int) -> int:
    """What the tiles of one image take, of so many channels and the size of that of these images."""
    return POINTS * prod(_count(image.shape[2:])) * channels * image.dtype.itemsize


def _count(size: tuple[int, ...]) -> tuple[int, ...]:
    """The tiles along each dimension of a result."""
    return tuple(-(-n // PAIR) for n in size)


def _convolution(node: Node, made: Maker) -> Node:
    (x, w), count = node.operands, _count(node.attrs["size"])
    images, channels, features = x.shape[0], x.shape[1], w.shape[0]
    tiles = made("to_tiles", x, matrix=INPUT, step=PAIR, low=node.attrs["low"], count=count)
    tiles = made("reshape", tiles, shape=(images, POINTS, channels, prod(count)))
    turned, w = _as_stored(w, made)
    weights = made("reshape", w, shape=(1, features * channels, *w.shape[2:]))
    weights = made("to_tiles", weights, matrix=WEIGHT, step=1, low=(0, 0), count=(1, 1))
    weights = made("reshape", weights, shape=(POINTS, *w.shape[:2]))
    weights = made("transpose", weights, perm=(0, 2, 1)) if turned else weights
    weights = made("broadcast_to", weights, shape=(images, POINTS, features, channels))
    products = made("matmul", weights, tiles, transpose_a=False, transpose_b=False)
    products = made("reshape", products, shape=(images, *INPUT_TILE, features, *count))
    found = made("from_tiles", products, matrix=RESULT)
    if found.shape == node.shape:
        return found
    return made("slice", found, begin=(0,) * len(node.shape), shape=node.shape, step=(1,) * len(node.shape))


def _as_stored(w: Node, made: Maker) -> tuple[bool, Node]:
    """Whether weights are a view that exchanges channels and features, its taps perhaps flipped; and what it is one of.

    So they are in the gradient of an input. Their maps read vectors of what lies side by side.
    """
    if w.op == "flip" and min(w.attrs["axes"], default=0) > 1:
        turned, base = _as_stored(w.operands[0], made)
        return turned, made("flip", base, **w.attrs) if turned else w
    turned = w.op == "transpose" and w.attrs["perm"] == (1, 0, *range(2, len(w.shape)))
    return turned, w.operands[0] if turned else w


def _gradient_of_weights(node: Node, made: Maker) -> Node:
    """The maps of `_convolution` the other way round; between them a gradient of weights for each point."""
    images, at_once = node.operands[0].shape[0], _images_at_once(node)
    total: Node | None = None
    for first in range(0, images, at_once):
        x, ct = (_images(o, first, min(at_once, images - first), made) for o in node.operands)
        sums = _sums(x, ct, node.attrs["low"], made)
        total = sums if total is None else made("add", total, sums)
    assert total is not None
    total = made("reshape", total, shape=(1, *INPUT_TILE, prod(node.shape[:2]), 1, 1))
    return made("reshape", made("from_tiles", total, matrix=_transposed(WEIGHT)), shape=node.shape)


def _images(x: Node, first: int, count: int, made: Maker) -> Node:
    if count == x.shape[0]:
        return x
    rest = x.shape[1:]
    return made("slice", x, begin=(first, *(0 for _ in rest)), shape=(count, *rest), step=(1,) * len(x.shape))


def _sums(x: Node, ct: Node, low: tuple[int, ...], made: Maker) -> Node:
    """The gradient of the weights as they are multiplied, for each point, over all tiles."""
    count = _count(ct.shape[2:])
    images, tiles = x.shape[0], prod(count)
    pixels = made("to_tiles", x, matrix=INPUT, step=PAIR, low=low, count=count)
    pixels = made("reshape", pixels, shape=(images, POINTS * x.shape[1], tiles))
    cotangents = made("to_tiles", ct, matrix=_transposed(RESULT), step=PAIR, low=(0, 0), count=count)
    cotangents = made("reshape", cotangents, shape=(images, POINTS * ct.shape[1], tiles))
    one, none = (1,), (0,)
    attrs = {"kernel": one, "stride": one, "dilation": one, "low": none, "groups": POINTS}
    return made("conv_grad_weight", pixels, cotangents, **attrs)


def _transposed(matrix: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    return tuple(zip(*matrix, strict=True))
