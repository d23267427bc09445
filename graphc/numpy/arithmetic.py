"""Powers, roundings and products; kinds of numbers."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import DType, float32, promote
from graphc.numpy.creation import asarray
from graphc.numpy.dtypes import to
from graphc.numpy.ufuncs import power
from graphc.ops.axes import axis_of
from graphc.ops.coerce import as_dtype, cast
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "around", "array_str", "cbrt", "copysign", "cross", "divmod", "dot", "fabs", "float_power", "gcd", "inner",
    "isneginf", "isposinf", "isscalar", "kron", "lcm", "logaddexp2", "matrix_power", "multi_dot", "outer",
    "promote_types", "radians", "result_type", "size", "tensordot",
]  # fmt: skip


def around(a: Any, decimals: int = 0) -> Tensor:
    """The nearest numbers with so many decimals, halves to the even one."""
    return ops.round(asarray(a), decimals=decimals)


def dot(a: Any, b: Any) -> Tensor:
    """The sum of products over the last axis of `a` and the last but one of `b`; of numbers the product."""
    return ops.dot(asarray(a), asarray(b))


def inner(a: Any, b: Any) -> Tensor:
    """The sum of products over the last axes of both; of a number the products."""
    return ops.inner(asarray(a), asarray(b))


def outer(a: Any, b: Any) -> Tensor:
    """The products of every element of `a` with every one of `b`: `[elements of a, elements of b]`."""
    return ops.outer(ops.reshape(asarray(a), (-1,)), ops.reshape(asarray(b), (-1,)))


def matrix_power(a: Any, n: int) -> Tensor:
    """The product of `n` times a square matrix `[..., N, N]`; of its inverse for negative `n`."""
    return ops.matrix_power(asarray(a), n)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The sum of products over pairs of axes: the last `axes` of `a` with the first of `b`, or those named."""
    named = axes if isinstance(axes, int) else tuple((n,) if isinstance(n, int) else tuple(n) for n in axes)
    return ops.tensor_dot(asarray(a), asarray(b), named)


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """The vector product along an axis of extent 3."""
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    x, y = ops.moveaxis(asarray(a), axisa, -1), ops.moveaxis(asarray(b), axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise located(ValueError(f"cross: expected 3 elements along the axis, got {x.spec} and {y.spec}"))
    (a0, a1, a2), (b0, b1, b2) = ops.unstack(x, -1), ops.unstack(y, -1)
    return ops.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axisc)


def size(a: Any, axis: int | None = None) -> int:
    """The number of elements, or the extent of an axis."""
    x = asarray(a)
    return x.size if axis is None else x.shape[axis_of("size", axis, x.ndim)]


def float_power(x1: Any, x2: Any, dtype: Any = None) -> Tensor:
    """`x1` to the power `x2` in floats."""
    base = asarray(x1)
    return to(power(base if base.dtype.is_float else cast(base, float32), x2), dtype)


def cbrt(x: Any, dtype: Any = None) -> Tensor:
    """The cube root, of the sign of `x`."""
    value = asarray(x)
    value = value if value.dtype.is_float else cast(value, float32)
    return to(ops.sign(value) * ops.pow(ops.abs(value), 1.0 / 3.0), dtype)


def fabs(x: Any, dtype: Any = None) -> Tensor:
    """The absolute value."""
    return to(ops.abs(asarray(x)), dtype)


def radians(x: Any, dtype: Any = None) -> Tensor:
    """Degrees in radians."""
    return to(ops.deg2rad(asarray(x)), dtype)


def copysign(x1: Any, x2: Any, dtype: Any = None) -> Tensor:
    """`x1` with the sign of `x2`."""
    return to(ops.copysign(asarray(x1), asarray(x2)), dtype)


def divmod(x1: Any, x2: Any, dtype: Any = None) -> tuple[Tensor, Tensor]:
    """The quotient rounded down, and the remainder."""
    x, y = asarray(x1), asarray(x2)
    return to(ops.floor_divide(x, y), dtype), to(ops.remainder(x, y), dtype)


def gcd(x1: Any, x2: Any, dtype: Any = None) -> Tensor:
    """The greatest common divisors of whole numbers."""
    return to(ops.gcd(asarray(x1), asarray(x2)), dtype)


def lcm(x1: Any, x2: Any, dtype: Any = None) -> Tensor:
    """The least common multiples of whole numbers."""
    return to(ops.lcm(asarray(x1), asarray(x2)), dtype)


def logaddexp2(x1: Any, x2: Any, dtype: Any = None) -> Tensor:
    """`log2(2^x1 + 2^x2)`."""
    return to(ops.logaddexp2(asarray(x1), asarray(x2)), dtype)


def isposinf(x: Any) -> Tensor:
    """Whether each element is inf."""
    return ops.isposinf(asarray(x))


def isneginf(x: Any) -> Tensor:
    """Whether each element is -inf."""
    return ops.isneginf(asarray(x))


def kron(a: Any, b: Any) -> Tensor:
    """The products of every element of `a` with all of `b`, as blocks."""
    return ops.kron(asarray(a), asarray(b))


def multi_dot(arrays: Any) -> Tensor:
    """The product of several matrices, of which the first and the last may be vectors."""
    first, *rest = (asarray(a) for a in arrays)
    for matrix in rest:
        first = ops.matmul(first, matrix)
    return first


# Kinds


def isscalar(element: Any) -> bool:
    """Whether it is a number or a string, rather than a tensor or a list."""
    return isinstance(element, (int, float, complex, bool, str, bytes))


def array_str(a: Any) -> str:
    """The numbers of a tensor, as printed."""
    return str(asarray(a))


def promote_types(type1: Any, type2: Any) -> DType:
    """The dtype of a result of operands of both."""
    return promote(as_dtype(type1), as_dtype(type2))


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype of a result of all of them: tensors, numbers, lists or dtypes."""
    if not arrays_and_dtypes:
        raise located(ValueError("result_type: expected at least one tensor or dtype"))

    def kind(item: Any) -> DType:
        return as_dtype(item) if isinstance(item, (DType, type, str)) else asarray(item).dtype

    found, *others = map(kind, arrays_and_dtypes)
    for other in others:
        found = promote(found, other)
    return found
