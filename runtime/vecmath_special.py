"""Error functions, the logarithm of the gamma function and its derivative, of `Lanes`."""

from __future__ import annotations

import math

from graphc.runtime.lanes import Lanes, at_most, horner, where
from graphc.runtime.vecmath_exp import INF, NAN, exp_nonpositive, log_of_split, split, through_double
from graphc.runtime.vecmath_tables import (
    COS,
    DIGAMMA,
    DIGAMMA_ROOT,
    DIGAMMA_TAIL,
    ERF,
    ERFC,
    ERFC_NEAR,
    ERFINV_CENTRE,
    ERFINV_TAIL,
    LGAMMA,
    SIN,
    STIRLING,
)


def erf(x: Lanes) -> Lanes:
    """Error function: odd polynomial for |x| < 1, 1 - erfc beyond."""
    a, z = abs(x), x * x
    near = x.fma(horner(z, ERF[x.element]), x)
    if x.element == "float":
        complement = horner(at_most(a, 3.93) - 2.46, ERFC_NEAR["float"])  # from 3.93 on, erf rounds to 1
    else:
        complement = _erfc_of_positive("double", a)[1]
    return where(a < 1.0, near, (1.0 - complement).copysign(x))


def _erfc_of_positive(accuracy: str, x: Lanes) -> tuple[Lanes, Lanes]:
    """(exp(-x^2), erfc(x)) of doubles x >= 0."""
    x = at_most(x, 10.3 if accuracy == "wide" else 28.0)  # where the result has become 0
    square = x * x
    gauss = exp_nonpositive(-square, accuracy)
    if accuracy == "double":
        gauss = gauss - gauss * x.fma(x, -square)
    return gauss, gauss * (horner((x - 3.0) / (x + 3.0), ERFC[accuracy]) / x.fma(2.0, 1.0))


@through_double
def erfc(accuracy: str, x: Lanes) -> Lanes:
    """Complementary error function 1 - erf(x), accurate where it is small."""
    a = abs(x)
    _, y = _erfc_of_positive(accuracy, a)
    y = where(x < 0.0, 2.0 - y, y)
    if accuracy == "wide":
        return y
    near = x.fma(horner(x * x, ERF["double"]), x)
    return where(a < 0.5, 1.0 - near, y)


@through_double
def erfinv(accuracy: str, x: Lanes) -> Lanes:
    """The y with erf(y) = x; inf at 1, nan beyond.

    Polynomials in w = -log(1 - x^2) after M. B. Giles, "Approximating the erfinv function", GPU Computing Gems 2
    (2011). For doubles they only start one step of Halley's iteration, on whichever of erf and erfc is small.
    """
    a = abs(x)
    w = -_log("wide", (-x).fma(x, 1.0))
    y = a * where(w < 5.0, horner(w, ERFINV_CENTRE["double"]), horner(w.sqrt() - 4.0, ERFINV_TAIL[accuracy]))
    if accuracy == "double":
        gauss, complement = _erfc_of_positive(accuracy, y)
        excess = where(a < 0.8, y.fma(horner(y * y, ERF["double"]), y) - a, (1.0 - a) - complement)
        step = excess * (0.5 * math.sqrt(math.pi)) / gauss
        y = y - step / y.fma(step, 1.0)
    y = where(a < 1.0, y, where(a.eq(1.0), x.like(INF), NAN))
    return where(x.eq(0.0), x, y.copysign(x))


@through_double
def lgamma(accuracy: str, x: Lanes) -> Lanes:
    """log |Gamma(x)|; inf at 0 and the negative integers.

    Stirling's series from 7.25 on. Below, lgamma(2 + u) with -3/4 <= u < 1/4, and from there lgamma(t + 1) =
    lgamma(t) + log(t). For x < 0 the reflection Gamma(x) Gamma(-x) = -pi / (x sin(pi x)): doubles near a zero of
    lgamma at negative x are accurate absolutely, not relatively.
    """
    a = abs(x)
    n = (a + 0.75).rounded("floor")
    low, lowest, large = n < 1.5, n < 0.5, a >= 7.25
    u = where(lowest, a, a - n)
    product = x.like(1.0)
    for factor in range(2, 7):
        product = product * where(n > float(factor), u + float(factor), 1.0)
    product = where(low, where(lowest, a * (a + 1.0), a), product)
    log_product = _log(accuracy, where(large, a, product))
    small_value = u * horner(u, LGAMMA[accuracy]) + where(low, -log_product, log_product)
    inverse = 1.0 / a
    tail = inverse.fma(horner(inverse * inverse, STIRLING[accuracy]), 0.5 * math.log(2.0 * math.pi) - 0.5)
    y = where(large, (a - 0.5).fma(log_product - 1.0, tail), small_value)

    distance = abs(a - a.rounded("roundeven"))
    reflected = -(_log(accuracy, a * (_sin_pi(accuracy, distance) * (1.0 / math.pi))) + y)
    y = where(x < -(2.0**-60), where(distance.eq(0.0), INF, reflected), y)
    return where(a.eq(0.0) | a.eq(INF), INF, y)


@through_double
def digamma(accuracy: str, x: Lanes) -> Lanes:
    """The derivative of log Gamma(x); -inf at 0, inf at -0.0, nan at the negative integers.

    An asymptotic series from 8 on. Below, a polynomial on [1, 2) times the distance from the root, and from there
    digamma(t + 1) = digamma(t) + 1 / t. For x < 0 the reflection digamma(x) = digamma(1 - x) - pi / tan(pi x): near
    a root at negative x, results are accurate absolutely, not relatively.
    """
    below = x < 0.0
    t = where(below, 1.0 - x, x)
    low, large = t < 1.0, t >= 8.0
    n = where(low, -1.0, at_most(t, 8.0).rounded("floor") - 1.0)
    start = t - n  # in [1, 2); exact, but for t < 1, where digamma is far from 0
    root_high, root_low = DIGAMMA_ROOT["double"]
    distance_from_root = (start - root_high) - root_low
    small = distance_from_root * horner(start - 1.5, DIGAMMA[accuracy])
    terms = where(low, -1.0 / t, 0.0)
    for step in reversed(range(6)):  # the smallest first
        terms = terms + where(n > float(step), 1.0 / (start + float(step)), 0.0)
    inverse = 1.0 / t
    z = inverse * inverse
    y = where(large, _log(accuracy, t) - inverse.fma(0.5, z * horner(z, DIGAMMA_TAIL[accuracy])), small + terms)

    distance = x - x.rounded("roundeven")
    size = abs(distance)
    cotangent = (_sin_pi(accuracy, 0.5 - size) / _sin_pi(accuracy, size)).copysign(distance)
    y = where(below, where(distance.eq(0.0), NAN, y - math.pi * cotangent), y)
    y = where(x.eq(0.0), x.like(INF).copysign(-x), y)
    return where(x.eq(INF), INF, y)


def _log(accuracy: str, x: Lanes) -> Lanes:
    """log of positive doubles."""
    return log_of_split(*split(x, accuracy), accuracy)


def _sin_pi(accuracy: str, x: Lanes) -> Lanes:
    """sin(pi x) for 0 <= x <= 1/2."""
    far = x > 0.25
    r = math.pi * where(far, 0.5 - x, x)
    z = r * r
    sine = (r * z).fma(horner(z, SIN[accuracy]), r)
    return where(far, (z * z).fma(horner(z, COS[accuracy]), z.fma(-0.5, 1.0)), sine)
