"""Exponentials, logarithms, powers and hyperbolic functions of `Lanes`.

exp reduces x = n ln 2 + r with |r| <= ln 2 / 2 and scales exp(r) by 2**n; log splits x = m 2**k with m near 1. What
networks use at every step (exp, expm1, log, tanh, sigmoid, softplus) stays in its own format; the rest takes float
to double and back, where a short polynomial is enough and nothing can overflow on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.runtime.lanes import Lanes, at_least, at_most, float_bits, horner, where
from graphc.runtime.vecmath_tables import (
    ATANH,
    ATANH_TAIL,
    EXP,
    EXP2,
    LN2,
    LOG,
    LOG1P_UNIT,
    LOG2_E,
    LOG10_2,
    LOG10_E,
    SINH,
)

INF, NAN = math.inf, math.nan
# The polynomial of "float" wants |m - 1| least, the others |m - 1| / (m + 1).
LOWEST_MANTISSA = {"float": 2.0 / 3.0, "wide": math.sqrt(0.5), "double": math.sqrt(0.5)}
GUARD = 64  # exponents are kept this far from the subnormals until the last multiplication


def through_double(body: Callable[..., Lanes]) -> Callable[..., Lanes]:
    """Makes `body(accuracy, *doubles)` a function of float or double lanes.

    Float operands become doubles, `body` computes to the accuracy called "wide", its result is rounded to float.
    """

    def function(*operands: Lanes) -> Lanes:
        if operands[0].element == "float":
            return body("wide", *(x.widen() for x in operands)).narrow()
        return body("double", *operands)

    function.__name__, function.__doc__ = body.__name__.lstrip("_"), body.__doc__
    return function


# Exponentials


def _reduce(x: Lanes, offset: int = 0) -> tuple[Lanes, Lanes]:
    """(r, z): x = n ln 2 + r, where n + offset is in the low bits of the float z."""
    ln2, log2_e = LN2[x.element], LOG2_E[x.element][0]
    rounding = x.format.rounding + offset
    z = x.fma(log2_e, rounding)
    n = z - rounding
    return n.fma(-ln2[1], n.fma(-ln2[0], x)), z  # n * ln2[0] cancels x exactly, then the rest of ln 2 is taken off


def _power_of_two(z: Lanes) -> Lanes:
    """2**(n - bias) of the n in z's low bits: n becomes the exponent field. A NaN gives anything."""
    return (z.bits() << z.format.fraction).from_bits()


def _expm1_of_reduced(r: Lanes, accuracy: str) -> Lanes:
    return (r * r).fma(horner(r, EXP[accuracy]), r)


def _times_power_of_two(tail: Lanes, z: Lanes, negative: Lanes) -> Lanes:
    """(1 + tail) * 2**n, rounded once, also where it is subnormal or overflows; n < 0 only where `negative`.

    The first factor is a normal number for every n, and the second, a constant, takes its exponent home.
    """
    fmt = z.format
    n = z.bits() << fmt.fraction
    bias = where(negative, n.like((fmt.bias + GUARD) << fmt.fraction), (fmt.bias - 1) << fmt.fraction)
    scale = (n + bias).from_bits()
    return tail.fma(scale, scale) * where(negative, z.like(2.0**-GUARD), 2.0)


def _exp_limits(x: Lanes) -> tuple[float, float]:
    """Arguments below and above which exp is 0 and inf; between them n fits the exponent arithmetic."""
    return (-104.0, 89.0) if x.element == "float" else (-746.0, 710.0)


def exp(x: Lanes) -> Lanes:
    """e**x."""
    lo, hi = _exp_limits(x)
    r, z = _reduce(at_least(at_most(x, hi), lo))
    return _times_power_of_two(_expm1_of_reduced(r, x.element), z, x < 0.0)


def exp_nonpositive(x: Lanes, accuracy: str | None = None) -> Lanes:
    """e**x for x <= 0, which spares the choice of scales; to the accuracy of its own format unless given."""
    r, z = _reduce(at_least(x, _exp_limits(x)[0]), offset=x.format.bias + GUARD)
    scale = _power_of_two(z)
    return _expm1_of_reduced(r, accuracy or x.element).fma(scale, scale) * 2.0**-GUARD


def exp2(x: Lanes) -> Lanes:
    """2**x."""
    fmt = x.format
    bounded = at_least(at_most(x, fmt.bias + 1.0), -(fmt.bias + fmt.fraction + 2.0))
    z = bounded + fmt.rounding
    f = bounded - (z - fmt.rounding)
    return _times_power_of_two(f * horner(f, EXP2[x.element]), z, x < 0.0)


def expm1(x: Lanes) -> Lanes:
    """e**x - 1, exact to the last bits also near x = 0."""
    r, z = _reduce(at_least(at_most(x, _exp_limits(x)[1]), -44.0), offset=x.format.bias - 1)
    half = _power_of_two(z)  # 2**(n - 1): 2**n itself may overflow where the result does not
    y = 2.0 * _expm1_of_reduced(r, x.element).fma(half, half - 0.5)
    return where(abs(x) < 2.0 ** -(x.format.fraction + 2), x, y)


def sigmoid(x: Lanes) -> Lanes:
    """1 / (1 + e**-x)."""
    e = exp_nonpositive(-abs(x))
    return where(x < 0.0, e, 1.0) / (e + 1.0)


def softplus(x: Lanes) -> Lanes:
    """log(1 + e**x), as max(x, 0) + log(1 + e**-|x|)."""
    e = exp_nonpositive(-abs(x))
    return at_least(x, 0.0) + (e * e).fma(horner(e, LOG1P_UNIT[x.element]), e)


def tanh(x: Lanes) -> Lanes:
    """Hyperbolic tangent, as t / (t + 2) with t = e**(2 x) - 1."""
    limit = 20.0 if x.element == "float" else 42.0  # beyond, 1 - tanh is under half an ulp of 1
    r, z = _reduce(at_least(at_most(x + x, limit), -limit), offset=x.format.bias)
    scale = _power_of_two(z)
    t = _expm1_of_reduced(r, x.element).fma(scale, scale - 1.0)
    return (t / (t + 2.0)).copysign(x)


def _half_exp(x: Lanes, accuracy: str) -> Lanes:
    """e**x / 2 for doubles x >= 0: finite wherever cosh is."""
    r, z = _reduce(at_most(x, 710.5), offset=x.format.bias - 2)
    quarter = _power_of_two(z)
    return 2.0 * _expm1_of_reduced(r, accuracy).fma(quarter, quarter)


@through_double
def cosh(accuracy: str, x: Lanes) -> Lanes:
    """Hyperbolic cosine."""
    h = _half_exp(abs(x), accuracy)
    return h + 0.25 / h


@through_double
def sinh(accuracy: str, x: Lanes) -> Lanes:
    """Hyperbolic sine."""
    h = _half_exp(abs(x), accuracy)
    z = x * x
    return where(abs(x) < 1.0, (x * z).fma(horner(z, SINH[accuracy]), x), (h - 0.25 / h).copysign(x))


# Logarithms


def _split_normal(x: Lanes, accuracy: str) -> tuple[Lanes, Lanes, Lanes]:
    """(m, k, exponent) of positive x = m * 2**k, not subnormal; `exponent` is k as an integer."""
    fmt, low = x.format, LOWEST_MANTISSA[accuracy]
    exponent = x.bits() - float_bits(low, x.element) >> fmt.fraction
    m = (x.bits() - (exponent << fmt.fraction)).from_bits()
    # A small integer added to the bits of 1.5 * 2**fraction changes its last digits: a conversion any machine has.
    k = (exponent + float_bits(fmt.rounding, x.element)).from_bits() - fmt.rounding
    return m, k, exponent


def split(x: Lanes, accuracy: str) -> tuple[Lanes, Lanes]:
    """(f, k) of positive x = (1 + f) * 2**k, with 1 + f from LOWEST_MANTISSA to its double. Anything for other x."""
    if accuracy == "wide":  # of a double that was a float: never subnormal
        m, k, _ = _split_normal(x, accuracy)
        return m - 1.0, k
    fmt = x.format
    tiny = x < 2.0 ** (1 - fmt.bias)
    m, k, _ = _split_normal(where(tiny, x * 2.0**fmt.fraction, x), accuracy)
    return m - 1.0, k - where(tiny, x.like(float(fmt.fraction)), 0.0)


def _log_specials(x: Lanes, y: Lanes) -> Lanes:
    """`y` where 0 < x < inf; elsewhere the logarithm's own values: log(0) = -inf, log(x < 0) = nan, log(inf) = inf."""
    y = where(x < INF, y, x)
    return where(x <= 0.0, where(x.eq(0.0), x.like(-INF), NAN), y)


def _log_ratio_terms(f: Lanes) -> tuple[Lanes, Lanes]:
    """(h, t) with log(1 + f) = f - (h - t), h = f^2 / 2: only f, which is exact, is large. Doubles."""
    s = f / (f + 2.0)
    z = s * s
    half_square = 0.5 * f * f
    return half_square, s * z.fma(horner(z, ATANH["double"]), half_square)  # 2 s = f - s f, s f = h - s h


def _log_of_ratio(f: Lanes, accuracy: str) -> Lanes:
    """log(1 + f) for doubles with sqrt(1/2) <= 1 + f < sqrt(2)."""
    if accuracy == "wide":
        s = f / (f + 2.0)
        z = s * s
        return s * z.fma(horner(z, ATANH["wide"]), 2.0)
    half_square, rest = _log_ratio_terms(f)
    return f - (half_square - rest)


def log_of_split(f: Lanes, k: Lanes, accuracy: str) -> Lanes:
    """log((1 + f) * 2**k) of what `split` gives."""
    ln2, ln2_low = LN2[f.element]
    if accuracy == "float":
        square = f * f
        tail = k.fma(ln2_low, f * square * horner(f, LOG["float"]))
        return k.fma(ln2, f + square.fma(-0.5, tail))
    if accuracy == "wide":
        return k.fma(ln2, _log_of_ratio(f, accuracy))
    half_square, rest = _log_ratio_terms(f)
    return k.fma(ln2, f - (half_square - k.fma(ln2_low, rest)))


def log(x: Lanes) -> Lanes:
    """Natural logarithm."""
    return _log_specials(x, log_of_split(*split(x, x.element), x.element))


@through_double
def log2(accuracy: str, x: Lanes) -> Lanes:
    """Base-2 logarithm; of a power of two, exact."""
    f, k = split(x, accuracy)
    return _log_specials(x, _log_of_ratio(f, accuracy).fma(LOG2_E["double"][0], k))


@through_double
def log10(accuracy: str, x: Lanes) -> Lanes:
    """Base-10 logarithm."""
    f, k = split(x, accuracy)
    (log10_2, log10_2_low), log10_e = LOG10_2["double"], LOG10_E["double"][0]
    return _log_specials(x, k.fma(log10_2, _log_of_ratio(f, accuracy).fma(log10_e, k * log10_2_low)))


def _log1p(x: Lanes, accuracy: str, doublings: Lanes | None = None) -> Lanes:
    """log(1 + x), plus `doublings` times log 2.

    1 + x = u + c with u rounded and c its error; with u = m 2**k, f = m - 1 + c 2**-k loses nothing of a small x.
    """
    fmt = x.format
    u = x + 1.0
    shifted = u - 1.0
    c = (1.0 - (u - shifted)) + (x - shifted)
    m, k, exponent = _split_normal(u, accuracy)
    twice_inverse = ((fmt.bias + 1 - exponent) << fmt.fraction).from_bits()  # 2**(1 - k), and 0 for the greatest k
    f = (c * 0.5).fma(twice_inverse, m - 1.0)
    y = log_of_split(f, k if doublings is None else k + doublings, accuracy)
    return where(x < INF, where(x <= -1.0, where(x.eq(-1.0), x.like(-INF), NAN), y), x)


def log1p(x: Lanes) -> Lanes:
    """log(1 + x), exact to the last bits also near x = 0."""
    return where(abs(x) < 2.0 ** -(x.format.fraction + 2), x, _log1p(x, x.element))


@through_double
def asinh(accuracy: str, x: Lanes) -> Lanes:
    """Inverse hyperbolic sine, as log(1 + t), t = |x| + x^2 / (1 + sqrt(1 + x^2)); log(2 |x|) for large |x|."""
    a = abs(x)
    square = a * a
    large = a > 2.0**60
    t = where(large, a, a + square / ((square + 1.0).sqrt() + 1.0))
    return _log1p(t, accuracy, where(large, x.like(1.0), 0.0)).copysign(x)


@through_double
def acosh(accuracy: str, x: Lanes) -> Lanes:
    """Inverse hyperbolic cosine, as log(1 + t + sqrt(2 t + t^2)), t = x - 1; log(2 x) for large x, nan below 1."""
    t = x - 1.0
    large = x > 2.0**60
    y = _log1p(where(large, x, t + (t * (t + 2.0)).sqrt()), accuracy, where(large, x.like(1.0), 0.0))
    return where(x < 1.0, NAN, y)


@through_double
def atanh(accuracy: str, x: Lanes) -> Lanes:
    """Inverse hyperbolic tangent, as log(1 + 2 |x| / (1 - |x|)) / 2."""
    a = abs(x)
    y = 0.5 * _log1p((a + a) / (1.0 - a), accuracy)
    return where(a < 2.0**-28, x, y.copysign(x))


# Powers


def _log2_pair(x: Lanes) -> tuple[Lanes, Lanes]:
    """log2 of positive doubles as a sum of two, correct to about 2**-66."""
    f, k = split(x, "double")
    d = f + 2.0
    d_low = f - (d - 2.0)
    s = f / d  # log(1 + f) = 2 atanh(f / (2 + f)), and the quotient's error is known exactly
    s_low = (-s).fma(d_low, (-s).fma(d, f)) / d
    z = s * s
    z_low = s.fma(s, -z) + 2.0 * s * s_low
    third, third_low = 1.0 / 3.0, 1.0 / 3.0 * 2.0**-54  # 1/3 is its double times 1 + 2**-54
    head = z * third
    head_low = z.fma(third, -head) + z.fma(third_low, z_low * third)
    rest = z * z * horner(z, ATANH_TAIL["double"])
    u = head + rest
    u_low = (head - u) + rest + head_low
    v = s * u
    v_low = s.fma(u, -v) + s.fma(u_low, s_low * u)
    w = s + v
    w_low = (s - w) + v + (s_low + v_low)
    scale, scale_low = (2.0 * part for part in LOG2_E["double"])
    y = w * scale
    y_low = w.fma(scale, -y) + w.fma(scale_low, w_low * scale)
    total = k + y
    return total, (k - total) + y + y_low


@through_double
def pow(accuracy: str, x: Lanes, y: Lanes) -> Lanes:
    """x**y, as 2**(y log2 |x|) with the sign and the special cases of IEEE 754 (and NumPy)."""
    base = abs(x)
    if accuracy == "wide":
        f, k = split(base, accuracy)
        power = _log_of_ratio(f, accuracy).fma(LOG2_E["double"][0], k)
        low = power.like(0.0)
    else:
        power, low = _log2_pair(base)
    power = where(base.eq(0.0), -INF, where(base < INF, power, base))
    product = y * power
    # Beyond these the result is inf or 0; 2**1000 is beyond any float and still a double.
    lowest, highest = (-1000.0, 1000.0) if accuracy == "wide" else (-1080.0, 1024.0)
    bounded = at_least(at_most(product, highest), lowest)
    z = bounded + x.format.rounding
    f = bounded - (z - x.format.rounding)
    if accuracy == "double":
        error = y.fma(low, y.fma(power, -product))
        f = f + where(product.eq(bounded), error, 0.0)
        magnitude = _times_power_of_two(f * horner(f, EXP2[accuracy]), z, product < 0.0)
    else:
        scale = _power_of_two(z + float(x.format.bias))
        magnitude = (f * horner(f, EXP2[accuracy])).fma(scale, scale)
    half = y * 0.5
    integral, even = y.rounded("trunc").eq(y), half.rounded("trunc").eq(half)
    odd = integral & ~even
    result = where(odd, magnitude.copysign(x), magnitude)
    result = where((x < 0.0) & (x > -INF) & ~integral & (abs(y) < INF), NAN, result)
    result = where(base.eq(1.0) & abs(y).eq(INF), 1.0, result)
    return where(x.eq(1.0) | y.eq(0.0), 1.0, result)
