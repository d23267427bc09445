"""The incomplete gamma functions `igamma` and `igammac`, with derivatives of any order.

Both are integrals over t of t^(a-1) e^-t / Gamma(a), from 0 to x and from x on. With t = x e^-s, and x e^s for the
upper one, each is the density at x times an integral over s of what begins with 1 and only falls,

    exp(-|a - x| s - x (e^y - 1 - y)),    y = -s or s,

which Gauss's quadrature gives to a few units of the last place. The smaller of the two integrals is computed, and the
other is what is missing from 1; derivatives by a have a polynomial in y more in the integral. Where a and x are below 1
there is a series instead. float32 results are exact to the last digit; in float64 the exponent's rounding shows, in
some 20 units for a result of 1e-10, and derivatives by a lose more digits with their order and a.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np

from graphc.dtype import float32, float64
from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.coerce import agree, to_float
from graphc.ops.elementwise import log
from graphc.ops.gamma_functions import (
    BERNOULLI,
    derivative_of_digamma,
    digamma_,
    log_gamma,
    polygamma_,
    polygamma_value,
)
from graphc.tensor import Tensor

__all__ = ["igamma", "igammac"]

QUADRATURE = {float32: (20, 24.0), float64: (40, 40.0)}
"""By the type of the result: how many points there are, with fewer of which results where a and x differ much lose
digits; and how far down the integrand's logarithm is where the integral ends."""

TINY = 1e-18
"""The least a for which decimals of great precision would be needed."""


def bell(slopes: Sequence[Any], one: Any, number: Callable[[int], Any] = lambda value: value) -> Any:
    """The derivative of order N of f, over f, given the N derivatives of log f: Bell's polynomial.

    Args:
        one: 1, and `number` any number, of the kind that the slopes are.
    """
    found = [one]
    for m in range(len(slopes)):
        terms = [found[m - k] * slopes[k] * number(math.comb(m, k)) for k in range(m + 1)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        found.append(total)
    return found[-1]


# The meaning


@cache
def _gauss(points: int) -> list[tuple[Decimal, Decimal]]:
    """Points in [0, 1] and weights of Gauss's quadrature, by Newton's method from NumPy's."""
    found = []
    with localcontext() as context:
        context.prec = 60
        for start in np.polynomial.legendre.leggauss(points)[0]:
            z = Decimal(float(start))
            for _ in range(3):
                before, value = Decimal(1), z
                for k in range(2, points + 1):
                    before, value = value, ((2 * k - 1) * z * value - (k - 1) * before) / k
                slope = points * (z * value - before) / (z * z - 1)
                z -= value / slope
            found.append(((z + 1) / 2, 1 / ((1 - z * z) * slope * slope)))
    return found


def _smaller(a: Decimal, x: Decimal, order: int, above: bool) -> Decimal:
    """The derivative of that order by a of the integral from x on (`above`) or up to x."""
    side = 1 if above else -1
    slopes = [-derivative_of_digamma(k, a) for k in range(order)]

    def exponent(s: Decimal) -> Decimal:
        return side * a * s - x * ((side * s).exp() - 1)

    end = Decimal(1)
    while exponent(end) < -80:
        end /= 2
    while exponent(end) > -80:
        end *= 2
    total = Decimal(0)
    for t, weight in _gauss(80):
        s = end * t * t
        first = [slopes[0] + x.ln() + side * s] if order else []
        total += weight * 2 * t * end * exponent(s).exp() * bell([*first, *slopes[1:]], Decimal(1))
    return total * (a * x.ln() - x - log_gamma(a)).exp()


def _regular(a: Decimal, x: Decimal, order: int, upper: bool) -> Decimal:
    both = Decimal(0 if order else 1)
    if x > a and x >= 1:
        above = _smaller(a, x, order, True)
        return above if upper else both - above
    if a < 1 and upper and not order:  # the series of DLMF 8.7.1, as what is missing from 1 may be small
        terms = sum(((-x) ** k / math.factorial(k) / (a + k) for k in range(1, 50)), Decimal(0))
        return 1 - (a * x.ln() - log_gamma(a + 1)).exp() * (1 + a * terms)
    below = _smaller(a if a >= 1 else a + 1, x, order, False)
    if a < 1:  # DLMF 8.8.5
        slopes = [-derivative_of_digamma(k, a + 1) for k in range(order)]
        slopes[:1] = [x.ln() + slope for slope in slopes[:1]]
        below += (a * x.ln() - x - log_gamma(a + 1)).exp() * bell(slopes, Decimal(1))
    return both - below if upper else below


def _number(a: float, x: float, order: int, upper: bool) -> float:
    if math.isnan(a) or math.isnan(x) or a <= 0 or x < 0 or a == x == math.inf:
        return math.nan
    if x in (0, math.inf) or a == math.inf:
        return 0.0 if order else float((x == math.inf) != upper)
    if a < TINY:  # `igammac` is a times a function of x here
        return _number(TINY, x, order, upper) if order or not upper else _number(TINY, x, 0, True) * (a / TINY)
    with localcontext() as context:
        context.prec = _digits(a, x)
        return float(_regular(Decimal(a), Decimal(x), order, upper))


def _digits(a: float, x: float) -> int:
    """With how many decimals to compute, so that 60 are left where great terms cancel."""
    return 60 + max(0, int(math.log10(max(a, x))))


def _density(a: float, x: float) -> float:
    if math.isnan(a) or math.isnan(x) or a <= 0 or x < 0 or a == x == math.inf:
        return math.nan
    if x == 0 and a <= 1:
        return math.inf if a < 1 else 1.0
    if x in (0, math.inf) or a == math.inf:
        return 0.0
    with localcontext() as context:
        context.prec = _digits(a, x)
        exact = Decimal(a)
        return float(((exact - 1) * Decimal(x).ln() - Decimal(x) - log_gamma(exact)).exp())


def _each(function: Callable[..., float], a: np.ndarray, x: np.ndarray) -> np.ndarray:
    each = np.vectorize(lambda p, q: function(float(p), float(q)), otypes=[np.float64])
    return np.asarray(each(a, x) if a.size else a)


# Kernels, which compute in float64


class _Builder:
    """Expressions of one element."""

    def __init__(self, b: Any, index: Any, a: Any, x: Any) -> None:
        self.b, self.a, self.x = b, b.cast(a(index), float64), b.cast(x(index), float64)
        self.points, self.depth = QUADRATURE[x.dtype]

    def number(self, value: float) -> Any:
        return self.b.const(float(value), float64)

    def fn(self, name: str, *values: Any) -> Any:
        return self.b.fn(name, *values)

    def below(self, value: Any, bound: float) -> Any:
        return self.fn("lt", value, self.number(bound))

    def either(self, condition: Any, value: Any, other: Any) -> Any:
        return self.b.select(condition, value, other)

    def polynomial(self, value: Any, coefficients: Sequence[float]) -> Any:
        """The sum of `coefficients[k] * value^k`."""
        total = self.number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = total * value + self.number(c)
        return total

    def beyond_line(self, y: Any) -> Any:
        """`e^y - 1 - y`, to the last digits also near 0."""
        near = y * y * self.polynomial(y, [1 / math.factorial(k) for k in range(2, 21)])
        return self.either(self.below(self.fn("abs", y), 1), near, self.fn("exp", y) - self.number(1) - y)

    def mass(self, less: int = 0) -> Any:
        """`x^(a-less) e^-x / Gamma(1 + a)`: for great a by the distance of x from a, where great terms would cancel."""
        a, x, one = self.a, self.x, self.number(1)
        finite = self.fn("min", x, self.number(800))  # where it is 0 already
        inverse = self.either(
            self.below(a, 1), self.fn("exp", -self.fn("lgamma", a + one)), self.fn("exp", -self.fn("lgamma", a)) / a
        )
        small = self.fn("pow", finite, a - self.number(less)) * self.fn("exp", -finite) * inverse
        part = one / a
        stirling = part * self.polynomial(
            part * part, [float(c) / (2 * k * (2 * k - 1)) for k, c in enumerate(BERNOULLI[:7], 1)]
        )
        ratio = x / a
        near = self.below(self.fn("abs", ratio - one), 0.5)
        apart = a * self.beyond_line(self.either(near, self.fn("log1p", (x - a) / a), self.fn("log", ratio)))
        great = self.fn("sqrt", self.number(0.5 / math.pi) / a) * self.fn("exp", -apart - stirling)
        return self.either(self.below(a, 10), small, great / x if less else great)

    def reach(self, above: Any) -> Any:
        """Where the integral may end, by bounds of its exponent, and two steps of Newton's method from there."""
        a, x, one, two_depths = self.a, self.x, self.number(1), self.number(2 * self.depth)
        distance = self.fn("abs", x - a)

        def quadratic(curvature: float) -> Any:  # the root of curvature x s^2 / 2 + distance s = depth, or more
            root = self.fn("sqrt", x * self.number(2 * self.depth * curvature))
            return two_depths / (distance + self.fn("max", distance, root))

        up = self.fn("min", quadratic(1.0), self.fn("max", self.number(1.26), self.fn("log1p", two_depths / x)))
        down, straight = quadratic(0.5), self.number(self.depth) / (distance + x * self.number(0.75))
        down = self.either(self.below(down, 3), down, self.fn("max", self.number(3), straight))
        end = self.either(above, up, down)
        side = self.either(above, one, -one)
        for _ in range(2):
            value = self.number(self.depth) - distance * end - x * self.beyond_line(side * end)
            slope = distance + x * self.fn("abs", self.fn("expm1", side * end))
            end = end + value / slope
        return end

    def slopes(self, a: Any, order: int) -> list[Any]:
        """The derivatives of `-log Gamma(a)`."""
        first = [-self.fn("digamma", a)] if order else []
        return first + [-polygamma_value(self.b, a, k) for k in range(1, order)]

    def integral(self, above: Any, order: int) -> Any:
        """The derivative of that order of the integral from x on, or up to x.

        1 / Gamma(a) is taken as a / Gamma(1 + a), so that near a = 0 no great terms cancel.
        """
        a, x, one = self.a, self.x, self.number(1)
        distance, end = self.fn("abs", x - a), self.reach(above)
        side = self.either(above, end, -end)
        of_a, of_x = self.slopes(a + one, order), self.fn("log", x)
        total = self.number(0)
        for point, weight in _gauss(self.points):
            share = self.number(float(point * point))  # in t^2, which has more points where the integral begins
            y = side * share
            term = self.fn("exp", -(distance * end * share) - x * self.beyond_line(y))
            if order:
                slopes = [of_a[0] + of_x + y, *of_a[1:]]
                less = bell(slopes[:-1], one, self.number) * self.number(order)
                term = term * (bell(slopes, one, self.number) * a + less)
            total = total + term * self.number(float(weight * 2 * point))
        total = total * end * self.mass()
        return total if order else total * a

    def log_gamma_of_next(self) -> Any:
        """`log Gamma(1 + a)` for 0 < a < 1, to the last digits also near 0: by the series of `log Gamma(2 + a)`."""
        a = self.a
        coefficients = [float(derivative_of_digamma(k - 1, Decimal(2))) / math.factorial(k) for k in range(1, 28)]
        near = a * self.polynomial(a, coefficients) - self.fn("log1p", a)
        return self.either(self.below(a, 0.5), near, self.fn("lgamma", a + self.number(1)))

    def series(self, order: int, upper: bool) -> Any:
        """For a and x below 1: `x^a / Gamma(1 + a) (1 + a T)`, T the sum of `(-x)^k / k! / (a + k)` from 1 on."""
        a, x, one = self.a, self.x, self.number(1)
        log_x = self.fn("log", x)
        exponent = a * log_x - self.log_gamma_of_next()
        parts = [self.number(0)] * (order + 1)  # the derivatives of 1 + a T, from the smallest terms to the largest
        for k in range(18, 0, -1):
            power = self.number((-1) ** k / math.factorial(k))
            for _ in range(k):
                power = power * x
            quotient = one / (a + self.number(k))
            term = quotient
            for j in range(order + 1):
                factor = a if not j else self.number((-1) ** (j + 1) * k * math.factorial(j))
                parts[j] = parts[j] + power * term * factor
                term = term * quotient
        scale = self.fn("exp", exponent)
        if not order:
            return -self.fn("expm1", exponent) - scale * parts[0] if upper else scale * (one + parts[0])
        parts[0] = parts[0] + one
        of_a = self.slopes(a + one, order)
        of_a[0] = of_a[0] + log_x
        total = self.number(0)
        for j in range(order + 1):
            outer = bell(of_a[: order - j], one, self.number)
            total = total + outer * parts[j] * self.number(math.comb(order, j))
        return scale * total

    def value(self, order: int, upper: bool) -> Any:
        a, x, one, zero = self.a, self.x, self.number(1), self.number(0)
        above = self.fn("gt", x, a)
        found = self.integral(above, order)
        if order:
            found = self.either(above, -found, found)
        else:
            found = self.either(self.fn("not", above) if upper else above, one - found, found)
        small = self.fn("and", self.below(a, 1), self.below(x, 1))
        found = self.either(small, self.series(order, upper), found)
        found = -found if upper and order else found
        none, all_ = (zero, zero) if order else (one, zero) if upper else (zero, one)
        endless = self.number(math.inf)
        found = self.either(self.fn("eq", x, zero), none, found)
        found = self.either(self.fn("eq", x, endless), all_, found)
        found = self.either(self.fn("eq", a, endless), none, found)
        return self.where_defined(found)

    def where_defined(self, found: Any) -> Any:
        """NaN unless a is above and x not below 0, not both infinite."""
        a, x, zero, endless = self.a, self.x, self.number(0), self.number(math.inf)
        inside = self.fn("and", self.fn("gt", a, zero), self.fn("ge", x, zero))
        both = self.fn("and", self.fn("eq", a, endless), self.fn("eq", x, endless))
        return self.either(self.fn("and", inside, self.fn("not", both)), found, self.number(math.nan))


# The table


def _type(name: str) -> Callable[..., TensorType]:
    def infer(a: TensorType, x: TensorType, **attrs: Any) -> TensorType:
        if not a.dtype.is_float:
            raise TypeError(f"{name}: expected floats, got {a} and {x}")
        if a != x:
            raise ValueError(f"{name}: expected operands of one type, got {a} and {x}")
        return a

    return infer


@define_op(
    infer=_type("gamma_density"), coerce=agree("gamma_density", to_float), exact=False, traits="elementwise",
    name="gamma_density",
)
def density_(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """`x^(a-1) e^-x / Gamma(a)`, the density of the gamma distribution; NaN unless a > 0 and x >= 0."""
    return _each(_density, a, x)


@density_.def_vjp
def density_vjp(ct: Tensor, y: Tensor, a: Tensor, x: Tensor) -> Any:
    return lambda: ct * y * (log(x) - digamma_(a)), lambda: ct * y * ((a - 1.0) / x - 1.0)


@density_.def_lower
def density_lower(b: Any, index: Any, a: Any, x: Any) -> Any:
    made = _Builder(b, index, a, x)
    one, zero, endless = made.number(1), made.number(0), made.number(math.inf)
    at_zero = made.either(made.below(made.a, 1), endless, made.either(made.fn("eq", made.a, one), one, zero))
    found = made.either(made.fn("eq", made.x, zero), at_zero, made.mass(1) * made.a)
    either = made.fn("or", made.fn("eq", made.x, endless), made.fn("eq", made.a, endless))
    return b.cast(made.where_defined(made.either(either, zero, found)), x.dtype)


@define_op(
    infer=_type("igamma"), coerce=agree("igamma", to_float), exact=False, traits="elementwise", name="igamma"
)
def igamma_(a: np.ndarray, x: np.ndarray, *, order: int = 0, upper: bool = False) -> np.ndarray:
    """The integral of `gamma_density` from 0 to x; NaN unless a > 0 and x >= 0. DLMF 8.2.4.

    Args:
        order: its derivative of that order by a.
        upper: from x on instead.
    """
    return _each(lambda p, q: _number(p, q, order, upper), a, x)


@igamma_.def_vjp
def igamma_vjp(ct: Tensor, y: Tensor, a: Tensor, x: Tensor, *, order: int = 0, upper: bool = False) -> Any:
    def by_x() -> Tensor:
        slope = density_(a, x)
        if order:
            slopes = [log(x) - digamma_(a), *(-polygamma_(a, n=k) for k in range(1, order))]
            slope = slope * bell(slopes, 1.0)
        return ct * -slope if upper else ct * slope

    return lambda: ct * igamma_(a, x, order=order + 1, upper=upper), by_x


@igamma_.def_lower
def igamma_lower(b: Any, index: Any, a: Any, x: Any, *, order: int = 0, upper: bool = False) -> Any:
    made = _Builder(b, index, a, x)
    return b.cast(made.value(order, upper), x.dtype)


# Functions


def igamma(input: Any, other: Any) -> Tensor:
    """The regularized lower incomplete gamma function: the integral of t^(a-1) e^-t / Gamma(a) from 0 to x.

    Args:
        input: a, above 0; elsewhere the result is NaN. Integers become float32.
        other: x, not below 0; it broadcasts with `input`.
    """
    return igamma_(input, other)


def igammac(input: Any, other: Any) -> Tensor:
    """The regularized upper incomplete gamma function: `igamma`'s integral from x on, `1 - igamma`.

    Args:
        input: a, above 0; elsewhere the result is NaN. Integers become float32.
        other: x, not below 0; it broadcasts with `input`.
    """
    return igamma_(input, other, upper=True)
