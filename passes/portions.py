"""Portions: a sum of very many terms is the sum of the sums of its portions.

    before   %0 = sum(%x, run=(0, 1))                                                                  %x: f32[1000000]
    after    %0 = reshape(%x, shape=(250, 4000))   %1 = sum(%0, run=(1, 2))   %2 = sum(%1, run=(0, 1))

A chain of additions loses more of each term the further it gets: its error grows with its length, that of portions with
the longest one (Higham, "The accuracy of floating point summation", 1993). Of ten million numbers that are all 0.1
chains of 625,000 make a sum that is 0.6 % off. A product of matrices is a stack of products, of some of what is summed
each, and their sum. Portions are also units of work, which threads share.

The result differs in its last bits. So, as for convolutions in tiles, this is decided before anything else, in eager
mode as well, and by shapes alone.
"""

from __future__ import annotations

from math import prod

from graphc.dtype import float32, float64
from graphc.ir import Graph, Node, rewrite
from graphc.op import MOST_TERMS, Maker, maker
from graphc.schedule import LANES

TERMS = 1 << 12
"""Terms of a portion. Of a product, whose multiply-adds reach the machine's rate, what they come to is written and
read in one part in fifty of the time."""

MORE = 4
"""How many times as many terms a product may have that does not sum over the rows of both matrices, as a gradient of
weights does: a batch of features that meets weights may lie in the lanes, a stack of its portions does not."""

FEWER = 16
"""How many times as short as it may be a portion may be where that leaves none over."""


def portions(graph: Graph) -> Graph:
    return rewrite(graph, _in_portions)


def _in_portions(node: Node) -> Node:
    if node.dtype not in (float32, float64):
        return node
    if node.op == "sum" and prod(node.operands[0].shape[slice(*node.attrs["run"])]) > MOST_TERMS:
        return _sum(node.operands[0], node.attrs["run"], maker(node))
    if node.op == "matmul" and node.operands[0].shape[_summed(node)[0]] > _most_terms(node):
        return _product(node, maker(node))
    return node


def _sum(x: Node, run: tuple[int, int], made: Maker) -> Node:
    """The sum over the axes of a run, which are one in row-major order."""
    lo, hi = run
    count = prod(x.shape[lo:hi])
    if count <= MOST_TERMS:
        return made("sum", x, run=run)
    flat = made("reshape", x, shape=(*x.shape[:lo], count, *x.shape[hi:])) if hi - lo > 1 else x
    whole, rest = _cut(flat, lo, made)
    total = _sum(made("sum", whole, run=(lo + 1, lo + 2)), (lo, lo + 1), made)
    return made("add", total, made("sum", rest, run=(lo, lo + 1))) if rest else total


def _summed(product: Node) -> tuple[int, int]:
    """The axis of each factor along which a product of matrices sums."""
    rows, columns = len(product.shape) - 2, len(product.shape) - 1
    return (
        rows if product.attrs["transpose_a"] else columns, columns if product.attrs["transpose_b"] else rows,
    )  # fmt: skip


def _most_terms(product: Node) -> int:
    over_rows = product.attrs["transpose_a"] and not product.attrs["transpose_b"]
    return MOST_TERMS if over_rows else MORE * MOST_TERMS


def _product(node: Node, made: Maker) -> Node:
    """A product of matrices as the sum of a stack of them."""
    rows, columns = len(node.shape) - 2, len(node.shape) - 1
    stacks, left = [], []
    for x, axis in zip(node.operands, _summed(node), strict=True):
        whole, rest = _cut(x, axis, made)
        if axis == columns:
            whole = made("transpose", whole, perm=(*range(rows), rows + 1, rows, rows + 2))
        stacks.append(whole)
        left += [rest] if rest else []
    total = _sum(made("matmul", *stacks, **node.attrs), (rows, rows + 1), made)
    return made("add", total, made("matmul", *left, **node.attrs)) if left else total


def _cut(x: Node, axis: int, made: Maker) -> tuple[Node, Node | None]:
    """An axis as portions of one size, and an axis of them before it; and what is left over, if anything is."""
    size = _portion(x.shape[axis])
    count, rest = divmod(x.shape[axis], size)
    whole = _slice(x, axis, 0, count * size, made) if rest else x
    whole = made("reshape", whole, shape=(*x.shape[:axis], count, size, *x.shape[axis + 1 :]))
    return whole, _slice(x, axis, count * size, rest, made) if rest else None


def _portion(count: int) -> int:
    """The terms of each portion: whole vectors of them, and so many that none are left over, if there is such a number.

    As few portions as can be, if there is not; the last, of what is left over, may be shorter.
    """
    fewest = -(-count // TERMS)
    even = [count // n for n in range(fewest, FEWER * fewest + 1) if count % n == 0]
    return next((size for size in even if size % LANES == 0), even[0] if even else TERMS)


def _slice(x: Node, axis: int, first: int, count: int, made: Maker) -> Node:
    begin, shape = [0] * len(x.shape), [*x.shape]
    begin[axis], shape[axis] = first, count
    return made("slice", x, begin=tuple(begin), shape=tuple(shape), step=(1,) * len(shape))
