"""Partial results of reductions, and how they become one.

Sums and products of floats have an order that nothing may change: sixteen partial results, one for each k mod 16,
folded by halves. Here are the folds, of partial results that are vectors of their own (`fold`) and of those that are
the lanes of one (`fold_lanes`, `fold_rows`). The loops that the partial results come from are in `reductions.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.dtype import DType
from graphc.loops import Value
from graphc.runtime.functions import function
from graphc.runtime.llvmtext import Builder, Val, const
from graphc.schedule import LANES

_FUNCTION = {"sum": "add", "prod": "mul", "any": "or", "all": "and"}


def is_ordered(value: Value) -> bool:
    """Whether the order of a reduction is defined: that of sums and products of floats."""
    return value.data[0] in ("sum", "prod") and value.dtype.is_float


def combine(b: Builder, kind: str, dtype: DType, x: Val, y: Val) -> Val:
    """Two partial results as one."""
    return function(b, _FUNCTION.get(kind, kind), dtype, [x, y])


def finished(b: Builder, value: Value, result: Val) -> Val:
    """What came out of a reduction; which zero a maximum is depends on the order, so it is made 0.0."""
    if value.data[0] in ("argmax", "argmin"):
        return result if result.element == "i64" else b.convert("zext", result, "i64")
    if value.data[0] in ("max", "min") and value.dtype.is_float:
        return b.fadd(result, const(0.0, result.type))
    return result


# In vectors of their own, or on the stack


def fold(b: Builder, kind: str, dtype: DType, parts: Sequence[Val]) -> Val:
    """Folds partial results by halves of sixteen; a missing one is neutral."""
    slots: list[Val | None] = [*parts, *([None] * (LANES - len(parts)))]
    while len(slots) > 1:
        half = len(slots) // 2
        slots = [
            x if y is None or x is None else combine(b, kind, dtype, x, y)
            for x, y in zip(slots[:half], slots[half:], strict=True)
        ]
    assert slots[0] is not None
    return slots[0]


class Slots:
    """Partial results on the stack, one for each k mod 16 of a loop of so many steps."""

    def __init__(self, b: Builder, start: Val, steps: int) -> None:
        self._b, self._start, self._used = b, start, min(steps, LANES)
        self._stack = b.alloca(start.element, LANES * start.lanes)
        for slot in range(self._used):
            b.store(start, self._slot(slot))

    def _slot(self, slot: int) -> Val:
        return self._b.gep(self._stack, slot * self._start.lanes, self._start.element)

    def place(self, index: Val) -> Val:
        """The address of the one that a step adds to."""
        b, start = self._b, self._start
        return b.gep(self._stack, b.mul(b.int_op("and", index, LANES - 1), start.lanes), start.element)

    def folded(self, kind: str, dtype: DType) -> Val:
        parts = [self._b.load(self._slot(slot), self._start.type) for slot in range(self._used)]
        return fold(self._b, kind, dtype, parts)


# In the lanes of a vector

Partial = tuple[Val, ...]
"""A running result of each of sixteen lanes: of one reduction, or of `argmax` and its kin what was found, and where."""


def fold_lanes(b: Builder, value: Value, partial: Partial) -> Val:
    """The result of one reduction, whose partial results are folded by halves."""
    width = partial[0].lanes
    while width > 1:
        width //= 2
        lower, upper = zip(*(_halves(b, x, width) for x in partial), strict=True)
        partial = _both(b, value, lower, upper)
    return partial[-1]


def fold_rows(b: Builder, value: Value, partials: Sequence[Partial]) -> Val:
    """Folds sixteen partial results, each as `fold_lanes` does: the result of each in its lane.

    Two vectors become one of half as many lanes of each, by instructions that need no register to say which.
    """
    for apart, lower in _TOGETHER:
        upper = [lane + apart[1] for lane in lower]
        firsts = [i for i in range(len(partials)) if not i & apart[0]]
        pairs = [tuple(zip(partials[i], partials[i + apart[0]], strict=True)) for i in firsts]
        partials = [
            _both(b, value, *(tuple(b.shuffle(x, y, lanes) for x, y in pair) for lanes in (lower, upper)))
            for pair in pairs
        ]
    return partials[0][-1]


_TOGETHER = (
    ((4, 8), [*range(8), *range(16, 24)]),
    ((4, 4), [g + lane for g in (0, 8, 16, 24) for lane in range(4)]),
    ((1, 2), [g + lane for g in range(0, 16, 4) for lane in (0, 1, 16, 17)]),
    ((1, 1), [g + lane for g in range(0, 16, 4) for lane in (0, 2, 16, 18)]),
)
"""For each halving of the lanes: how far apart in the list are the two vectors that meet, and in a vector the lanes;
and the lower ones of these. What is left after the last one lies in the order of the rows."""


def _both(b: Builder, value: Value, x: Partial, y: Partial) -> Partial:
    """Two partial results as one."""
    kind = value.data[0]
    if len(x) == 1:
        return (combine(b, kind, value.dtype, x[0], y[0]),)
    better = _is_better(b, kind, value.args[0].dtype, (y[0], y[1]), (x[0], x[1]))
    return b.select(better, y[0], x[0]), b.select(better, y[1], x[1])


def _halves(b: Builder, x: Val, width: int) -> tuple[Val, Val]:
    """The lower and the upper `width` lanes of a vector of twice as many."""
    if width == 1:
        return b.extract(x, 0), b.extract(x, 1)
    return b.shuffle(x, x, range(width)), b.shuffle(x, x, range(width, 2 * width))


# Of argmax and argmin: the first extreme, NaN before everything, as in NumPy

Found = tuple[Val, Val]
"""A value and its position."""


def better_of(b: Builder, kind: str, dtype: DType, best: Found, item: Found, on: Val | None = None) -> Found:
    """The better of the best so far and a later item: that, if it is beyond the best, or the first NaN.

    Args:
        on: the lanes that have an item.
    """
    if dtype.is_float:
        beyond = b.fcmp("ugt" if kind == "argmax" else "ult", item[0], best[0])
        better = b.int_op("and", beyond, b.fcmp("ord", best[0], best[0]))
    else:
        better = function(b, "gt" if kind == "argmax" else "lt", dtype, [item[0], best[0]])
    better = better if on is None else b.int_op("and", better, on)
    return b.select(better, item[0], best[0]), b.select(better, item[1], best[1])


def _is_better(b: Builder, kind: str, dtype: DType, item: Found, best: Found) -> Val:
    """Whether an item from anywhere is better: beyond the best, or equal and before it."""
    x, y = item[0], best[0]
    ahead = function(b, "gt" if kind == "argmax" else "lt", dtype, [x, y])
    equal = function(b, "eq", dtype, [x, y])
    if dtype.is_float:
        x_nan, y_nan = b.fcmp("uno", x, x), b.fcmp("uno", y, y)
        only = b.int_op("and", x_nan, b.int_op("xor", y_nan, 1))
        ahead = b.int_op("or", ahead, only)
        equal = b.int_op("or", equal, b.int_op("and", x_nan, y_nan))
    earlier = b.icmp("slt", item[1], best[1])
    return b.int_op("or", ahead, b.int_op("and", equal, earlier))
