"""Integers of kernels: floats made integers with every case defined, and the random bits of Philox."""

from __future__ import annotations

from graphc.random_bits import PHILOX_MULTIPLIERS, PHILOX_ROUNDS, PHILOX_WEYL
from graphc.runtime.lanes import Lanes
from graphc.runtime.llvmtext import SIZEOF, Builder, Val, const, vector

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
