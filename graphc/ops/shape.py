"""Functions that move data without changing it: `squeeze`, `split`, `tile`, `roll` and their like.

They check their arguments, work out negative axes, and are written with the table's views (`graphc/ops/views.py`); so
they are fused and differentiated for free.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from graphc.dtype import promote
from graphc.ops.axes import as_int, as_ints, axes_of, axis_of
from graphc.ops.coerce import as_tensor, broadcast, cast, scalar
from graphc.ops.views import concat_, diagonal_, flip_, on_diagonal, pad_, reshape_, slice_, take_range, transpose_
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "broadcast_to", "cat", "chunk", "concat", "diag", "diagonal", "expand_dims", "flatten", "flip", "meshgrid",
    "moveaxis", "narrow", "pad", "permute", "rank", "repeat_elements", "repeat_interleave", "reshape", "roll", "shape",
    "size", "slice", "split", "squeeze", "stack", "swapaxes", "t", "tensor_split", "tile", "transpose", "unbind",
    "unsqueeze", "unstack",
]  # fmt: skip

Axes = int | Sequence[int]


# The same elements in another shape


def reshape(input: Any, shape: Any) -> Tensor:
    """`input` in another shape.

    Args:
        input: tensor.
        shape: an int or a tuple of ints; one of them may be -1, and is worked out.
    Raises:
        ValueError: the number of elements differs.
    """
    input = as_tensor("reshape", input)
    wanted = as_ints("reshape", shape)
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        raise located(ValueError(f"reshape: expected extents >= 0 and at most one -1, got {wanted}"))
    if wanted.count(-1) == 1:
        rest = -prod(wanted)
        if rest == 0 or input.size % rest:
            raise located(ValueError(f"reshape: {input.spec} has {input.size} elements, which do not fit {wanted}"))
        wanted = tuple(input.size // rest if n == -1 else n for n in wanted)
    return input if wanted == input.shape else reshape_(input, shape=wanted)


def expand_dims(input_x: Any, axis: int) -> Tensor:
    """`input_x` with a new axis of extent 1 at `axis`."""
    x = as_tensor("expand_dims", input_x)
    if isinstance(axis, (tuple, list)):
        for a in sorted(axis_of("expand_dims", a, x.ndim + len(axis)) for a in axis):
            x = expand_dims(x, a)
        return x
    axis = axis_of("expand_dims", axis, x.ndim + 1)
    return reshape_(x, shape=(*x.shape[:axis], 1, *x.shape[axis:]))


def unsqueeze(input: Any, dim: int) -> Tensor:
    """`input` with a new axis of extent 1 at `dim`."""
    return expand_dims(input, dim)


def squeeze(input: Any, axis: Axes | None = None) -> Tensor:
    """`input` without its axes of extent 1: all of them, or those among the named ones; others stay."""
    x = as_tensor("squeeze", input)
    named = axes_of("squeeze", axis, x.ndim) if axis is not None and axis != () else range(x.ndim)
    shape = tuple(n for d, n in enumerate(x.shape) if n != 1 or d not in named)
    return x if shape == x.shape else reshape_(x, shape=shape)


def flatten(input: Any, order: str = "C", *, start_dim: int = 1, end_dim: int = -1) -> Tensor:
    """`input` with the axes `start_dim` to `end_dim` as one, in row-major (`"C"`) or column-major (`"F"`) order."""
    x = as_tensor("flatten", input)
    if order not in ("C", "F"):
        raise located(ValueError(f"flatten: order must be 'C' or 'F', got {order!r}"))
    if x.ndim == 0:
        return reshape_(x, shape=(1,))
    lo = axis_of("flatten", start_dim, max(x.ndim, 2) if start_dim == 1 else x.ndim)
    hi = axis_of("flatten", end_dim, x.ndim)
    if lo > hi:
        if x.ndim == 1:
            return x
        raise located(ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}"))
    if order == "F":
        x = transpose_(x, perm=(*range(lo), *range(hi, lo - 1, -1), *range(hi + 1, x.ndim)))
    return reshape(x, (*x.shape[:lo], prod(x.shape[lo : hi + 1]), *x.shape[hi + 1 :]))


# Other orders of the axes


def transpose(input: Any, dims: Sequence[int]) -> Tensor:
    """`input` with its axes in the order `dims`."""
    x = as_tensor("transpose", input)
    perm = tuple(axis_of("transpose", d, x.ndim) for d in as_ints("transpose", dims, "dims"))
    return x if perm == tuple(range(x.ndim)) else transpose_(x, perm=perm)


def permute(input: Any, axis: Sequence[int]) -> Tensor:
    """`input` with its axes in the order `axis`."""
    return transpose(input, axis)


def swapaxes(input: Any, axis0: int, axis1: int) -> Tensor:
    """`input` with two axes exchanged."""
    x = as_tensor("swapaxes", input)
    a, b = axis_of("swapaxes", axis0, x.ndim), axis_of("swapaxes", axis1, x.ndim)
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return transpose(x, order)


def t(input: Any) -> Tensor:
    """The transpose of a matrix; a vector or scalar as it is."""
    x = as_tensor("t", input)
    if x.ndim > 2:
        raise located(ValueError(f"t: expected at most 2 dimensions, got {x.spec}"))
    return transpose(x, tuple(range(x.ndim))[::-1])


def moveaxis(x: Any, source: Axes, destination: Axes) -> Tensor:
    """`x` with the axes `source` at the places `destination`; the others keep their order."""
    x = as_tensor("moveaxis", x)
    sources = [axis_of("moveaxis", a, x.ndim) for a in as_ints("moveaxis", source, "source")]
    places = [axis_of("moveaxis", a, x.ndim) for a in as_ints("moveaxis", destination, "destination")]
    if len(sources) != len(places) or len(set(sources)) != len(sources) or len(set(places)) != len(places):
        raise located(ValueError(f"moveaxis: source {source} and destination {destination} do not match"))
    order = [d for d in range(x.ndim) if d not in sources]
    for place, d in sorted(zip(places, sources)):
        order.insert(place, d)
    return transpose(x, order)


# Repeating


def broadcast_to(input: Any, shape: Any) -> Tensor:
    """`input` broadcast to `shape`, where -1 keeps an axis' extent."""
    x = as_tensor("broadcast_to", input)
    wanted = list(as_ints("broadcast_to", shape))
    lead = len(wanted) - x.ndim
    for d, n in enumerate(wanted):
        if n == -1:
            if d < lead:
                raise located(ValueError(f"broadcast_to: -1 in {tuple(wanted)} stands for a new axis of {x.spec}"))
            wanted[d] = x.shape[d - lead]
    return broadcast(x, tuple(wanted))


def tile(input: Any, dims: Axes) -> Tensor:
    """`input` repeated `dims[d]` times along each axis d, as blocks."""
    x = as_tensor("tile", input)
    counts = as_ints("tile", dims, "dims")
    if min(counts, default=0) < 0:
        raise located(ValueError(f"tile: repeats must be >= 0, got {counts}"))
    ndim = max(x.ndim, len(counts))
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - x.ndim) + x.shape
    split_up = reshape(x, tuple(n for extent in shape for n in (1, extent)))
    repeated = broadcast(split_up, tuple(n for pair in zip(counts, shape) for n in pair))
    return reshape(repeated, tuple(c * n for c, n in zip(counts, shape)))


def repeat_elements(x: Any, rep: int, axis: int = 0) -> Tensor:
    """Every slice of `x` along `axis` repeated `rep` times, next to itself."""
    x = as_tensor("repeat_elements", x)
    axis = axis_of("repeat_elements", axis, x.ndim)
    rep = as_int("repeat_elements", rep, "rep", 0)
    repeated = broadcast(expand_dims(x, axis + 1), (*x.shape[: axis + 1], rep, *x.shape[axis + 1 :]))
    return reshape(repeated, (*x.shape[:axis], x.shape[axis] * rep, *x.shape[axis + 1 :]))


def repeat_interleave(
    input: Any, repeats: Any, axis: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Every slice of `input` along `axis` (of the flattened tensor for None) repeated next to itself.

    Args:
        repeats: how often, an int >= 0, or a list with one for each slice.
        output_size: how many slices there will be, which follows from the rest; checked.
    """
    x = as_tensor("repeat_interleave", input)
    if output_size is not None:
        result = repeat_interleave(x, repeats, axis)
        if result.shape[axis or 0] != output_size:
            raise located(ValueError(f"repeat_interleave: output_size is {output_size}, the result {result.spec}"))
        return result
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    counts = as_ints("repeat_interleave", repeats, "repeats")
    if len(counts) == 1:
        return repeat_elements(x, counts[0], axis)
    axis = axis_of("repeat_interleave", axis, x.ndim)
    if len(counts) != x.shape[axis] or min(counts, default=0) < 0:
        raise located(ValueError(f"repeat_interleave: expected {x.shape[axis]} repeats >= 0, got {counts}"))
    from graphc.ops.gather import gather  # which is written with this module

    return gather(x, Tensor(np.repeat(np.arange(len(counts)), counts)), axis)


def meshgrid(*inputs: Any, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Coordinate grids of the given vectors, as NumPy's `meshgrid`.

    Args:
        inputs: vectors (or scalars), or one tuple of them.
        indexing: `"xy"` exchanges the first two axes of the grids, `"ij"` keeps the order of the inputs.
    """
    if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
        inputs = tuple(inputs[0])
    if indexing not in ("xy", "ij"):
        raise located(ValueError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}"))
    vectors = [as_tensor("meshgrid", x) for x in inputs]
    for v in vectors:
        if v.ndim > 1:
            raise located(ValueError(f"meshgrid: expected vectors, got {v.spec}"))
    places = list(range(len(vectors)))
    if indexing == "xy" and len(places) > 1:
        places[:2] = [1, 0]
    shape = tuple(vectors[places[d]].size for d in range(len(vectors)))
    return tuple(
        broadcast(reshape(v, tuple(v.size if d == place else 1 for d in range(len(shape)))), shape)
        for v, place in zip(vectors, places)
    )


# Joining and cutting


def concat(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """The tensors one after another along `axis`; their dtypes are promoted to one."""
    found = _sequence("concat", tensors)
    axis = axis_of("concat", axis, found[0].ndim)
    return found[0] if len(found) == 1 else concat_(*found, axis=axis)


def cat(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """As `concat`."""
    return concat(tensors, axis)


def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """The tensors, of one shape, along a new axis."""
    found = _sequence("stack", tensors)
    for x in found:
        if x.shape != found[0].shape:
            raise located(ValueError(f"stack: expected tensors of one shape, got {found[0].spec} and {x.spec}"))
    return concat([expand_dims(x, axis) for x in found], axis)


def _sequence(name: str, tensors: Any) -> list[Tensor]:
    """At least one tensor, all of one dtype."""
    if not isinstance(tensors, (tuple, list)) or not tensors:
        got = tensors.spec if isinstance(tensors, Tensor) else f"{tensors!r:.60}"
        raise located(TypeError(f"{name}: expected a tuple or list of at least one Tensor, got {got}"))
    found = [as_tensor(name, x) for x in tensors]
    dtype = found[0].dtype
    for x in found:
        dtype = promote(dtype, x.dtype)
    return [cast(x, dtype) for x in found]


def split(tensor: Any, split_size_or_sections: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """`tensor` cut along `axis` into parts of a size (the last may be smaller), or of the sizes in a list."""
    x = as_tensor("split", tensor)
    axis = axis_of("split", axis, x.ndim)
    extent = x.shape[axis]
    if isinstance(split_size_or_sections, (tuple, list)):
        sizes = as_ints("split", split_size_or_sections, "split_size_or_sections")
        if sum(sizes) != extent or min(sizes, default=0) < 0:
            raise located(ValueError(f"split: sizes {sizes} do not add up to axis {axis} of {x.spec}"))
    else:
        size = as_int("split", split_size_or_sections, "split_size_or_sections", 1)
        sizes = tuple(min(size, extent - lo) for lo in range(0, extent, size)) or (0,)
    begins = [sum(sizes[:k]) for k in range(len(sizes))]
    return tuple(take_range(x, axis, lo, n) for lo, n in zip(begins, sizes))


def split_evenly(x: Any, axis: int, parts: int) -> tuple[Tensor, ...]:
    """`x` cut along `axis` into `parts` equal parts (what the class `Split` does)."""
    x = as_tensor("split", x)
    axis = axis_of("split", axis, x.ndim)
    if parts < 1 or x.shape[axis] % parts:
        raise located(ValueError(f"split: axis {axis} of {x.spec} cannot be cut into {parts} equal parts"))
    return split(x, [x.shape[axis] // parts] * parts, axis)


def tensor_split(input: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """`input` cut along `axis` into so many nearly equal parts, or before each index of a list."""
    x = as_tensor("tensor_split", input)
    axis = axis_of("tensor_split", axis, x.ndim)
    extent = x.shape[axis]
    if isinstance(indices_or_sections, (tuple, list)):
        cuts = [min(max(c + extent if c < 0 else c, 0), extent) for c in as_ints("tensor_split", indices_or_sections)]
        bounds = [0, *cuts, extent]
    else:
        parts = as_int("tensor_split", indices_or_sections, "indices_or_sections", 1)
        small, larger = divmod(extent, parts)
        bounds = [k * small + min(k, larger) for k in range(parts + 1)]
    return tuple(take_range(x, axis, lo, max(hi - lo, 0)) for lo, hi in pairwise(bounds))


def chunk(input: Any, chunks: int, axis: int = 0) -> tuple[Tensor, ...]:
    """`input` cut along `axis` into at most `chunks` parts of one size (the last may be smaller)."""
    x = as_tensor("chunk", input)
    axis = axis_of("chunk", axis, x.ndim)
    chunks = as_int("chunk", chunks, "chunks", 1)
    return split(x, max(-(-x.shape[axis] // chunks), 1), axis)


def unstack(input_x: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices of `input_x` along `axis`, without that axis."""
    x = as_tensor("unstack", input_x)
    axis = axis_of("unstack", axis, x.ndim)
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    return tuple(reshape_(take_range(x, axis, i, 1), shape=shape) for i in range(x.shape[axis]))


def unbind(input: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """As `unstack`."""
    return unstack(input, dim)


def narrow(input: Any, axis: int, start: int, length: int) -> Tensor:
    """`length` slices of `input` along `axis`, from `start`."""
    x = as_tensor("narrow", input)
    axis = axis_of("narrow", axis, x.ndim)
    start = start + x.shape[axis] if start < 0 else start
    return take_range(x, axis, start, length)


def slice(input_x: Any, begin: Sequence[int], size: Sequence[int]) -> Tensor:
    """The block of `input_x` that starts at `begin` and has the shape `size` (-1: to the end of the axis)."""
    x = as_tensor("slice", input_x)
    lo, counts = as_ints("slice", begin, "begin"), as_ints("slice", size, "size")
    if not len(lo) == len(counts) == x.ndim:
        raise located(ValueError(f"slice: expected begin and size for each axis of {x.spec}, got {lo} and {counts}"))
    counts = tuple(n - b if c == -1 else c for n, b, c in zip(x.shape, lo, counts))
    return slice_(x, begin=lo, shape=counts, step=(1,) * x.ndim)


# Padding and turning


def pad_constant(x: Any, low: Sequence[int], high: Sequence[int], value: float | int = 0) -> Tensor:
    """`x` with `low[d]` elements of `value` before, and `high[d]` after, along each axis d; below 0 cuts off."""
    inner = as_tensor("pad", x)
    if min((*low, *high), default=0) < 0:
        begin = tuple(max(-lo, 0) for lo in low)
        shape = tuple(n - lo - max(-hi, 0) for n, lo, hi in zip(inner.shape, begin, high))
        inner = slice_(inner, begin=begin, shape=shape, step=(1,) * inner.ndim)
        low, high = [max(lo, 0) for lo in low], [max(hi, 0) for hi in high]
    if not any(low) and not any(high):
        return inner
    return pad_(inner, scalar(value, inner.dtype), low=tuple(low), high=tuple(high), interior=(0,) * inner.ndim)


def pad(input_x: Any, padding: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """`input_x` with elements added around it.

    Args:
        input_x: tensor.
        padding: `(before, after)` for the last axis, then for the last but one, and so on: an even number of ints.
        mode: `"constant"` (`value`, by default 0), `"reflect"` (mirrored without the edge), `"replicate"` (the edge),
            `"circular"` (from the other end).
        value: only with `"constant"`.
    Raises:
        ValueError: an unknown mode; more elements than there are to reflect or to wrap; below 0 but in constant mode.
    """
    x = as_tensor("pad", input_x)
    amounts = as_ints("pad", padding, "padding")
    if len(amounts) % 2 or len(amounts) > 2 * x.ndim:
        raise located(ValueError(f"pad: padding must be pairs, at most one for each axis of {x.spec}, got {amounts}"))
    pairs = [(0, 0)] * (x.ndim - len(amounts) // 2) + list(zip(amounts[::2], amounts[1::2]))[::-1]
    if mode == "constant":
        return pad_constant(x, [lo for lo, _ in pairs], [hi for _, hi in pairs], 0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        modes = "'constant', 'reflect', 'replicate' or 'circular'"
        raise located(ValueError(f"pad: mode must be {modes}, got {mode!r}"))
    if value is not None:
        raise located(ValueError(f"pad: value is for mode 'constant' only, got {value!r} with {mode!r}"))
    for axis, (lo, hi) in enumerate(pairs):
        if lo or hi:
            x = _pad_from_own(x, axis, lo, hi, mode)
    return x


def _pad_from_own(x: Tensor, axis: int, lo: int, hi: int, mode: str) -> Tensor:
    n = x.shape[axis]
    most = n - 1 if mode == "reflect" else n if mode == "circular" else lo + hi
    if min(lo, hi) < 0 or max(lo, hi) > most or n == 0:
        raise located(ValueError(f"pad: {mode} padding ({lo}, {hi}) does not fit axis {axis} of {x.spec}"))
    if mode == "reflect":
        before = flip_(take_range(x, axis, 1, lo), axes=(axis,))
        after = flip_(take_range(x, axis, n - 1 - hi, hi), axes=(axis,))
    elif mode == "circular":
        before, after = take_range(x, axis, n - lo, lo), take_range(x, axis, 0, hi)
    else:
        before = repeat_elements(take_range(x, axis, 0, 1), lo, axis)
        after = repeat_elements(take_range(x, axis, n - 1, 1), hi, axis)
    return concat([part for part in (before, x, after) if part.shape[axis]], axis)


def flip(input: Any, dims: Axes) -> Tensor:
    """`input` in the opposite order along `dims`."""
    x = as_tensor("flip", input)
    axes = axes_of("flip", as_ints("flip", dims, "dims"), x.ndim) if dims != () else ()
    return flip_(x, axes=axes) if axes else x


def roll(input: Any, shifts: Axes, dims: Axes | None = None) -> Tensor:
    """`input` moved by `shifts` along `dims` (None: as a flat vector); what leaves one end comes in at the other."""
    x = as_tensor("roll", input)
    amounts = as_ints("roll", shifts, "shifts")
    if dims is None:
        if len(amounts) != 1:
            raise located(ValueError(f"roll: dims=None takes one shift, got {amounts}"))
        return reshape(roll(reshape(x, (x.size,)), amounts, 0), x.shape)
    axes = as_ints("roll", dims, "dims")
    if len(axes) != len(amounts):
        raise located(ValueError(f"roll: expected one shift for each axis, got {amounts} and {axes}"))
    for amount, a in zip(amounts, axes):
        axis = axis_of("roll", a, x.ndim)
        n = x.shape[axis]
        cut = n - amount % n if n else 0
        if 0 < cut < n:
            x = concat([take_range(x, axis, cut, n - cut), take_range(x, axis, 0, cut)], axis)
    return x


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of the matrices that `dim1` and `dim2` span, as a new last axis; `offset` > 0 lies above it."""
    x = as_tensor("diagonal", input)
    a, b = axis_of("diagonal", dim1, x.ndim), axis_of("diagonal", dim2, x.ndim)
    if a == b:
        raise located(ValueError(f"diagonal: dim1 and dim2 are both axis {a}"))
    rest = [d for d in range(x.ndim) if d not in (a, b)]
    return diagonal_(transpose(x, (*rest, a, b)), offset=as_int("diagonal", offset, "offset"))


def diag(input: Any) -> Tensor:
    """The elements of `input` where the indices of the result are twice the same, elsewhere 0.

    Args:
        input: `[N1, ..., Nk]` with at least one axis. A matrix's diagonal is what `diagonal` gives.
    Returns:
        `[N1, ..., Nk, N1, ..., Nk]`: of a vector the square matrix with it on its diagonal.
    Raises:
        ValueError: a scalar.
    """
    x = as_tensor("diag", input)
    if x.ndim == 0:
        raise located(ValueError(f"diag: expected at least one axis, got {x.spec}"))
    return reshape(on_diagonal(reshape(x, (x.size,)), x.size), (*x.shape, *x.shape))


def shape(input_x: Any) -> tuple[int, ...]:
    """The shape as a tuple of ints."""
    return as_tensor("shape", input_x).shape


def rank(input_x: Any) -> int:
    """The number of dimensions."""
    return as_tensor("rank", input_x).ndim


def size(input_x: Any) -> int:
    """The number of elements."""
    return as_tensor("size", input_x).size
