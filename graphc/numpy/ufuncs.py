"""Functions of each element, whose arguments NumPy names `x`, or `x1` and `x2`, and that take a `dtype`.

What they compute is said by the functions of `graphc.ops` that they stand for.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from graphc import ops
from graphc.numpy.creation import asarray
from graphc.numpy.dtypes import to
from graphc.place import named
from graphc.tensor import Tensor

__all__ = [
    "abs", "absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "bitwise_and",
    "bitwise_not", "bitwise_or", "bitwise_xor", "ceil", "cos", "cosh", "deg2rad", "divide", "equal", "exp", "exp2",
    "expm1", "fix", "floor", "floor_divide", "fmod", "greater", "greater_equal", "heaviside", "hypot", "invert",
    "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp", "logical_and",
    "logical_not", "logical_or", "logical_xor", "matmul", "maximum", "minimum", "mod", "multiply", "negative",
    "not_equal", "positive", "power", "rad2deg", "reciprocal", "remainder", "rint", "sign", "signbit", "sin", "sinc",
    "sinh", "sqrt", "square", "subtract", "tan", "tanh", "true_divide", "trunc",
]  # fmt: skip

Unary = Callable[..., Tensor]
Binary = Callable[..., Tensor]


def _unary(function: Callable[..., Tensor], name: str | None = None) -> Unary:
    def call(x: Any, dtype: Any = None) -> Tensor:
        return to(function(asarray(x)), dtype)

    return named(call, name or function.__name__, function.__doc__)


def _unary_of_a(function: Callable[..., Tensor]) -> Unary:
    def call(a: Any, dtype: Any = None) -> Tensor:
        return to(function(asarray(a)), dtype)

    return named(call, function.__name__, function.__doc__)


def _binary(function: Callable[..., Tensor], name: str | None = None) -> Binary:
    def call(x1: Any, x2: Any, dtype: Any = None) -> Tensor:
        return to(function(*operands(x1, x2)), dtype)

    return named(call, name or function.__name__, function.__doc__)


def operands(*values: Any) -> list[Any]:
    """The tensors of values; numbers beside a tensor stay numbers, so that they take its type."""
    number = builtins.any(isinstance(v, Tensor) for v in values)
    return [v if number and isinstance(v, (int, float)) else asarray(v) for v in values]


abs, absolute = _unary(ops.abs), _unary(ops.absolute)
arccos, arccosh, arcsin = _unary(ops.arccos), _unary(ops.arccosh), _unary(ops.arcsin)
arcsinh, arctan, arctanh = _unary(ops.arcsinh), _unary(ops.arctan), _unary(ops.arctanh)
bitwise_not = _unary(ops.bitwise_not)
invert = _unary(ops.bitwise_not, "invert")
ceil, cos, cosh, deg2rad = _unary(ops.ceil), _unary(ops.cos), _unary(ops.cosh), _unary(ops.deg2rad)
exp, exp2, expm1, floor = _unary(ops.exp), _unary(ops.exp2), _unary(ops.expm1), _unary(ops.floor)
isfinite, isinf, isnan = _unary(ops.isfinite), _unary(ops.isinf), _unary(ops.isnan)
log, log1p, log2, log10 = _unary(ops.log), _unary(ops.log1p), _unary(ops.log2), _unary(ops.log10)
logical_not, negative = _unary_of_a(ops.logical_not), _unary_of_a(ops.negative)
rad2deg, reciprocal, rint = _unary(ops.rad2deg), _unary(ops.reciprocal), _unary(ops.round, "rint")
sign, signbit, sin = _unary(ops.sign), _unary(ops.signbit), _unary(ops.sin)
sinc, sinh = _unary(ops.sinc), _unary(ops.sinh)
sqrt, square = _unary(ops.sqrt), _unary(ops.square)
tan, tanh, trunc = _unary(ops.tan), _unary(ops.tanh), _unary(ops.trunc)
fix = _unary(ops.trunc, "fix")

add, subtract, multiply = _binary(ops.add), _binary(ops.subtract), _binary(ops.multiply)
divide, true_divide = _binary(ops.divide), _binary(ops.divide, "true_divide")
floor_divide, fmod = _binary(ops.floor_divide), _binary(ops.fmod)
remainder, mod = _binary(ops.remainder), _binary(ops.remainder, "mod")
arctan2, hypot, logaddexp = _binary(ops.arctan2), _binary(ops.hypot), _binary(ops.logaddexp)
bitwise_and, bitwise_or, bitwise_xor = _binary(ops.bitwise_and), _binary(ops.bitwise_or), _binary(ops.bitwise_xor)
equal, not_equal = _binary(ops.equal), _binary(ops.not_equal)
greater, greater_equal = _binary(ops.greater), _binary(ops.greater_equal)
less, less_equal = _binary(ops.less), _binary(ops.less_equal)
logical_and, logical_or = _binary(ops.logical_and), _binary(ops.logical_or)
logical_xor, matmul = _binary(ops.logical_xor), _binary(ops.matmul)
maximum, minimum, power = _binary(ops.maximum), _binary(ops.minimum), _binary(ops.pow, "power")


def heaviside(x1: Any, x2: Any, dtype: Any = None) -> Tensor:
    """0 where `x1` is negative, 1 where it is positive, and `x2` where it is zero."""
    return to(ops.heaviside(asarray(x1), asarray(x2)), dtype)


def positive(a: Any, dtype: Any = None) -> Tensor:
    """The tensor itself."""
    return to(asarray(a), dtype)
