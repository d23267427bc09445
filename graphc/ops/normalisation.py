"""Normalisation written with other ops: over features, groups, batches and neighbouring channels."""

from __future__ import annotations

from math import prod
from typing import Any

from graphc.dispatch import assign
from graphc.ops.axes import as_int, as_ints, axes_of
from graphc.ops.coerce import as_float, as_tensor, widely
from graphc.ops.complex_parts import squares
from graphc.ops.elementwise import (
    maximum,
    pow_,
    rsqrt,
    square,
    stop_gradient,
)
from graphc.ops.reduce import sum_over
from graphc.ops.shape import broadcast_to, reshape
from graphc.ops.windows import sum_pool
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "batch_norm", "group_norm", "instance_norm", "l2_normalize", "layer_norm", "lrn", "rms_norm",
]  # fmt: skip


def moments(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The mean and the (biased) variance over `axes`, which stay with extent 1.

    The variance is taken around the mean as a constant and corrected by the squared difference to the mean itself. That
    is 0, and changes no bit; but the derivative of the mean square now needs no second pass over the data.
    """
    count = prod(x.shape[a] for a in axes)
    mean = sum_over(x, axes, keep=True) / count
    pivot = stop_gradient(mean)
    return mean, sum_over(squares(x - pivot), axes, keep=True) / count - squares(mean - pivot)


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
        raise located(ValueError(f"{name}: expected a parameter for each channel of {x.spec}, got {tensor.spec}"))
    return reshape(tensor, (*tensor.shape, *(1,) * (x.ndim - 2)))


def _check_channels(name: str, x: Tensor, least: int = 2) -> None:
    if x.ndim < least:
        raise located(ValueError(f"{name}: expected [N, C, ...] of at least {least} dimensions, got {x.spec}"))


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
        raise located(ValueError(f"layer_norm: expected last extents {shape}, got {x.spec}"))
    weight, bias = (p if p is None else as_tensor("layer_norm", p) for p in (weight, bias))
    for parameter in (weight, bias):
        if parameter is not None and parameter.shape != shape:
            raise located(ValueError(f"layer_norm: expected weight and bias of shape {shape}, got {parameter.spec}"))
    return _scale_and_shift(standardize(x, tuple(range(x.ndim - len(shape), x.ndim)), eps), weight, bias)


@widely
def rms_norm(x: Any, gamma: Any, epsilon: float = 1e-6) -> tuple[Tensor, Tensor]:
    """`x / sqrt(mean(x^2) + epsilon) * gamma` over the last axes, those of `gamma` (Zhang and Sennrich 2019).

    Returns:
        The result, and `1 / sqrt(mean(x^2) + epsilon)` with the reduced axes of extent 1.
    """
    x, weight = as_float("rms_norm", x), as_tensor("rms_norm", gamma)
    if not weight.ndim or x.shape[-weight.ndim :] != weight.shape:
        raise located(ValueError(f"rms_norm: gamma {weight.spec} does not fit the last axes of {x.spec}"))
    axes = tuple(range(x.ndim - weight.ndim, x.ndim))
    scale = rsqrt(sum_over(squares(x), axes, keep=True) / weight.size + epsilon)
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
    num_groups = as_int("group_norm", num_groups, "num_groups", 1)
    if x.shape[1] % num_groups:
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
    y = (x - mean) * rsqrt(average(squares(x - pivot)) - squares(mean - pivot) + eps)
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
        running_mean, running_var: `[C]`, Parameters or Tensors that are updated in place in training; or None.
        weight, bias: `[C]` or None.
        training: standardize by the batch's mean and (biased) variance, and update the running ones to
            `(1 - momentum) * running + momentum * batch`, with the batch's unbiased variance.
        momentum: the batch's part in the running statistics (`nn.BatchNorm*` calls 1 minus this its momentum).
        eps: added to the variance.
    Raises:
        ValueError: shapes do not fit; one value per channel in training, which has no variance.
        TypeError: running statistics to update that are no Tensors.
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
                    f"{name}: expected more than one value per channel in training, got {x.spec}; a last batch of one "
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
    return value * rsqrt(maximum(sum_over(squares(value), axes, keep=True), epsilon))


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
    each = reshape(square(value), (n, 1, c, prod(rest)))
    far = as_int("lrn", depth_radius, "depth_radius", 0)
    near = sum_pool(each, kernel=(2 * far + 1, 1), stride=(1, 1), padding=((far, far), (0, 0)), dilation=(1, 1))
    return value * pow_(reshape(near, value.shape) * alpha + bias, -beta)
