"""Sums of products of bfloat16, two terms at a time: by one instruction where the machine has it, else by two.

Two factors that are neighbours in the sum lie in the halves of one 32-bit word, the first in the lower half. What
AVX512-BF16 has for sixteen such words (`vdpbf16ps`) takes as long as sixteen fused multiply-adds: one begins at every
cycle of a Zen 4, and ends six later, where a multiply-add ends after four. For each lane it does

    acc = fma(upper(x), upper(y), acc)
    acc = fma(lower(x), lower(y), acc)

each rounded to nearest, ties to even, but with subnormal factors and sums taken for zeros of their sign; infinities and
NaN are as of any fused multiply-add. (Found by experiment: three million random pairs, and what is special, to the
bit.) That is the order of a sum of bfloat16 products on every machine; where there is no such instruction, subnormals
count. The lone last term of a sum of odd length is a lower half; above it are -0.0 and +0.0, whose product changes
nothing.
"""

from __future__ import annotations

from graphc.runtime.llvmtext import SIZEOF, Builder, Val, vector
from graphc.runtime.target import host

HALF = "i16"
"""The LLVM type of a factor in memory."""


def word(b: Builder, lower: Val, upper: Val | None, operand: str) -> Val:
    """Factors in words, as floats: of vectors one lane beside the other.

    Args:
        upper: None where the lower one is the last.
        operand: "a" or "b", which have other zeros above the last.
    """
    if upper is not None and lower.lanes > 1:
        turns = [lane for n in range(lower.lanes) for lane in (n, lower.lanes + n)]
        return b.bitcast(b.shuffle(lower, upper, turns), vector("float", lower.lanes))
    bits = b.convert("zext", lower, "i32")
    if upper is not None:
        bits = b.binary("or", bits, b.int_op("shl", b.convert("zext", upper, "i32"), 16))
    elif operand == "a":
        bits = b.int_op("or", bits, 1 << 31)
    return b.convert("bitcast", bits, "float")


def multiply(b: Builder, x: Val, y: Val, acc: Val) -> Val:
    """`acc`, to which the products of both halves of two words are added, the upper ones first."""
    if not host().multiplies_twos or acc.element != "float":
        for x_half, y_half in zip(halves(b, x), halves(b, y), strict=True):
            acc = b.fma(x_half, y_half, acc)
        return acc
    lanes = max(acc.lanes, 4)
    factors = vector("bfloat", 2 * lanes)
    if acc.lanes == 1:
        zero = Val("zeroinitializer", vector("float", lanes))
        x, y, total = (b.insert(zero, v, 0) for v in (x, y, acc))
        return b.extract(_dot(b, total, b.bitcast(x, factors), b.bitcast(y, factors)), 0)
    return _dot(b, acc, b.bitcast(x, factors), b.bitcast(y, factors))


def _dot(b: Builder, acc: Val, x: Val, y: Val) -> Val:
    return b.call(f"llvm.x86.avx512bf16.dpbf16ps.{8 * SIZEOF['float'] * acc.lanes}", acc.type, acc, x, y)


def halves(b: Builder, x: Val) -> tuple[Val, Val]:
    """The upper and the lower factors of words."""
    bits = b.convert("bitcast", x, "i32")
    upper, lower = b.int_op("and", bits, -1 << 16), b.int_op("shl", bits, 16)
    return b.convert("bitcast", upper, "float"), b.convert("bitcast", lower, "float")
