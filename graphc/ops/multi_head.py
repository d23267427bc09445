"""What `nn.MultiheadAttention` computes, piece by piece, and as a function of weights that are given."""

from __future__ import annotations

import math
from typing import Any

from graphc.dtype import float32
from graphc.ops.coerce import as_tensor, widely
from graphc.ops.composite import softmax
from graphc.ops.creation import row_and_column, zeros
from graphc.ops.elementwise import greater, less, logical_and, not_equal, select
from graphc.ops.linalg import dense, matrices
from graphc.ops.random import dropout
from graphc.ops.shape import broadcast_to, chunk, concat, expand_dims, pad, reshape, squeeze, transpose
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["multi_head_attention_forward"]


def batch_first(*tensors: Tensor) -> tuple[Tensor, ...]:
    """`[L, N, E]`, or `[L, E]` of one sample, as `[N, L, E]`; what was one tensor stays one."""
    by_id = {id(x): x for x in tensors}
    made = {key: expand_dims(x, 0) if x.ndim == 2 else transpose(x, (1, 0, 2)) for key, x in by_id.items()}
    return tuple(made[id(x)] for x in tensors)


def projected(
    query: Tensor, key: Tensor, value: Tensor, packed: Tensor | None, apart: tuple[Tensor, ...], bias: Tensor | None
) -> tuple[Tensor, ...]:
    """Queries, keys and values by their weights: those of all three in one `[3 * E, E]`, or each `apart`.

    One tensor that is all three takes one product with the packed weights.
    """
    biases = (None,) * 3 if bias is None else chunk(bias, 3, 0)
    if packed is None:
        weights = apart
    elif query is key and key is value:
        return tuple(chunk(dense(query, packed, bias), 3, -1))
    else:
        weights = tuple(chunk(packed, 3, 0))
    return tuple(dense(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))


def attended(q: Tensor, k: Tensor, v: Tensor, masks: list[Tensor], dropout_p: float) -> tuple[Tensor, Tensor]:
    """What all heads read, `[N, L, E]`, and with which weights, `[N, heads, L, S]`.

    Args:
        q: `[N, heads, L, D]`; k, v: `[N, heads, S, D]`.
        masks: what is added to the scores.
    """
    scores = matrices("attention", q / math.sqrt(q.shape[3]), transpose(k, (0, 1, 3, 2)))
    for mask in masks:
        scores = scores + mask
    weights = softmax(scores, -1)
    if dropout_p:
        weights = dropout(weights, dropout_p)
    heads = transpose(matrices("attention", weights, v), (0, 2, 1, 3))
    return reshape(heads, (*heads.shape[:2], heads.shape[2] * heads.shape[3])), weights


def in_heads(x: Tensor, heads: int) -> Tensor:
    """`[N, S, E]` as `[N, heads, S, E / heads]`."""
    return transpose(reshape(x, (x.shape[0], x.shape[1], heads, x.shape[2] // heads)), (0, 2, 1, 3))


def lengthened(x: Tensor, bias: Tensor | None, zero: bool) -> Tensor:
    """Keys or values `[N, S, E]` with those that stand behind any source: the bias, and zeros."""
    if bias is not None:
        x = concat([x, broadcast_to(bias, (x.shape[0], 1, x.shape[2]))], 1)
    return _with_zero(x) if zero else x


def _with_zero(x: Tensor) -> Tensor:
    """Keys or values `[..., S, D]` and one of zeros."""
    return concat([x, zeros((*x.shape[:-2], 1, x.shape[-1]), x.dtype)], -2)


def added_masks(
    where: str, key_padding_mask: Tensor | None, attn_mask: Tensor | None, shape: tuple[int, int, int, int], extra: int
) -> list[Tensor]:
    """Masks as floats that are added to scores `[N, heads, L, S + extra]`.

    Args:
        where: how a message begins.
        shape: `[N, heads, L, S]`.
        extra: how many keys there are that no mask hides.
    Raises:
        ValueError: `attn_mask` is neither `[L, S]` nor `[N * heads, L, S]`.
    """
    batch, heads, length, source = shape
    masks = []
    if key_padding_mask is not None:
        masks.append(reshape(_added(key_padding_mask), (-1, 1, 1, source)))
    if attn_mask is not None:
        shapes = ((length, source), (batch * heads, length, source))
        if attn_mask.shape not in shapes:
            raise located(
                ValueError(f"{where} 'attn_mask' must be {shapes[0]} or {shapes[1]}, but got {attn_mask.spec}.")
            )
        leading = (1, 1) if attn_mask.ndim == 2 else (batch, heads)
        masks.append(reshape(_added(attn_mask), (*leading, length, source)))
    return [pad(mask, (0, extra)) if extra else mask for mask in masks]


def _added(mask: Tensor) -> Tensor:
    """A mask as what is added to the scores: minus infinity where a bool or integer mask is set."""
    if mask.dtype.is_float:
        return mask
    return select(mask if mask.dtype.is_bool else not_equal(mask, 0), -math.inf, 0.0)


@widely
def multi_head_attention_forward(
    query: Any, key: Any, value: Any, embed_dim_to_check: int, num_heads: int, in_proj_weight: Any, in_proj_bias: Any,
    bias_k: Any, bias_v: Any, add_zero_attn: bool, dropout_p: float, out_proj_weight: Any, out_proj_bias: Any,
    training: bool = True, key_padding_mask: Any = None, attn_mask: Any = None, use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None, k_proj_weight: Any = None, v_proj_weight: Any = None, static_k: Any = None,
    static_v: Any = None, average_attn_weights: bool = True, is_causal: bool = False, k_is_v: bool = False,
    q_is_k: bool = False, dtype: Any = float32,
) -> tuple[Tensor, Tensor]:
    """What `nn.MultiheadAttention` computes, of weights that are given.

    Args:
        query: `[L, N, E]`; key: `[S, N, kdim]`; value: `[S, N, vdim]`; all without N if unbatched.
        embed_dim_to_check: E, which the query must have.
        num_heads: a divisor of E.
        in_proj_weight: `[3 * E, E]`, those of query, key and value; not read with `use_separate_proj_weight`.
        in_proj_bias: `[3 * E]`, or None.
        bias_k, bias_v: a key and a value more, `[1, 1, E]`, or None.
        add_zero_attn: a key and a value of zeros more.
        dropout_p: the share of weights that are dropped if `training`.
        out_proj_weight, out_proj_bias: `[E, E]` and `[E]` (or None).
        key_padding_mask: `[N, S]`; attn_mask: `[L, S]` or `[N * num_heads, L, S]`: True hides a key, floats are added.
        q_proj_weight, k_proj_weight, v_proj_weight: `[E, E]`, `[E, kdim]`, `[E, vdim]`.
        static_k, static_v: `[N * num_heads, S, E / num_heads]`, in place of what is projected.
        average_attn_weights: the weights returned are the mean of those of the heads.
        is_causal: position i sees positions 0 to i only.
        k_is_v, q_is_k: accepted: what is the same tensor is seen.
        dtype: accepted: the type is that of the operands.
    Returns:
        the result `[L, N, E]`, and the weights `[N, L, S]` (`[N, num_heads, L, S]` of all heads).
    """
    given = tuple(as_tensor(_NAME, x) for x in (query, key, value))
    _check_operands(given, embed_dim_to_check, num_heads)
    if (bias_k is None) != (bias_v is None) or (bias_k is not None and (static_k is not None or static_v is not None)):
        raise located(ValueError(f"{_NAME}: expected bias_k with bias_v, and neither with static_k or static_v"))
    if use_separate_proj_weight == (q_proj_weight is None) or (in_proj_weight is None and not use_separate_proj_weight):
        raise located(ValueError(f"{_NAME}: expected in_proj_weight, or with use_separate_proj_weight one of each"))
    packed = None if use_separate_proj_weight else in_proj_weight
    apart = (q_proj_weight, k_proj_weight, v_proj_weight)
    query, key, value = batch_first(*given)
    q, k, v = projected(query, key, value, packed, apart, in_proj_bias)
    source = k.shape[1] if static_k is None else static_k.shape[1]
    q = in_heads(q, num_heads)
    batch, _, length, features = q.shape

    def read(x: Tensor, bias: Tensor | None, static: Tensor | None) -> Tensor:
        """Keys or values `[N, heads, S, D]`."""
        if static is None:
            return in_heads(lengthened(x, bias, add_zero_attn), num_heads)
        fixed = reshape(static, (batch, num_heads, source, features))
        return _with_zero(fixed) if add_zero_attn else fixed

    k, v = read(k, bias_k, static_k), read(v, bias_v, static_v)
    key_mask, mask = (None if m is None else as_tensor(_NAME, m) for m in (key_padding_mask, attn_mask))
    extra = k.shape[2] - source
    masks = added_masks(f"{_NAME}:", key_mask, mask, (batch, num_heads, length, source), extra)
    if is_causal:
        row, column = row_and_column((length, source + extra))
        masks.append(select(logical_and(greater(column, row), less(column, source)), -math.inf, 0.0))
    y, weights = attended(q, k, v, masks, dropout_p if training else 0.0)
    y = dense(y, out_proj_weight, out_proj_bias)
    if average_attn_weights:
        weights = weights.mean(1)
    return (squeeze(y, 0), squeeze(weights, 0)) if given[0].ndim == 2 else (transpose(y, (1, 0, 2)), weights)


_NAME = "multi_head_attention_forward"


def _check_operands(given: tuple[Tensor, ...], features: int, heads: int) -> None:
    """Raises ValueError unless queries, keys and values fit one another and the heads."""
    shown = ", ".join(str(x.spec) for x in given)
    query, key, value = (x.shape for x in given)
    if len(query) not in (2, 3) or not len(query) == len(key) == len(value):
        raise located(ValueError(f"{_NAME}: expected tensors that all have 2 or all 3 dimensions, got {shown}"))
    if query[-1] != features or features % heads:
        raise located(ValueError(f"{_NAME}: expected {features} features for {heads} heads, got {given[0].spec}"))
    if key[:-1] != value[:-1] or query[1:-1] != key[1:-1]:
        raise located(ValueError(f"{_NAME}: samples or lengths differ, {shown}"))
