"""The table's ops that move data without changing it: reshape, transpose, broadcast, slice, pad, flip, concat, weave.

They are strict and few. What users call is written with them (`graphc/ops/shape.py`).
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from graphc.dtype import bool_
from graphc.ir import TensorType
from graphc.op import FEWEST_JOINED, TABLE, Later, Places, define_op
from graphc.ops.coerce import broadcast, cast, full_like, scalar
from graphc.ops.creation import row_and_column
from graphc.tensor import Tensor

# Reshape


def _reshape_type(x: TensorType, *, shape: tuple[int, ...]) -> TensorType:
    if any(n < 0 for n in shape) or prod(shape) != x.size:
        raise ValueError(f"reshape: {x} has {x.size} elements, shape {shape} has {prod(shape)}")
    return TensorType(shape, x.dtype)


@define_op(infer=_reshape_type, traits="view reshape", name="reshape")
def reshape_(x: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    """The same elements, in row-major order, in another shape."""
    return x.reshape(shape)


@reshape_.def_vjp
def reshape_vjp(ct: Tensor, y: Tensor, x: Tensor, *, shape: tuple[int, ...]) -> Any:
    return (reshape_(ct, shape=x.shape),)


@reshape_.def_lower
def reshape_lower(b: Any, index: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    inner: list[Any] = []
    for (lo, hi), (x_lo, x_hi) in _matching_runs(shape, x.shape):
        flat: Any = 0
        for position, extent in zip(index[lo:hi], shape[lo:hi]):
            flat = flat * extent + position
        inner += unravel(flat, x.shape[x_lo:x_hi])
    return x(inner)


def unravel(flat: Any, shape: tuple[int, ...]) -> list[Any]:
    """The index of the element whose row-major position is `flat`."""
    index: list[Any] = []
    for axis in reversed(range(len(shape))):
        extent = max(shape[axis], 1)
        index.append(flat % extent if axis else flat)
        flat = flat // extent if axis else flat
    return index[::-1]


def _matching_runs(x: tuple[int, ...], y: tuple[int, ...]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Cuts two shapes of one size into the shortest runs of axes that hold equally many elements.

    An index along an axis that stays as it is then stays as it is, without a division.
    """
    if 0 in x:
        return [((0, len(x)), (0, len(y)))]
    runs, i, j = [], 0, 0
    while i < len(x) or j < len(y):
        lo, x_lo = i, j
        size, x_size = 1, 1
        if i < len(x):
            size, i = x[i], i + 1
        if j < len(y):
            x_size, j = y[j], j + 1
        while size != x_size:
            if size < x_size:
                size, i = size * x[i], i + 1
            else:
                x_size, j = x_size * y[j], j + 1
        runs.append(((lo, i), (x_lo, j)))
    return runs


# Transpose, broadcast


def _transpose_type(x: TensorType, *, perm: tuple[int, ...]) -> TensorType:
    if sorted(perm) != list(range(x.ndim)):
        raise ValueError(f"transpose: {perm} is no order of the {x.ndim} dimensions of {x}")
    return TensorType(tuple(x.shape[p] for p in perm), x.dtype)


@define_op(infer=_transpose_type, traits="view permutes", name="transpose")
def transpose_(x: np.ndarray, *, perm: tuple[int, ...]) -> np.ndarray:
    """The same elements with the axes in another order: axis d of the result is axis `perm[d]` of `x`."""
    return x.transpose(perm)


@transpose_.def_vjp
def transpose_vjp(ct: Tensor, y: Tensor, x: Tensor, *, perm: tuple[int, ...]) -> Any:
    return (transpose_(ct, perm=tuple(perm.index(d) for d in range(len(perm)))),)


@transpose_.def_lower
def transpose_lower(b: Any, index: Any, x: Any, *, perm: tuple[int, ...]) -> Any:
    return x([index[perm.index(d)] for d in range(len(perm))])


def _broadcast_type(x: TensorType, *, shape: tuple[int, ...]) -> TensorType:
    lead = len(shape) - x.ndim
    if lead < 0 or min(shape, default=0) < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[lead:])):
        raise ValueError(f"broadcast_to: {x} does not broadcast to shape {shape}")
    return TensorType(shape, x.dtype)


@define_op(infer=_broadcast_type, traits="view", name="broadcast_to")
def broadcast_to_(x: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    """`x` repeated along new leading axes and along its axes of extent 1."""
    return np.broadcast_to(x, shape)


@broadcast_to_.def_vjp
def broadcast_to_vjp(ct: Tensor, y: Tensor, x: Tensor, *, shape: tuple[int, ...]) -> Any:
    return (Later(_sum_of_repeats, (ct,), {"shape": x.shape}, _sums_of_repeats, _sum_over_steps),)


def _repeated(repeats: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes along which a tensor of `shape` was repeated."""
    lead = len(repeats) - len(shape)
    return tuple(d for d in range(len(repeats)) if d < lead or shape[d - lead] != repeats[d])


def _sum_of_repeats(ct: Tensor, *, shape: tuple[int, ...]) -> Tensor:
    from graphc.ops.reduce import sum_over  # the sum is the transpose of the broadcast, and the other way round

    return reshape_(sum_over(ct, _repeated(ct.shape, shape)), shape=shape)


def _sums_of_repeats(parts: Sequence[Later]) -> Tensor | None:
    """Sums of tensors as one sum of all of them side by side along the first axis that is summed: a bias used often."""
    shape = parts[0].attrs["shape"]
    repeats = {part.operands[0].shape for part in parts}
    axes = _repeated(parts[0].operands[0].shape, shape)
    if len(parts) < FEWEST_JOINED or len(repeats) != 1 or not axes or not shape:
        return None
    return _sum_of_repeats(concat_(*(part.operands[0] for part in parts), axis=axes[0]), shape=shape)


def _sum_over_steps(part: Later) -> Tensor:
    """The sum of the sums of all steps as one sum."""
    (steps,), shape = part.operands, part.attrs["shape"]
    axis = next(iter(_repeated(steps.shape[1:], shape)), None)
    if axis is None:
        return _sum_of_repeats(steps, shape=shape)
    return _sum_of_repeats(steps_along(steps, axis), shape=shape)


def steps_along(steps: Tensor, axis: int) -> Tensor:
    """Tensors that lie along a first axis laid side by side along one of their own."""
    count, *shape = steps.shape
    if axis:
        steps = transpose_(steps, perm=(*range(1, axis + 1), 0, *range(axis + 1, steps.ndim)))
    shape[axis] *= count
    return reshape_(steps, shape=tuple(shape))


@broadcast_to_.def_lower
def broadcast_to_lower(b: Any, index: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    own = index[len(shape) - len(x.shape) :]
    return x([0 if n == 1 else i for i, n in zip(own, x.shape)])


# Slice, pad, flip, concat


def _slice_type(
    x: TensorType, *, begin: tuple[int, ...], shape: tuple[int, ...], step: tuple[int, ...]
) -> TensorType:
    if not x.ndim == len(begin) == len(shape) == len(step):
        raise ValueError(f"slice: expected begin, shape and step for each axis of {x}, got {begin}, {shape}, {step}")
    for n, lo, count, stride in zip(x.shape, begin, shape, step):
        if stride < 1 or lo < 0 or count < 0 or (count and lo + (count - 1) * stride >= n):
            raise ValueError(f"slice: begin {begin}, shape {shape}, step {step} reach outside {x}")
    return TensorType(shape, x.dtype)


@define_op(infer=_slice_type, traits="view", name="slice")
def slice_(x: np.ndarray, *, begin: tuple[int, ...], shape: tuple[int, ...], step: tuple[int, ...]) -> np.ndarray:
    """The elements at `begin + i * step` for every i in `shape`; steps are at least 1."""
    return x[tuple(builtins.slice(lo, lo + n * s, s) for lo, n, s in zip(begin, shape, step))]


@slice_.def_vjp
def slice_vjp(ct: Tensor, y: Tensor, x: Tensor, *, begin: Any, shape: Any, step: Any) -> Any:
    ends = [lo + (n - 1) * s + 1 if n else lo for lo, n, s in zip(begin, shape, step)]
    high = tuple(n - end for n, end in zip(x.shape, ends))
    return (surrounded(ct, begin, high, tuple(s - 1 for s in step)),)


def surrounded(x: Tensor, low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...]) -> Later:
    """A tensor with zeros around it, as a part of a sum of such."""
    return Later(pad_, (x, scalar(0, x.dtype)), {"low": low, "high": high, "interior": interior}, _side_by_side)


@slice_.def_lower
def slice_lower(b: Any, index: Any, x: Any, *, begin: Any, shape: Any, step: Any) -> Any:
    return x([i * s + lo for i, lo, s in zip(index, begin, step)])


def _pad_type(
    x: TensorType, value: TensorType, *, low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...]
) -> TensorType:
    if value.shape or value.dtype is not x.dtype:
        raise TypeError(f"pad: expected a scalar of the dtype of {x} to pad with, got {value}")
    if not x.ndim == len(low) == len(high) == len(interior) or min((*low, *high, *interior), default=0) < 0:
        raise ValueError(f"pad: expected low, high, interior >= 0 for each axis of {x}, got {low}, {high}, {interior}")
    extents = (lo + n + hi + max(n - 1, 0) * gap for n, lo, hi, gap in zip(x.shape, low, high, interior))
    return TensorType(tuple(extents), x.dtype)


@define_op(infer=_pad_type, traits="view margin", name="pad")
def pad_(
    x: np.ndarray, value: np.ndarray, *, low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...]
) -> np.ndarray:
    """`x` with `value` inserted: `low` before, `high` after, `interior` between the elements along each axis."""
    extents = [lo + n + hi + max(n - 1, 0) * gap for n, lo, hi, gap in zip(x.shape, low, high, interior)]
    result = np.full(extents, value, x.dtype)
    result[tuple(builtins.slice(lo, lo + n * (g + 1), g + 1) for n, lo, g in zip(x.shape, low, interior))] = x
    return result


@pad_.def_vjp
def pad_vjp(ct: Tensor, y: Tensor, x: Tensor, value: Tensor, *, low: Any, high: Any, interior: Any) -> Any:
    def to_value() -> Tensor:
        from graphc.ops.reduce import sum_over

        own = pad_(full_like(cast(x, bool_), True), scalar(False, bool_), low=low, high=high, interior=interior)
        return sum_over(TABLE["select"](own, full_like(ct, 0), ct), tuple(range(ct.ndim)))

    def to_x() -> Tensor:
        return slice_(ct, begin=low, shape=x.shape, step=tuple(gap + 1 for gap in interior))

    return to_x, to_value


@pad_.def_lower
def pad_lower(b: Any, index: Any, x: Any, value: Any, *, low: Any, high: Any, interior: Any) -> Any:
    conditions, inner = [], []
    for i, n, lo, hi, gap in zip(index, x.shape, low, high, interior):
        position = i - lo if lo else i
        if gap:
            conditions.append((position % (gap + 1), 0, 1))
            position = position // (gap + 1)
        if lo or hi or gap:
            conditions.append((position, 0, n))
        inner.append(position)
    if not conditions:
        return x(inner)
    return b.inside(conditions, lambda: x(inner), value([]))


def _side_by_side(parts: Sequence[Later]) -> Tensor | None:
    """The sum of tensors with zeros around them, where they lie one after the other along an axis, or between another's
    elements: one concatenation, or one weaving."""
    shapes = [part.operands[0].shape for part in parts]
    lows, highs = [part.attrs["low"] for part in parts], [part.attrs["high"] for part in parts]
    ndim = len(shapes[0])
    if any(any(part.attrs["interior"]) for part in parts):
        return _woven(parts)
    if len(parts) < FEWEST_JOINED:
        return None
    axes = [d for d in range(ndim) if any(lo[d] or hi[d] for lo, hi in zip(lows, highs))]
    if len(axes) != 1:
        return None
    (axis,) = axes
    order = sorted(range(len(parts)), key=lambda n: lows[n][axis])
    at, pieces = 0, []
    for n in order:
        gap = lows[n][axis] - at
        if gap < 0:
            return None  # they overlap
        pieces += _zeros(parts[n], axis, gap)
        pieces.append(parts[n].operands[0])
        at = lows[n][axis] + shapes[n][axis]
    pieces += _zeros(parts[order[-1]], axis, highs[order[-1]][axis])
    return concat_(*pieces, axis=axis)


def _woven(parts: Sequence[Later]) -> Tensor | None:
    """The sum of tensors with zeros between their elements, where each fills the gaps of the others."""
    gaps = {part.attrs["interior"] for part in parts}
    begins = tuple(part.attrs["low"] for part in parts)
    step = tuple(gap + 1 for gap in next(iter(gaps)))
    apart = len(set(begins)) == len(begins) and all(lo < s for begin in begins for lo, s in zip(begin, step))
    shape = _pad_type(*(o.spec for o in parts[0].operands), **parts[0].attrs).shape
    if len(gaps) > 1 or not apart or sum(part.operands[0].size for part in parts) != prod(shape):
        return None
    return weave(*(part.operands[0] for part in parts), begins=begins, step=step, shape=shape)


def _zeros(like: Later, axis: int, count: int) -> list[Tensor]:
    """Zeros between pieces: `count` along an axis, or nothing."""
    x, zero = like.operands
    shape = tuple(count if d == axis else n for d, n in enumerate(x.shape))
    return [broadcast_to_(zero, shape=shape)] if count else []


def _flip_type(x: TensorType, *, axes: tuple[int, ...]) -> TensorType:
    if len(set(axes)) != len(axes) or any(not 0 <= a < x.ndim for a in axes):
        raise ValueError(f"flip: {axes} are no axes of {x}")
    return x


@define_op(infer=_flip_type, traits="view", name="flip")
def flip_(x: np.ndarray, *, axes: tuple[int, ...]) -> np.ndarray:
    """The elements in the opposite order along `axes`."""
    return np.flip(x, axes)


@flip_.def_vjp
def flip_vjp(ct: Tensor, y: Tensor, x: Tensor, *, axes: tuple[int, ...]) -> Any:
    return (flip_(ct, axes=axes),)


@flip_.def_lower
def flip_lower(b: Any, index: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    return x([n - 1 + i * -1 if d in axes else i for d, (i, n) in enumerate(zip(index, x.shape))])


def _diagonal_type(x: TensorType, *, offset: int) -> TensorType:
    if x.ndim < 2:
        raise ValueError(f"diagonal: expected matrices, got {x}")
    rows, columns = x.shape[-2:]
    count = min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)
    return TensorType((*x.shape[:-2], max(count, 0)), x.dtype)


@define_op(infer=_diagonal_type, traits="view", name="diagonal")
def diagonal_(x: np.ndarray, *, offset: int) -> np.ndarray:
    """The diagonals of the matrices in the last two axes; `offset` > 0 lies above the main one."""
    return np.diagonal(x, offset, -2, -1)


@diagonal_.def_vjp
def diagonal_vjp(ct: Tensor, y: Tensor, x: Tensor, *, offset: int) -> Any:
    """Each row of a matrix has one element of the cotangent, or none."""
    if not y.shape[-1]:
        return (full_like(x, 0),)
    first = max(-offset, 0)
    around, before = (0,) * (ct.ndim - 1), (*(0,) * (ct.ndim - 1), first)
    behind = (*around, x.shape[-2] - first - y.shape[-1])
    of_rows = pad_(ct, scalar(0, ct.dtype), low=before, high=behind, interior=(*around, 0))
    return (on_diagonal(of_rows, x.shape[-1], offset),)


def on_diagonal(of_rows: Tensor, columns: int, offset: int = 0) -> Tensor:
    """Matrices with so many columns that are zero but on a diagonal: of each row one value is given."""
    shape = (*of_rows.shape, columns)
    row, column = row_and_column(shape)
    wide = broadcast(reshape_(of_rows, shape=(*of_rows.shape, 1)), shape)
    return TABLE["select"](TABLE["equal"](column, row + offset if offset else row), wide, full_like(wide, 0))


@diagonal_.def_lower
def diagonal_lower(b: Any, index: Any, x: Any, *, offset: int) -> Any:
    *lead, i = index
    return x([*lead, i + max(-offset, 0), i + max(offset, 0)])


def _concat_type(*types: TensorType, axis: int) -> TensorType:
    shown = " and ".join(map(str, types))
    if not types or any(t.ndim != types[0].ndim for t in types) or not 0 <= axis < types[0].ndim:
        raise ValueError(f"concat: expected tensors of one number of dimensions above {axis}, got {shown}")
    if any(t.dtype is not types[0].dtype for t in types):
        raise TypeError(f"concat: expected tensors of one dtype, got {shown}")
    rests = {t.shape[:axis] + t.shape[axis + 1 :] for t in types}
    if len(rests) > 1:
        raise ValueError(f"concat: shapes differ on other axes than {axis}, {shown}")
    first = types[0].shape
    return TensorType((*first[:axis], sum(t.shape[axis] for t in types), *first[axis + 1 :]), types[0].dtype)


@define_op(infer=_concat_type, traits="view joins", name="concat")
def concat_(*tensors: np.ndarray, axis: int) -> np.ndarray:
    """The tensors one after another along `axis`."""
    return np.concatenate(tensors, axis)


@concat_.def_vjp
def concat_vjp(ct: Tensor, y: Tensor, *tensors: Tensor, axis: int) -> Any:
    sizes = [t.shape[axis] for t in tensors]
    begins = [sum(sizes[:k]) for k in range(len(sizes))]
    return tuple(partial(take_range, ct, axis, lo, n) for lo, n in zip(begins, sizes))


@concat_.def_lower
def concat_lower(b: Any, index: Any, *tensors: Any, axis: int) -> Any:
    value = b.const(0, tensors[0].dtype)
    begin = sum(t.shape[axis] for t in tensors)
    for tensor in reversed(tensors):
        begin -= tensor.shape[axis]
        inner = [*index[:axis], index[axis] - begin, *index[axis + 1 :]]
        value = b.inside([(inner[axis], 0, tensor.shape[axis])], lambda t=tensor, i=inner: t(i), value)
    return value


@concat_.def_places
def concat_places(*types: TensorType, axis: int) -> Places:
    begins = accumulate((t.shape[axis] for t in types), initial=0)
    ndim = types[0].ndim
    return [(tuple(lo if d == axis else 0 for d in range(ndim)), (1,) * ndim) for lo, _ in zip(begins, types)]


def _weave_type(
    *types: TensorType, begins: tuple[tuple[int, ...], ...], step: tuple[int, ...], shape: tuple[int, ...]
) -> TensorType:
    shown = " and ".join(map(str, types))
    extents = [tuple(len(range(lo, n, s)) for lo, n, s in zip(begin, shape, step)) for begin in begins]
    if not types or [t.shape for t in types] != extents or any(t.dtype is not types[0].dtype for t in types):
        raise ValueError(f"weave: {shown} do not fill {shape} from {begins} in steps of {step}")
    if len(set(begins)) < len(begins) or any(lo >= s for begin in begins for lo, s in zip(begin, step)):
        raise ValueError(f"weave: {begins} are not different places within steps of {step}")
    if sum(t.size for t in types) != prod(shape):
        raise ValueError(f"weave: {shown} leave out elements of {shape}")
    return TensorType(shape, types[0].dtype)


@define_op(infer=_weave_type, traits="view joins")
def weave(
    *tensors: np.ndarray, begins: tuple[tuple[int, ...], ...], step: tuple[int, ...], shape: tuple[int, ...]
) -> np.ndarray:
    """A tensor of `shape` whose elements at `begin + i * step` are those of one tensor each."""
    result = np.empty(shape, tensors[0].dtype)
    for begin, tensor in zip(begins, tensors):
        result[tuple(builtins.slice(lo, None, s) for lo, s in zip(begin, step))] = tensor
    return result


@weave.def_vjp
def weave_vjp(ct: Tensor, y: Tensor, *tensors: Tensor, begins: Any, step: Any, shape: Any) -> Any:
    return tuple(partial(slice_, ct, begin=begin, shape=t.shape, step=step) for begin, t in zip(begins, tensors))


@weave.def_lower
def weave_lower(b: Any, index: Any, *tensors: Any, begins: Any, step: Any, shape: Any) -> Any:
    *others, last = zip(begins, tensors)
    value = last[1]([(i - lo) // s for i, lo, s in zip(index, last[0], step)])
    for begin, tensor in reversed(others):
        here = [((i - lo) % s, 0, 1) for i, lo, s in zip(index, begin, step)]
        inner = [(i - lo) // s for i, lo, s in zip(index, begin, step)]
        value = b.inside(here, lambda t=tensor, i=inner: t(i), value)
    return value


@weave.def_places
def weave_places(*types: TensorType, begins: Any, step: Any, shape: Any) -> Places:
    return [(begin, step) for begin in begins]


def take_range(x: Tensor, axis: int, begin: int, count: int, step: int = 1) -> Tensor:
    """`count` slices of `x` along `axis`, from `begin` by `step`."""
    lo = tuple(begin if d == axis else 0 for d in range(x.ndim))
    shape = tuple(count if d == axis else n for d, n in enumerate(x.shape))
    steps = tuple(step if d == axis else 1 for d in range(x.ndim))
    return x if shape == x.shape and step == 1 else slice_(x, begin=lo, shape=shape, step=steps)
