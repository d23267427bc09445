"""Gaussian elimination with partial pivoting: the hand-made kernels of `inverse` and `lu`.

One unit of work is one matrix. Equal pivots go to the upper row; a NaN is never chosen over a number above it.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.runtime.functions import ELEMENT
from graphc.runtime.llvmtext import Builder, Val, const, i64, vector
from graphc.runtime.work import Work
from graphc.schedule import LANES


class Square:
    """A matrix of n rows in memory, and the steps of an elimination."""

    def __init__(self, b: Builder, base: Val, n: int, element: str) -> None:
        self.b, self.base, self.n, self.element = b, base, n, element

    def address(self, row: Val, column: Val) -> Val:
        return self.b.gep(self.base, self.b.add(self.b.mul(row, self.n), column), self.element)

    def get(self, row: Val, column: Val, lanes: int = 1) -> Val:
        return self.b.load(self.address(row, column), vector(self.element, lanes))

    def put(self, value: Val, row: Val, column: Val) -> None:
        self.b.store(value, self.address(row, column))

    def columns(self, first: Val, body: Callable[[Val, int], None]) -> None:
        """`body(column, how many)` from `first` to the last column."""
        b = self.b
        vectors = b.int_op("sdiv", b.sub(i64(self.n), first), LANES)
        rest = b.add(first, b.mul(vectors, LANES))
        with b.loop(first, rest, LANES) as column:
            body(column, LANES)
        with b.loop(rest, self.n) as column:
            body(column, 1)

    def pivot_row(self, k: Val) -> Val:
        """The row from k on whose element in column k is the largest in size."""
        b = self.b
        first = b.intrinsic("fabs", self.element, self.get(k, k))
        with b.loop_carrying(b.add(k, 1), self.n, [first, k]) as (row, (largest, found), after):
            size = b.intrinsic("fabs", self.element, self.get(row, k))
            larger = b.fcmp("ogt", size, largest)
            after[:] = [b.select(larger, size, largest), b.select(larger, row, found)]
        return after[1]

    def swap_rows(self, k: Val, other: Val, negated: bool) -> None:
        """Rows k and `other` exchanged, if they are two; `negated` takes the one that moves down with a minus."""
        b = self.b

        def swap(column: Val, lanes: int) -> None:
            upper, lower = self.get(k, column, lanes), self.get(other, column, lanes)
            self.put(lower, k, column)
            self.put(b.fneg(upper) if negated else upper, other, column)

        with b.when(b.icmp("ne", k, other)):
            self.columns(i64(0), swap)

    def subtract(self, row: Val, factor: Val, k: Val, first: Val) -> None:
        """Row `row` less `factor` times row k, from a column on."""
        b = self.b

        def subtract(column: Val, lanes: int) -> None:
            times = b.fneg(factor) if lanes == 1 else b.splat(b.fneg(factor), lanes)
            self.put(b.fma(times, self.get(k, column, lanes), self.get(row, column, lanes)), row, column)

        self.columns(first, subtract)


def _copy(b: Builder, source: Val, target: Square) -> None:
    size = target.n * target.n
    with b.loop(0, size) as i:
        b.store(b.load(b.gep(source, i, target.element), target.element), b.gep(target.base, i, target.element))


def _matrices(work: Work, body: Callable[[Square], None]) -> None:
    """`body` of a copy of every matrix, in its place in the result."""
    b, n, element = work.b, work.type_.shape[-1], ELEMENT[work.type_.dtype.short]
    if not work.type_.size:
        return
    with b.loop(work.begin, work.end) as number:
        offset = b.mul(number, n * n)
        matrix = Square(b, b.gep(work.result, offset, element), n, element)
        _copy(b, b.gep(work.operands[0], offset, element), matrix)
        body(matrix)


def emit_inverse(work: Work) -> None:
    """Gauss and Jordan's method in place: column k, once it is that of the identity, holds one of the inverse."""
    b, n = work.b, work.type_.shape[-1]
    pivots = b.alloca("i64", max(n, 1))

    def invert(m: Square) -> None:
        one, zero = const(1.0, m.element), const(0.0, m.element)
        with b.loop(0, n) as k:
            pivot = m.pivot_row(k)
            b.store(pivot, b.gep(pivots, k, "i64"))
            m.swap_rows(k, pivot, negated=False)
            divisor = m.get(k, k)
            m.put(one, k, k)

            def divide(column: Val, lanes: int) -> None:
                by = divisor if lanes == 1 else b.splat(divisor, lanes)
                m.put(b.fdiv(m.get(k, column, lanes), by), k, column)

            m.columns(i64(0), divide)
            with b.loop(0, n) as row, b.when(b.icmp("ne", row, k)):
                factor = m.get(row, k)
                m.put(zero, row, k)
                m.subtract(row, factor, k, i64(0))
        with b.loop(0, n) as step:  # the columns in the order of the rows before they were exchanged, last one first
            k = b.sub(i64(n - 1), step)
            pivot = b.load(b.gep(pivots, k, "i64"), "i64")
            with b.when(b.icmp("ne", k, pivot)), b.loop(0, n) as row:
                left, right = m.get(row, k), m.get(row, pivot)
                m.put(right, row, k)
                m.put(left, row, pivot)

    _matrices(work, invert)


def emit_lu(work: Work) -> None:
    """Elimination downwards; the factors stay where they made zeros. No factor where the whole column is 0."""
    b, n = work.b, work.type_.shape[-1]

    def eliminate(m: Square) -> None:
        zero = const(0.0, m.element)
        with b.loop(0, n) as k:
            m.swap_rows(k, m.pivot_row(k), negated=True)
            divisor = m.get(k, k)
            empty = b.fcmp("oeq", divisor, zero)
            below = b.add(k, 1)
            with b.loop(below, n) as row:
                factor = b.select(empty, zero, b.fdiv(m.get(row, k), divisor))
                m.put(factor, row, k)
                m.subtract(row, factor, k, below)

    _matrices(work, eliminate)
