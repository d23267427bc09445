"""What each elementwise function of the loop IR is in LLVM IR, for every dtype; casts; and neutral elements.

Every case that data can reach has a defined result: casts to integers saturate, integer division by zero gives 0,
shifts are masked, `max` and `min` pass NaN on, as the op's NumPy meaning says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from graphc.dtype import ALL, DType, bfloat16, float16, float32, float64
from graphc.loops import Value
from graphc.runtime import vecmath
from graphc.runtime.lanes import BITS, Lanes
from graphc.runtime.llvmtext import Builder, Val, const, vector
from graphc.runtime.vecint import philox4x32, saturating_fptosi

ELEMENT = {
    "f16": "half", "bf16": "i16", "f32": "float", "f64": "double", "i8": "i8", "i16": "i16", "i32": "i32", "i64": "i64",
    "u8": "i8", "u16": "i16", "u32": "i32", "bool": "i8",
}  # fmt: skip
"""The LLVM type of an element in memory.

LLVM's own `bfloat` is not used: where a processor cannot convert to it, LLVM calls a library, and where it can
(AVX512-BF16), subnormal numbers become 0.
"""

REGISTER = {**ELEMENT, "bool": "i1"}
"""The LLVM type of an element in a register."""

UNSIGNED = ("u8", "u16", "u32", "bool")
"""The integers without a sign."""

_FLOAT = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTEGER = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
_ROUNDING = {"floor": "floor", "ceil": "ceil", "trunc": "trunc", "round": "roundeven"}
_COMPARE = {"lt": "lt", "le": "le", "gt": "gt", "ge": "ge", "eq": "eq", "ne": "ne"}


_SLOW = {"exp", "log", "tanh", "sigmoid", "erf", "pow", "sin", "cos", "random_bits", "sqrt", "div"}


def operations(value: Value) -> int:
    """About how many operations a value takes, given what it is made of."""
    return 8 if value.kind == "fn" and value.data[0] in _SLOW else 1


def function(b: Builder, name: str, dtype: DType, args: Sequence[Val]) -> Val:
    """Applies a function of operands of `dtype` (for `select`: of its two values)."""
    if name == "select":
        return b.select(*args)
    if name in _COMPARE:
        return _compare(b, name, dtype, *args)
    if name == "random_bits":
        return _random_bits(b, *args)
    return (_float if dtype.is_float else _integer)(b, name, dtype, list(args))


def _compare(b: Builder, name: str, dtype: DType, x: Val, y: Val) -> Val:
    if dtype.is_float:
        return b.fcmp({"eq": "oeq", "ne": "une"}.get(name, f"o{name}"), x, y)
    sign = "" if name in ("eq", "ne") else "u" if dtype.short in UNSIGNED else "s"
    return b.icmp(sign + name, x, y)


def _float(b: Builder, name: str, dtype: DType, args: list[Val]) -> Val:
    x = args[0]
    if name in _FLOAT:
        return b.binary(_FLOAT[name], *args)
    if name in ("max", "min"):
        return _extreme(b, "ogt" if name == "max" else "olt", *args)
    if name in _ROUNDING:
        return b.intrinsic(_ROUNDING[name], x.type, x)
    if name in _FLOAT_RULES:
        return _FLOAT_RULES[name](b, *args)
    return vecmath.FUNCTIONS[name](b, *args)


def _extreme(b: Builder, predicate: str, x: Val, y: Val) -> Val:
    """max or min; NaN if either is. A constant goes first: then one comparison passes the other's NaN on."""
    if y.literal:
        x, y = y, x
    chosen = b.select(b.fcmp(predicate, x, y), x, y)
    return chosen if x.literal else b.select(b.fcmp("uno", x, x), x, chosen)


def _sign(b: Builder, x: Val) -> Val:
    zero, one = const(0.0, x.type), const(1.0, x.type)
    positive = b.select(b.fcmp("ogt", x, zero), one, x)
    negative = b.select(b.fcmp("olt", x, zero), const(-1.0, x.type), positive)
    return b.select(b.fcmp("oeq", x, zero), zero, negative)


def _rest(b: Builder, x: Val, y: Val) -> Val:
    """C's `fmod`, which is exact, without a loop where quotients are small.

    The rounded quotient is cut to n, or to n + 1 where it was rounded up to that. What a fused multiply-add leaves of
    |x| is a multiple of the last place of |y| and no greater than |y|, and so is exact; below 0 it was n + 1. Larger
    quotients, and what is no number, are left to the machine's library, for all lanes of such a vector.
    """
    size, by = (b.intrinsic("fabs", x.type, v) for v in (x, y))
    quotient = b.fdiv(size, by)
    rest = b.fma(b.fneg(b.intrinsic("trunc", x.type, quotient)), by, size)
    rest = b.select(b.fcmp("olt", rest, const(0.0, x.type)), b.fadd(rest, by), rest)
    rest = b.select(b.fcmp("olt", size, by), size, rest)  # where |y| is infinite
    usual = b.intrinsic("copysign", x.type, rest, x)
    large = b.fcmp("uge", quotient, const(2.0 ** (23 if x.element == "float" else 52), x.type))

    def instead() -> list[Val]:
        return [b.emit(x.type, f"frem {x.type} {x.name}, {y.name}")]

    return b.unless(Lanes(b, large).any().val, [usual], instead)[0]


def _floor_mod(b: Builder, x: Val, y: Val) -> Val:
    """NumPy's: the remainder with the sign of the divisor, zeros with the divisor's sign."""
    rest = _rest(b, x, y)
    zero = const(0.0, x.type)
    other_sign = b.binary("xor", b.fcmp("olt", rest, zero), b.fcmp("olt", y, zero))
    nonzero = b.fcmp("une", rest, zero)
    moved = b.select(other_sign, b.fadd(rest, y), rest)
    return b.select(nonzero, moved, b.intrinsic("copysign", x.type, zero, y))


def _floor_div(b: Builder, x: Val, y: Val) -> Val:
    """NumPy's: floor of the exact quotient of x - x % y and y; of x / y where y is zero."""
    rest = _rest(b, x, y)
    zero, one = const(0.0, x.type), const(1.0, x.type)
    quotient = b.fdiv(b.fsub(x, rest), y)
    other_sign = b.binary("xor", b.fcmp("olt", rest, zero), b.fcmp("olt", y, zero))
    down = b.binary("and", other_sign, b.fcmp("une", rest, zero))
    quotient = b.select(down, b.fsub(quotient, one), quotient)
    floored = b.intrinsic("floor", x.type, quotient)
    up = b.fcmp("ogt", b.fsub(quotient, floored), const(0.5, x.type))
    floored = b.select(up, b.fadd(floored, one), floored)
    signed_zero = b.intrinsic("copysign", x.type, zero, b.fdiv(x, y))
    result = b.select(b.fcmp("une", quotient, zero), floored, signed_zero)
    return b.select(b.fcmp("oeq", y, zero), b.fdiv(x, y), result)


_FLOAT_RULES: dict[str, Callable[..., Val]] = {
    "neg": lambda b, x: b.fneg(x),
    "abs": lambda b, x: b.intrinsic("fabs", x.type, x),
    "sqrt": lambda b, x: b.intrinsic("sqrt", x.type, x),
    "sign": _sign,
    "isnan": lambda b, x: b.fcmp("uno", x, x),
    "isinf": lambda b, x: b.fcmp("oeq", b.intrinsic("fabs", x.type, x), const(float("inf"), x.type)),
    "isfinite": lambda b, x: b.fcmp("olt", b.intrinsic("fabs", x.type, x), const(float("inf"), x.type)),
    "fmod": _rest,
    "floor_mod": _floor_mod,
    "floor_div": _floor_div,
}


def _integer(b: Builder, name: str, dtype: DType, args: list[Val]) -> Val:
    x = args[0]
    unsigned = dtype.short in UNSIGNED
    if dtype.is_bool and name in ("add", "max", "mul", "min"):
        name = "or" if name in ("add", "max") else "and"
    if name in _INTEGER:
        return b.binary(_INTEGER[name], *args)
    if name in ("max", "min"):
        return b.intrinsic(("u" if unsigned else "s") + name, x.type, *args)
    if name == "neg":
        return b.sub(const(0, x.type), x)
    if name == "abs":
        return x if unsigned else b.intrinsic("smax", x.type, x, b.sub(const(0, x.type), x))
    if name == "not":
        return b.int_op("xor", x, 1 if dtype.is_bool else -1)
    if name == "sign":
        one, zero = const(1, x.type), const(0, x.type)
        up = b.intrinsic("umin" if unsigned else "smin", x.type, x, one)
        return up if unsigned else b.intrinsic("smax", x.type, up, b.sub(zero, one))
    if name in ("isnan", "isinf", "isfinite"):
        return const(name == "isfinite", vector("i1", x.lanes))
    if name in _ROUNDING:
        return x
    if name in ("shl", "shr"):
        return _shift(b, name, unsigned, *args)
    if name in ("floor_div", "floor_mod", "div", "fmod"):
        return _divided(b, name, unsigned, *args)
    if name == "gcd":
        return _gcd(b, unsigned, *args)
    raise AssertionError(f"functions: {name} of {dtype.short}")


def _shift(b: Builder, name: str, unsigned: bool, x: Val, by: Val) -> Val:
    """A shift by as many bits as there are, or more, leaves no bits (or only the sign), as in NumPy."""
    bits = BITS[x.element]
    inside = b.icmp("ult", by, bits)
    right = "lshr" if unsigned else "ashr"
    shifted = b.binary("shl" if name == "shl" else right, x, b.int_op("and", by, bits - 1))
    gone = const(0, x.type) if name == "shl" or unsigned else b.int_op("ashr", x, bits - 1)
    return b.select(inside, shifted, gone)


def _divided(b: Builder, name: str, unsigned: bool, x: Val, y: Val) -> Val:
    """Floor quotient and remainder; by zero 0, and the least integer by -1 itself, as NumPy has it."""
    zero, one = const(0, x.type), const(1, x.type)
    by_zero = b.icmp("eq", y, 0)
    safe = b.select(by_zero, one, y)
    if unsigned:
        quotient, rest = _quotient(b, True, x, safe, y.literal)
    else:
        minus = b.icmp("eq", safe, -1)
        safe = b.select(minus, one, safe)
        quotient, rest = _quotient(b, False, x, safe, y.literal)
        if name != "fmod":
            sign = b.icmp("slt", b.binary("xor", rest, safe), 0)
            down = b.binary("and", b.icmp("ne", rest, 0), sign)
            quotient = b.select(down, b.sub(quotient, one), quotient)
            rest = b.select(down, b.add(rest, safe), rest)
        quotient = b.select(minus, b.sub(zero, x), quotient)
        rest = b.select(minus, zero, rest)
    return b.select(by_zero, zero, quotient if name in ("floor_div", "div") else rest)


def _quotient(b: Builder, unsigned: bool, x: Val, y: Val, known: bool) -> tuple[Val, Val]:
    """The quotient towards zero, and what is left; `known` says that LLVM knows the divisor, and multiplies.

    Machines divide vectors of doubles, but not of integers. Between whole numbers below 2**53 the quotient of doubles,
    cut, is exact: if it is no whole number, the next one is further away than rounding goes. Wider ones are seldom.
    """
    sign = "u" if unsigned else "s"

    def of_integers() -> list[Val]:
        return [b.binary(f"{sign}div", x, y), b.binary(f"{sign}rem", x, y)]

    if x.lanes == 1 or (known and BITS[x.element] < 64):
        quotient, rest = of_integers()
        return quotient, rest
    doubles = [b.convert(f"{sign}itofp", v, "double") for v in (x, y)]
    quotient = b.convert(f"fpto{sign}i", b.fdiv(*doubles), x.element)
    usual = [quotient, b.sub(x, b.mul(quotient, y))]
    if BITS[x.element] == 64:
        sizes = [v if unsigned else b.intrinsic("abs", v.type, v, Val("false", "i1")) for v in (x, y)]
        large = b.icmp("ugt", b.binary("or", *sizes), 2**53 - 1)
        usual = b.unless(Lanes(b, large).any().val, usual, of_integers)
    return usual[0], usual[1]


def _gcd(b: Builder, unsigned: bool, x: Val, y: Val) -> Val:
    """Euclid's, for all lanes until the last is done; of doubles, which divide in vectors, where they are exact."""
    sizes = [v if unsigned else b.intrinsic("abs", v.type, v, Val("false", "i1")) for v in (x, y)]
    of_doubles = b.convert("fptoui", _euclid(b, *(b.convert("uitofp", v, "double") for v in sizes)), x.element)
    if BITS[x.element] < 64:
        return of_doubles
    large = b.icmp("ugt", b.binary("or", *sizes), 2**53 - 1)
    return b.unless(Lanes(b, large).any().val, [of_doubles], lambda: [_euclid(b, *sizes)])[0]


def _euclid(b: Builder, larger: Val, smaller: Val) -> Val:
    """The last of remainders, each of the two before it: of doubles that are whole and below 2**53, or of integers."""
    zero, one = const(0, larger.type), const(1, larger.type)
    is_float = larger.element == "double"

    def follow(pair: list[Val]) -> tuple[Val, list[Val]]:
        x, y = pair
        over = b.fcmp("oeq", y, zero) if is_float else b.icmp("eq", y, zero)
        if is_float:
            rest = b.fma(b.fneg(b.intrinsic("trunc", x.type, b.fdiv(x, y))), y, x)
            more = b.fcmp("une", rest, zero)
        else:
            rest = b.binary("urem", x, b.select(over, one, y))
            more = b.icmp("ne", rest, zero)
        more = b.binary("and", more, b.int_op("xor", over, 1))
        return Lanes(b, more).any().val, [b.select(over, x, y), b.select(over, zero, rest)]

    return b.repeat([larger, smaller], follow)[0]


def _random_bits(b: Builder, seed: Val, counter: Val, element: Val) -> Val:
    """Word 0 of Philox4x32-10 of the low and high halves of the three."""
    halves = [
        (b.convert("trunc", v, "i32"), b.convert("trunc", b.int_op("lshr", v, 32), "i32"))
        for v in (seed, counter, element)
    ]
    key, count, place = halves
    return b.convert("zext", philox4x32(b, key, (*place, *count))[0], "i64")


def cast(b: Builder, x: Val, source: DType, target: DType) -> Val:
    """The value in another dtype: to integers rounded towards zero and saturated, to bool whether it is not 0."""
    if source is target:
        return x
    if source is float16:
        return cast(b, b.convert("fpext", x, "float"), float32, target)
    if source is bfloat16:
        return cast(b, _from_upper_half(b, x), float32, target)
    if target is bfloat16:
        return _upper_half(b, cast(b, x, source, float32))
    if target is float16:
        single = _to_odd(b, x) if source is float64 else cast(b, x, source, float32)
        return b.convert("fptrunc", single, "half")
    to = REGISTER[target.short]
    if target.is_bool:
        return b.fcmp("une", x, const(0.0, x.type)) if source.is_float else b.icmp("ne", x, 0)
    if source.is_float and target.is_float:
        return b.convert("fpext" if target.itemsize > source.itemsize else "fptrunc", x, to)
    unsigned = source.short in UNSIGNED
    if target.is_float:
        return b.convert("uitofp" if unsigned else "sitofp", x, to)
    if source.is_float and (target.itemsize < 4 or target.short in UNSIGNED):
        wide = saturating_fptosi(b, x, "i32" if target.itemsize < 4 else "i64")
        low, high = _INTEGERS[target.short]
        floored = b.intrinsic("smax", wide.type, wide, const(low, wide.type))
        return b.convert("trunc", b.intrinsic("smin", wide.type, floored, const(high, wide.type)), to)
    if source.is_float:
        return saturating_fptosi(b, x, to)
    if source.is_bool or target.itemsize > source.itemsize:
        return b.convert("zext" if unsigned else "sext", x, to)
    return x if target.itemsize == source.itemsize else b.convert("trunc", x, to)


def constant(value: float | int | bool, dtype: DType) -> Val:
    """A number in a register."""
    if dtype is bfloat16:
        value = int(np.array(value, dtype.np).view(np.uint16))
    return const(value, REGISTER[dtype.short])


def _from_upper_half(b: Builder, x: Val) -> Val:
    """The floats whose upper halves these are: what bfloat16 stands for."""
    bits = b.int_op("shl", b.convert("zext", x, "i32"), 16)
    return b.convert("bitcast", bits, "float")


def _upper_half(b: Builder, x: Val) -> Val:
    """The upper halves of floats, rounded to the nearest and ties to even; of NaN the quiet one of its sign."""
    bits = b.convert("bitcast", x, "i32")
    odd = b.int_op("and", b.int_op("lshr", bits, 16), 1)
    rounded = b.binary("add", bits, b.int_op("add", odd, 0x7FFF))
    nan = b.int_op("or", b.int_op("and", bits, 1 << 31), 0x7FC0_0000)
    return b.convert("trunc", b.int_op("lshr", b.select(b.fcmp("uno", x, x), nan, rounded), 16), "i16")


def _to_odd(b: Builder, x: Val) -> Val:
    """Doubles in single precision, what is not exact to the odd neighbour: rounding that once more rounds the double.

    Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008.
    """
    single = b.convert("fptrunc", x, "float")
    back, bits = b.convert("fpext", single, "double"), b.convert("bitcast", single, "i32")
    beyond = b.fcmp("ogt", b.intrinsic("fabs", x.type, back), b.intrinsic("fabs", x.type, x))
    nearer = b.select(beyond, b.sub(bits, const(1, bits.type)), bits)
    odd = b.select(b.fcmp("one", back, x), b.int_op("or", nearer, 1), bits)
    return b.convert("bitcast", odd, "float")


_INTEGERS = {d.short: (int(np.iinfo(d.np).min), int(np.iinfo(d.np).max)) for d in ALL if d.is_int}
_LEAST = {"f32": float("-inf"), "f64": float("-inf"), "i32": -(2**31), "i64": -(2**63), "u8": 0, "bool": 0}
_GREATEST = {"f32": float("inf"), "f64": float("inf"), "i32": 2**31 - 1, "i64": 2**63 - 1, "u8": 255, "bool": 1}


def identity(kind: str, dtype: DType, lanes: int) -> Val:
    """The neutral element of a reduction: +0.0 of a sum, 1 of a product, the least value of a maximum."""
    element = REGISTER[dtype.short]
    value = {"sum": 0, "prod": 1, "any": 0, "all": 1, "max": _LEAST[dtype.short], "min": _GREATEST[dtype.short]}[kind]
    return const(value, vector(element, lanes))
