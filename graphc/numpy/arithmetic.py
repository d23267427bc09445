"""Powers, roundings and products."""

from __future__ import annotations

import builtins
from typing import Any

from graphc import ops
from graphc.dispatch import located
from graphc.numpy.creation import asarray
from graphc.ops import abs as abs
from graphc.ops import (
    remainder,
    trunc,
)
from graphc.tensor import Tensor


def power(x1: Any, x2: Any) -> Tensor:
    """`x1` to the power `x2`."""
    return ops.pow(asarray(x1) if not isinstance(x2, Tensor) else x1, x2)


def positive(a: Any) -> Tensor:
    """The tensor itself."""
    return asarray(a)


mod = remainder


def rint(x: Any) -> Tensor:
    """The nearest whole numbers, halves to the even one."""
    return ops.round(asarray(x))


fix = trunc


def dot(a: Any, b: Any) -> Tensor:
    """The sum of products over the last axis of `a` and the last but one of `b`; of numbers the product."""
    x, y = asarray(a), asarray(b)
    if not x.ndim or not y.ndim:
        return x * y
    return ops.tensor_dot(x, y, ((x.ndim - 1,), (builtins.max(y.ndim - 2, 0),)))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The sum of products over pairs of axes: the last `axes` of `a` with the first of `b`, or those named."""
    named = axes if isinstance(axes, int) else tuple((n,) if isinstance(n, int) else tuple(n) for n in axes)
    return ops.tensor_dot(asarray(a), asarray(b), named)


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """The vector product along an axis of extent 3."""
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    x, y = ops.moveaxis(asarray(a), axisa, -1), ops.moveaxis(asarray(b), axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise located(ValueError(f"cross: expected 3 elements along the axis, got {x.type} and {y.type}"))
    (a0, a1, a2), (b0, b1, b2) = ops.unstack(x, -1), ops.unstack(y, -1)
    return ops.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axisc)


def size(a: Any, axis: int | None = None) -> int:
    """The number of elements, or the extent of an axis."""
    x = asarray(a)
    return x.size if axis is None else x.shape[axis]
