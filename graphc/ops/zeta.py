"""The zeta function of Hurwitz, with derivatives of any order: the sum of (q + k)^-x over k = 0, 1, 2, ...

The first terms are added, and Euler's and Maclaurin's formula gives the rest (DLMF 25.11.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal, Overflow, localcontext
from fractions import Fraction
from typing import Any

import numpy as np

from graphc.dtype import float64
from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.coerce import agree, to_float
from graphc.ops.gamma_functions import BERNOULLI
from graphc.tensor import Tensor

__all__ = ["zeta"]

TERMS = 12
"""How many terms a kernel adds; as many of Bernoulli's numbers make the rest exact to float64's last digits."""

_TAIL = [b / math.factorial(2 * j) for j, b in enumerate(BERNOULLI[:12], 1)]


def _rest(x: Any, far: Any, order: int, number: Callable[[Any], Any], log: Any) -> Any:
    """What all terms from `far` on come to, over `far^-x`: its derivative of that order by x.

    Args:
        number: makes a number of the kind that `x` and `far` are, of a Fraction or an int.
        log: the logarithm of `far`.
    """
    one = number(1)

    def times(p: Sequence[Any], q: Sequence[Any]) -> list[Any]:  # of polynomials in what x moves by, up to the order
        found = []
        for n in range(order + 1):
            terms = [p[k] * q[n - k] for k in range(max(0, n + 1 - len(q)), min(n + 1, len(p)))]
            found.append(sum(terms[1:], terms[0]) if terms else number(0))
        return found

    inverse = one / (x - one)
    pole = [inverse]
    for _ in range(order):
        pole.append(-pole[-1] * inverse)
    total = [far * p for p in pole]
    total[0] = total[0] + number(Fraction(1, 2))
    rising, square = times([x, one], [one / far]), one / (far * far)
    for j, c in enumerate(_TAIL):
        total = [t + r * number(c) for t, r in zip(total, rising, strict=True)]
        pair = times([x + number(2 * j + 1), one], [x + number(2 * j + 2), one])
        rising = times(rising, [p * square for p in pair])
    falling = [one]  # of far^-x
    for n in range(1, order + 1):
        falling.append(falling[-1] * -log * number(Fraction(1, n)))
    return times(total, falling)[order] * number(math.factorial(order))


# The meaning


def _number(x: float, q: float, order: int) -> float:
    if math.isnan(x) or math.isnan(q) or x < 1 or (q <= 0 and q != np.floor(q)):
        return math.nan
    if x == 1 and q > 0:
        return -math.inf if order % 2 else math.inf
    if q <= 0 or (x == math.inf and q < 1):
        return math.inf
    if x == math.inf or q == math.inf:
        return 1.0 if q == 1 and not order else 0.0
    with localcontext() as context:
        context.prec = 60
        context.traps[Overflow] = False
        s, start = Decimal(x), Decimal(q)

        def number(value: Fraction | int) -> Decimal:
            exact = Fraction(value)
            return Decimal(exact.numerator) / exact.denominator

        total = Decimal(0)
        for k in range(40):
            log = (start + k).ln()
            total += (-s * log).exp() * ((-log) ** order if order else 1)
        log = (start + 40).ln()
        return float(total + (-s * log).exp() * _rest(s, start + 40, order, number, log))


# The table


def _zeta_type(x: TensorType, q: TensorType, *, order: int = 0) -> TensorType:
    if not x.dtype.is_float:
        raise TypeError(f"zeta: expected floats, got {x} and {q}")
    if x != q:
        raise ValueError(f"zeta: expected operands of one type, got {x} and {q}")
    return x


@define_op(infer=_zeta_type, coerce=agree("zeta", to_float), exact=False, traits="elementwise", name="zeta")
def zeta_(x: np.ndarray, q: np.ndarray, *, order: int = 0) -> np.ndarray:
    """The sum of `(q + k)^-x` over k from 0 on, or its derivative of an order by x.

    It is infinite for x = 1 and for q = 0, -1, -2, ...; NaN for x < 1, and for other q < 0.
    """
    each = np.vectorize(lambda s, start: _number(float(s), float(start), order), otypes=[np.float64])
    return np.asarray(each(x, q) if x.size else x)


@zeta_.def_vjp
def zeta_vjp(ct: Tensor, y: Tensor, x: Tensor, q: Tensor, *, order: int = 0) -> Any:
    def by_q() -> Tensor:
        slope = -x * zeta_(x + 1.0, q, order=order)
        return ct * (slope - zeta_(x + 1.0, q, order=order - 1) * float(order) if order else slope)

    return lambda: ct * zeta_(x, q, order=order + 1), by_q


@zeta_.def_lower
def zeta_lower(b: Any, index: Any, x: Any, q: Any, *, order: int = 0) -> Any:
    s, start = b.cast(x(index), float64), b.cast(q(index), float64)

    def number(value: Any) -> Any:
        return b.const(float(value), float64)

    zero, one, endless = number(0), number(1), number(math.inf)

    def term(k: int) -> Any:
        base = start + number(k)
        power = b.fn("pow", base, -s)
        log = b.fn("log", base) if order else one
        for _ in range(order):
            power = power * -log
        return b.select(b.fn("eq", power, power), power, zero)  # 0 times an infinite logarithm

    far = start + number(TERMS)
    scale = b.fn("pow", far, s * number(-0.5))  # whose square may be too small where `far` times it is not
    rest = _rest(s, far, order, number, b.fn("log", far) if order else one) * scale * scale
    total = b.select(b.fn("eq", scale, zero), zero, rest)
    for k in reversed(range(TERMS)):  # the smallest first
        total = total + term(k)

    def where(condition: Any, value: Any) -> None:
        nonlocal total
        total = b.select(condition, value, total)

    below = b.fn("le", start, zero)
    many = b.fn("or", b.fn("eq", s, endless), b.fn("eq", start, endless))
    where(many, b.select(b.fn("eq", start, one), zero if order else one, zero))
    where(b.fn("and", b.fn("eq", s, endless), b.fn("lt", start, one)), endless)
    where(b.fn("eq", s, one), -endless if order % 2 else endless)
    where(below, endless)
    outside = b.fn("or", b.fn("lt", s, one), b.fn("and", below, b.fn("ne", start, b.fn("floor", start))))
    unknown = b.fn("or", b.fn("isnan", s), b.fn("isnan", start))
    where(b.fn("or", outside, unknown), number(math.nan))
    return b.cast(total, x.dtype)


# Functions


def zeta(input: Any, other: Any) -> Tensor:
    """The zeta function of Hurwitz: the sum of `(other + k)^-input` over k = 0, 1, 2, ...; of integers in float32.

    Args:
        input: the exponent: NaN where it is below 1, infinite at 1.
        other: where the sum begins; it broadcasts with `input`. At 0, -1, -2, ... the result is infinite, at other
            numbers below 0 NaN.
    """
    return zeta_(input, other)
