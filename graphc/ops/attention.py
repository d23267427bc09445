"""Flash attention, for training and for inference, by MindSpore's layouts and masks; and rotary positions.

All are written with products and softmax, so what the compiler does for attention that a program writes itself it does
for these. `scaled_dot_product_attention` is in `composite`, what `nn.MultiheadAttention` computes in `multi_head`.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.dtype import float32, float_info, int64, uint8
from graphc.ops.axes import as_int
from graphc.ops.coerce import as_tensor, broadcast, cast, widely
from graphc.ops.composite import softmax
from graphc.ops.creation import arange, row_and_column
from graphc.ops.elementwise import (
    bitwise_and,
    bitwise_right_shift,
    exp,
    greater,
    greater_equal,
    less,
    logical_and,
    logical_or,
    not_equal,
    select,
)
from graphc.ops.gather import gather_
from graphc.ops.linalg import matrices
from graphc.ops.random import dropout
from graphc.ops.reduce import max_, reduce_over, sum_over
from graphc.ops.shape import chunk, concat, expand_dims, pad, reshape, squeeze, stack, transpose
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "flash_attention_score", "incre_flash_attention", "prompt_flash_attention", "rotary_position_embedding",
]  # fmt: skip

ALL_TOKENS = 2**31 - 1
TRIANGLE = (2048, 2048)
"""The shape of the mask that stands for a triangle of any size."""


# Layouts

_PERMUTATIONS = {
    "BNSD": (0, 1, 2, 3), "BSND": (0, 2, 1, 3), "BSH": (0, 2, 1, 3), "SBH": (1, 2, 0, 3), "TND": (0, 2, 1, 3),
}  # fmt: skip
"""Where batch, head, position and feature are, once each has an axis."""


def _by_heads(name: str, x: Tensor, layout: str, heads: int) -> Tensor:
    """A tensor of a layout, as `[B, N, S, D]`."""
    if x.ndim != len(layout):
        raise located(ValueError(f"{name}: expected {layout}, got {x.spec}"))
    if layout == "TND":
        x = expand_dims(x, 0)
    elif layout.endswith("H"):
        if x.shape[2] % heads:
            raise located(ValueError(f"{name}: the {x.shape[2]} features of {x.spec} do not make {heads} heads"))
        x = reshape(x, (*x.shape[:2], heads, x.shape[2] // heads))
    x = transpose(x, _PERMUTATIONS[layout])
    if x.shape[1] != heads:
        raise located(ValueError(f"{name}: expected {heads} heads, got {x.shape[1]} of layout {layout}"))
    return x


def _laid_out(x: Tensor, layout: str) -> Tensor:
    """The inverse of `_by_heads`."""
    perm = _PERMUTATIONS[layout]
    x = transpose(x, tuple(perm.index(axis) for axis in range(4)))
    if layout == "TND":
        return squeeze(x, 0)
    return reshape(x, (*x.shape[:2], x.shape[2] * x.shape[3])) if layout.endswith("H") else x


def _operands(name: str, layout: str, heads: int, query: Any, key: Any, value: Any, key_heads: int) -> list[Tensor]:
    """Query, key and value as `[B, N, S, D]`, in the type that they are computed in.

    Args:
        key_heads: how many heads keys and values have; 0 if their shape says it.
    """
    if layout not in _PERMUTATIONS:
        raise located(ValueError(f"{name}: input_layout must be one of {', '.join(_PERMUTATIONS)}, got {layout!r}"))
    q, k, v = (as_tensor(name, x) for x in (query, key, value))
    if not q.dtype.is_float or not q.dtype is k.dtype is v.dtype:
        raise located(TypeError(f"{name}: expected floats of one type, got {q.spec}, {k.spec} and {v.spec}"))
    wide = q.dtype.wide or q.dtype
    q = _by_heads(name, cast(q, wide), layout, heads)
    if not key_heads and k.ndim == len(layout):
        key_heads = k.shape[layout.index("N")] if "N" in layout else max(k.shape[2] // q.shape[3], 1)
    k, v = (_by_heads(name, cast(x, wide), layout, key_heads) for x in (k, v))
    fits = k.shape[:3] == v.shape[:3] and k.shape[0] == q.shape[0] and k.shape[3] == q.shape[3]
    if not fits or heads % k.shape[1]:
        shapes = f"{q.shape}, {k.shape} and {v.shape}"
        raise located(ValueError(f"{name}: query, key and value do not fit, as [B, N, S, D] they are {shapes}"))
    return [q, k, v]


# Masks: True is what a query does not see


def _given_mask(name: str, mask: Any, shape: tuple[int, ...]) -> Tensor:
    """A mask of bools or uint8 that broadcasts to scores `[B, N, S1, S2]`."""
    found = as_tensor(name, mask)
    if not (found.dtype.is_bool or found.dtype.is_int):
        raise located(TypeError(f"{name}: expected a mask of bool or uint8, got {found.spec}"))
    fits = found.ndim <= 4 and all(n in (1, m) for n, m in zip(found.shape[::-1], shape[::-1], strict=False))
    if not fits or found.shape[-2:] != shape[-2:]:
        raise located(ValueError(f"{name}: expected a mask for scores {shape}, got {found.spec}"))
    return not_equal(found, 0) if found.dtype.is_int else found


def _outside(ahead: Tensor, before: int, after: int) -> Tensor | None:
    """Where a key is more than `before` positions before a query or `after` behind it, None if nowhere.

    Args:
        ahead: by how much the key's position is greater.
    """
    if before + after < 0:
        raise located(ValueError(f"attention: no key is seen from {before} tokens before to {after} after a query"))
    found = greater(ahead, after) if after < ALL_TOKENS else None
    if before >= ALL_TOKENS:
        return found
    early = less(ahead, -before)
    return early if found is None else logical_or(found, early)


def _either(*masks: Tensor | None) -> Tensor | None:
    found = None
    for mask in masks:
        found = mask if found is None else found if mask is None else logical_or(found, mask)
    return found


def _hidden(
    name: str, mode: int, mask: Any, tokens: tuple[int, int], prefix: Any, shape: tuple[int, ...],
    places: tuple[Tensor, Tensor],
) -> Tensor | None:
    """What `sparse_mode` hides of scores of a shape `[B, N, S1, S2]`.

    Args:
        tokens: before and after.
        places: by how much a key is ahead of a query where both begin together, and where both end together.
    """
    from_start, from_end = places
    if mode in (2, 3, 4):
        if mask is not None and as_tensor(name, mask).shape != TRIANGLE:
            got = as_tensor(name, mask).spec
            raise located(ValueError(f"{name}: with sparse_mode {mode} a mask must have shape {TRIANGLE}, got {got}"))
        return _outside(from_end, *tokens) if mode == 4 else greater(from_start if mode == 2 else from_end, 0)
    if mode not in (0, 1, 5):
        raise located(ValueError(f"{name}: sparse_mode must be from 0 to 5, got {mode!r}"))
    if (prefix is not None) != (mode == 5):
        raise located(ValueError(f"{name}: sparse_mode 5 takes a prefix and no other does, got {mode} and {prefix!r}"))
    given = None if mask is None else _given_mask(name, mask, shape)
    if given is None and mode:
        raise located(ValueError(f"{name}: sparse_mode {mode} needs a mask"))
    if mode == 0:
        return given if given is None else _either(given, _outside(from_start, *tokens))
    if mode == 1:
        return given
    _, column = row_and_column(shape[-2:])
    first = reshape(cast(as_tensor(name, prefix), int64), (shape[0], 1, 1, 1))
    return _either(given, logical_and(greater(from_end, 0), greater_equal(column, first)))


def _of_sequences(name: str, ends: Any, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of positions in sequences laid end to end: which sequence, where in it, and how long it is; int64 `[count]`.

    Args:
        ends: where each sequence ends, in all positions.
    """
    if ends is None:
        raise located(ValueError(f"{name}: layout TND needs actual_seq_qlen and actual_seq_kvlen"))
    until = cast(as_tensor(name, ends), int64)
    if until.ndim != 1 or not until.shape[0]:
        raise located(ValueError(f"{name}: expected the ends of sequences [B], got {until.spec}"))
    begin = pad(until[:-1], (1, 0))
    place = arange(count, dtype=int64)
    which = sum_over(cast(greater_equal(expand_dims(place, 1), until), int64), (1,))
    which = select(less(which, until.shape[0]), which, until.shape[0] - 1)
    return which, place - gather_(begin, which, axis=0), gather_(until - begin, which, axis=0)


# Flash attention


def _scores(q: Tensor, k: Tensor) -> Tensor:
    """The products of queries with keys, of which several heads of queries may share one: `[B, N, S1, S2]`."""
    batch, heads, length, depth = q.shape
    rows = reshape(q, (batch, k.shape[1], heads // k.shape[1] * length, depth))
    return reshape(matrices("attention", rows, k, transpose_b=True), (batch, heads, length, k.shape[2]))


def _mixed(weights: Tensor, v: Tensor) -> Tensor:
    """The weighted sums of values: `[B, N, S1, D]`."""
    batch, heads, length, source = weights.shape
    rows = reshape(weights, (batch, v.shape[1], heads // v.shape[1] * length, source))
    return reshape(matrices("attention", rows, v), (batch, heads, length, v.shape[3]))


def _covered(scores: Tensor, hidden: Tensor | None) -> Tensor:
    """The scores, the least number where they are hidden; not -inf, as a row may have nothing else."""
    lowest = float(float_info(scores.dtype).min)
    return scores if hidden is None else select(hidden, lowest, scores)


def _weights(scores: Tensor, hidden: Tensor | None) -> Tensor:
    """Softmax over the keys that are seen; where none is, all weights are 0."""
    weights = softmax(_covered(scores, hidden))
    return weights if hidden is None else select(hidden, 0.0, weights)


def unpacked(name: str, mask: Any, shape: tuple[int, ...]) -> Tensor:
    """Bools of a shape from the bits of uint8, of which the lowest comes first."""
    packed = as_tensor(name, mask)
    count = math.prod(shape)
    if packed.dtype is not uint8 or packed.size * 8 < count:
        raise located(ValueError(f"{name}: expected uint8 with a bit for each element of {shape}, got {packed.spec}"))
    flat = cast(reshape(packed, (packed.size, 1)), int64)
    bits = bitwise_and(bitwise_right_shift(flat, arange(8, dtype=int64)), 1)
    return reshape(not_equal(reshape(bits, (packed.size * 8,))[:count], 0), shape)


def _dropped(name: str, weights: Tensor, keep_prob: float, mask: Any) -> Tensor:
    if not 0 < keep_prob <= 1:
        raise located(ValueError(f"{name}: keep_prob must be in (0, 1], got {keep_prob!r}"))
    if mask is None:
        return dropout(weights, 1 - keep_prob)
    if keep_prob == 1:
        raise located(ValueError(f"{name}: a drop_mask needs a keep_prob below 1"))
    return select(unpacked(name, mask, weights.shape), weights * (1 / keep_prob), 0.0)


def flash_parts(
    query: Any, key: Any, value: Any, head_num: int, real_shift: Any = None, drop_mask: Any = None,
    padding_mask: Any = None, attn_mask: Any = None, prefix: Any = None, actual_seq_qlen: Any = None,
    actual_seq_kvlen: Any = None, keep_prob: float = 1.0, scalar_value: float = 1.0, pre_tokens: int = ALL_TOKENS,
    next_tokens: int = ALL_TOKENS, inner_precise: int = 0, input_layout: str = "BSH", sparse_mode: int = 0,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """What `flash_attention_score` returns, and what it comes from: scores, and what is hidden of them."""
    name = "flash_attention_score"
    if padding_mask is not None:
        raise located(ValueError(f"{name}: padding_mask must be None"))
    heads = as_int(name, head_num, "head_num", 1)
    q, k, v = _operands(name, input_layout, heads, query, key, value, 0)
    scores = _scores(q, k)
    if real_shift is not None:
        shift = as_tensor(name, real_shift)
        if shift.shape not in (scores.shape, (1, *scores.shape[1:])):
            raise located(ValueError(f"{name}: expected a real_shift for scores {scores.shape}, got {shift.spec}"))
        scores = scores + shift
    scores = scores * scalar_value
    apart = None
    if input_layout == "TND":
        if drop_mask is not None or (attn_mask is not None and sparse_mode not in (2, 3, 4)):
            raise located(ValueError(f"{name}: layout TND takes no drop_mask, and a mask by sparse_mode 2, 3 or 4"))
        (which_q, at_q, len_q), (which_k, at_k, len_k) = (
            _of_sequences(name, ends, n)
            for ends, n in ((actual_seq_qlen, scores.shape[2]), (actual_seq_kvlen, scores.shape[3]))
        )
        apart = not_equal(expand_dims(which_q, 1), which_k)
        from_start = at_k - expand_dims(at_q, 1)
        from_end = from_start - (len_k - expand_dims(len_q, 1))
    else:
        if actual_seq_qlen is not None or actual_seq_kvlen is not None:
            raise located(ValueError(f"{name}: the lengths of sequences are for layout TND, got {input_layout}"))
        row, column = row_and_column(scores.shape[-2:])
        from_start = column - row
        from_end = from_start - (scores.shape[3] - scores.shape[2])
    tokens = as_int(name, pre_tokens, "pre_tokens"), as_int(name, next_tokens, "next_tokens")
    hidden = _either(
        apart, _hidden(name, sparse_mode, attn_mask, tokens, prefix, scores.shape, (from_start, from_end))
    )
    weights = _dropped(name, _weights(scores, hidden), keep_prob, drop_mask)
    result = cast(_laid_out(_mixed(weights, v), input_layout), as_tensor(name, query).dtype)
    return result, scores, hidden


def flash_attention_score(
    query: Any, key: Any, value: Any, head_num: int, real_shift: Any = None, drop_mask: Any = None,
    padding_mask: Any = None, attn_mask: Any = None, prefix: Any = None, actual_seq_qlen: Any = None,
    actual_seq_kvlen: Any = None, keep_prob: float = 1.0, scalar_value: float = 1.0, pre_tokens: int = ALL_TOKENS,
    next_tokens: int = ALL_TOKENS, inner_precise: int = 0, input_layout: str = "BSH", sparse_mode: int = 0,
) -> Tensor:
    """`dropout(softmax(hide(scalar_value * (query @ key.T + real_shift)))) @ value`, in several heads.

    A query that sees no key gives zeros. float16 and bfloat16 are computed in float32.

    Args:
        query: `[B, S1, N1 * D]`, `[S1, B, N1 * D]`, `[B, N1, S1, D]`, `[B, S1, N1, D]` or `[T1, N1, D]`, floats.
        key, value: in the same layout, of N2 heads and S2 positions; N2 divides N1, and N1 / N2 heads share one.
        head_num: N1.
        real_shift: `[B, N1, S1, S2]` or `[1, N1, S1, S2]`, added before the scale, as in MindSpore's kernel.
        drop_mask: uint8 `[B, N1, S1, S2 / 8]`, a bit for each weight, the lowest first, 1 for those that stay; without
            one, weights are dropped at random.
        padding_mask: must be None.
        attn_mask: bools or uint8 that broadcast to `[B, N1, S1, S2]`: 1 hides a key. With sparse_mode 2, 3 and 4 None,
            or the triangle `[2048, 2048]` that other machines need; it says nothing that the mode does not, so it is
            not read.
        prefix: with sparse_mode 5, how many first keys every query of a sample may see, `[B]`.
        actual_seq_qlen, actual_seq_kvlen: with `TND`, where each of the sequences that lie end to end ends, `[B]`.
        keep_prob: in (0, 1]: the share of weights that are not dropped.
        scalar_value: the scale.
        pre_tokens, next_tokens: how many positions before and after its own a query sees.
        inner_precise: accepted: precision is that of float32 at least.
        input_layout: BSH, SBH, BNSD, BSND or TND.
        sparse_mode: 0: what `attn_mask` shows, from `pre_tokens` before to `next_tokens` after; all without a mask. 1:
            what `attn_mask` shows. 2: keys up to the query's position. 3: so, with the last query at the last key. 4:
            from `pre_tokens` to `next_tokens`, the last query at the last key. 5: what `attn_mask` shows, as 3 or
            within the prefix.
    Returns:
        in the layout and the type of `query`.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """
    return flash_parts(
        query, key, value, head_num, real_shift, drop_mask, padding_mask, attn_mask, prefix, actual_seq_qlen,
        actual_seq_kvlen, keep_prob, scalar_value, pre_tokens, next_tokens, inner_precise, input_layout, sparse_mode,
    )[0]  # fmt: skip


def of_softmax(scores: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
    """The maximum of each row's scores and the sum of their exponentials less it, 8 times each: `[B, N, S, 8]`."""
    covered = cast(_covered(scores, hidden), float32)
    most = reduce_over(max_, covered, (3,), keep=True)
    total = sum_over(exp(covered - most), (3,), keep=True)
    return broadcast(most, (*most.shape[:3], 8)), broadcast(total, (*total.shape[:3], 8))


def _inferred(
    name: str, query: Any, key: Any, value: Any, heads: int, key_heads: int, layout: str, scale: float, shift: Any,
    hidden_of: Any,
) -> Tensor:
    """Attention without dropout, its shift added after the scale; `hidden_of` makes a mask of the scores' shape."""
    q, k, v = _operands(name, layout, as_int(name, heads, "num_heads", 1), query, key, value, key_heads)
    scores = _scores(q, k) * scale
    if shift is not None:
        part = as_tensor(name, shift)
        if part.ndim != 4 or part.shape[2] < scores.shape[2] or part.shape[3] < scores.shape[3]:
            raise located(ValueError(f"{name}: expected a pse_shift for scores {scores.shape}, got {part.spec}"))
        scores = scores + part[:, :, : scores.shape[2], : scores.shape[3]]
    result = _mixed(_weights(scores, hidden_of(scores.shape)), v)
    return cast(_laid_out(result, layout), as_tensor(name, query).dtype)


def _refuse(name: str, **options: Any) -> None:
    """Options of quantised and of paged operands, which there are none of."""
    for option, value in options.items():
        if value is not None:
            raise located(ValueError(f"{name}: {option} must be None"))


def _behind(name: str, lengths: Any, shape: tuple[int, ...], axis: int) -> Tensor | None:
    """Where a position along an axis of `[B, N, S1, S2]` is behind the length of its sample, if there are lengths."""
    if lengths is None:
        return None
    found = cast(as_tensor(name, lengths), int64)
    if found.ndim != 1 or found.shape[0] not in (1, shape[0]):
        raise located(ValueError(f"{name}: expected a length for each of {shape[0]} samples, got {found.spec}"))
    place = row_and_column(shape[-2:])[axis - 2]
    return greater_equal(place, reshape(found, (-1, 1, 1, 1)))


def prompt_flash_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, actual_seq_lengths: Any = None,
    actual_seq_lengths_kv: Any = None, pse_shift: Any = None, deq_scale1: Any = None, quant_scale1: Any = None,
    deq_scale2: Any = None, quant_scale2: Any = None, quant_offset2: Any = None, num_heads: int = 1,
    scale_value: float = 1.0, pre_tokens: int = ALL_TOKENS, next_tokens: int = 0, input_layout: str = "BSH",
    num_key_value_heads: int = 0, sparse_mode: int = 0, inner_precise: int = 1,
) -> Tensor:
    """`softmax(hide(scale_value * query @ key.T + pse_shift)) @ value`, in several heads; for whole prompts.

    Args:
        query: `[B, S1, N * D]` or `[B, N, S1, D]`; key, value: of `num_key_value_heads` heads (N for 0), S2 positions.
        attn_mask, pre_tokens, next_tokens: as of `flash_attention_score`; a mask may also be `[B, S1, S2]`.
        actual_seq_lengths, actual_seq_lengths_kv: how many positions of each sample are there, `[B]`: keys behind are
            hidden, and of queries behind the results are zeros.
        pse_shift: `[B, N, S1, S2]` or `[1, N, S1, S2]`, or longer, added after the scale.
        deq_scale1, quant_scale1, deq_scale2, quant_scale2, quant_offset2: must be None: nothing is quantised.
        input_layout: BSH or BNSD.
        sparse_mode: from 0 to 4, as of `flash_attention_score`.
        inner_precise: accepted: precision is that of float32 at least.
    """
    name = "prompt_flash_attention"
    _refuse(
        name, deq_scale1=deq_scale1, quant_scale1=quant_scale1, deq_scale2=deq_scale2, quant_scale2=quant_scale2,
        quant_offset2=quant_offset2,
    )  # fmt: skip

    def hidden_of(shape: tuple[int, ...]) -> Tensor | None:
        row, column = row_and_column(shape[-2:])
        mask = attn_mask
        if mask is not None and sparse_mode in (0, 1) and as_tensor(name, mask).ndim == 3:
            mask = expand_dims(as_tensor(name, mask), 1)
        tokens = as_int(name, pre_tokens, "pre_tokens"), as_int(name, next_tokens, "next_tokens")
        places = column - row, column - row - (shape[3] - shape[2])
        return _either(
            _hidden(name, sparse_mode, mask, tokens, None, shape, places),
            _behind(name, actual_seq_lengths, shape, 2), _behind(name, actual_seq_lengths_kv, shape, 3),
        )  # fmt: skip

    key_heads = num_key_value_heads or num_heads
    return _inferred(
        name, query, key, value, num_heads, key_heads, input_layout, scale_value, pse_shift, hidden_of
    )  # fmt: skip


def incre_flash_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, actual_seq_lengths: Any = None, pse_shift: Any = None,
    dequant_scale1: Any = None, quant_scale1: Any = None, dequant_scale2: Any = None, quant_scale2: Any = None,
    quant_offset2: Any = None, antiquant_scale: Any = None, antiquant_offset: Any = None, block_table: Any = None,
    num_heads: int = 1, input_layout: str = "BSH", scale_value: float = 1.0, num_key_value_heads: int = 0,
    block_size: int = 0, inner_precise: int = 1, kv_padding_size: Any = None,
) -> Tensor:
    """`softmax(hide(scale_value * query @ key.T + pse_shift)) @ value` of one query a sample; for text as it grows.

    Args:
        query: `[B, 1, N * D]` or `[B, N, 1, D]`.
        key, value: of `num_key_value_heads` heads (N for 0) and S positions; each a Tensor, or a list of one.
        attn_mask: bools, int8 or uint8 `[B, S]`, `[B, 1, S]` or `[B, 1, 1, S]`: 1 hides a key.
        actual_seq_lengths: how many keys of each sample are there, `[B]` or `[1]`; those behind are hidden.
        pse_shift: `[B, N, 1, S]` or `[1, N, 1, S]`, added after the scale.
        dequant_scale1, quant_scale1, dequant_scale2, quant_scale2, quant_offset2, antiquant_scale, antiquant_offset,
        block_table, kv_padding_size: must be None, and `block_size` 0: nothing is quantised nor in pages.
        input_layout: BSH or BNSD.
        inner_precise: accepted: precision is that of float32 at least.
    """
    name = "incre_flash_attention"
    _refuse(
        name, dequant_scale1=dequant_scale1, quant_scale1=quant_scale1, dequant_scale2=dequant_scale2,
        quant_scale2=quant_scale2, quant_offset2=quant_offset2, antiquant_scale=antiquant_scale,
        antiquant_offset=antiquant_offset, block_table=block_table, block_size=block_size or None,
        kv_padding_size=kv_padding_size,
    )  # fmt: skip
    k, v = (x[0] if isinstance(x, (list, tuple)) and len(x) == 1 else x for x in (key, value))

    def hidden_of(shape: tuple[int, ...]) -> Tensor | None:
        if shape[2] != 1:
            raise located(ValueError(f"{name}: expected one query a sample, got {shape[2]}"))
        given = None
        if attn_mask is not None:
            mask = as_tensor(name, attn_mask)
            given = _given_mask(name, reshape(mask, (mask.shape[0], 1, 1, mask.shape[-1])), shape)
        return _either(given, _behind(name, actual_seq_lengths, shape, 3))

    key_heads = num_key_value_heads or num_heads
    return _inferred(
        name, query, k, v, num_heads, key_heads, input_layout, scale_value, pse_shift, hidden_of
    )  # fmt: skip


# Rotary positions


@widely
def rotary_position_embedding(x: Any, cos: Any, sin: Any, mode: int = 0) -> Tensor:
    """Pairs of features turned by angles: `x * cos + turned * sin` (Su et al. 2021).

    Args:
        x: `[..., D]` with 4 dimensions, D even.
        cos, sin: broadcast to the shape of `x`.
        mode: 0: feature i is a pair with i + D / 2, and `turned` is the second half, negative, then the first; 1: with
            the next, and `turned` is `-x[1], x[0], -x[3], x[2], ...`.
    Raises:
        ValueError: another shape or mode.
    """
    name = "rotary_position_embedding"
    value, c, s = (as_tensor(name, operand) for operand in (x, cos, sin))
    if value.ndim != 4 or value.shape[3] % 2:
        raise located(ValueError(f"{name}: expected 4 dimensions and an even number of features, got {value.spec}"))
    if mode not in (0, 1):
        raise located(ValueError(f"{name}: mode must be 0 or 1, got {mode!r}"))
    if mode == 0:
        first, second = chunk(value, 2, -1)
        turned = concat([-second, first], -1)
    else:
        turned = reshape(stack([-value[..., 1::2], value[..., ::2]], -1), value.shape)
    result = value * c + turned * s
    if result.shape != value.shape:
        raise located(ValueError(f"{name}: {c.spec} and {s.spec} do not broadcast to {value.spec}"))
    return result
