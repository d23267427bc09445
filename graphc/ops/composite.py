"""Functions written with other ops: softmax, activations, normalisation, attention. They have no rules of their own."""

from __future__ import annotations

import math
from math import prod
from typing import Any

from graphc.dispatch import assign, located
from graphc.dtype import bool_
from graphc.ops.axes import as_ints, axes_of, axis_of
from graphc.ops.coerce import as_tensor, broadcast, broadcast_shape, cast, to_dtype, to_float, widely
from graphc.ops.creation import row_and_column
from graphc.ops.elementwise import (
    abs_,
    equal,
    erf,
    exp,
    expm1,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    maximum,
    pow_,
    rsqrt,
    select,
    sigmoid,
    square,
    stop_gradient,
    tanh,
)
from graphc.ops.elementwise import softplus as softplus_
from graphc.ops.gather import gather_, scatter_set_
from graphc.ops.linalg import matrices
from graphc.ops.reduce import max_, norm, reduce_over, sum_over
from graphc.ops.shape import broadcast_to, expand_dims, reshape, split_evenly, swapaxes, transpose
from graphc.ops.windows import sum_pool
from graphc.tensor import Parameter, Tensor

__all__ = [
    "batch_norm", "cdist", "celu", "channel_shuffle", "cosine_similarity", "elu", "embedding", "fast_gelu", "gelu",
    "glu", "group_norm", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "instance_norm", "l2_normalize",
    "layer_norm", "leaky_relu", "log_softmax", "logsigmoid", "lrn", "mish", "pixel_shuffle", "pixel_unshuffle", "prelu",
    "relu6", "rms_norm", "scaled_dot_product_attention", "selu", "silu", "soft_shrink", "softmax", "softmin",
    "softplus", "softshrink", "softsign", "swiglu", "tanhshrink", "threshold",
]  # fmt: skip


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


@widely
def softmax(input: Any, axis: Any = -1, *, dtype: Any = None) -> Tensor:
    """`exp(x) / sum(exp(x))` along an axis.

    Multiplies by the sum's reciprocal, which is in (0, 1]: a row's one division, also of its derivative, within 1 ulp.

    Args:
        input: tensor.
        axis: an int, or several.
        dtype: the float type to compute in and to return; by default that of `input`.
    """
    x = as_float("softmax", input)
    x = cast(x, to_dtype(dtype, x.dtype))
    axes = axes_of("softmax", axis, x.ndim)
    e = exp(shifted(x, axes))
    return e * (1.0 / sum_over(e, axes, keep=True))


@widely
def log_softmax(logits: Any, axis: int = -1) -> Tensor:
    """`log(softmax(x))` along an axis, without the loss of precision."""
    x = as_float("log_softmax", logits)
    axes = axes_of("log_softmax", axis, x.ndim)
    z = shifted(x, axes)
    return z - log(sum_over(exp(z), axes, keep=True))


@widely
def softmin(x: Any, axis: Any = -1, *, dtype: Any = None) -> Tensor:
    """`softmax(-x)` along an axis."""
    return softmax(-as_float("softmin", x), axis, dtype=dtype)


# Activations: each with the derivative that its formula has from the side named there


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
        raise located(ValueError(f"prelu: expected one weight or one for each channel of {x.type}, got {w.type}"))
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


# Normalisation


def moments(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The mean and the (biased) variance over `axes`, which stay with extent 1.

    The variance is taken around the mean as a constant and corrected by the squared difference to the mean itself. That
    is 0, and changes no bit; but the derivative of the mean square now needs no second pass over the data.
    """
    count = prod(x.shape[a] for a in axes)
    mean = sum_over(x, axes, keep=True) / count
    pivot = stop_gradient(mean)
    return mean, sum_over(square(x - pivot), axes, keep=True) / count - square(mean - pivot)


@widely
def standardize(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """`(x - mean) / sqrt(variance + eps)` over `axes`."""
    mean, var = moments(x, axes)
    return (x - mean) * rsqrt(var + eps)


def _scale_and_shift(x: Tensor, weight: Any, bias: Any) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _per_channel(name: str, parameter: Any, x: Tensor) -> Any:
    """A parameter `[C]` shaped to broadcast over `[N, C, *S]`."""
    if parameter is None:
        return None
    tensor = as_tensor(name, parameter)
    if tensor.shape != x.shape[1:2]:
        raise located(ValueError(f"{name}: expected a parameter for each channel of {x.type}, got {tensor.type}"))
    return reshape(tensor, (*tensor.shape, *(1,) * (x.ndim - 2)))


def _check_channels(name: str, x: Tensor, least: int = 2) -> None:
    if x.ndim < least:
        raise located(ValueError(f"{name}: expected [N, C, ...] of at least {least} dimensions, got {x.type}"))


@widely
def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Each sample standardized over its last axes (Ba et al. 2016), then scaled and shifted.

    Args:
        input: `[..., *normalized_shape]`.
        normalized_shape: the extents of the axes to standardize over: an int or a tuple.
        weight, bias: of shape `normalized_shape`, or None.
        eps: added to the (biased) variance.
    """
    x = as_float("layer_norm", input)
    shape = as_ints("layer_norm", normalized_shape, "normalized_shape")
    if not shape or x.shape[-len(shape) :] != shape:
        raise located(ValueError(f"layer_norm: expected last extents {shape}, got {x.type}"))
    for parameter in (weight, bias):
        if parameter is not None and parameter.shape != shape:
            raise located(ValueError(f"layer_norm: expected weight and bias of shape {shape}, got {parameter.type}"))
    return _scale_and_shift(standardize(x, tuple(range(x.ndim - len(shape), x.ndim)), eps), weight, bias)


@widely
def rms_norm(x: Any, gamma: Any, epsilon: float = 1e-6) -> tuple[Tensor, Tensor]:
    """`x / sqrt(mean(x^2) + epsilon) * gamma` over the last axes, those of `gamma` (Zhang and Sennrich 2019).

    Returns:
        The result, and `1 / sqrt(mean(x^2) + epsilon)` with the reduced axes of extent 1.
    """
    x, weight = as_float("rms_norm", x), as_tensor("rms_norm", gamma)
    if not weight.ndim or x.shape[-weight.ndim :] != weight.shape:
        raise located(ValueError(f"rms_norm: gamma {weight.type} does not fit the last axes of {x.type}"))
    axes = tuple(range(x.ndim - weight.ndim, x.ndim))
    scale = rsqrt(sum_over(square(x), axes, keep=True) / weight.size + epsilon)
    return x * scale * weight, scale


@widely
def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Each sample standardized over each group of its channels (Wu and He 2018), then scaled and shifted by channel.

    Args:
        input: `[N, C, *S]`, C a multiple of `num_groups`.
        weight, bias: `[C]` or None.
        eps: added to the (biased) variance.
    """
    x = as_float("group_norm", input)
    _check_channels("group_norm", x)
    if num_groups < 1 or x.shape[1] % num_groups:
        raise located(ValueError(f"group_norm: {x.shape[1]} channels do not divide into {num_groups} groups"))
    batch, channels = x.shape[:2]
    grouped, flat = (batch, num_groups, channels // num_groups), (batch, channels, *(1,) * (x.ndim - 2))
    count = prod(x.shape[1:]) // num_groups

    def average(values: Tensor) -> Tensor:
        """For each channel the mean over its group. Only sums over space change shape: no pass over x has to."""
        sums = reshape(sum_over(values, tuple(range(2, x.ndim)), keep=True), grouped)
        return reshape(broadcast_to(sum_over(sums, (2,), keep=True) / count, grouped), flat)

    mean = average(x)
    pivot = stop_gradient(mean)  # as in `moments`
    y = (x - mean) * rsqrt(average(square(x - pivot)) - square(mean - pivot) + eps)
    return _scale_and_shift(y, _per_channel("group_norm", weight, x), _per_channel("group_norm", bias, x))


@widely
def instance_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Each channel of each sample standardized over its spatial axes (Ulyanov et al. 2016), then scaled and shifted.

    Args:
        x: `[N, C, *S]`.
        weight, bias: `[C]` or None.
        eps: added to the (biased) variance.
    """
    x = as_float("instance_norm", x)
    _check_channels("instance_norm", x, 3)
    y = standardize(x, tuple(range(2, x.ndim)), eps)
    return _scale_and_shift(y, _per_channel("instance_norm", weight, x), _per_channel("instance_norm", bias, x))


@widely
def batch_norm(
    input_x: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:
    """Each channel standardized over the batch, or by its running statistics (Ioffe and Szegedy 2015).

    Args:
        input_x: `[N, C, *S]`.
        running_mean, running_var: `[C]`; in training Parameters that are updated, or None.
        weight, bias: `[C]` or None.
        training: standardize by the batch's mean and (biased) variance, and update the running ones to
            `(1 - momentum) * running + momentum * batch`, with the batch's unbiased variance.
        momentum: the batch's part in the running statistics (`nn.BatchNorm*` calls 1 minus this its momentum).
        eps: added to the variance.
    Raises:
        ValueError: shapes do not fit; one value per channel in training, which has no variance.
        TypeError: running statistics to update that are no Parameters.
    """
    name = "batch_norm"
    x = as_float(name, input_x)
    _check_channels(name, x)
    if training:
        axes = (0, *range(2, x.ndim))
        count = x.size // max(x.shape[1], 1)
        if count < 2:
            raise located(
                ValueError(
                    f"{name}: expected more than one value per channel in training, got {x.type}; a last batch of one "
                    "sample is left out by batch(..., drop_remainder=True)"
                )
            )
        mean, var = moments(x, axes)
        for running, batch in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
            if running is not None:
                old = _per_channel(name, running, x)
                assign(running, reshape(old * (1 - momentum) + batch * momentum, x.shape[1:2]))
    elif running_mean is None or running_var is None:
        raise located(ValueError(f"{name}: expected running statistics outside training, got None"))
    else:
        mean, var = _per_channel(name, running_mean, x), _per_channel(name, running_var, x)
    scale = rsqrt(var + eps)
    if weight is not None:
        scale = scale * _per_channel(name, weight, x)
    y = (x - mean) * scale
    return y if bias is None else y + _per_channel(name, bias, x)


@widely
def l2_normalize(x: Any, axis: Any = 0, epsilon: float = 1e-4) -> Tensor:
    """`x / sqrt(max(sum(x^2), epsilon))` along an axis (or several)."""
    value = as_float("l2_normalize", x)
    axes = axes_of("l2_normalize", axis, value.ndim)
    return value * rsqrt(maximum(sum_over(square(value), axes, keep=True), epsilon))


@widely
def lrn(
    x: Any, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5,
    norm_region: str = "ACROSS_CHANNELS",
) -> Tensor:
    """Local response normalisation across channels (Krizhevsky et al. 2012).

    Each element is divided by `(bias + alpha * s)^beta`, s the sum of squares over the channels at most `depth_radius`
    away.

    Args:
        x: `[N, C, H, W]`.
    """
    if norm_region != "ACROSS_CHANNELS":
        raise located(ValueError(f"lrn: norm_region must be 'ACROSS_CHANNELS', got {norm_region!r}"))
    value = as_float("lrn", x)
    _check_channels("lrn", value)
    n, c, *rest = value.shape
    squares = reshape(square(value), (n, 1, c, prod(rest)))
    near = sum_pool(
        squares, kernel=(2 * depth_radius + 1, 1), stride=(1, 1), padding=((depth_radius,) * 2, (0, 0)), dilation=(1, 1)
    )
    return value * pow_(reshape(near, value.shape) * alpha + bias, -beta)


# Similarity and attention


@widely
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """`x1 . x2 / max(|x1| * |x2|, eps)` of the vectors along an axis; the operands broadcast."""
    x, y = as_float("cosine_similarity", x1), as_float("cosine_similarity", x2)
    shape = broadcast_shape("cosine_similarity", [x.shape, y.shape])
    x, y = broadcast(x, shape), broadcast(y, shape)
    axes = axes_of("cosine_similarity", dim, len(shape))
    norms = sum_over(square(x), axes) * sum_over(square(y), axes)
    return sum_over(x * y, axes) * rsqrt(maximum(norms, eps * eps))


@widely
def cdist(x1: Any, x2: Any, p: float = 2.0) -> Tensor:
    """The distances, by norm `p`, of the rows of `x1` `[..., P, M]` from those of `x2` `[..., R, M]`: `[..., P, R]`."""
    x, y = as_float("cdist", x1), as_float("cdist", x2)
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise located(ValueError(f"cdist: expected rows of one length, got {x.type} and {y.type}"))
    return norm(expand_dims(x, -2) - expand_dims(y, -3), p, -1)


def embedding(
    input: Any, weight: Any, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Tensor:
    """The rows of a table that indices name.

    Args:
        input: integers of any shape.
        weight: `[V, D]`; a Parameter if `max_norm` is given.
        padding_idx: a row that takes no part in differentiation.
        max_norm: rows that are used and whose norm is greater are first scaled to it, in the Parameter itself.
        norm_type: which norm (see `ops.norm` of a vector).
        scale_grad_by_freq: only False: gradients are not divided by how often a row is used.
    Returns:
        `[*input.shape, D]`.
    Raises:
        IndexError: an index outside [0, V).
    """
    indices, table = as_tensor("embedding", input), as_tensor("embedding", weight)
    if table.ndim != 2:
        raise located(ValueError(f"embedding: expected a table [V, D], got {table.type}"))
    if scale_grad_by_freq:
        raise located(ValueError("embedding: scale_grad_by_freq must be False"))
    if max_norm is not None:
        if not isinstance(weight, Parameter):
            raise located(TypeError(f"embedding: max_norm changes weight, which must be a Parameter, got {table.type}"))
        places = reshape(indices, (-1,))
        used = stop_gradient(gather_(table, places, axis=0))
        lengths = norm(used, norm_type, 1, True)
        scale = select(greater(lengths, max_norm), max_norm / (lengths + 1e-7), 1.0)
        table = assign(weight, scatter_set_(table, places, used * scale))
    rows = gather_(table, indices, axis=0)
    if padding_idx is None:
        return rows
    padding = equal(indices, axis_of("embedding", padding_idx, table.shape[0]))
    return select(expand_dims(padding, -1), stop_gradient(rows), rows)


@widely
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """`softmax(query @ key.T * scale) @ value` (Vaswani et al. 2017).

    Args:
        query: `[..., L, E]`; key: `[..., S, E]`; value: `[..., S, V]`.
        attn_mask: broadcasts to `[..., L, S]`: bool (True takes part) or numbers that are added to the scores.
        dropout_p: the probability with which each weight is dropped.
        is_causal: position i attends to positions 0 to i only; not together with a mask.
        scale: by default `1 / sqrt(E)`.
    Returns:
        `[..., L, V]`.
    """
    name = "scaled_dot_product_attention"
    q, k, v = as_float(name, query), as_float(name, key), as_float(name, value)
    if is_causal and attn_mask is not None:
        raise located(ValueError(f"{name}: expected either is_causal or attn_mask, got both"))
    scores = matrices(name, q * (1 / math.sqrt(q.shape[-1]) if scale is None else scale), k, transpose_b=True)
    if is_causal:
        row, column = row_and_column(scores.shape)
        scores = select(less_equal(column, row), scores, -math.inf)
    elif attn_mask is not None:
        mask = as_tensor(name, attn_mask)
        scores = select(mask, scores, -math.inf) if mask.dtype is bool_ else scores + mask
    weights = softmax(scores)
    if dropout_p:
        from graphc.ops.random import dropout  # random numbers are not needed for the rest

        weights = dropout(weights, dropout_p)
    return matrices(name, weights, v)


# Images


def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """`[..., C * r * r, H, W]` to `[..., C, H * r, W * r]` (Shi et al. 2016)."""
    x = as_tensor("pixel_shuffle", input)
    r = upscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-3] % (r * r):
        raise located(ValueError(f"pixel_shuffle: {x.type} does not have a multiple of {r} * {r} channels"))
    *lead, c, h, w = x.shape
    d = len(lead)
    apart = reshape(x, (*lead, c // (r * r), r, r, h, w))
    mixed = transpose(apart, (*range(d), d, d + 3, d + 1, d + 4, d + 2))
    return reshape(mixed, (*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """`[..., C, H * r, W * r]` to `[..., C * r * r, H, W]`: the inverse of `pixel_shuffle`."""
    x = as_tensor("pixel_unshuffle", input)
    r = downscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-1] % r or x.shape[-2] % r:
        raise located(ValueError(f"pixel_unshuffle: the last extents of {x.type} are no multiples of {r}"))
    *lead, c, h, w = x.shape
    d = len(lead)
    apart = reshape(x, (*lead, c, h // r, r, w // r, r))
    mixed = transpose(apart, (*range(d), d, d + 2, d + 4, d + 1, d + 3))
    return reshape(mixed, (*lead, c * r * r, h // r, w // r))


def channel_shuffle(x: Any, groups: int) -> Tensor:
    """The channels of `[N, C, ...]` in turn from each of `groups` groups of C / groups (Zhang et al. 2018)."""
    value = as_tensor("channel_shuffle", x)
    if value.ndim < 3 or isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        got = f"{value.type} and {groups!r}"
        raise located(ValueError(f"channel_shuffle: expected [N, C, ...] and groups >= 1, got {got}"))
    n, c, *rest = value.shape
    if c % groups:
        raise located(ValueError(f"channel_shuffle: {c} channels of {value.type} do not make {groups} groups"))
    return reshape(swapaxes(reshape(value, (n, groups, c // groups, prod(rest))), 1, 2), value.shape)
