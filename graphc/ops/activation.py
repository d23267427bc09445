"""Activations written with other ops, each with the derivative that its formula has from the side named there."""

from __future__ import annotations

import math
from typing import Any

from graphc.ops.coerce import as_float, as_tensor, widely
from graphc.ops.elementwise import (
    abs_,
    erf,
    expm1,
    greater,
    greater_equal,
    less,
    less_equal,
    select,
    sigmoid,
    tanh,
)
from graphc.ops.elementwise import softplus as softplus_
from graphc.ops.shape import reshape, split_evenly
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "celu", "elu", "fast_gelu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
    "logsigmoid", "mish", "prelu", "relu6", "selu", "silu", "soft_shrink", "softplus", "softshrink", "softsign",
    "swiglu", "tanhshrink", "threshold",
]  # fmt: skip


def _below(x: Tensor, bound: float = 0.0) -> Tensor:
    """`x` where it is at most `bound`, elsewhere `bound`: keeps exponentials of what is not used from overflowing."""
    return select(greater(x, bound), bound, x)


def relu6(x: Any) -> Tensor:
    """`min(max(x, 0), 6)`; the derivative is 0 at both bounds."""
    return hardtanh(x, 0.0, 6.0)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`x` within [min_val, max_val], else the nearer bound; the derivative is 0 at both."""
    if min_val > max_val:
        raise located(ValueError(f"hardtanh: min_val {min_val!r} is above max_val {max_val!r}"))
    x = as_tensor("hardtanh", input)
    return select(greater_equal(x, max_val), max_val, select(less_equal(x, min_val), min_val, x))


def hardsigmoid(input: Any) -> Tensor:
    """`min(max(x + 3, 0), 6) / 6`."""
    return relu6(as_float("hardsigmoid", input) + 3.0) / 6.0


@widely
def hardswish(input: Any) -> Tensor:
    """`x * min(max(x + 3, 0), 6) / 6` (Howard et al. 2019, "Searching for MobileNetV3")."""
    x = as_float("hardswish", input)
    return x * hardsigmoid(x)


@widely
def silu(input: Any) -> Tensor:
    """`x * sigmoid(x)`."""
    x = as_float("silu", input)
    return x * sigmoid(x)


@widely
def gelu(input: Any, approximate: str = "none") -> Tensor:
    """`x` times the probability that a standard normal variable is below `x` (Hendrycks and Gimpel 2016).

    Args:
        approximate: `"none"`: by erf; `"tanh"`: `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.
    """
    x = as_float("gelu", input)
    if approximate == "none":
        return (x * 0.5) * (erf(x * math.sqrt(0.5)) + 1.0)
    if approximate != "tanh":
        raise located(ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}"))
    inner = (x + (x * x * x) * 0.044715) * math.sqrt(2 / math.pi)
    return (x * 0.5) * (tanh(inner) + 1.0)


@widely
def fast_gelu(x: Any) -> Tensor:
    """`x * sigmoid(1.702 * x)`, an estimate of `gelu`."""
    value = as_float("fast_gelu", x)
    return value * sigmoid(value * 1.702)


@widely
def mish(x: Any) -> Tensor:
    """`x * tanh(log(1 + exp(x)))` (Misra 2019)."""
    value = as_float("mish", x)
    return value * tanh(softplus_(value))


@widely
def softplus(input: Any, beta: float = 1, threshold: float = 20) -> Tensor:
    """`log(1 + exp(beta * x)) / beta`; `x` itself where `beta * x` is above `threshold`."""
    x = as_float("softplus", input)
    if beta == 1:
        return select(greater(x, threshold), x, softplus_(x))
    scaled = x * beta
    return select(greater(scaled, threshold), x, softplus_(scaled) / beta)


@widely
def logsigmoid(x: Any) -> Tensor:
    """`log(sigmoid(x))`, without overflow."""
    return -softplus_(-as_float("logsigmoid", x))


@widely
def softsign(x: Any) -> Tensor:
    """`x / (1 + |x|)`."""
    value = as_float("softsign", x)
    return value / (abs_(value) + 1.0)


def leaky_relu(input: Any, alpha: float = 0.2) -> Tensor:
    """`x` where `x > 0`, elsewhere `alpha * x`."""
    x = as_float("leaky_relu", input)
    return select(greater(x, 0.0), x, x * alpha)


def prelu(input: Any, weight: Any) -> Tensor:
    """`x` where `x > 0`, elsewhere `weight * x`.

    Args:
        input: float `[N, C, ...]`.
        weight: one number, or one for each channel `[C]`.
    """
    x, w = as_float("prelu", input), as_float("prelu", weight)
    if w.size == 1:
        w = reshape(w, ())
    elif w.ndim == 1 and x.ndim >= 2 and w.shape[0] == x.shape[1]:
        w = reshape(w, (*w.shape, *(1,) * (x.ndim - 2)))
    else:
        raise located(ValueError(f"prelu: expected one weight or one for each channel of {x.spec}, got {w.spec}"))
    return select(greater(x, 0.0), x, x * w)


@widely
def elu(input_x: Any, alpha: float = 1.0) -> Tensor:
    """`x` where `x > 0`, elsewhere `alpha * (exp(x) - 1)` (Clevert et al. 2015)."""
    x = as_float("elu", input_x)
    return select(greater(x, 0.0), x, expm1(_below(x)) * alpha)


@widely
def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """`x` where `x > 0`, elsewhere `alpha * (exp(x / alpha) - 1)` (Barron 2017)."""
    if alpha == 0:
        raise located(ValueError("celu: alpha must not be 0"))
    x = as_float("celu", x)
    return select(greater(x, 0.0), x, expm1(_below(x) / alpha) * alpha)


@widely
def selu(input_x: Any) -> Tensor:
    """`scale * elu(x, alpha)` with the two constants of Klambauer et al. 2017."""
    return elu(input_x, 1.6732632423543772) * 1.0507009873554805


def glu(x: Any, axis: int = -1) -> Tensor:
    """The first half of `x` along `axis`, times the sigmoid of the second."""
    x = as_float("glu", x)
    first, second = split_evenly(x, axis, 2)
    return first * sigmoid(second)


@widely
def swiglu(input: Any, dim: int = -1) -> Tensor:
    """The second half of `x` along `dim`, times `silu` of the first (Shazeer 2020)."""
    gate, value = split_evenly(as_float("swiglu", input), dim, 2)
    return silu(gate) * value


def threshold(input: Any, thr: float, value: float) -> Tensor:
    """`x` where `x > thr`, elsewhere `value`."""
    x = as_tensor("threshold", input)
    return select(greater(x, thr), x, value)


def hardshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """0 where `|x| <= lambd`, elsewhere `x`."""
    x = as_float("hardshrink", input)
    return select(greater(abs_(x), lambd), x, 0.0)


def softshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """`x` moved towards 0 by `lambd`, and 0 where that would cross it."""
    x = as_float("softshrink", input)
    return select(greater(x, lambd), x - lambd, select(less(x, -lambd), x + lambd, 0.0))


def soft_shrink(input: Any, lambd: float = 0.5) -> Tensor:
    """As `softshrink`."""
    return softshrink(input, lambd)


@widely
def tanhshrink(input: Any) -> Tensor:
    """`x - tanh(x)`."""
    x = as_float("tanhshrink", input)
    return x - tanh(x)
