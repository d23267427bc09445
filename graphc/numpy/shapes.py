"""Tensors in other shapes, and together."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from graphc import ops
from graphc.dtype import float32
from graphc.numpy.creation import asarray
from graphc.ops import abs as abs
from graphc.ops.axes import as_int, as_ints, axes_of, axis_of
from graphc.ops.coerce import broadcast_shape, cast
from graphc.ops.coerce import common_dtype as _common_dtype
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "append", "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to",
    "column_stack", "concatenate", "dsplit", "dstack", "expand_dims", "flip", "fliplr", "flipud", "hsplit", "hstack",
    "moveaxis", "pad", "ravel", "repeat", "reshape", "roll", "rollaxis", "rot90", "split", "squeeze", "stack",
    "swapaxes", "tile", "transpose", "vsplit", "vstack",
]  # fmt: skip


def reshape(x: Any, new_shape: Any) -> Tensor:
    """The tensor in another shape, of which one extent may be -1."""
    return ops.reshape(asarray(x), new_shape)


def ravel(x: Any) -> Tensor:
    """All elements as a vector."""
    return ops.reshape(asarray(x), (-1,))


def transpose(a: Any, axes: Any = None) -> Tensor:
    """The axes in another order, by default reversed."""
    x = asarray(a)
    return ops.transpose(x, tuple(range(x.ndim))[::-1] if axes is None else axes)


def expand_dims(a: Any, axis: Any) -> Tensor:
    """New axes of extent 1, at these places of the result."""
    x = asarray(a)
    places = as_ints("expand_dims", axis, "axis")
    ndim = x.ndim + len(places)
    if builtins.any(not -ndim <= p < ndim for p in places) or len({p % ndim for p in places}) < len(places):
        raise located(ValueError(f"expand_dims: expected different axes in [{-ndim}, {ndim}), got {axis!r}"))
    for place in sorted(p % ndim for p in places):
        x = ops.expand_dims(x, place)
    return x


def squeeze(a: Any, axis: Any = None) -> Tensor:
    """Without the axes of extent 1, or without those given.

    Raises:
        ValueError: a given axis has another extent (`ops.squeeze` keeps it).
    """
    x = asarray(a)
    for d in axes_of("squeeze", axis, x.ndim) if axis is not None else ():
        if x.shape[d] != 1:
            raise located(ValueError(f"squeeze: axis {d} of {x.spec} has extent {x.shape[d]}, not 1"))
    return ops.squeeze(x, axis)


def broadcast_to(array: Any, shape: Any) -> Tensor:
    """The tensor broadcast to a shape."""
    return ops.broadcast_to(asarray(array), shape)


def broadcast_arrays(*args: Any) -> list[Tensor]:
    """The tensors, each broadcast to the shape of all together."""
    tensors = [asarray(a) for a in args]
    shape = broadcast_shape("broadcast_arrays", [t.shape for t in tensors])
    return [ops.broadcast_to(t, shape) for t in tensors]


def _joinable(name: str, arrays: Any) -> list[Tensor]:
    if not isinstance(arrays, Iterable):
        raise located(TypeError(f"{name}: expected several tensors, got {type(arrays).__name__} {arrays!r:.60}"))
    tensors = [asarray(a) for a in arrays]
    if not tensors:
        raise located(ValueError(f"{name}: expected at least one tensor"))
    dtype = _common_dtype(tuple(tensors))
    return [cast(t, dtype) for t in tensors]


def concatenate(arrays: Any, axis: int | None = 0) -> Tensor:
    """Tensors one after the other along an axis; with None, all elements as a vector."""
    tensors = _joinable("concatenate", arrays)
    return ops.concat(tensors if axis is not None else [ravel(t) for t in tensors], axis or 0)


def append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    """`arr` and then `values`, along an axis; by default all elements as a vector."""
    return concatenate([arr, values], axis)


def stack(arrays: Any, axis: int = 0) -> Tensor:
    """Tensors of one shape side by side along a new axis."""
    return ops.stack(_joinable("stack", arrays), axis)


def hstack(tup: Any) -> Tensor:
    """One after the other along the second axis, vectors along their only one."""
    return ops.hstack(_joinable("hstack", tup))


def vstack(tup: Any) -> Tensor:
    """One after the other along the first axis; vectors as rows."""
    return ops.vstack(_joinable("vstack", tup))


def column_stack(tup: Any) -> Tensor:
    """One after the other along the second axis; vectors as columns."""
    return ops.column_stack(_joinable("column_stack", tup))


def dstack(tup: Any) -> Tensor:
    """One after the other along the third axis, which vectors and matrices get."""
    return ops.dstack(_joinable("dstack", tup))


def _each(function: Callable[[Tensor], Tensor], arys: tuple[Any, ...]) -> Any:
    made = [function(asarray(a)) for a in arys]
    return made[0] if len(made) == 1 else made


def atleast_1d(*arys: Any) -> Any:
    """A number as a vector of one; others as they are. A list where several are given."""
    return _each(ops.atleast_1d, arys)


def atleast_2d(*arys: Any) -> Any:
    """A number or a vector as one row; others as they are. A list where several are given."""
    return _each(ops.atleast_2d, arys)


def atleast_3d(*arys: Any) -> Any:
    """A number as `[1, 1, 1]`, a vector as `[1, N, 1]`, a matrix as `[M, N, 1]`; others as they are; see atleast_1d."""
    return _each(ops.atleast_3d, arys)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """Equal parts along an axis, or parts that end at these indices.

    Raises:
        ValueError: the extent is no multiple of the number of parts.
    """
    given = asarray(x)
    along = axis_of("split", axis, given.ndim)
    if isinstance(indices_or_sections, int) and given.shape[along] % builtins.max(indices_or_sections, 1):
        raise located(ValueError(f"split: axis {axis} of {given.spec} does not make {indices_or_sections} equal parts"))
    return array_split(given, indices_or_sections, axis)


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """As `split`, but where the parts are not equal the first ones are longer by one."""
    sections = indices_or_sections
    if not isinstance(sections, int):
        sections = as_ints("array_split", sections, "indices_or_sections")
    parts: tuple[Tensor, ...] = ops.tensor_split(asarray(x), sections, axis)
    return parts


def tile(a: Any, reps: Any) -> Tensor:
    """The tensor repeated as a block along each axis; axes are put in front of the fewer of the two."""
    x = asarray(a)
    counts = as_ints("tile", reps, "reps")
    return ops.tile(x, (*(1,) * (x.ndim - len(counts)), *counts))


def repeat(a: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Every element, or slice along an axis, `repeats` times in a row."""
    x = asarray(a)
    return ops.repeat_interleave(ravel(x) if axis is None else x, repeats, 0 if axis is None else axis)


def flip(m: Any, axis: Any = None) -> Tensor:
    """The elements in reversed order along these axes, by default all."""
    x = asarray(m)
    return ops.flip(x, tuple(range(x.ndim)) if axis is None else axis)


def flipud(m: Any) -> Tensor:
    """The rows in reversed order."""
    return flip(m, 0)


def fliplr(m: Any) -> Tensor:
    """The columns in reversed order."""
    return flip(m, 1)


def roll(a: Any, shift: Any, axis: Any = None) -> Tensor:
    """The elements moved along axes, by default along all as one; those that leave at an end come in at the other."""
    x = asarray(a)
    return ops.reshape(ops.roll(ravel(x), shift, 0), x.shape) if axis is None else ops.roll(x, shift, axis)


def rot90(a: Any, k: int = 1, axes: Any = (0, 1)) -> Tensor:
    """The plane of two axes turned by 90 degrees, `k` times, from the first towards the second."""
    return ops.rot90(asarray(a), k, axes)


def rollaxis(x: Any, axis: int, start: int = 0) -> Tensor:
    """An axis moved to where it lies before the axis `start`."""
    value = asarray(x)
    n = value.ndim
    source, before = axis_of("rollaxis", axis, n), as_int("rollaxis", start, "start", -n)
    if before > n:
        raise located(ValueError(f"rollaxis: start {start} is out of range for {value.spec}"))
    target = before + n if before < 0 else before
    return ops.moveaxis(value, source, target - 1 if source < target else target)


def _split_along(name: str, x: Any, parts: Any, axis: int, least: int) -> tuple[Tensor, ...]:
    """`split` of a tensor that must have so many axes."""
    value = asarray(x)
    if value.ndim < least:
        raise located(ValueError(f"{name}: expected at least {least} dimensions, got {value.spec}"))
    return split(value, parts, axis)


def hsplit(x: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`split` along the second axis, of vectors along their only one."""
    value = asarray(x)
    return _split_along("hsplit", value, indices_or_sections, *((0, 1) if value.ndim == 1 else (1, 2)))


def vsplit(x: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`split` along the first axis of two or more."""
    return _split_along("vsplit", x, indices_or_sections, 0, 2)


def dsplit(x: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`split` along the third axis."""
    return _split_along("dsplit", x, indices_or_sections, 2, 3)


_BY_PLACE = ("edge", "reflect", "symmetric", "wrap")
"""Where NumPy's padding takes elements of the tensor, which it does in the same way of their indices."""


def pad(
    arr: Any, pad_width: Any, mode: str = "constant", stat_length: Any = None, constant_values: Any = 0,
    end_values: Any = 0, reflect_type: str = "even",
) -> Tensor:
    """The tensor with elements put around it.

    Args:
        pad_width: how many: one number, (before, after) for every axis, or such a pair for each.
        mode: "constant", "empty" (zeros), "edge" (the outermost element), "reflect" (the mirror image without the
            edge), "symmetric" (with it), "wrap" (from the other side), "maximum", "minimum" or "mean" (of the whole
            axis), "linear_ramp" (from the edge to `end_values`).
        stat_length: None: of the whole axis.
        constant_values, end_values: a number, (before, after) for every axis, or such a pair for each.
        reflect_type: "even".
    """
    x = asarray(arr)
    width = numpy.broadcast_to(numpy.asarray(pad_width), (x.ndim, 2)).tolist()
    if mode not in ("constant", "empty", *_BY_PLACE, "maximum", "minimum", "mean", "linear_ramp"):
        raise located(ValueError(f"pad: mode is not known, got {mode!r}"))
    if stat_length is not None or reflect_type != "even":
        raise located(ValueError("pad: stat_length must be None, and reflect_type 'even'"))
    if mode in ("constant", "empty") and not isinstance(constant_values, (list, tuple)):
        value = constant_values if mode == "constant" else 0
        return ops.pad(x, [n for pair in reversed(width) for n in pair], "constant", value)
    numbers = numpy.broadcast_to(numpy.asarray(end_values if mode == "linear_ramp" else constant_values), (x.ndim, 2))
    for axis, (before, after) in enumerate(width):
        if mode in _BY_PLACE:
            places = numpy.pad(numpy.arange(x.shape[axis]), (before, after), mode=mode)  # type: ignore[call-overload]
            x = ops.gather(x, Tensor(places), axis)
        else:
            low, high = numbers[axis].tolist()
            x = ops.concat([_beside(x, axis, before, mode, low, 0), x, _beside(x, axis, after, mode, high, -1)], axis)
    return x


def _beside(x: Tensor, axis: int, count: int, mode: str, end: Any, side: int) -> Tensor:
    """`count` slices for one side of an axis."""
    shape = tuple(count if d == axis else n for d, n in enumerate(x.shape))
    if mode in ("constant", "linear_ramp"):
        value = cast(asarray(end), x.dtype)
        if mode == "constant":
            return ops.broadcast_to(value, shape)
        edge = ops.narrow(x, axis, 0 if side == 0 else x.shape[axis] - 1, 1)
        shares = numpy.arange(count) / builtins.max(count, 1)
        shares = shares if side == 0 else 1.0 - (numpy.arange(count) + 1) / builtins.max(count, 1)
        along = Tensor(shares.astype(numpy.float32).reshape([-1 if d == axis else 1 for d in range(x.ndim)]))
        return cast(value + (edge - value) * along, x.dtype)
    summary: Any = {"maximum": ops.amax, "minimum": ops.amin, "mean": ops.mean}[mode]
    operand = cast(x, float32) if mode == "mean" and not x.dtype.is_float else x
    return ops.broadcast_to(cast(summary(operand, axis, True), x.dtype), shape)


def moveaxis(a: Any, source: Any, destination: Any) -> Tensor:
    """Axes at other places, the rest in their order."""
    return ops.moveaxis(asarray(a), source, destination)


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Two axes in each other's place."""
    return ops.swapaxes(asarray(x), axis1, axis2)
