"""Functions written with other ops: softmax, activations, normalisation, attention, resizing. They have no rules of their own."""

from __future__ import annotations

from typing import Any

from graphc.dispatch import located
from graphc.ops.coerce import as_tensor, cast, to_dtype, to_float
from graphc.ops.elementwise import exp, log, stop_gradient
from graphc.ops.reduce import max_, reduce_over, sum_over
from graphc.ops.shape import axes_of
from graphc.tensor import Tensor


def as_float(name: str, operand: Any) -> Tensor:
    """The operand as a float Tensor; integers and bools become float32."""
    tensor = as_tensor(name, operand)
    return cast(tensor, to_float(tensor.dtype))


# Softmax


def shifted(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """`x` minus its maximum over `axes`: what softmax takes the exponential of, so that it cannot overflow.

    Softmax does not depend on what is subtracted, so the maximum needs no derivative.
    """
    return x - stop_gradient(reduce_over(max_, x, axes, keep=True))


def softmax(input: Any, axis: Any = -1, *, dtype: Any = None) -> Tensor:
    """`exp(x) / sum(exp(x))` along an axis.

    Args:
        input: tensor.
        axis: an int, or several.
        dtype: the float type to compute in and to return; by default that of `input`.
    """
    x = as_float("softmax", input)
    x = cast(x, to_dtype(dtype, x.dtype))
    axes = axes_of("softmax", axis, x.ndim)
    e = exp(shifted(x, axes))
    return e / sum_over(e, axes, keep=True)


def log_softmax(logits: Any, axis: int = -1) -> Tensor:
    """`log(softmax(x))` along an axis, without the loss of precision."""
    x = as_float("log_softmax", logits)
    axes = axes_of("log_softmax", axis, x.ndim)
    z = shifted(x, axes)
    return z - log(sum_over(exp(z), axes, keep=True))
