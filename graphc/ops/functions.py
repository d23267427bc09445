"""Elementwise functions as users call them, under MindSpore's names and argument names.

Most are one op of the table each; those that are several stand below. Dtypes promote and shapes broadcast.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from graphc.dtype import finite_limits, float64
from graphc.eager import as_one_piece
from graphc.nested import map_leaves
from graphc.op import TABLE
from graphc.ops.coerce import as_float, as_tensor, cast, common_dtype, to_float
from graphc.ops.elementwise import pow
from graphc.place import located, named
from graphc.tensor import Tensor

__all__ = [
    "abs", "absolute", "accumulate_n", "acos", "acosh", "add", "addcdiv", "addcmul", "addn", "allclose",
    "approximate_equal", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh",
    "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "ceil", "clamp", "clip", "clip_by_value", "cos", "cosh", "deg2rad", "div", "divide", "eq", "equal",
    "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "float_power", "floor", "floor_div", "floor_divide", "floor_mod",
    "fmax", "fmin", "fmod", "frac", "gcd", "ge", "greater", "greater_equal", "gt", "heaviside", "hypot", "identity",
    "inv", "invert", "is_floating_point", "is_nonzero", "isclose", "isfinite", "isinf", "isnan", "lcm", "ldexp", "le",
    "lerp", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp", "logaddexp2", "logical_and",
    "logical_not", "logical_or", "logical_xor", "logit", "lt", "maximum", "minimum", "mul", "multiply", "nan_to_num",
    "ne", "neg", "negative", "nextafter", "not_equal", "pow", "pows", "rad2deg", "reciprocal", "relu", "remainder",
    "round", "rsqrt", "select", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "sqrt", "square", "sub",
    "subtract", "tan", "tanh", "true_divide", "trunc", "truncate_div", "truncate_mod", "where", "xdivy", "xlogy",
]  # fmt: skip

Function = Callable[..., Tensor]


def _function(name: str, op_name: str, names: tuple[str, ...]) -> Function:
    """The op as a function of this name, whose arguments have names."""
    op = TABLE[op_name]
    parameters = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in names]
    signature = inspect.Signature(parameters, return_annotation=Tensor)

    def function(*args: Any, **kwargs: Any) -> Tensor:
        if kwargs or len(args) != len(names):
            try:
                args = signature.bind(*args, **kwargs).args
            except TypeError as error:
                raise located(TypeError(f"{name}: {error}")) from None
        return op(*args)

    function.__signature__ = signature  # type: ignore[attr-defined]  # what help() and inspect show
    return named(function, name, op.__doc__)


def _functions(ops: str, *names: str) -> list[Function]:
    """A function of each of these ops; of an op `name=op` under another name than its own."""
    return [_function(name, op or name, names) for name, _, op in (each.partition("=") for each in ops.split())]


# One op of the table each

acos, acosh, asin, asinh, atan, atanh, cos, cosh, sin, sinh, tan, tanh = _functions(
    "acos acosh asin asinh atan atanh cos cosh sin sinh tan tanh", "input"
)
erf, erfc, erfinv, exp, exp2, expm1, log, log10, log1p, log2, sigmoid = _functions(
    "erf erfc erfinv exp exp2 expm1 log log10 log1p log2 sigmoid", "input"
)
abs, bitwise_not, ceil, floor, isfinite, isinf, isnan, logical_not, neg, reciprocal, rsqrt, sign, square, trunc = (
    _functions(
        "abs bitwise_not ceil floor isfinite isinf isnan logical_not neg reciprocal rsqrt sign square trunc", "input"
    )
)
(sqrt,) = _functions("sqrt", "x")
add, atan2, floor_divide, remainder, fmod, maximum, minimum, mul, sub = _functions(
    "add atan2 floor_divide=floor_div remainder=floor_mod fmod maximum minimum mul sub", "input", "other"
)
floor_div, floor_mod = _functions("floor_div floor_mod", "x", "y")
(gcd,) = _functions("gcd", "input", "other")
equal, greater, greater_equal, less, less_equal, not_equal = _functions(
    "equal greater greater_equal less less_equal not_equal", "input", "other"
)
bitwise_and, bitwise_or, bitwise_xor, bitwise_left_shift, bitwise_right_shift = _functions(
    "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift", "input", "other"
)
logical_and, logical_or, logical_xor = _functions("logical_and logical_or logical_xor", "input", "other")
select, where = _functions("select where=select", "condition", "input", "other")


def identity(x: Any) -> Any:
    """The same value: a Tensor, or nested tuples, lists and dicts of them, such as gradients that no one reduces.

    What else is given (a number, None) is returned as it is.
    """
    return map_leaves(lambda leaf: TABLE["identity"](leaf) if isinstance(leaf, Tensor) else leaf, x)


# The same under other names

absolute, negative = _functions("absolute=abs negative=neg", "input")
arccos, arccosh, arcsin, arcsinh, arctan, arctanh = _functions(
    "arccos=acos arccosh=acosh arcsin=asin arcsinh=asinh arctan=atan arctanh=atanh", "input"
)
arctan2, multiply = _functions("arctan2=atan2 multiply=mul", "input", "other")
eq, ne, lt, le, gt, ge = _functions(
    "eq=equal ne=not_equal lt=less le=less_equal gt=greater ge=greater_equal", "input", "other"
)


# Arithmetic


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """The quotient; of integers in float32.

    Args:
        rounding_mode: None, `"floor"` (rounded down) or `"trunc"` (towards 0).
    """
    if rounding_mode is None:
        return TABLE["div"](input, other)
    if rounding_mode == "floor":
        return floor_div(input, other)
    if rounding_mode != "trunc":
        raise located(ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}"))
    quotient = TABLE["div"](input, other)
    whole = floor_div(input, other)
    if whole.dtype.is_float:
        return trunc(quotient)
    inexact = not_equal(mul(whole, other), input)
    return select(logical_and(inexact, less(whole, 0)), add(whole, 1), whole)


def nextafter(input: Any, other: Any) -> Tensor:
    """The float next to `input` on the side of `other`; `other` where they are equal.

    Raises:
        TypeError: other types than float32 and float64: what is computed in a wider type has other neighbours there.
    """
    dtype = common_dtype((as_tensor("nextafter", input), as_tensor("nextafter", other)))
    if not dtype.is_float or dtype.wide:
        raise located(TypeError(f"nextafter: expected float32 or float64, got {dtype.name}"))
    return TABLE["nextafter"](input, other)


def divide(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """As `div`."""
    return div(input, other, rounding_mode=rounding_mode)


def subtract(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """`input - alpha * other`."""
    return sub(input, other if alpha == 1 else mul(other, alpha))


def true_divide(dividend: Any, divisor: Any) -> Tensor:
    """The quotient; of integers in float32."""
    return div(dividend, divisor)


def pows(input: Any, exponent: Any) -> Tensor:
    """As `pow`."""
    return pow(input, exponent)


def float_power(input: Any, exponent: Any) -> Tensor:
    """`input` to the power `exponent` in float64."""
    return pow(cast(as_tensor("float_power", input), float64), exponent)


def round(input: Any, *, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals; halves go to the even one."""
    x = as_tensor("round", input)
    if decimals == 0 or not x.dtype.is_float:
        return TABLE["round"](x)
    scale = 10.0 ** math.fabs(decimals)
    scaled = mul(x, scale) if decimals > 0 else div(x, scale)
    return div(TABLE["round"](scaled), scale) if decimals > 0 else mul(TABLE["round"](scaled), scale)


def truncate_div(x: Any, y: Any) -> Tensor:
    """The quotient rounded towards 0."""
    return div(x, y, rounding_mode="trunc")


def truncate_mod(x: Any, y: Any) -> Tensor:
    """The remainder of the quotient rounded towards 0, with the sign of `x`: as `fmod`."""
    return fmod(x, y)


def inv(x: Any) -> Tensor:
    """`1 / x`: as `reciprocal`."""
    return reciprocal(x)


def invert(x: Any) -> Tensor:
    """Every bit the other way: as `bitwise_not`."""
    return bitwise_not(x)


def accumulate_n(x: Any) -> Tensor:
    """The sum of the tensors in a tuple or list: as `addn`."""
    return addn(x)


def lcm(input: Any, other: Any) -> Tensor:
    """The least common multiple of integers, not negative; 0 where one of them is 0."""
    shared = maximum(gcd(input, other), 1)
    return abs(mul(floor_div(input, shared), other))


def frac(x: Any) -> Tensor:
    """The part after the point, with the sign of `x`."""
    return sub(x, trunc(x))


@as_one_piece
def addn(x: Any) -> Tensor:
    """The sum of the tensors in a tuple or list, added from the left."""
    if not isinstance(x, (tuple, list)) or not x:
        raise located(TypeError(f"addn: expected a tuple or list of at least one Tensor, got {x!r:.60}"))
    total = as_tensor("addn", x[0])
    for term in x[1:]:
        total = add(total, term)
    return total


@as_one_piece
def lerp(input: Any, end: Any, weight: Any) -> Tensor:
    """`input + weight * (end - input)`."""
    return add(input, mul(weight, sub(end, input)))


@as_one_piece
def addcmul(input: Any, tensor1: Any, tensor2: Any, value: Any = 1) -> Tensor:
    """`input + value * tensor1 * tensor2`."""
    return add(input, mul(mul(tensor1, tensor2), value))


@as_one_piece
def addcdiv(input: Any, tensor1: Any, tensor2: Any, value: Any = 1) -> Tensor:
    """`input + value * tensor1 / tensor2`."""
    return add(input, mul(div(tensor1, tensor2), value))


@as_one_piece
def hypot(input: Any, other: Any) -> Tensor:
    """`sqrt(input**2 + other**2)`; of bools and integers in float32."""
    return sqrt(add(square(as_float("hypot", input)), square(as_float("hypot", other))))


def deg2rad(x: Any) -> Tensor:
    """Degrees to radians."""
    return mul(x, math.pi / 180)


def rad2deg(x: Any) -> Tensor:
    """Radians to degrees."""
    return mul(x, 180 / math.pi)


# Logarithms


@as_one_piece
def logaddexp(input: Any, other: Any) -> Tensor:
    """`log(exp(input) + exp(other))`, without overflow."""
    top, low = maximum(input, other), minimum(input, other)
    apart = sub(low, top)
    return select(isinf(top), top, add(top, log1p(exp(select(isnan(apart), apart, minimum(apart, 0))))))


@as_one_piece
def xlogy(input: Any, other: Any) -> Tensor:
    """`input * log(other)`, and 0 where `input` is 0 (unless `other` is NaN)."""
    x, y = as_tensor("xlogy", input), as_tensor("xlogy", other)
    nothing = logical_and(equal(x, 0), logical_not(isnan(y)))
    return select(nothing, 0.0, mul(x, log(select(nothing, 1.0, y))))


@as_one_piece
def logit(input: Any, eps: float | None = None) -> Tensor:
    """`log(x / (1 - x))`; with `eps`, of `x` clipped to [eps, 1 - eps]."""
    x = as_tensor("logit", input)
    x = cast(x, to_float(x.dtype))
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return log(div(x, sub(1.0, x)))


@as_one_piece
def sinc(input: Any) -> Tensor:
    """`sin(pi x) / (pi x)`, and 1 at 0."""
    angle = mul(input, math.pi)
    zero = equal(angle, 0)
    safe = select(zero, 1.0, angle)
    return select(zero, 1.0, div(sin(safe), safe))


def logaddexp2(input: Any, other: Any) -> Tensor:
    """`log2(2**input + 2**other)`, without overflow."""
    scale = math.log(2)
    return div(logaddexp(mul(input, scale), mul(other, scale)), scale)


def xdivy(x: Any, y: Any) -> Tensor:
    """`x / y`, and 0 where `x` is 0 (even if `y` is)."""
    a, b = as_tensor("xdivy", x), as_tensor("xdivy", y)
    nothing = equal(a, 0)
    return select(nothing, 0.0, div(a, select(nothing, 1, b)))


def ldexp(x: Any, other: Any) -> Tensor:
    """`x * 2**other`."""
    exponent = as_tensor("ldexp", other)
    return mul(x, pow(2.0, cast(exponent, to_float(exponent.dtype))))


# Bounds


def fmax(input: Any, other: Any) -> Tensor:
    """The greater of two elements; where one is NaN, the other."""
    x, y = as_tensor("fmax", input), as_tensor("fmax", other)
    return select(isnan(y), x, select(isnan(x), y, maximum(x, y)))


def fmin(input: Any, other: Any) -> Tensor:
    """The smaller of two elements; where one is NaN, the other."""
    x, y = as_tensor("fmin", input), as_tensor("fmin", other)
    return select(isnan(y), x, select(isnan(x), y, minimum(x, y)))


def relu(input: Any, inplace: bool = False) -> Tensor:
    """0 where `input` is negative, elsewhere `input`; its derivative at 0 is 0."""
    if inplace:
        raise located(ValueError("relu: inplace must be False; tensors do not change in place"))
    return TABLE["relu"](input)


@as_one_piece
def clamp(input: Any, min: Any = None, max: Any = None) -> Tensor:
    """`input` with what is below `min` set to it, and what is above `max` set to it; None is no bound.

    The gradient passes where nothing is set, bounds included. NaN stays NaN.
    """
    x = as_tensor("clamp", input)
    if min is None and max is None:
        raise located(ValueError("clamp: expected at least one of min and max, got None for both"))
    if min is not None:
        x = select(less(x, min), min, x)
    return x if max is None else select(greater(x, max), max, x)


def clip(input: Any, min: Any = None, max: Any = None) -> Tensor:
    """As `clamp`."""
    return clamp(input, min, max)


def clip_by_value(x: Any, clip_value_min: Any = None, clip_value_max: Any = None) -> Any:
    """`clamp` of a tensor, or of each in a tuple or list."""
    if isinstance(x, (tuple, list)):
        clipped = [clip_by_value(item, clip_value_min, clip_value_max) for item in x]
        return clipped if isinstance(x, list) else tuple(clipped)
    return clamp(x, clip_value_min, clip_value_max)


@as_one_piece
def nan_to_num(
    input: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """`input` with numbers in place of NaN (0) and of the infinities (the greatest and the smallest finite numbers)."""
    x = as_tensor("nan_to_num", input)
    if not x.dtype.is_float:
        return x
    least, greatest = finite_limits(x.dtype)
    x = select(isnan(x), nan or 0.0, x)
    x = select(equal(x, math.inf), greatest if posinf is None else posinf, x)
    return select(equal(x, -math.inf), least if neginf is None else neginf, x)


@as_one_piece
def heaviside(input: Any, values: Any) -> Tensor:
    """0 where `input` is negative, 1 where it is positive, `values` where it is 0."""
    x = as_tensor("heaviside", input)
    return select(equal(x, 0), values, cast(greater(x, 0), x.dtype))


# Closeness


@as_one_piece
def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether `|input - other| <= atol + rtol * |other|`; equal infinities are close, NaNs with `equal_nan`."""
    x, y = as_tensor("isclose", input), as_tensor("isclose", other)
    same, dtype = equal(x, y), common_dtype((x, y))
    x, y = (cast(t, dtype if dtype.is_inexact else float64) for t in (x, y))  # integers' differences might wrap
    near = logical_or(same, logical_and(isfinite(y), less_equal(abs(sub(x, y)), add(mul(abs(y), rtol), atol))))
    return logical_or(near, logical_and(isnan(x), isnan(y))) if equal_nan else near


def approximate_equal(x: Any, y: Any, tolerance: float = 1e-05) -> Tensor:
    """Whether `|x - y| < tolerance`."""
    return less(abs(sub(x, y)), tolerance)


@as_one_piece
def signbit(input: Any) -> Tensor:
    """Whether the sign of an element is negative (that of -0.0 is)."""
    x = as_tensor("signbit", input)
    return less(select(equal(x, 0), reciprocal(x), x), 0) if x.dtype.is_float else less(x, 0)


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether all elements are close, see `isclose`: a bool scalar."""
    close = isclose(input, other, rtol, atol, equal_nan)
    return TABLE["all"](close, run=(0, close.ndim))


def is_nonzero(input: Any) -> bool:
    """Whether the one element of a tensor is not 0; eager mode only.

    Raises:
        ValueError: there is not exactly one element.
    """
    x = as_tensor("is_nonzero", input)
    if x.size != 1:
        raise located(ValueError(f"is_nonzero: expected one element, got {x.spec}"))
    return bool(x.item() != 0)


def is_floating_point(input: Any) -> bool:
    """Whether the dtype is a float type."""
    return as_tensor("is_floating_point", input).dtype.is_float
