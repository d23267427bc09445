"""Bessel functions of order 0 and 1: J, Y, I and K, as `bessel_j0`, and I and K scaled, as `bessel_i0e`.

Their NumPy meaning is the power series, summed in decimals of 80 digits, and from 50 on the asymptotic one (NIST
Digital Library of Mathematical Functions, chapter 10). Kernels compute in float64, by Chebyshev expansions
(`bessel_tables`).
J and Y are exact to a few units of their amplitude, not relatively near their roots; Y and K are for positive numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np

from graphc.dtype import float64
from graphc.ir import TensorType
from graphc.op import Op, define_op
from graphc.ops.bessel_tables import TERMS
from graphc.ops.coerce import agree, to_float
from graphc.ops.elementwise import equal, select, sign
from graphc.tensor import Tensor

__all__ = [
    "bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e", "bessel_j0", "bessel_j1", "bessel_k0", "bessel_k0e",
    "bessel_k1", "bessel_k1e", "bessel_y0", "bessel_y1",
]  # fmt: skip

SERIES_UNTIL = 50
"""From here on the asymptotic series are exact to float64's last bit, before they diverge."""

_EULER = Decimal("0.57721566490153286060651209008240243104215933593992359880576723488486772677766467")
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")


# The meaning


def _power_series(kind: str, order: int, x: Decimal) -> Decimal:
    """J, I, Y or K of a positive number (DLMF 10.2.2, 10.25.2, 10.8.1, 10.31.1)."""
    sign = -1 if kind in "jy" else 1
    term = (x / 2) ** order / math.factorial(order)
    total, logarithmic, k = Decimal(0), Decimal(0), 0
    digamma = -2 * _EULER + sum(Decimal(1) / j for j in range(1, order + 1))  # of k + 1 and of k + order + 1
    while total + term != total or logarithmic + term * digamma != logarithmic or not k:
        total, logarithmic = total + term, logarithmic + term * digamma
        k += 1
        term *= sign * x * x / (4 * k * (k + order))
        digamma += Decimal(1) / k + Decimal(1) / (k + order)
    if kind in "ji":
        return total
    if kind == "y":
        return (2 * (x / 2).ln() * total - logarithmic - (2 / x if order else 0)) / _PI
    return (1 if order else -1) * ((x / 2).ln() * total - logarithmic / 2) + (1 / x if order else 0)


def _asymptotic(kind: str, order: int, x: float) -> float:
    """J, Y, and I and K scaled, of a great number (DLMF 10.17.3, 10.40.1 and 10.40.2)."""
    terms, k = [1.0], 0
    while abs(terms[-1]) > 1e-18 and k < 60:
        k += 1
        terms.append(terms[-1] * (4 * order * order - (2 * k - 1) ** 2) / (8 * k * x))
    if kind in "ik":
        total = math.fsum(t * (-1) ** j for j, t in enumerate(terms)) if kind == "i" else math.fsum(terms)
        return total / math.sqrt(2 * math.pi * x) if kind == "i" else total * math.sqrt(math.pi / 2 / x)
    even = math.fsum(t * (-1) ** (j // 2) for j, t in enumerate(terms) if not j % 2)
    odd = math.fsum(t * (-1) ** (j // 2) for j, t in enumerate(terms) if j % 2)
    sine, cosine = math.sin(x), math.cos(x)
    along, across = (cosine + sine, sine - cosine) if not order else (sine - cosine, -(sine + cosine))
    found = along * even - across * odd if kind == "j" else across * even + along * odd
    return found / math.sqrt(math.pi * x)


def _of_number(kind: str, order: int, scaled: bool, number: float) -> float:
    if math.isnan(number):
        return number
    odd = -1.0 if order and math.copysign(1.0, number) < 0 else 1.0
    if kind in "yk" and number <= 0:
        pole = -math.inf if kind == "y" else math.inf
        return pole if number == 0 else math.nan
    x = abs(number)
    if x == 0:
        return odd * 0.0 if order else 1.0
    if math.isinf(x):
        return odd * (math.inf if kind == "i" and not scaled else 0.0)
    if x >= SERIES_UNTIL:
        found = _asymptotic(kind, order, x)
        if kind in "ik" and not scaled:
            with np.errstate(all="ignore"):
                found *= float(np.exp(x if kind == "i" else -x))
        return odd * found
    with localcontext() as context:
        context.prec = 80
        value = _power_series(kind, order, Decimal(x))
        if scaled:
            value *= (Decimal(x) if kind == "k" else -Decimal(x)).exp()
        return odd * float(value)


# Kernels


class _Builder:
    """Expressions of one element in float64."""

    def __init__(self, b: Any) -> None:
        self.b = b

    def number(self, value: float) -> Any:
        return self.b.const(value, float64)

    def series(self, name: str, t: Any) -> Any:
        """The Chebyshev expansion at `t` in [-1, 1] (Clenshaw 1955)."""
        first, *others = TERMS[name]
        twice, one, two = t + t, self.number(0.0), self.number(0.0)
        for c in reversed(others):
            one, two = twice * one - two + self.number(c), one
        return t * one - two + self.number(first)

    def least(self, x: Any, y: float) -> Any:
        return self.b.fn("min", x, self.number(y))

    def most(self, x: Any, y: float) -> Any:
        return self.b.fn("max", x, self.number(y))

    def of_square(self, name: str, x: Any, top: float) -> Any:
        """An expansion in x^2, which is at most top^2."""
        part = self.least(x, top)
        return self.series(name, part * part * self.number(2 / top**2) - self.number(1.0))

    def of_inverse(self, name: str, x: Any, bottom: float) -> Any:
        """An expansion in 1 / x, where x is at least `bottom`."""
        return self.series(name, self.number(2 * bottom) / self.most(x, bottom) - self.number(1.0))

    def choose(self, x: Any, below: float, near: Any, far: Any) -> Any:
        return self.b.select(self.b.fn("lt", x, self.number(below)), near, far)

    def modified_first(self, order: int, x: Any) -> Any:
        """I of |x|, scaled by e^-x."""
        near = self.series(f"i{order}_near", self.least(x, 8.0) * self.number(0.25) - self.number(1.0))
        far = self.of_inverse(f"i{order}_far", x, 8.0) / self.b.fn("sqrt", self.most(x, 8.0))
        if order:  # of I1 e^-x (1 + x)^1.5 / x, which changes little
            more = x + self.number(1.0)
            near = near * x / (more * self.b.fn("sqrt", more))
        return self.choose(x, 8.0, near, far)

    def modified_second(self, order: int, x: Any, scaled: bool) -> Any:
        near = self.of_square(f"k{order}_near", x, 2.0)
        first = self.of_square(f"i{order}_small", x, 2.0) * self.b.fn("log", x * self.number(0.5))
        near = near / x + first * x if order else near - first
        far = self.of_inverse(f"k{order}_far", x, 2.0) / self.b.fn("sqrt", self.most(x, 2.0))
        exp = self.b.fn("exp", x if scaled else -x)
        return self.choose(x, 2.0, near * exp if scaled else near, far if scaled else far * exp)

    def oscillating(self, kind: str, order: int, x: Any) -> Any:
        """J of |x|, or Y of a positive number."""
        near = self.of_square(f"j{order}_near", x, 8.0)
        if kind == "y":
            logarithm = self.b.fn("log", x * self.number(0.5)) * self.number(2 / math.pi)
            own = self.of_square(f"y{order}_near", x, 8.0)
            near = own / x + near * x * logarithm if order else own + near * logarithm
        elif order:
            near = near * x
        far = self.most(x, 8.0)
        small = self.number(8.0) / far
        t = small * small * self.number(2.0) - self.number(1.0)
        even, odd = self.series(f"p{order}_far", t), self.series(f"q{order}_far", t) / far
        sine, cosine = self.b.fn("sin", far), self.b.fn("cos", far)
        along, across = (cosine + sine, sine - cosine) if not order else (sine - cosine, -(sine + cosine))
        wave = along * even - across * odd if kind == "j" else across * even + along * odd
        return self.choose(x, 8.0, near, wave / self.b.fn("sqrt", far * self.number(math.pi)))


def _element(b: Any, x: Any, kind: str, order: int, scaled: bool) -> Any:
    made, inf = _Builder(b), math.inf
    size = b.fn("abs", x)
    endless = b.fn("eq", size, made.number(inf))
    if kind in "yk":
        found = made.modified_second(order, x, scaled) if kind == "k" else made.oscillating(kind, order, x)
        found = b.select(endless, made.number(0.0), found)
        found = b.select(b.fn("eq", x, made.number(0.0)), made.number(inf if kind == "k" else -inf), found)
        return b.select(b.fn("lt", x, made.number(0.0)), made.number(math.nan), found)
    if kind == "j":
        found = made.oscillating(kind, order, size)
        limit = 0.0
    else:
        found = made.modified_first(order, size)
        found = found if scaled else found * b.fn("exp", size)
        limit = 0.0 if scaled else inf
    found = b.select(endless, made.number(limit), found)
    if not order:
        return found
    signed = b.select(b.fn("lt", x, made.number(0.0)), -found, found)
    return b.select(b.fn("eq", x, made.number(0.0)), x, signed)  # an odd function, so it keeps the zero's sign


# The table


def _type(name: str) -> Callable[[TensorType], TensorType]:
    def infer(x: TensorType) -> TensorType:
        if not x.dtype.is_float:
            raise TypeError(f"{name}: expected floats, got {x}")
        return x

    return infer


Slope = Callable[[Tensor, Tensor], Tensor]
"""A derivative, given the function's value and x."""


def _define(name: str, slope: Slope, doc: str) -> Op:
    kind, order, scaled = name[7], int(name[8]), name.endswith("e")

    def meaning(x: np.ndarray) -> np.ndarray:
        each = np.vectorize(lambda number: _of_number(kind, order, scaled, float(number)), otypes=[np.float64])
        return np.asarray(each(x) if x.size else x)

    coerce = agree(name, to_float)
    op = define_op(infer=_type(name), coerce=coerce, exact=False, traits="elementwise", name=name)(meaning)
    op.__doc__ = f"{doc}, element by element; of integers in float32."
    op.vjp = lambda ct, y, x: (ct * slope(y, x),)
    op.def_lower(
        lambda b, index, x: b.cast(_element(b, b.cast(x(index), float64), kind, order, scaled), x.dtype)
    )
    return op


def _by(y: Tensor, x: Tensor, rest: Tensor) -> Tensor:
    """`rest - y / x`, the derivative of J, Y and I of order 1; at 0 its limit 1/2."""
    return select(equal(x, 0), 0.5, rest - y / select(equal(x, 0), 1.0, x))


bessel_j1_: Op  # derivatives name functions that the table is still to make
bessel_y1_: Op
bessel_i1_: Op
bessel_k1_: Op
bessel_i1e_: Op
bessel_k1e_: Op

bessel_j0_ = _define("bessel_j0", lambda y, x: -bessel_j1_(x), "The Bessel function of the first kind J0")
bessel_j1_ = _define("bessel_j1", lambda y, x: _by(y, x, bessel_j0_(x)), "The Bessel function of the first kind J1")
bessel_y0_ = _define("bessel_y0", lambda y, x: -bessel_y1_(x), "The Bessel function of the second kind Y0")
bessel_y1_ = _define("bessel_y1", lambda y, x: bessel_y0_(x) - y / x, "The Bessel function of the second kind Y1")
bessel_i0_ = _define("bessel_i0", lambda y, x: bessel_i1_(x), "The modified Bessel function of the first kind I0")
bessel_i1_ = _define(
    "bessel_i1", lambda y, x: _by(y, x, bessel_i0_(x)), "The modified Bessel function of the first kind I1"
)
bessel_k0_ = _define("bessel_k0", lambda y, x: -bessel_k1_(x), "The modified Bessel function of the second kind K0")
bessel_k1_ = _define(
    "bessel_k1", lambda y, x: -bessel_k0_(x) - y / x, "The modified Bessel function of the second kind K1"
)
bessel_i0e_ = _define("bessel_i0e", lambda y, x: bessel_i1e_(x) - sign(x) * y, "`bessel_i0` times `exp(-|x|)`")
bessel_i1e_ = _define(
    "bessel_i1e", lambda y, x: _by(y, x, bessel_i0e_(x)) - sign(x) * y, "`bessel_i1` times `exp(-|x|)`"
)
bessel_k0e_ = _define("bessel_k0e", lambda y, x: y - bessel_k1e_(x), "`bessel_k0` times `exp(x)`")
bessel_k1e_ = _define("bessel_k1e", lambda y, x: y - bessel_k0e_(x) - y / x, "`bessel_k1` times `exp(x)`")


# Functions


def bessel_j0(x: Any) -> Tensor:
    """The Bessel function of the first kind of order 0; of integers in float32."""
    return bessel_j0_(x)


def bessel_j1(x: Any) -> Tensor:
    """The Bessel function of the first kind of order 1; of integers in float32."""
    return bessel_j1_(x)


def bessel_y0(x: Any) -> Tensor:
    """The Bessel function of the second kind of order 0; -inf at 0 and nan below; of integers in float32."""
    return bessel_y0_(x)


def bessel_y1(x: Any) -> Tensor:
    """The Bessel function of the second kind of order 1; -inf at 0 and nan below; of integers in float32."""
    return bessel_y1_(x)


def bessel_i0(x: Any) -> Tensor:
    """The modified Bessel function of the first kind of order 0; of integers in float32."""
    return bessel_i0_(x)


def bessel_i1(x: Any) -> Tensor:
    """The modified Bessel function of the first kind of order 1; of integers in float32."""
    return bessel_i1_(x)


def bessel_k0(x: Any) -> Tensor:
    """The modified Bessel function of the second kind of order 0; inf at 0 and nan below; of integers in float32."""
    return bessel_k0_(x)


def bessel_k1(x: Any) -> Tensor:
    """The modified Bessel function of the second kind of order 1; inf at 0 and nan below; of integers in float32."""
    return bessel_k1_(x)


def bessel_i0e(x: Any) -> Tensor:
    """`exp(-|x|) * bessel_i0(x)`, which is finite everywhere; of integers in float32."""
    return bessel_i0e_(x)


def bessel_i1e(x: Any) -> Tensor:
    """`exp(-|x|) * bessel_i1(x)`, which is finite everywhere; of integers in float32."""
    return bessel_i1e_(x)


def bessel_k0e(x: Any) -> Tensor:
    """`exp(x) * bessel_k0(x)`; inf at 0 and nan below; of integers in float32."""
    return bessel_k0e_(x)


def bessel_k1e(x: Any) -> Tensor:
    """`exp(x) * bessel_k1(x)`; inf at 0 and nan below; of integers in float32."""
    return bessel_k1e_(x)
