"""Arithmetic on IR values as Python operators: `Lanes` is a `Val` that knows the `Builder` it is written by.

A formula then reads as a formula, for any lane count, and Python numbers stand for constants of the operand's type:

    def sigmoid(x: Lanes) -> Lanes:
        return 1.0 / (1.0 + exp(-x))

Each operator is one IEEE or integer instruction: nothing is reassociated, contracted or assumed, so the bits of a lane
depend on that lane's operands alone.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, Union

from graphc.runtime.llvmtext import Builder, Val, const, suffix_of, vector


class Format(NamedTuple):
    """An IEEE binary format: its integer of the same width, the bits of its fraction, its exponent's bias."""

    integer: str
    fraction: int
    bias: int

    @property
    def rounding(self) -> float:
        """1.5 * 2**fraction: adding it leaves the nearest integer (ties to even) in the sum's low bits."""
        return 1.5 * 2.0**self.fraction


FORMATS = {"float": Format("i32", 23, 127), "double": Format("i64", 52, 1023)}
BITS = {"i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64}

Number = Union["Lanes", float, int]


class Lanes:
    """A scalar or vector SSA value with operators; integers are signed unless a method says otherwise."""

    __slots__ = ("b", "val")

    def __init__(self, b: Builder, val: Val) -> None:
        self.b, self.val = b, val

    @property
    def element(self) -> str:
        return str(self.val.element)

    @property
    def format(self) -> Format:
        return FORMATS[self.element]

    @property
    def is_float(self) -> bool:
        return self.element in FORMATS

    def like(self, value: Number) -> Lanes:
        """`value`, or the constant it stands for among operands of this type."""
        if isinstance(value, Lanes):
            return value
        if not self.is_float:
            bits = BITS[self.element]
            value = (int(value) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1) if bits > 1 else value
        return Lanes(self.b, const(value, self.val.type))

    def _apply(self, name: str, *operands: Number) -> Lanes:
        values = (self.like(o).val for o in operands)
        return Lanes(self.b, getattr(self.b, name)(self.val, *values))

    # Arithmetic

    def __add__(self, other: Number) -> Lanes:
        return self._apply("fadd" if self.is_float else "add", other)

    def __sub__(self, other: Number) -> Lanes:
        return self._apply("fsub" if self.is_float else "sub", other)

    def __mul__(self, other: Number) -> Lanes:
        return self._apply("fmul" if self.is_float else "mul", other)

    def __truediv__(self, other: Number) -> Lanes:
        return self._apply("fdiv", other)

    def __radd__(self, other: Number) -> Lanes:
        return self.like(other) + self

    def __rsub__(self, other: Number) -> Lanes:
        return self.like(other) - self

    def __rmul__(self, other: Number) -> Lanes:
        return self.like(other) * self

    def __rtruediv__(self, other: Number) -> Lanes:
        return self.like(other) / self

    def __neg__(self) -> Lanes:
        return self._apply("fneg") if self.is_float else self.like(0) - self

    def fma(self, factor: Number, addend: Number) -> Lanes:
        """self * factor + addend, rounded once."""
        return self._apply("fma", factor, addend)

    def sqrt(self) -> Lanes:
        return self._intrinsic("sqrt")

    def __abs__(self) -> Lanes:
        return self._intrinsic("fabs")

    def copysign(self, sign: Number) -> Lanes:
        """This magnitude with the sign of `sign`."""
        return self._intrinsic("copysign", sign)

    def rounded(self, how: str) -> Lanes:
        """To an integral float: `floor`, `ceil`, `trunc` or `roundeven`."""
        return self._intrinsic(how)

    def _intrinsic(self, name: str, *operands: Number) -> Lanes:
        values = (self.like(o).val for o in operands)
        return Lanes(self.b, self.b.intrinsic(name, self.val.type, self.val, *values))

    # Integers and masks

    def _int_op(self, op: str, other: Number) -> Lanes:
        return Lanes(self.b, self.b.int_op(op, self.val, self.like(other).val))

    def __and__(self, other: Number) -> Lanes:
        return self._int_op("and", other)

    def __or__(self, other: Number) -> Lanes:
        return self._int_op("or", other)

    def __xor__(self, other: Number) -> Lanes:
        return self._int_op("xor", other)

    def __invert__(self) -> Lanes:
        return self ^ (1 if self.element == "i1" else -1)

    def __lshift__(self, other: Number) -> Lanes:
        return self._int_op("shl", other)

    def __rshift__(self, other: Number) -> Lanes:
        """Arithmetic: copies of the sign bit come in."""
        return self._int_op("ashr", other)

    def shift_right_logical(self, other: Number) -> Lanes:
        return self._int_op("lshr", other)

    # Comparisons: false where an operand is NaN

    def _compare(self, predicate: str, other: Number) -> Lanes:
        name, prefix = ("fcmp", "o") if self.is_float else ("icmp", "" if predicate in ("eq", "ne") else "s")
        compare = getattr(self.b, name)
        return Lanes(self.b, compare(prefix + predicate, self.val, self.like(other).val))

    def __lt__(self, other: Number) -> Lanes:
        return self._compare("lt", other)

    def __le__(self, other: Number) -> Lanes:
        return self._compare("le", other)

    def __gt__(self, other: Number) -> Lanes:
        return self._compare("gt", other)

    def __ge__(self, other: Number) -> Lanes:
        return self._compare("ge", other)

    def eq(self, other: Number) -> Lanes:
        return self._compare("eq", other)

    def ne(self, other: Number) -> Lanes:
        return self._compare("ne", other)

    def any(self) -> Lanes:
        """Whether a mask holds in any lane, as a scalar."""
        if self.val.lanes == 1:
            return self
        return Lanes(self.b, self.b.intrinsic("vector.reduce.or", "i1", self.val, suffix=suffix_of(self.val.type)))

    # Types

    def convert(self, op: str, element: str) -> Lanes:
        """An LLVM cast instruction (`sitofp`, `fptosi`, `zext`, ...), lane by lane."""
        return Lanes(self.b, self.b.convert(op, self.val, element))

    def widen(self) -> Lanes:
        return self.convert("fpext", "double")

    def narrow(self) -> Lanes:
        return self.convert("fptrunc", "float")

    def bits(self) -> Lanes:
        """A float's bits as the integer of its width."""
        return self.convert("bitcast", self.format.integer)

    def from_bits(self) -> Lanes:
        """The float whose bits this integer is."""
        return self.convert("bitcast", {"i32": "float", "i64": "double"}[self.element])


def float_bits(value: float, element: str) -> int:
    """The bits of a float constant as the signed integer of its width."""
    floats, integers = {"float": ("<f", "<i"), "double": ("<d", "<q")}[element]
    return int(struct.unpack(integers, struct.pack(floats, value))[0])


def where(condition: Lanes, x: Number, y: Number) -> Lanes:
    """`x` in the lanes where `condition` holds, `y` elsewhere; one of the two must be `Lanes`."""
    model = x if isinstance(x, Lanes) else y
    assert isinstance(model, Lanes)
    return Lanes(condition.b, condition.b.select(condition.val, model.like(x).val, model.like(y).val))


def at_most(x: Lanes, bound: Number) -> Lanes:
    """The smaller of the two; NaN where `x` is NaN."""
    return where(x > bound, bound, x)


def at_least(x: Lanes, bound: Number) -> Lanes:
    """The larger of the two; NaN where `x` is NaN."""
    return where(x < bound, bound, x)


def horner(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    """The polynomial sum(c[k] * x**k), one fused multiply-add for each coefficient after the last."""
    *rest, last = coefficients
    value = x.like(last)
    for c in reversed(rest):
        value = value.fma(x, c)
    return value


def gather(table: Val, index: Lanes, element: str) -> Lanes:
    """The entries of a table in memory at `index` (i64), one for each lane; every index must be within the table."""
    b, lanes = index.b, index.val.lanes
    if lanes == 1:
        return Lanes(b, b.load(b.gep(table, index.val, element), element))
    result, addresses = vector(element, lanes), f"<{lanes} x ptr>"
    at = b.emit(addresses, f"getelementptr {element}, ptr {table.name}, {index.val.type} {index.val.name}")
    suffix = f"v{lanes}{'f' if element in FORMATS else 'i'}{64 if element in ('double', 'i64') else 32}.v{lanes}p0"
    everywhere = const(True, vector("i1", lanes))
    return Lanes(b, b.intrinsic(
        "masked.gather", result, at, Val("8" if suffix.startswith(f"v{lanes}f64") else "4", "i32"), everywhere,
        const(0, result), suffix=suffix,
    ))
