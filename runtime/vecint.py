"""Integer arithmetic of kernels with every case defined, as NumPy defines it, and the random bits of Philox.

LLVM leaves division by zero, INT_MIN / -1, shifts by the width or more and conversion of large floats undefined. Data
can reach them, so these functions do not.
"""

from __future__ import annotations

from graphc.random_bits import PHILOX_MULTIPLIERS, PHILOX_ROUNDS, PHILOX_WEYL
from graphc.runtime.lanes import BITS, Lanes, where
from graphc.runtime.llvmtext import SIZEOF, Builder, Val, const, vector

# A quotient of integers of so many bits, rounded in this format, still truncates to the integer quotient: it is off by
# at most |x / y| 2**-24 (2**-53), and a quotient that is no integer is 1 / |y| or more away from one.
_DIVIDES_IN = {"i8": "float", "i16": "float", "i32": "double"}

_Words = tuple[Val, Val, Val, Val]


def saturating_fptosi(b: Builder, x: Val, element: str) -> Val:
    """Floats to signed integers, towards zero; the nearest representable integer where out of range, 0 for NaN.

    Not `llvm.fptosi.sat`: of vectors LLVM makes scalars of it.
    """
    limit = 2 ** (8 * SIZEOF[element] - 1)
    result, high, low = vector(element, x.lanes), const(float(limit), x.type), const(-float(limit), x.type)
    inside = b.int_op("and", b.fcmp("oge", x, low), b.fcmp("olt", x, high))
    whole = b.convert("fptosi", b.select(inside, x, const(0.0, x.type)), element)
    capped = b.select(b.fcmp("oge", x, high), const(limit - 1, result), whole)
    return b.select(b.fcmp("olt", x, low), const(-limit, result), capped)


def int_floor_div(b: Builder, x: Val, y: Val, signed: bool = True) -> Val:
    """floor(x / y); 0 where y is 0, INT_MIN where it overflows."""
    return _floor_div_mod(Lanes(b, x), Lanes(b, y), signed)[0].val


def int_mod(b: Builder, x: Val, y: Val, signed: bool = True) -> Val:
    """x - y * floor(x / y), which has the sign of y; 0 where y is 0."""
    return _floor_div_mod(Lanes(b, x), Lanes(b, y), signed)[1].val


def _floor_div_mod(x: Lanes, y: Lanes, signed: bool) -> tuple[Lanes, Lanes]:
    by_zero = y.eq(0)
    if not signed:
        safe = where(by_zero, 1, y)
        quotient = _truncated_quotient(x, safe, "u")
        return where(by_zero, 0, quotient), where(by_zero, 0, x - quotient * safe)
    negated = y.eq(-1)  # x / -1 is -x, also where that wraps
    safe = where(by_zero | negated, 1, y)
    quotient = _truncated_quotient(x, safe, "s")
    rest = x - quotient * safe
    below = rest.ne(0) & ((rest ^ safe) < 0)
    quotient, rest = where(below, quotient - 1, quotient), where(below, rest + safe, rest)
    return where(by_zero, 0, where(negated, -x, quotient)), where(by_zero | negated, 0, rest)


def _truncated_quotient(x: Lanes, y: Lanes, sign: str) -> Lanes:
    if x.element not in _DIVIDES_IN:
        return Lanes(x.b, x.b.int_op(f"{sign}div", x.val, y.val))
    through = _DIVIDES_IN[x.element]
    quotient = x.convert(f"{sign}itofp", through) / y.convert(f"{sign}itofp", through)
    return quotient.convert(f"fpto{sign}i", x.element)


def shift_left(b: Builder, x: Val, count: Val) -> Val:
    """x << count; 0 where the count is negative or not less than the width."""
    bits, by = Lanes(b, x), Lanes(b, count)
    return where(_in_width(by), bits << _masked(by), 0).val


def shift_right(b: Builder, x: Val, count: Val, signed: bool = True) -> Val:
    """x >> count; only copies of the sign (0 if unsigned) where the count is negative or not less than the width."""
    bits, by = Lanes(b, x), Lanes(b, count)
    if signed:
        return where(_in_width(by), bits >> _masked(by), bits >> BITS[x.element] - 1).val
    return where(_in_width(by), bits.shift_right_logical(_masked(by)), 0).val


def _masked(count: Lanes) -> Lanes:
    return count & BITS[count.element] - 1


def _in_width(count: Lanes) -> Lanes:
    return _masked(count).eq(count)


def philox4x32(b: Builder, key: tuple[Val, Val], counter: _Words) -> _Words:
    """Philox4x32-10: four random words of every counter under a key, i32 scalars or vectors of one lane count.

    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    `graphc.random_bits.philox4x32_numpy` computes the same.
    """
    # Words live in the low halves of i64 lanes; what multiplications leave in the high halves is never looked at.
    c0, c1, c2, c3 = (Lanes(b, word).convert("zext", "i64") for word in counter)
    first, second = (Lanes(b, word).convert("zext", "i64") for word in key)
    for turn in range(PHILOX_ROUNDS):
        k0, k1 = first + turn * PHILOX_WEYL[0], second + turn * PHILOX_WEYL[1]
        p0, p2 = ((c & 0xFFFFFFFF) * factor for c, factor in zip((c0, c2), PHILOX_MULTIPLIERS, strict=True))
        c0, c1, c2, c3 = p2.shift_right_logical(32) ^ c1 ^ k0, p2, p0.shift_right_logical(32) ^ c3 ^ k1, p0
    w0, w1, w2, w3 = (c.convert("trunc", "i32").val for c in (c0, c1, c2, c3))
    return w0, w1, w2, w3
