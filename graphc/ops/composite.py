"""Functions written with other ops, without rules of their own: softmax, similarity, attention, orders of channels.

Activations and normalisation, written so too, have modules beside this one.
"""

from __future__ import annotations

import math
from math import prod
from typing import Any

from graphc.dispatch import assign
from graphc.dtype import bool_
from graphc.ops.axes import as_int, axes_of, axis_of
from graphc.ops.coerce import as_float, as_tensor, broadcast, broadcast_shape, cast, to_dtype, widely
from graphc.ops.creation import row_and_column
from graphc.ops.elementwise import (
    equal,
    exp,
    greater,
    less_equal,
    log,
    maximum,
    rsqrt,
    select,
    square,
    stop_gradient,
)
from graphc.ops.gather import gather_, scatter_set_
from graphc.ops.linalg import matrices
from graphc.ops.reduce import max_, norm, reduce_over, sum_over
from graphc.ops.shape import expand_dims, reshape, swapaxes, transpose
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "cdist", "channel_shuffle", "cosine_similarity", "embedding", "log_softmax", "pixel_shuffle", "pixel_unshuffle",
    "scaled_dot_product_attention", "softmax", "softmin",
]  # fmt: skip


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
        raise located(ValueError(f"cdist: expected rows of one length, got {x.spec} and {y.spec}"))
    return norm(expand_dims(x, -2) - expand_dims(y, -3), p, -1)


def embedding(
    input: Any, weight: Any, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Tensor:
    """The rows of a table that indices name.

    Args:
        input: integers of any shape.
        weight: `[V, D]`.
        padding_idx: a row that takes no part in differentiation.
        max_norm: rows that are used and whose norm is greater are first scaled to it, in the weight itself.
        norm_type: which norm (see `ops.norm` of a vector).
        scale_grad_by_freq: only False: gradients are not divided by how often a row is used.
    Returns:
        `[*input.shape, D]`.
    Raises:
        IndexError: an index outside [0, V).
    """
    indices, table = as_tensor("embedding", input), as_tensor("embedding", weight)
    if table.ndim != 2:
        raise located(ValueError(f"embedding: expected a table [V, D], got {table.spec}"))
    if scale_grad_by_freq:
        raise located(ValueError("embedding: scale_grad_by_freq must be False"))
    if max_norm is not None:
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
        row, column = row_and_column(scores.shape[-2:])
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
    r = as_int("pixel_shuffle", upscale_factor, "upscale_factor", 1)
    if x.ndim < 3 or x.shape[-3] % (r * r):
        raise located(ValueError(f"pixel_shuffle: {x.spec} does not have a multiple of {r} * {r} channels"))
    *lead, c, h, w = x.shape
    d = len(lead)
    apart = reshape(x, (*lead, c // (r * r), r, r, h, w))
    mixed = transpose(apart, (*range(d), d, d + 3, d + 1, d + 4, d + 2))
    return reshape(mixed, (*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """`[..., C, H * r, W * r]` to `[..., C * r * r, H, W]`: the inverse of `pixel_shuffle`."""
    x = as_tensor("pixel_unshuffle", input)
    r = as_int("pixel_unshuffle", downscale_factor, "downscale_factor", 1)
    if x.ndim < 3 or x.shape[-1] % r or x.shape[-2] % r:
        raise located(ValueError(f"pixel_unshuffle: the last extents of {x.spec} are no multiples of {r}"))
    *lead, c, h, w = x.shape
    d = len(lead)
    apart = reshape(x, (*lead, c, h // r, r, w // r, r))
    mixed = transpose(apart, (*range(d), d, d + 2, d + 4, d + 1, d + 3))
    return reshape(mixed, (*lead, c * r * r, h // r, w // r))


def channel_shuffle(x: Any, groups: int) -> Tensor:
    """The channels of `[N, C, ...]` in turn from each of `groups` groups of C / groups (Zhang et al. 2018)."""
    value = as_tensor("channel_shuffle", x)
    if value.ndim < 3 or isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        got = f"{value.spec} and {groups!r}"
        raise located(ValueError(f"channel_shuffle: expected [N, C, ...] and groups >= 1, got {got}"))
    n, c, *rest = value.shape
    if c % groups:
        raise located(ValueError(f"channel_shuffle: {c} channels of {value.spec} do not make {groups} groups"))
    return reshape(swapaxes(reshape(value, (n, groups, c // groups, prod(rest))), 1, 2), value.shape)
