"""Trigonometric functions of `Lanes` and their inverses, with exact reduction of every finite angle.

sin, cos and tan write x = n pi / 2 + r with |r| about pi / 4 at most, whatever x is. They branch where a float is 2**43
or more, which changes no other lane's result. All of them take float to double and back.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from graphc.runtime.lanes import Lanes, gather, horner, where
from graphc.runtime.llvmtext import Builder, Val
from graphc.runtime.vecmath_exp import through_double
from graphc.runtime.vecmath_tables import (
    ASIN,
    ATAN,
    COS,
    HALF_PI,
    POWERS_MOD_TWO_PI,
    SIN,
    TWO_OVER_PI,
    TWO_OVER_PI_BITS,
)

SIGN_BIT = 63


class Angle(NamedTuple):
    """x = n pi / 2 + r + low: n modulo 4 in the low bits of `quadrant`, |r| under 0.81, `low` what r leaves out."""

    quadrant: Lanes
    r: Lanes
    low: Lanes | None


def _reduce_float(x: Lanes) -> Angle:
    """The angle of doubles that were floats.

    x = t 2**j with j = 0 or one of a few, chosen so that |t| < 2**47 and, if j > 0, t is an integer: then x is
    congruent to t (2**j mod 2 pi), and from that product, exact as a sum of two, n pi / 2 is taken off in two steps.
    The first cancels without error; the rest errs by 2**-56, and no float comes within 2**-30 of a multiple of pi / 2.
    Where no lane is so large that j > 0, the product is x itself.
    """
    usual = _without_turns(x, None)
    large = (abs(x) >= 2.0 ** (POWERS_MOD_TWO_PI[0][0] + 23)).any()

    def instead() -> list[Val]:
        t, unit, unit_low = x, x.like(1.0), x.like(0.0)
        for j, residue, residue_low in POWERS_MOD_TWO_PI:
            large = abs(x) >= 2.0 ** (j + 23)
            t = where(large, x * 2.0**-j, t)
            unit, unit_low = where(large, residue, unit), where(large, residue_low, unit_low)
        product = t * unit
        error = t.fma(unit_low, t.fma(unit, -product))
        return [part.val for part in _without_turns(product, error)]

    z, r = (Lanes(x.b, val) for val in x.b.unless(large.val, [part.val for part in usual], instead))
    return Angle(z.bits(), r, None)


def _without_turns(x: Lanes, error: Lanes | None) -> tuple[Lanes, Lanes]:
    """(z, r) where x + error is n pi / 2 + r, and n is in the low bits of z."""
    rounding = x.format.rounding
    z = x.fma(2.0 / math.pi, rounding)
    n = z - rounding
    half_pi, half_pi_low = HALF_PI["double"]
    r = n.fma(-half_pi, x)
    return z, n.fma(-half_pi_low, r if error is None else r + error)


STEP = 16  # exponents that share a row of the table
PARTS = 4


def _reduction_table(b: Builder) -> Val:
    """The address of rows j = 0, 1, ... of 2 / pi * 2**(16 j) mod 4, each a sum of four doubles.

    Payne and Hanek, "Radian reduction for trigonometric functions", SIGNUM Newsletter 18 (1983): of the product of
    2 / pi and t 2**(16 j), with t an integer, only these digits matter to the quadrant and the angle in it.
    """
    name = "vecmath_two_over_pi"
    if not any(text.startswith(f"@{name} ") for text in b.module.globals):
        entries: list[float] = []
        for j in range(1 + (2046 - 1075) // STEP):
            rest = (TWO_OVER_PI << STEP * j) % (4 << TWO_OVER_PI_BITS)
            for _ in range(PARTS):
                entries.append(rest / (1 << TWO_OVER_PI_BITS))  # a division of integers rounds once
                rest -= int(math.ldexp(entries[-1], 1000)) << TWO_OVER_PI_BITS - 1000
        return b.module.constant_array(name, "double", entries)
    return Val(f"@{name}", "ptr")


def _two_sum(x: Lanes, y: Lanes) -> tuple[Lanes, Lanes]:
    """x + y as a rounded sum and its error (Knuth, TAOCP 2, 4.2.2, theorem B)."""
    total = x + y
    shifted = total - x
    return total, (x - (total - shifted)) + (y - shifted)


def _modulo_4(x: Lanes) -> Lanes:
    return x - 4.0 * (0.25 * x).rounded("roundeven")


def _reduce_double(x: Lanes) -> Angle:
    """The angle of any double: the fraction of x 2 / pi to 140 bits, by the table's row for x's exponent."""
    exponent = (x.bits().shift_right_logical(52) & 2047) - 1075
    row = where(exponent < 0, 0, exponent >> 4)  # t = x 2**(-16 row) is an integer unless row is 0
    t = x * ((1023 - STEP * row) << 52).from_bits()
    table = _reduction_table(x.b)
    first, second, third, fourth = (gather(table, row * PARTS + k, "double") for k in range(PARTS))

    p0, p1, p2 = t * first, t * second, t * third
    e0, e1, e2 = t.fma(first, -p0), t.fma(second, -p1), t.fma(third, -p2)
    turns, low0 = _two_sum(_modulo_4(p0), _modulo_4(e0))
    turns, low1 = _two_sum(turns, _modulo_4(p1))
    z = turns + x.format.rounding
    high, low = turns - (z - x.format.rounding), t.fma(fourth, e2)
    for term in (e1, p2, low0, low1):
        high, lost = _two_sum(high, term)
        low = low + lost
    high, low = _two_sum(high, low)
    half_pi, half_pi_low = HALF_PI["double"]
    r = high * half_pi
    return Angle(z.bits(), r, high.fma(half_pi, -r) + high.fma(half_pi_low, low * half_pi))


def _sin_cos(accuracy: str, x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """(quadrant, sin(r), cos(r)) of the reduced angle."""
    quadrant, r, low = _reduce_float(x) if accuracy == "wide" else _reduce_double(x)
    z = r * r
    sine = (r * z) * horner(z, SIN[accuracy])
    cosine = (z * z) * horner(z, COS[accuracy])
    if low is None:
        return quadrant, r + sine, z.fma(-0.5, cosine) + 1.0
    # First order in `low`, and 1 - z / 2 with its rounding error
    half = 0.5 * z
    near_one = 1.0 - half
    lost = (1.0 - near_one) - half
    square_low = r.fma(r, -z)
    return (
        quadrant,
        r + low.fma(1.0 - half, sine),
        near_one + (lost + (cosine - (0.5 * square_low + r * low))),
    )


def _odd(quadrant: Lanes) -> Lanes:
    return (quadrant & 1).ne(0)


def _negated_in_half(x: Lanes, quadrant: Lanes) -> Lanes:
    """`x`, with its sign changed in quadrants 2 and 3."""
    return (x.bits() ^ ((quadrant & 2) << SIGN_BIT - 1)).from_bits()


@through_double
def sin(accuracy: str, x: Lanes) -> Lanes:
    """Sine of an angle in radians."""
    quadrant, sine, cosine = _sin_cos(accuracy, x)
    y = _negated_in_half(where(_odd(quadrant), cosine, sine), quadrant)
    return where(abs(x) < 2.0**-30, x, y)


@through_double
def cos(accuracy: str, x: Lanes) -> Lanes:
    """Cosine of an angle in radians."""
    quadrant, sine, cosine = _sin_cos(accuracy, x)
    return _negated_in_half(where(_odd(quadrant), -sine, cosine), quadrant)


@through_double
def tan(accuracy: str, x: Lanes) -> Lanes:
    """Tangent of an angle in radians."""
    quadrant, sine, cosine = _sin_cos(accuracy, x)
    odd = _odd(quadrant)
    y = where(odd, -cosine, sine) / where(odd, sine, cosine)
    return where(abs(x) < 2.0**-30, x, y)


def _atan_of_ratio(accuracy: str, y: Lanes, x: Lanes) -> Lanes:
    """atan(y / x) in [0, pi / 2] of y, x >= 0, not both 0 or inf.

    With q the smaller over the larger, atan(q) = pi / 4 + atan((q - 1) / (q + 1)) where q > tan(pi / 8): one
    division either way.
    """
    swap = y > x
    small, large = where(swap, x, y), where(swap, y, x)
    middle = small > large * math.tan(math.pi / 8)
    if accuracy == "double":  # small + large must not overflow
        scale = where(large > 2.0**1000, large.like(2.0**-60), 1.0)
        small, large = small * scale, large * scale
    t = where(middle, small - large, small) / where(middle, small + large, large)
    z = t * t
    tail = (t * z) * horner(z, ATAN[accuracy])
    # The base angle as a sum of two: 0 or pi / 4, or pi / 2 minus it
    half_pi, half_pi_low = HALF_PI["double"]
    turn = where(middle, t.like(0.5 * half_pi), 0.0)
    turn_low = where(middle, t.like(0.5 * half_pi_low), 0.0)
    t, tail = where(swap, -t, t), where(swap, -tail, tail)
    turn = where(swap, half_pi - turn, turn)
    turn_low = where(swap, half_pi_low - turn_low, turn_low)
    return turn + (t + (tail + turn_low))


@through_double
def atan(accuracy: str, x: Lanes) -> Lanes:
    """Inverse tangent, in [-pi / 2, pi / 2]."""
    a = abs(x)
    return where(a < 2.0**-30, x, _atan_of_ratio(accuracy, a, x.like(1.0)).copysign(x))


@through_double
def atan2(accuracy: str, y: Lanes, x: Lanes) -> Lanes:
    """The angle of the point (x, y), in [-pi, pi]; of zeros and infinities as IEEE 754 defines it."""
    a, b = abs(y), abs(x)
    infinite = a.eq(math.inf) & b.eq(math.inf)
    a, b = where(infinite, 1.0, a), where(infinite, 1.0, b)
    b = where(a.eq(0.0) & b.eq(0.0), 1.0, b)
    angle = _atan_of_ratio(accuracy, a, b)
    pi, pi_low = 2.0 * HALF_PI["double"][0], 2.0 * HALF_PI["double"][1]
    left = x.bits() < 0
    angle = where(left, pi - (angle - pi_low), angle)
    return angle.copysign(y)


def _asin_tail(accuracy: str, r: Lanes, z: Lanes) -> Lanes:
    return (r * z) * horner(z, ASIN[accuracy])


@through_double
def asin(accuracy: str, x: Lanes) -> Lanes:
    """Inverse sine, in [-pi / 2, pi / 2]; nan beyond [-1, 1]. For |x| > 1/2, pi / 2 - 2 asin(sqrt((1 - |x|) / 2))."""
    a = abs(x)
    far = a > 0.5
    z = where(far, 0.5 * (1.0 - a), a * a)
    r = where(far, z.sqrt(), a)
    tail = _asin_tail(accuracy, r, z)
    half_pi, half_pi_low = HALF_PI["double"]
    y = where(far, half_pi - (2.0 * r + (2.0 * tail - half_pi_low)), r + tail)
    return where(a < 2.0**-30, x, y.copysign(x))


@through_double
def acos(accuracy: str, x: Lanes) -> Lanes:
    """Inverse cosine, in [0, pi]; nan beyond [-1, 1]. For x > 1/2, 2 asin(sqrt((1 - x) / 2))."""
    a = abs(x)
    far = a > 0.5
    z = where(far, 0.5 * (1.0 - a), x * x)
    r = where(far, z.sqrt(), x)
    tail = _asin_tail(accuracy, r, z)
    half_pi, half_pi_low = HALF_PI["double"]
    near = half_pi - (r + (tail - half_pi_low))
    positive = 2.0 * (r + tail)
    negative = 2.0 * (half_pi - (r + (tail - half_pi_low)))
    return where(far, where(x < 0.0, negative, positive), near)
