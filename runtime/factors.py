"""Factorizations of matrices: the hand-made kernels of `cholesky`, `triangular_solve`, `qr`, `complete`, `svd`, `eigh`.

One unit of work is one matrix. Every sum runs in an order that its extent fixes: lanes side by side, whole vectors one
after the other, then the halves of the vector onto each other. All is done in the memory of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import TensorType
from graphc.runtime.functions import ELEMENT
from graphc.runtime.llvmtext import Builder, Operand, Val, const, const_vector, i64, mask, vector
from graphc.runtime.work import Work
from graphc.schedule import LANES

SWEEPS = 40
"""Rotations of all pairs of rows at most; 6 to 10 are enough for finite matrices."""


class Rows:
    """Rows of floats in memory, `stride` elements apart."""

    def __init__(self, b: Builder, base: Val, stride: int, element: str) -> None:
        self.b, self.base, self.stride, self.element = b, base, stride, element

    def address(self, row: Operand, column: Operand) -> Val:
        row = i64(row) if isinstance(row, int) else row
        return self.b.gep(self.base, self.b.add(self.b.mul(row, self.stride), column), self.element)

    def get(self, row: Operand, column: Operand, count: int = 1) -> Val:
        """`count` neighbours, as a vector of the next power of two of lanes with zeros in the others."""
        lanes = _lanes(count)
        if lanes == count:
            return self.b.load(self.address(row, column), vector(self.element, lanes))
        return self.b.masked_load(self.address(row, column), vector(self.element, lanes), mask(count, lanes))

    def put(self, value: Val, row: Operand, column: Operand, count: int = 1) -> None:
        if value.lanes == count:
            self.b.store(value, self.address(row, column))
        else:
            self.b.masked_store(value, self.address(row, column), mask(count, value.lanes))


def _lanes(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _spans(b: Builder, length: int, body: Callable[[Val, int], None], first: Val | None = None) -> None:
    """`body(column, how many)` up to `length`, as whole vectors and one for what is left.

    From column 0, or from somewhat before `first`: from the start of the vector that it lies in.
    """
    whole = length // LANES * LANES
    if whole:
        start = i64(0) if first is None else b.int_op("and", first, -LANES)
        with b.loop(start, whole, LANES) as column:
            body(column, LANES)
    if length > whole:
        body(i64(whole), length - whole)


def _total(b: Builder, x: Val) -> Val:
    """The sum of the lanes: the upper half onto the lower one, until one is left."""
    while x.lanes > 2:
        half = x.lanes // 2
        x = b.fadd(*(b.shuffle(x, x, range(at, at + half)) for at in (0, half)))
    return b.fadd(b.extract(x, 0), b.extract(x, 1)) if x.lanes == 2 else x


def _sums(
    b: Builder, element: str, length: int, count: int, factors: Callable[[Val, int], Sequence[tuple[Val, Val]]]
) -> list[Val]:
    """`count` sums of products over columns, of what `factors(column, how many)` gives."""
    whole = length // LANES * LANES
    totals: list[Val] = []
    if whole:
        zeros = [const(0.0, vector(element, LANES))] * count
        with b.loop_carrying(0, whole, zeros, LANES) as (column, carried, after):
            after[:] = [b.fma(x, y, z) for (x, y), z in zip(factors(column, LANES), carried, strict=True)]
        totals = [_total(b, x) for x in after]
    if length > whole:
        rest = [_total(b, b.fmul(x, y)) for x, y in factors(i64(whole), length - whole)]
        totals = [b.fadd(x, y) for x, y in zip(totals, rest, strict=True)] if totals else rest
    return totals


def _dot(m: Rows, row: Val, other: Val, at: int, length: int) -> Val:
    """The product of two rows, from column `at` on."""
    b = m.b

    def factors(column: Val, count: int) -> list[tuple[Val, Val]]:
        return [(m.get(row, b.add(column, at), count), m.get(other, b.add(column, at), count))]

    return _sums(b, m.element, length, 1, factors)[0]


def _scale(x: Rows, rows: int, columns: int) -> Val:
    """The power of two below the largest element: what is divided by it has squares that neither overflow nor vanish.

    Infinity where an element is infinite: then results are NaN.
    """
    b = x.b
    bits, exponent = ("i32", 0x7F800000) if x.element == "float" else ("i64", 0x7FF0000000000000)
    with b.loop_carrying(0, rows, [const(0.0, x.element)]) as (row, (largest,), after):
        with b.loop_carrying(0, columns, [largest]) as (column, (found,), inner):
            size = b.intrinsic("fabs", x.element, x.get(row, column))
            inner[:] = [b.select(b.fcmp("ogt", size, found), size, found)]
        after[:] = inner
    power = b.bitcast(b.int_op("and", b.bitcast(after[0], bits), exponent), x.element)
    least = const(float(np.finfo(_NUMPY[x.element]).tiny), x.element)
    return b.select(b.fcmp("olt", power, least), least, power)


_NUMPY: dict[str, type[np.floating[Any]]] = {"float": np.float32, "double": np.float64}


def _element(type_: TensorType) -> str:
    return ELEMENT[type_.dtype.short]


def _each(work: Work, body: Callable[[Val, Rows, Val], None]) -> None:
    """`body(number, matrix, address of its result)` for every matrix of the first operand."""
    b, from_, to = work.b, work.types[0], work.type_
    if not to.size:
        return
    rows, columns = from_.shape[-2:]
    size = math.prod(to.shape[len(from_.shape) - 2 :])
    with b.loop(work.begin, work.end) as number:
        address = b.gep(work.operands[0], b.mul(number, rows * columns), _element(from_))
        body(number, Rows(b, address, columns, _element(from_)), b.gep(work.result, b.mul(number, size), _element(to)))


# Triangles


def emit_cholesky(work: Work) -> None:
    """The transposed factor, row by row, each taken off those below it; then its transpose."""
    b, n, element = work.b, work.type_.shape[-1], _element(work.type_)

    def factor(number: Val, x: Rows, out: Val) -> None:
        u, half, zero = Rows(b, out, n, element), const(0.5, element), const(0.0, element)
        with b.loop(0, n) as i, b.loop(0, n) as j:
            u.put(b.fadd(b.fmul(half, x.get(i, j)), b.fmul(half, x.get(j, i))), i, j)
        with b.loop(0, n) as k:
            pivot = u.get(k, k)
            work.fail(b.fcmp("ule", pivot, zero), number, k)
            root = b.intrinsic("sqrt", element, pivot)

            def divide(column: Val, count: int) -> None:
                u.put(b.fdiv(u.get(k, column, count), b.splat(root, _lanes(count))), k, column, count)

            _spans(b, n, divide, k)
            u.put(root, k, k)
            with b.loop(b.add(k, 1), n) as i:
                times = b.fneg(u.get(k, i))

                def subtract(column: Val, count: int) -> None:
                    more = b.splat(times, _lanes(count))
                    u.put(b.fma(more, u.get(k, column, count), u.get(i, column, count)), i, column, count)

                _spans(b, n, subtract, i)
        with b.loop(0, n) as i, b.loop(b.add(i, 1), n) as j:
            u.put(u.get(i, j), j, i)
            u.put(zero, i, j)

    _each(work, factor)


def emit_triangular_solve(work: Work) -> None:
    """Rows of the result one after the other, of each what the rows before it leave of the right-hand side."""
    b, (n, columns) = work.b, work.type_.shape[-2:]
    element, transposed = _element(work.type_), work.attrs["transpose"]
    upwards = work.attrs["upper"] != transposed

    def solve(number: Val, a: Rows, out: Val) -> None:
        given = Rows(b, b.gep(work.operands[1], b.mul(number, n * columns), element), columns, element)
        x = Rows(b, out, columns, element)

        def place(step: Val) -> Val:
            return b.sub(i64(n - 1), step) if upwards else step

        def solve_columns(column: Val, count: int) -> None:
            with b.loop(0, n) as step:
                i = place(step)
                with b.loop_carrying(0, step, [given.get(i, column, count)]) as (before, (rest,), after):
                    j = place(before)
                    times = b.fneg(a.get(j, i) if transposed else a.get(i, j))
                    after[:] = [b.fma(b.splat(times, _lanes(count)), x.get(j, column, count), rest)]
                value = after[0]
                if not work.attrs["unit"]:
                    value = b.fdiv(value, b.splat(a.get(i, i), _lanes(count)))
                x.put(value, i, column, count)

        _spans(b, columns, solve_columns)

    _each(work, solve)


# Householder's reflections


def _reflect(m: Rows, k: Val, tau: Val, rows: int, columns: int) -> None:
    """The columns after k of the rows from k on, reflected by `1 - tau v v^T`: v is 1, then column k below row k."""
    b = m.b
    below = b.add(k, 1)

    def reflect(column: Val, count: int) -> None:
        lanes = _lanes(count)
        with b.loop_carrying(below, rows, [m.get(k, column, count)]) as (i, (total,), after):
            after[:] = [b.fma(b.splat(m.get(i, k), lanes), m.get(i, column, count), total)]
        part = b.fmul(b.splat(tau, lanes), after[0])
        places = b.add(b.splat(column, lanes), const_vector(range(lanes), "i64") if lanes > 1 else i64(0))
        part = b.select(b.icmp("sgt", places, b.splat(k, lanes)), part, const(0.0, part.type))
        m.put(b.fsub(m.get(k, column, count), part), k, column, count)
        with b.loop(below, rows) as i:
            times = b.splat(b.fneg(m.get(i, k)), lanes)
            m.put(b.fma(times, part, m.get(i, column, count)), i, column, count)

    _spans(b, columns, reflect, below)


def _factor(m: Rows, rows: int, columns: int, taus: Val) -> None:
    """R on and above the diagonal, and below it the vectors of the reflections that made it: LAPACK's geqr2."""
    b = m.b
    one, zero = const(1.0, m.element), const(0.0, m.element)
    with b.loop(0, min(rows, columns)) as k:
        below = b.add(k, 1)
        with b.loop_carrying(below, rows, [zero]) as (i, (total,), after):
            after[:] = [b.fma(m.get(i, k), m.get(i, k), total)]
        squares, alpha = after[0], m.get(k, k)
        done = b.fcmp("oeq", squares, zero)
        norm = b.intrinsic("sqrt", m.element, b.fma(alpha, alpha, squares))
        beta = b.select(done, alpha, b.fneg(b.intrinsic("copysign", m.element, norm, alpha)))
        divisor = b.select(done, one, b.fsub(alpha, beta))
        tau = b.select(done, zero, b.fdiv(b.fsub(beta, alpha), beta))
        with b.loop(below, rows) as i:
            m.put(b.fdiv(m.get(i, k), divisor), i, k)
        m.put(beta, k, k)
        b.store(tau, b.gep(taus, k, m.element))
        _reflect(m, k, tau, rows, columns)


def _orthogonal(m: Rows, rows: int, columns: int, count: int, taus: Val) -> None:
    """In place of the vectors of `count` reflections the first columns of their product: LAPACK's org2r."""
    b = m.b
    one, zero = const(1.0, m.element), const(0.0, m.element)
    with b.loop(0, count) as step:
        k = b.sub(i64(count - 1), step)
        tau = b.load(b.gep(taus, k, m.element), m.element)
        with b.loop(0, k) as i:
            m.put(zero, i, k)
        _reflect(m, k, tau, rows, columns)
        with b.loop(b.add(k, 1), rows) as i:
            m.put(b.fneg(b.fmul(tau, m.get(i, k))), i, k)
        m.put(b.fsub(one, tau), k, k)


def emit_qr(work: Work) -> None:
    """Q and then R; the reflections are found where there is room for the whole matrix."""
    b, (rows, columns) = work.b, work.types[0].shape[-2:]
    count, element = min(rows, columns), _element(work.type_)
    taus = b.alloca(element, max(count, 1))

    def factor(number: Val, x: Rows, out: Val) -> None:
        q = Rows(b, out, count, element)
        r = Rows(b, b.gep(out, rows * count, element), columns, element)
        work = q if rows >= columns else r
        scale = _scale(x, rows, columns)
        with b.loop(0, rows) as i:

            def divide(column: Val, number: int) -> None:
                by = b.splat(scale, _lanes(number))
                work.put(b.fdiv(x.get(i, column, number), by), i, column, number)

            _spans(b, columns, divide)
        _factor(work, rows, columns, taus)
        with b.loop(0, count) as i:
            if work is r:
                with b.loop(0, i) as j:
                    q.put(r.get(i, j), i, j)
            with b.loop(0, columns) as j:
                above = b.fmul(work.get(i, j), scale)
                r.put(b.select(b.icmp("sge", j, i), above, const(0.0, element)), i, j)
        _orthogonal(q, rows, count, count, taus)

    _each(work, factor)


def emit_complete(work: Work) -> None:
    """The reflections that make the columns those of the identity make of the others the rest of a basis."""
    b, (rows, columns) = work.b, work.types[0].shape[-2:]
    element = _element(work.type_)
    taus = b.alloca(element, max(columns, 1))

    def fill(number: Val, x: Rows, out: Val) -> None:
        q = Rows(b, out, rows, element)
        if columns < rows:
            with b.loop(0, rows) as i, b.loop(columns, rows) as j:
                q.put(b.select(b.icmp("eq", i, j), const(1.0, element), const(0.0, element)), i, j)

        def copy() -> None:
            with b.loop(0, rows) as i:
                _spans(b, columns, lambda column, count: q.put(x.get(i, column, count), i, column, count))

        if columns:
            copy()
            if columns < rows:
                _factor(q, rows, columns, taus)
                _orthogonal(q, rows, rows, columns, taus)
                copy()

    _each(work, fill)


# Jacobi's rotations


def _rotate(m: Rows, rows: int, at: int, length: int, width: int) -> None:
    """Pairs of rows turned in their plane until the parts of all from `at` on are orthogonal (Hestenes 1958).

    Pairs follow each other as the rounds of a tournament, so that a machine computes several at a time: in round r row
    r + k meets row r - k, counted round; of an even number of rows the last one stands apart and meets row r.
    """
    b = m.b
    if rows < 2:
        return
    circle = rows - 1 + rows % 2
    element, eps = m.element, float(np.finfo(_NUMPY[m.element]).eps)
    one = const(1.0, element)
    turned = b.alloca("i64", 1)
    b.store(i64(1), turned)
    with b.loop(0, SWEEPS), b.when(b.icmp("ne", b.load(turned, "i64"), 0)):
        b.store(i64(0), turned)
        with b.loop(0, circle) as rounds, b.loop(rows % 2, (rows + 1) // 2) as k:
            i = b.int_op("srem", b.add(rounds, k), circle)
            j = b.int_op("srem", b.add(b.sub(rounds, k), circle), circle)
            if rows % 2 == 0:
                j = b.select(b.icmp("eq", k, 0), i64(circle), j)

            def squares(column: Val, count: int) -> list[tuple[Val, Val]]:
                x, y = (m.get(row, b.add(column, at), count) for row in (i, j))
                return [(x, x), (y, y), (x, y)]

            first, second, mixed = _sums(b, element, length, 3, squares)
            lengths = b.fmul(b.intrinsic("sqrt", element, first), b.intrinsic("sqrt", element, second))
            limit = b.fmul(const(eps * max(2.0, math.sqrt(length) / 4), element), lengths)
            with b.when(b.fcmp("ogt", b.intrinsic("fabs", element, mixed), limit)):
                b.store(i64(1), turned)
                ratio = b.fdiv(b.fsub(second, first), b.fadd(mixed, mixed))
                size = b.intrinsic("fabs", element, ratio)
                root = b.intrinsic("sqrt", element, b.fma(ratio, ratio, one))
                root = b.select(b.fcmp("ogt", size, const(1 / eps, element)), size, root)  # whose square may overflow
                tangent = b.fdiv(b.intrinsic("copysign", element, one, ratio), b.fadd(size, root))
                cosine = b.fdiv(one, b.intrinsic("sqrt", element, b.fma(tangent, tangent, one)))
                sine = b.fmul(cosine, tangent)
                half = b.fdiv(sine, b.fadd(one, cosine))  # the tangent of half the angle: small turns err little

                def turn(column: Val, count: int) -> None:
                    s, h = b.splat(sine, _lanes(count)), b.splat(half, _lanes(count))
                    x, y = m.get(i, column, count), m.get(j, column, count)
                    m.put(b.fma(b.fneg(s), b.fma(h, x, y), x), i, column, count)
                    m.put(b.fma(s, b.fma(b.fneg(h), y, x), y), j, column, count)

                _spans(b, width, turn)


def _order(m: Rows, rows: int, width: int, key: int, before: str) -> None:
    """The rows in the order of their elements in column `key`."""
    b = m.b
    if rows < 2:
        return
    with b.loop(0, rows - 1) as i:
        with b.loop_carrying(b.add(i, 1), rows, [m.get(i, key), i]) as (j, (best, found), after):
            value = m.get(j, key)
            better = b.fcmp(before, value, best)
            after[:] = [b.select(better, value, best), b.select(better, j, found)]
        other = after[1]
        with b.when(b.icmp("ne", other, i)):

            def swap(column: Val, count: int) -> None:
                upper, lower = m.get(i, column, count), m.get(other, column, count)
                m.put(lower, i, column, count)
                m.put(upper, other, column, count)

            _spans(b, width, swap)


def _divide_row(m: Rows, row: Val, at: int, length: int, by: Val) -> None:
    b = m.b
    def divide(column: Val, count: int) -> None:
        place = b.add(column, at)
        m.put(b.fdiv(m.get(row, place, count), b.splat(by, _lanes(count))), row, place, count)

    _spans(b, length, divide)


def _choose_signs(m: Rows, rows: int, at: int, length: int, width: int, apart: int) -> None:
    """Rows with their sign changed, but for column `apart`, whose largest element from `at` on is below 0."""
    b = m.b
    with b.loop(0, rows) as i:
        first = m.get(i, at)
        with b.loop_carrying(at, at + length, [b.intrinsic("fabs", m.element, first), first]) as (
            column, (largest, found), after,
        ):  # fmt: skip
            value = m.get(i, column)
            size = b.intrinsic("fabs", m.element, value)
            larger = b.fcmp("ogt", size, largest)
            after[:] = [b.select(larger, size, largest), b.select(larger, value, found)]
        with b.when(b.fcmp("olt", after[1], const(0.0, m.element))):
            kept = m.get(i, apart)
            _spans(b, width, lambda column, count: m.put(b.fneg(m.get(i, column, count)), i, column, count))
            m.put(kept, i, apart)


def _fill_row(m: Rows, row: Val, at: int, length: int) -> None:
    """A part of a row as a unit vector orthogonal to those of the rows before it.

    It is what they leave of the unit vector along the axis that they cover least, orthogonalized twice.
    """
    b = m.b
    zero, one = const(0.0, m.element), const(1.0, m.element)
    start = [const(2.0, m.element), i64(0)]
    with b.loop_carrying(0, length, start) as (column, (least, found), after):
        with b.loop_carrying(0, row, [zero]) as (k, (total,), sums):
            x = m.get(k, b.add(column, at))
            sums[:] = [b.fma(x, x, total)]
        less = b.fcmp("olt", sums[0], least)
        after[:] = [b.select(less, sums[0], least), b.select(less, column, found)]
    axis = after[1]
    with b.loop(0, length) as column:
        m.put(b.select(b.icmp("eq", column, axis), one, zero), row, b.add(column, at))
    with b.loop(0, 2), b.loop(0, row) as k:
        times = b.fneg(_dot(m, k, row, at, length))

        def subtract(column: Val, count: int) -> None:
            place = b.add(column, at)
            more = b.splat(times, _lanes(count))
            m.put(b.fma(more, m.get(k, place, count), m.get(row, place, count)), row, place, count)

        _spans(b, length, subtract)
    norm = b.intrinsic("sqrt", m.element, _dot(m, row, row, at, length))
    _divide_row(m, row, at, length, norm)


def emit_svd(work: Work) -> None:
    """A row for each singular value: its left vector, itself, its right vector.

    The shorter of the two begins as a row of the identity, the longer as what the matrix makes of that.
    """
    b, (rows, columns) = work.b, work.types[0].shape[-2:]
    count, width, element = *work.type_.shape[-2:], _element(work.type_)
    tall = rows >= columns
    at, length = (0, rows) if tall else (rows + 1, columns)
    short = rows + 1 if tall else 0

    def decompose(number: Val, x: Rows, out: Val) -> None:
        m, zero, one = Rows(b, out, width, element), const(0.0, element), const(1.0, element)
        scale = _scale(x, rows, columns)
        with b.loop(0, count) as i:
            with b.loop(0, length) as j:
                value = x.get(j, i) if tall else x.get(i, j)
                m.put(b.fdiv(value, scale), i, b.add(j, at))
            with b.loop(0, count) as j:
                m.put(b.select(b.icmp("eq", i, j), one, zero), i, b.add(j, short))
            m.put(zero, i, rows)
        _rotate(m, count, at, length, width)
        with b.loop(0, count) as i:
            norm = b.intrinsic("sqrt", element, _dot(m, i, i, at, length))
            m.put(norm, i, rows)
            with b.when(b.fcmp("une", norm, zero)):
                _divide_row(m, i, at, length, norm)
        _order(m, count, width, rows, "ogt")
        with b.loop(0, count) as i:
            with b.when(b.fcmp("oeq", m.get(i, rows), zero)):
                _fill_row(m, i, at, length)
            m.put(b.fmul(m.get(i, rows), scale), i, rows)
        _choose_signs(m, count, rows + 1, columns, width, rows)

    _each(work, decompose)


def _row_of_product(m: Rows, row: Val, x: Rows, at: int, column: Val, count: int) -> Val:
    """A few elements of row `row` of the product of two square matrices: of `m` from column 1, of `x` from `at` on."""
    b = m.b
    place = b.add(column, at)
    with b.loop_carrying(0, m.stride - 1, [const(0.0, vector(m.element, _lanes(count)))]) as (j, (total,), after):
        after[:] = [b.fma(b.splat(m.get(row, b.add(j, 1)), _lanes(count)), x.get(j, place, count), total)]
    return after[0]


def emit_eigh(work: Work) -> None:
    """A row for each eigenvalue: itself, then its vector.

    With a multiple of the identity added the matrix is positive definite, so that its eigenvectors are the directions
    of its rows once rotations have made these orthogonal; the values are Rayleigh's quotients.
    """
    b, (n, width), element = work.b, work.type_.shape[-2:], _element(work.type_)

    def decompose(number: Val, x: Rows, out: Val) -> None:
        m, zero, one = Rows(b, out, width, element), const(0.0, element), const(1.0, element)
        half = const(0.5, element)
        scale = _scale(x, n, n)
        with b.loop(0, n) as i, b.loop(0, n) as j:
            upper, lower = (b.fmul(half, b.fdiv(v, scale)) for v in (x.get(i, j), x.get(j, i)))
            m.put(b.fadd(upper, lower), i, b.add(j, 1))
        # no eigenvalue is larger than the fourth root of the sum of their fourth powers, which are those of the square
        with b.loop_carrying(0, n, [zero]) as (i, (total,), after):

            def of_square(column: Val, count: int) -> list[tuple[Val, Val]]:
                return [(_row_of_product(m, i, m, 1, column, count),) * 2]

            after[:] = [b.fadd(total, _sums(b, element, n, 1, of_square)[0])]
        bound = b.intrinsic("sqrt", element, b.intrinsic("sqrt", element, after[0]))
        shift = b.fmul(const(1.25, element), b.select(b.fcmp("olt", bound, one), one, bound))
        with b.loop(0, n) as i:
            m.put(zero, i, 0)
            m.put(b.fadd(m.get(i, b.add(i, 1)), shift), i, b.add(i, 1))
        _rotate(m, n, 1, n, width)
        with b.loop(0, n) as i:
            _divide_row(m, i, 1, n, b.intrinsic("sqrt", element, _dot(m, i, i, 1, n)))

            def factors(column: Val, count: int) -> list[tuple[Val, Val]]:
                image = _row_of_product(m, i, x, 0, column, count)
                return [(b.fdiv(image, b.splat(scale, _lanes(count))), m.get(i, b.add(column, 1), count))]

            m.put(b.fmul(_sums(b, element, n, 1, factors)[0], scale), i, 0)
        _order(m, n, width, 0, "olt")
        _choose_signs(m, n, 1, n, width, 0)

    _each(work, decompose)
