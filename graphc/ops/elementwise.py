"""Elementwise ops: each result element reads the same element of every operand.

Ops that share a shape stand in tables (`_REAL_FUNCTIONS`, `_COMPARISONS`, ...): a row is a name, the NumPy function
that is its meaning, and what differs. Operands of different shapes and dtypes are made to agree by
`graphc.ops.coerce` before an op sees them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.dtype import DType, bool_, dtype_of
from graphc.ir import TensorType
from graphc.op import Op, define_op
from graphc.ops.coerce import (
    agree,
    as_dtype,
    as_tensor,
    broadcast_all,
    common_dtype,
    full_like,
    plain,
    to_bool,
    to_float,
    together,
)
from graphc.ops.coerce import cast as cast_to
from graphc.place import located
from graphc.tensor import Tensor

Ct = Tensor
Meaning = Callable[..., Any]


# Type rules


Rule = Callable[[str], Callable[..., TensorType]]
"""A type rule, given the name of its op."""


def _same(allowed: Callable[[DType], bool], wanted: str) -> Rule:
    """`(t, t, ...) -> t` for tensors whose dtype is `allowed`; `wanted` says which those are."""

    def rule(name: str) -> Callable[..., TensorType]:
        def infer(*types: TensorType) -> TensorType:
            first = types[0]
            if not allowed(first.dtype):
                raise TypeError(f"{name}: expected {wanted}, got {' and '.join(map(str, types))}")
            _check_equal(name, types)
            return first

        return infer

    return rule


def _truth(name: str) -> Callable[..., TensorType]:
    """`(t, t, ...) -> bool` of the same shape."""

    def infer(*types: TensorType) -> TensorType:
        _check_equal(name, types)
        return TensorType(types[0].shape, bool_)

    return infer


def _check_equal(name: str, types: tuple[TensorType, ...]) -> None:
    if any(t != types[0] for t in types):
        raise ValueError(f"{name}: expected operands of one type, got {' and '.join(map(str, types))}")


_any = _same(lambda dtype: True, "")
_numbers = _same(lambda dtype: not dtype.is_bool, "numbers")
_floats = _same(lambda dtype: dtype.is_float, "floats")
_integers = _same(lambda dtype: dtype.is_int, "integers")
_bits = _same(lambda dtype: not dtype.is_float, "integers or bools")
_bools = _same(lambda dtype: dtype.is_bool, "bools")


def _function(
    name: str, meaning: Meaning, doc: str, rule: Rule, vjp: Callable[..., Any] | None = None, *,
    to: Callable[[DType], DType] = lambda dtype: dtype, fn: str = "", exact: bool = True,
) -> Op:
    """An op that the lowering's builder knows, as `fn` or by the op's own name.

    Args:
        to: what the dtype becomes to which operands are promoted.
    """
    op = define_op(infer=rule(name), coerce=agree(name, to), exact=exact, traits="elementwise", name=name)(meaning)
    op.vjp, op.__doc__ = vjp, doc
    op.def_lower(lambda b, index, *operands: b.fn(fn or name, *(x(index) for x in operands)))
    return op


# Identities


@define_op(infer=lambda x: x, traits="elementwise view")
def identity(x: np.ndarray) -> np.ndarray:
    """The same value."""
    return x


@identity.def_vjp
def identity_vjp(ct: Ct, y: Tensor, x: Tensor) -> Any:
    return (ct,)


@define_op(infer=lambda x: x, traits="elementwise view")
def stop_gradient(x: np.ndarray) -> np.ndarray:
    """The same value, as a constant to differentiation."""
    return x


@stop_gradient.def_vjp
def stop_gradient_vjp(ct: Ct, y: Tensor, x: Tensor) -> Any:
    return (None,)


@identity.def_lower
@stop_gradient.def_lower
def identity_lower(b: Any, index: Any, x: Any) -> Any:
    return x(index)


# Casts


@define_op(infer=lambda x, *, dtype: TensorType(x.shape, dtype), traits="elementwise moves", name="cast")
def cast_(x: np.ndarray, *, dtype: DType) -> np.ndarray:
    """Every element in another dtype.

    A float becomes the integer nearest to it towards zero; what lies outside the integer's range becomes its bound,
    and NaN becomes 0. An integer that a narrower one cannot hold wraps. Every number but 0 becomes True. What becomes
    a bfloat16 becomes a float32 first, as in MindSpore and PyTorch; both times it is rounded to nearest, ties to even.
    What becomes of a complex number is what becomes of its real part, but True if any part is not 0.
    """
    source = dtype_of(x.dtype)
    if source.is_complex and not (dtype.is_complex or dtype.is_bool):
        return np.asarray(cast_.meaning(x.real, dtype=dtype))
    if not source.is_float or not dtype.is_int:
        return x.astype(dtype.np)
    if source.wide:
        x = x.astype(source.wide.np)  # where the bounds below are numbers
    low, high = np.iinfo(dtype.np).min, np.iinfo(dtype.np).max
    inside = (x > float(low) - 1) & (x < float(high)) if dtype.itemsize < 8 else (x >= -(2.0**63)) & (x < 2.0**63)
    truncated = np.where(inside, x, 0).astype(dtype.np)
    return np.where(inside | np.isnan(x), truncated, np.where(x > 0, high, low).astype(dtype.np))


@cast_.def_vjp
def cast_vjp(ct: Ct, y: Tensor, x: Tensor, *, dtype: DType) -> Any:
    return (cast_(ct, dtype=x.dtype) if x.dtype.is_inexact and dtype.is_inexact else None,)


@cast_.def_lower
def cast_lower(b: Any, index: Any, x: Any, *, dtype: DType) -> Any:
    return b.cast(x(index), dtype)


def cast(input: Any, dtype: Any) -> Tensor:
    """`input` in another element type (see the table op): itself if it has it.

    Args:
        input: Tensor or number.
        dtype: a graphc dtype, a NumPy dtype or its name, or `float`, `int`, `bool`.
    Raises:
        TypeError: no such dtype.
    """
    x, wanted = as_tensor("cast", input), as_dtype(dtype)
    return x if x.dtype is wanted else cast_(x, dtype=wanted)


# Arithmetic: IEEE operations, whose NumPy result is exact


add = _function("add", np.add, "The sum `x + y`; of bools, `or`.", _any, lambda ct, z, x, y: (ct, ct))
sub = _function(
    "sub", np.subtract, "The difference `x - y`.", _same(lambda dtype: not dtype.is_bool, "numbers (for bools use ^)"),
    lambda ct, z, x, y: (ct, lambda: -ct),
)
mul = _function(
    "mul", np.multiply, "The product `x * y`; of bools, `and`.", _any,
    lambda ct, z, x, y: (lambda: ct * y, lambda: ct * x),
)
div = _function(
    "div", np.true_divide, "The quotient `x / y`; of integers in float32.", _floats,
    lambda ct, z, x, y: (lambda: ct / y, lambda: -(ct * (z / y))), to=to_float,
)


@define_op(infer=_numbers("neg"), coerce=agree("neg"), traits="elementwise")
def neg(x: np.ndarray) -> np.ndarray:
    """The negative `-x` (integers wrap)."""
    return -x


@neg.def_vjp
def neg_vjp(ct: Ct, y: Tensor, x: Tensor) -> Any:
    return (-ct,)


@neg.def_lower
def neg_lower(b: Any, index: Any, x: Any) -> Any:
    return -x(index)


# Choice


def _select_type(condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
    if condition.dtype is not bool_:
        raise TypeError(f"select: expected a bool condition, got {condition}")
    if condition.shape != x.shape or x != y:
        raise ValueError(f"select: expected operands of one shape and dtype, got {condition}, {x} and {y}")
    return x


def _agree_select(condition: Any, x: Any, y: Any) -> tuple[Tensor, ...]:
    chosen = tuple(plain("select", o) for o in (x, y))
    numbers = together("select", common_dtype(chosen), chosen)
    return tuple(broadcast_all("select", [cast_to(as_tensor("select", condition), bool_), *numbers]))


@define_op(infer=_select_type, coerce=_agree_select, traits="elementwise")
def select(condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`x` where the condition holds, elsewhere `y`."""
    return np.where(condition, x, y)


@select.def_vjp
def select_vjp(ct: Ct, z: Tensor, condition: Tensor, x: Tensor, y: Tensor) -> Any:
    return None, lambda: select(condition, ct, full_like(ct, 0)), lambda: select(condition, full_like(ct, 0), ct)


@select.def_lower
def select_lower(b: Any, index: Any, condition: Any, x: Any, y: Any) -> Any:
    return b.select(condition(index), x(index), y(index))


# Comparisons and logic

_COMPARISONS = {
    "less": (np.less, "lt"), "less_equal": (np.less_equal, "le"), "greater": (np.greater, "gt"),
    "greater_equal": (np.greater_equal, "ge"), "equal": (np.equal, "eq"), "not_equal": (np.not_equal, "ne"),
}  # fmt: skip


less, less_equal, greater, greater_equal, equal, not_equal = (
    _function(
        name, meaning, f"Whether `x` is {name.replace('_', ' ')} (to) `y`, element by element: bool.", _truth, fn=fn
    )
    for name, (meaning, fn) in _COMPARISONS.items()
)


def _bitwise(name: str, meaning: Meaning) -> tuple[Op, Op]:
    """`logical_<name>` of truth values, and `bitwise_<name>` of integers and bools."""
    truth = f"`{name}` of truth values; a number other than 0 is true."
    logical = _function(f"logical_{name}", meaning, truth, _bools, to=to_bool, fn=name)
    bitwise = _function(f"bitwise_{name}", meaning, f"`{name}` of every bit of integers, or of bools.", _bits, fn=name)
    return logical, bitwise


logical_and, bitwise_and = _bitwise("and", np.bitwise_and)
logical_or, bitwise_or = _bitwise("or", np.bitwise_or)
logical_xor, bitwise_xor = _bitwise("xor", np.bitwise_xor)
logical_not, bitwise_not = _bitwise("not", np.invert)


# Unary ops that are exact


def _no_slope(ct: Ct, y: Tensor, x: Tensor) -> Any:
    return (full_like(ct, 0),)  # piecewise constant


sign = _function("sign", np.sign, "-1, 0 or 1 by the sign of `x`; NaN stays NaN.", _numbers, _no_slope)
abs_ = _function(
    "abs", np.abs, "The absolute value; its derivative at 0 is 0.", _numbers, lambda ct, y, x: (ct * sign(x),)
)
floor = _function("floor", np.floor, "The greatest integer not above `x`.", _numbers, _no_slope)
ceil = _function("ceil", np.ceil, "The smallest integer not below `x`.", _numbers, _no_slope)
round_ = _function("round", np.round, "The nearest integer; halves go to the even one.", _numbers, _no_slope)
trunc = _function("trunc", np.trunc, "The integer part, towards 0.", _numbers, _no_slope)
sqrt = _function("sqrt", np.sqrt, "The square root.", _floats, lambda ct, y, x: (ct / (y * 2.0),), to=to_float)


@define_op(infer=_floats("rsqrt"), coerce=agree("rsqrt", to_float), traits="elementwise")
def rsqrt(x: np.ndarray) -> np.ndarray:
    """`1 / sqrt(x)`, each of the two operations rounded."""
    return np.asarray(1 / np.sqrt(x))


@rsqrt.def_vjp
def rsqrt_vjp(ct: Ct, y: Tensor, x: Tensor) -> Any:
    return (ct * (-0.5 * (y * y * y)),)


@rsqrt.def_lower
def rsqrt_lower(b: Any, index: Any, x: Any) -> Any:
    return b.const(1, x.dtype) / b.fn("sqrt", x(index))


@define_op(infer=_floats("reciprocal"), coerce=agree("reciprocal", to_float), traits="elementwise")
def reciprocal(x: np.ndarray) -> np.ndarray:
    """`1 / x`."""
    return np.asarray(1 / x)


@reciprocal.def_vjp
def reciprocal_vjp(ct: Ct, y: Tensor, x: Tensor) -> Any:
    return (-(ct * (y * y)),)


@reciprocal.def_lower
def reciprocal_lower(b: Any, index: Any, x: Any) -> Any:
    return b.const(1, x.dtype) / x(index)


@define_op(infer=_numbers("square"), coerce=agree("square"), traits="elementwise")
def square(x: np.ndarray) -> np.ndarray:
    """`x * x`."""
    return np.asarray(x * x)


@square.def_vjp
def square_vjp(ct: Ct, y: Tensor, x: Tensor) -> Any:
    return (ct * (x * 2.0),)


@square.def_lower
def square_lower(b: Any, index: Any, x: Any) -> Any:
    value = x(index)
    return value * value


@define_op(infer=_numbers("relu"), coerce=agree("relu"), traits="elementwise")
def relu(x: np.ndarray) -> np.ndarray:
    """0 where `x < 0`, elsewhere `x` (so NaN and -0.0 stay)."""
    return np.where(x < 0, x.dtype.type(0), x)


@relu.def_vjp
def relu_vjp(ct: Ct, y: Tensor, x: Tensor) -> Any:
    return (select(greater(y, 0), ct, full_like(ct, 0)),)  # from y, so the backward pass need not keep x


@relu.def_lower
def relu_lower(b: Any, index: Any, x: Any) -> Any:
    value, zero = x(index), b.const(0, x.dtype)
    return b.select(b.fn("lt", value, zero), zero, value)


# Maximum and minimum


def _extreme(name: str, ufunc: Any, beats: str) -> Op:
    def meaning(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        chosen = np.where(ufunc(x, y), x, y)
        return np.where(np.isnan(x), x, chosen) if x.dtype.kind == "f" else chosen

    op = define_op(infer=_any(name), coerce=agree(name), traits="elementwise", name=name)(meaning)
    op.__doc__ = (
        f"The {name} of `x` and `y`; NaN if either is NaN, and `y` where they are equal (which tells 0.0 from -0.0). "
        "The derivative is shared half and half where they are equal."
    )

    @op.def_vjp
    def vjp(ct: Ct, z: Tensor, x: Tensor, y: Tensor) -> Any:
        return lambda: _shared(ct, z, x, y), lambda: _shared(ct, z, y, x)

    @op.def_lower
    def lower(b: Any, index: Any, x: Any, y: Any) -> Any:
        u, v = x(index), y(index)
        if x.dtype.is_bool:
            return b.fn("or" if name == "maximum" else "and", u, v)
        chosen = b.select(b.fn(beats, u, v), u, v)
        return b.select(b.fn("isnan", u), u, chosen) if x.dtype.is_float else chosen

    return op


def _shared(ct: Ct, result: Tensor, x: Tensor, other: Tensor) -> Tensor:
    """The part of the cotangent that goes to `x`: all, half where `other` is equal, or none."""
    part = select(equal(x, other), ct * 0.5, ct)
    return select(equal(x, result), part, full_like(ct, 0))


maximum = _extreme("maximum", np.greater, "gt")
minimum = _extreme("minimum", np.less, "lt")


# Functions of real numbers: the project's own polynomials, near NumPy's result


def _erf(function: Callable[[float], float]) -> Meaning:
    elementwise = np.vectorize(function, otypes=[np.float64])
    return lambda x: elementwise(x) if x.size else x


def _erfinv(p: float) -> float:
    """The inverse of erf by Newton's method on `erf(x) - p`, or on the logarithm of erfc in the tails."""
    if math.isnan(p) or abs(p) >= 1:
        return math.copysign(math.inf, p) if abs(p) == 1 else math.nan
    w = math.log1p(-p * p) / 2 + 2 / (math.pi * 0.147)  # Winitzki's estimate, 2e-3 relative
    x = math.copysign(math.sqrt(math.sqrt(w * w - math.log1p(-p * p) / 0.147) - w), p)
    for _ in range(4):
        x -= (math.erf(x) - p) * math.sqrt(math.pi) / 2 * math.exp(x * x)
    return x


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1 + small))


_LN2, _LN10, _ROOT_PI = math.log(2), math.log(10), math.sqrt(math.pi)

exp: Op  # derivatives name functions that the table is still to make
sin: Op
cos: Op
sinh: Op
cosh: Op
sigmoid: Op

# name: (meaning, derivative times the cotangent, what it is)
_REAL_FUNCTIONS: dict[str, tuple[Meaning, Callable[[Ct, Tensor, Tensor], Tensor], str]] = {
    "exp": (np.exp, lambda ct, y, x: ct * y, "e to the power `x`"),
    "exp2": (np.exp2, lambda ct, y, x: ct * (y * _LN2), "2 to the power `x`"),
    "expm1": (np.expm1, lambda ct, y, x: ct * (y + 1.0), "`exp(x) - 1`, accurate near 0"),
    "log": (np.log, lambda ct, y, x: ct / x, "the natural logarithm"),
    "log2": (np.log2, lambda ct, y, x: ct / (x * _LN2), "the logarithm to base 2"),
    "log10": (np.log10, lambda ct, y, x: ct / (x * _LN10), "the logarithm to base 10"),
    "log1p": (np.log1p, lambda ct, y, x: ct / (x + 1.0), "`log(1 + x)`, accurate near 0"),
    "sin": (np.sin, lambda ct, y, x: ct * cos(x), "the sine (radians)"),
    "cos": (np.cos, lambda ct, y, x: -(ct * sin(x)), "the cosine (radians)"),
    "tan": (np.tan, lambda ct, y, x: ct * (y * y + 1.0), "the tangent (radians)"),
    "asin": (np.arcsin, lambda ct, y, x: ct / sqrt(1.0 - x * x), "the inverse sine, in [-pi/2, pi/2]"),
    "acos": (np.arccos, lambda ct, y, x: -(ct / sqrt(1.0 - x * x)), "the inverse cosine, in [0, pi]"),
    "atan": (np.arctan, lambda ct, y, x: ct / (x * x + 1.0), "the inverse tangent, in [-pi/2, pi/2]"),
    "sinh": (np.sinh, lambda ct, y, x: ct * cosh(x), "the hyperbolic sine"),
    "cosh": (np.cosh, lambda ct, y, x: ct * sinh(x), "the hyperbolic cosine"),
    "tanh": (np.tanh, lambda ct, y, x: ct * (1.0 - y * y), "the hyperbolic tangent, in [-1, 1]"),
    "asinh": (np.arcsinh, lambda ct, y, x: ct / sqrt(x * x + 1.0), "the inverse hyperbolic sine"),
    "acosh": (np.arccosh, lambda ct, y, x: ct / sqrt(x * x - 1.0), "the inverse hyperbolic cosine"),
    "atanh": (np.arctanh, lambda ct, y, x: ct / (1.0 - x * x), "the inverse hyperbolic tangent"),
    "sigmoid": (_sigmoid, lambda ct, y, x: ct * (y * (1.0 - y)), "the logistic function `1 / (1 + exp(-x))`"),
    "softplus": (lambda x: np.logaddexp(x.dtype.type(0), x), lambda ct, y, x: ct * sigmoid(x), "`log(1 + exp(x))`"),
    "erf": (_erf(math.erf), lambda ct, y, x: ct * (exp(-(x * x)) * (2 / _ROOT_PI)), "the error function"),
    "erfc": (_erf(math.erfc), lambda ct, y, x: ct * (exp(-(x * x)) * (-2 / _ROOT_PI)), "`1 - erf(x)`"),
    "erfinv": (_erf(_erfinv), lambda ct, y, x: ct * (exp(y * y) * (_ROOT_PI / 2)), "the inverse of erf"),
}  # fmt: skip


def real_function(name: str, meaning: Meaning, slope: Callable[[Ct, Tensor, Tensor], Tensor], what: str) -> Op:
    """A function of floats: `slope(ct, y, x)` is its derivative times the cotangent, `what` begins its docstring."""
    doc = f"{what[0].upper() + what[1:]}, element by element; of integers in float32."
    return _function(name, meaning, doc, _floats, lambda ct, y, x: (slope(ct, y, x),), to=to_float, exact=False)


(
    exp, exp2, expm1, log, log2, log10, log1p, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh,
    sigmoid, softplus, erf, erfc, erfinv,
) = (real_function(name, *row) for name, row in _REAL_FUNCTIONS.items())  # fmt: skip


def _atan2_vjp(ct: Ct, angle: Tensor, y: Tensor, x: Tensor) -> Any:
    scaled = ct / (x * x + y * y)
    return scaled * x, -(scaled * y)


atan2 = _function(
    "atan2", np.arctan2, "The angle of the point (x, y), in [-pi, pi].", _floats, _atan2_vjp, to=to_float, exact=False
)


# Division with remainder


floor_div = _function(
    "floor_div", np.floor_divide, "The quotient rounded down; 0 where integers are divided by 0.", _numbers
)
floor_mod = _function(
    "floor_mod", np.remainder,
    "The remainder with the sign of `y` (Python's `%`); of a division by 0 NaN, or 0 for integers.", _numbers,
    lambda ct, z, x, y: (ct, lambda: -(ct * floor(x / y))),
)
fmod = _function(
    "fmod", np.fmod, "The remainder with the sign of `x` (C's `fmod`); of a division by 0 NaN, or 0 for integers.",
    _numbers, lambda ct, z, x, y: (ct, lambda: -(ct * trunc(x / y))),
)


# Common divisors


@define_op(infer=_integers("gcd"), coerce=agree("gcd"), traits="elementwise")
def gcd(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The greatest common divisor of integers, not negative; 0 of 0 and 0."""
    return np.asarray(np.gcd(x, y))


@gcd.def_lower
def gcd_lower(b: Any, index: Any, x: Any, y: Any) -> Any:
    return b.fn("gcd", x(index), y(index))


# Powers


@define_op(
    infer=_numbers("pow"), coerce=agree("pow"), exact=False, traits="elementwise", name="pow"
)
def pow_(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`x` to the power `y`.

    Of integers the product wraps, and a negative power is the exact one rounded towards 0: that of 1 and -1, else 0.
    """
    if x.dtype.kind == "f":
        return np.asarray(np.power(x, y))
    whole = np.power(x, np.maximum(y, 0))
    inverse = np.where(x == 1, 1, np.where((x != -1) | (y == 0), 0, np.where(y % 2 == 0, 1, -1)))
    return np.where(y < 0, inverse, whole).astype(x.dtype) if x.dtype.kind == "i" else whole


@pow_.def_vjp
def pow_vjp(ct: Ct, z: Tensor, x: Tensor, y: Tensor) -> Any:
    def to_base() -> Tensor:  # 0 for the power 0, also at the base 0, where `y * x ** (y - 1)` is 0 * inf
        return select(equal(y, 0), full_like(ct, 0), ct * (y * pow_(x, y - 1.0)))

    def to_exponent() -> Tensor:  # 0 at the base 0, where `0 ** y` does not change with y > 0
        return select(logical_and(equal(x, 0), greater_equal(y, 0)), full_like(ct, 0), ct * (z * log(x)))

    return to_base, to_exponent


@pow_.def_lower
def pow_lower(b: Any, index: Any, x: Any, y: Any) -> Any:
    base, exponent = x(index), y(index)
    if x.dtype.is_float:
        return b.fn("pow", base, exponent)
    zero, one = b.const(0, x.dtype), b.const(1, x.dtype)
    result, square_, bits = one, base, exponent
    for _ in range(8 * x.dtype.itemsize):
        odd = b.fn("ne", b.fn("and", bits, one), zero)
        result = b.select(odd, result * square_, result)
        square_, bits = square_ * square_, b.fn("shr", bits, one)
    if x.dtype.itemsize == 1:
        return result
    unit = b.fn("eq", b.fn("abs", base), one)  # a negative power has every high bit set: right for 1 and -1
    return b.select(b.fn("and", b.fn("lt", exponent, zero), b.fn("not", unit)), zero, result)


_SHORT_POWERS: dict[float, Callable[[Tensor], Tensor]] = {
    0.5: sqrt, 1: lambda x: x, 2: square, 3: lambda x: x * x * x, -0.5: rsqrt, -1: reciprocal,
    -2: lambda x: reciprocal(square(x)),
}  # fmt: skip


def pow(input: Any, exponent: Any) -> Tensor:
    """`input` to the power `exponent`, element by element.

    The powers 0.5, 1, 2, 3, -0.5, -1 and -2, given as Python numbers, of floats and complex numbers are by definition
    the products, reciprocals and square roots that they stand for (as in PyTorch). Powers of integers wrap.

    Raises:
        ValueError: integers to a negative Python int.
    """
    if isinstance(input, Tensor) and type(exponent) in (int, float):
        if input.dtype.is_inexact and exponent in _SHORT_POWERS:
            return _SHORT_POWERS[exponent](input)
        if input.dtype.is_int and isinstance(exponent, int):
            if exponent < 0:
                shown = f"{input.spec} ** {exponent}"
                raise located(ValueError(f"pow: integers to a negative power, {shown}; cast to a float type"))
            if exponent == 2:
                return square(input)
    return pow_(input, exponent)


# Shifts


bitwise_left_shift = _function(
    "bitwise_left_shift", np.left_shift,
    "The bits of `x` moved up by `y`; all are lost if `y` is negative or at least the width.", _integers, fn="shl",
)
bitwise_right_shift = _function(
    "bitwise_right_shift", np.right_shift,
    "The bits of `x` moved down by `y`; only the sign stays if `y` is negative or beyond.", _integers, fn="shr",
)


# Kinds of floats

isnan, isinf, isfinite = (
    _function(name, meaning, f"Whether an element is {what}: bool.", _truth)
    for name, meaning, what in (
        ("isnan", np.isnan, "NaN"), ("isinf", np.isinf, "plus or minus infinity"),
        ("isfinite", np.isfinite, "neither infinite nor NaN"),
    )
)


# Neighbours


@define_op(infer=_floats("nextafter"), coerce=agree("nextafter"), traits="elementwise")
def nextafter(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The float next to `x` on the side of `y`; `y` where they are equal."""
    return np.asarray(np.nextafter(x, y))


@nextafter.def_vjp
def nextafter_vjp(ct: Ct, z: Tensor, x: Tensor, y: Tensor) -> Any:
    return ct, lambda: full_like(ct, 0)


@nextafter.def_lower
def nextafter_lower(b: Any, index: Any, x: Any, y: Any) -> Any:
    """S. M. Rump et al., "Computing predecessor and successor in rounding to nearest" (2009), algorithm 2."""
    start, goal, info = x(index), y(index), np.finfo(x.dtype.np)
    unit, least = float(info.eps) / 2, float(info.smallest_subnormal)

    def number(value: float) -> Any:
        return b.const(value, x.dtype)

    def below(value: Any, bound: float) -> Any:
        return b.fn("lt", value, number(bound))

    size, zero = b.fn("abs", start), number(0.0)
    negative = b.fn("lt", start, zero)
    farther = b.select(negative, b.fn("lt", goal, start), b.fn("gt", goal, start))
    part = number(unit * (1 + 2 * unit))

    def moved(value: Any, step: Any) -> Any:
        return b.select(farther, value + step, value - step)

    scaled = size * number(1 / unit)  # where a step would be too small to be a product
    small = b.select(below(size, least / unit), moved(size, number(least)), moved(scaled, scaled * part) * number(unit))
    found = b.select(below(size, least / unit**2), small, moved(size, size * part))
    endless = b.fn("eq", size, number(math.inf))
    found = b.select(endless, number(float(info.max)), found)
    found = b.select(negative, -found, found)
    from_zero = b.select(b.fn("lt", goal, zero), number(-least), number(least))
    found = b.select(b.fn("eq", start, zero), from_zero, found)
    found = b.select(b.fn("eq", start, goal), goal, found)
    return b.select(b.fn("or", b.fn("isnan", start), b.fn("isnan", goal)), number(math.nan), found)
