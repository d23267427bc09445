"""`x[index]` and `x[index] = value` with NumPy's meaning: ints, slices, `None`, `...`, masks, and arrays of positions.

An index is read in two steps. Ints, slices, `None` and `...` say which block of the tensor is meant (a `slice`, perhaps
a `flip`, and a `reshape`); arrays of positions then gather from that block, all together. Assignment writes into a
block by padding the value to the tensor's shape and choosing, and into positions by a scatter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.dtype import bool_, complex128, float64, int64
from graphc.ops.coerce import broadcast, broadcast_all, cast, full_like, scalar
from graphc.ops.creation import iota
from graphc.ops.elementwise import identity, select
from graphc.ops.gather import check_positions, from_end, gather_, scatter_set_
from graphc.ops.selection import takes_no_note, with_value
from graphc.ops.shape import moveaxis, reshape, stack
from graphc.ops.views import flip_, pad_, slice_
from graphc.parameter import Parameter
from graphc.place import located
from graphc.state import state
from graphc.tensor import Tensor, set_getitem


def getitem(x: Tensor, index: Any) -> Tensor:
    """`x[index]`.

    Args:
        x: tensor.
        index: an int, slice (any step), None, Ellipsis, bool mask, integer tensor, array or list, or a tuple of them.
    Raises:
        IndexError: too many indices, or an int or position out of range.
        TypeError: an index of another kind.
    """
    now = state.now
    if now.piece is None and now.trace is None and not now.tapes:
        found = _read_at_once(x, index)
        if found is not None:
            return found
    mask = index if isinstance(index, Tensor) and index.dtype is bool_ and index.ndim else None
    if mask is not None and mask.shape == x.shape[: mask.ndim] and takes_no_note() and not x.is_traced:
        places = np.flatnonzero(mask.numpy_view())
        rows = x.numpy_view().reshape(mask.size, *x.shape[mask.ndim :])
        return Tensor.wrap(rows.take(places, 0))
    parsed = _parse(x, index)
    block = parsed.block.read(x)
    return _gather(block, parsed.positions) if parsed.positions else block


set_getitem(getitem)

_PLAIN = frozenset((int, slice, type(None), type(Ellipsis)))


def _read_at_once(x: Tensor, index: Any) -> Tensor | None:
    """What NumPy reads at ints, slices, None and ...; None for other indices, and for what has no value or is none."""
    if not _PLAIN.issuperset(map(type, index if type(index) is tuple else (index,))) or x.is_traced:
        return None
    try:
        found = np.asarray(x.numpy_view()[index])
    except (IndexError, TypeError, ValueError):  # reading the index again tells what is wrong with it
        return None
    held = found.flags.c_contiguous and not isinstance(x, Parameter)  # a Parameter's buffer changes later
    return Tensor.wrap(found if held else found.copy())


def setitem(x: Tensor, index: Any, value: Any) -> Tensor:
    """`x` with the elements at `index` replaced by `value`, which is broadcast to them and cast to the dtype of `x`.

    Where an element is named several times, the last value stays.
    """
    if not isinstance(value, Tensor):  # a number, too, is no constant: it may be another one at the next step
        value = Tensor(value, x.dtype if x.dtype in (float64, complex128) else None)
    value = cast(value, x.dtype)
    mask = _as_mask(x, index)
    if mask is not None and value.ndim <= x.ndim - mask.ndim:
        wide = reshape(mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim)))
        return select(wide, _fitted(value, x.shape), x)
    parsed = _parse(x, index)
    if not parsed.positions:
        return parsed.block.write(x, value)
    places = getitem(reshape(iota(shape=(x.size,), axis=0, dtype=int64), x.shape), index)
    flat = reshape(_fitted(value, places.shape), (places.size,))
    return reshape(scatter_set_(reshape(x, (x.size,)), reshape(places, (places.size,)), flat), x.shape)


def _fitted(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The value broadcast to the elements that are assigned to; leading axes of extent 1 may be missing there."""
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = reshape(value, value.shape[1:])
    lead = len(shape) - value.ndim
    if lead < 0 or any(n not in (1, m) for n, m in zip(value.shape, shape[lead:])):
        raise located(ValueError(f"Tensor: cannot assign {value.spec} to elements of shape {shape}"))
    return broadcast(value, shape)


# Reading an index


@dataclass(frozen=True)
class Block:
    """What ints, slices, None and ... mean: elements `begin + i * step`, some axes turned round, then a reshape."""

    begin: tuple[int, ...]
    counts: tuple[int, ...]
    steps: tuple[int, ...]
    turned: tuple[int, ...]
    shape: tuple[int, ...]

    def read(self, x: Tensor) -> Tensor:
        whole = self.counts == x.shape and set(self.steps) <= {1}
        block = x if whole else slice_(x, begin=self.begin, shape=self.counts, step=self.steps)
        return reshape(flip_(block, axes=self.turned) if self.turned else block, self.shape)

    def write(self, x: Tensor, value: Tensor) -> Tensor:
        value = reshape(_fitted(value, self.shape), self.counts)
        if self.turned:
            value = flip_(value, axes=self.turned)
        if self.counts == x.shape and set(self.steps) <= {1}:
            return identity(value)  # `x[...] = y` makes x stand for it, and y for what it was
        if 0 in self.counts:
            return x
        ends = [lo + (n - 1) * s + 1 for lo, n, s in zip(self.begin, self.counts, self.steps)]
        around: dict[str, Any] = {
            "low": self.begin, "high": tuple(n - end for n, end in zip(x.shape, ends)),
            "interior": tuple(s - 1 for s in self.steps),
        }  # fmt: skip
        inside = pad_(full_like(cast(value, bool_), True), scalar(False, bool_), **around)
        return select(inside, pad_(value, scalar(0, x.dtype), **around), x)


@dataclass(frozen=True)
class Parsed:
    """An index as a block and, for some of the block's axes, positions."""

    block: Block
    positions: dict[int, Any]


def _parse(x: Tensor, index: Any) -> Parsed:
    """Reads an index of any form against the shape of `x`."""
    items = _expanded(x, index)
    array_like = any(not isinstance(item, (int, slice, type(None))) for item in items)
    begin, counts, steps, turned, shape = (list[int]() for _ in range(5))
    positions: dict[int, Any] = {}
    axis = 0
    for item in items:
        if item is None:
            shape.append(1)
            continue
        extent = x.shape[axis]
        lo, count, step = 0, extent, 1
        if isinstance(item, slice):
            lo, count, step = _slice_range(item, extent)
        elif isinstance(item, int):
            lo, count = _in_range(item, extent, axis), 1
            if array_like:  # beside arrays an int is a position like theirs: it counts for where the result's axes go
                positions[len(shape)] = Tensor(0)
        else:
            positions[len(shape)] = item
        if step < 0:
            turned.append(axis)
            lo, step = lo + (count - 1) * step, -step
        begin.append(lo if count else 0)
        counts.append(count)
        steps.append(step if count > 1 else 1)
        if not isinstance(item, int) or array_like:
            shape.append(count)
        axis += 1
    block = Block(tuple(begin), tuple(counts), tuple(steps), tuple(turned), tuple(shape))
    return Parsed(block, positions)


def _expanded(x: Tensor, index: Any) -> list[Any]:
    """The index as ints, slices, None, and integer arrays or Tensors: one for each axis, besides None."""
    items: list[Any] = []
    for item in index if isinstance(index, tuple) or _is_list_of_parts(index) else (index,):
        items += _item(item)
    dots = [k for k, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise located(IndexError("Tensor: an index has more than one '...'"))
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > x.ndim:
        raise located(IndexError(f"Tensor: {used} indices for {x.spec}, which has {x.ndim} dimensions"))
    rest = [slice(None)] * (x.ndim - used)
    place = dots[0] if dots else len(items)
    items = items[:place] + rest + items[place + 1 :]
    axis = 0
    for item in items:
        if isinstance(item, Mask):
            item.check(x, axis)
        axis += item is not None
    return [item.positions if isinstance(item, Mask) else item for item in items]


def _is_list_of_parts(index: Any) -> bool:
    """Whether a list is what a tuple would be: it has what no array holds. `x[[0, 1]]` are rows."""
    return isinstance(index, list) and any(i is None or i is Ellipsis or isinstance(i, slice) for i in index)


@dataclass(frozen=True)
class Mask:
    """One axis of a bool mask: the positions of its true elements along it."""

    positions: Tensor
    extent: int

    def check(self, x: Tensor, axis: int) -> None:
        if x.shape[axis] != self.extent:
            raise located(
                IndexError(f"Tensor: the mask has extent {self.extent}, but axis {axis} of {x.spec} is {x.shape[axis]}")
            )


def _item(item: Any) -> list[Any]:
    """One part of an index in one of the few forms that `_parse` knows; a mask becomes one for each of its axes."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return [item]
    if item is True:
        return [None]  # as in NumPy: an axis of extent 1
    if isinstance(item, Tensor):
        if item.dtype is bool_:
            return _mask_items(item)
        if item.dtype.is_int:
            return [item]
    elif isinstance(item, int) and not isinstance(item, bool):
        return [item]
    elif isinstance(item, list) and any(isinstance(i, Tensor) for i in item):
        return _item(stack(item))
    elif isinstance(item, (bool, np.generic, list, range, np.ndarray)):
        array = np.asarray(item)
        if array.size == 0:
            array = array.astype(np.int64)
        if array.dtype.kind == "b":
            return _mask_items(Tensor(array))
        if array.dtype.kind in "iu":
            return [array.astype(np.int64) if array.ndim else int(array)]
    elif hasattr(item, "__index__"):
        return [item.__index__()]
    shown = item.spec if isinstance(item, Tensor) else f"{type(item).__name__} {item!r:.60}"
    raise located(IndexError(f"Tensor: an index is ints, slices, None, ..., masks or integer tensors, got {shown}"))


def _mask_items(mask: Tensor) -> list[Any]:
    if mask.ndim == 0:
        raise located(IndexError("Tensor: False is no index; use a mask of at least one dimension"))
    found = np.nonzero(with_value("Tensor[mask]", mask))
    return [Mask(Tensor(p.astype(np.int64)), n) for p, n in zip(found, mask.shape)]


def _as_mask(x: Tensor, index: Any) -> Tensor | None:
    """The index as a bool Tensor over the leading axes of `x`, if it is that."""
    if isinstance(index, tuple) and len(index) == 1:
        index = index[0]
    if isinstance(index, (np.ndarray, list)) and np.asarray(index).dtype == np.bool_:
        index = Tensor(np.asarray(index))
    if not isinstance(index, Tensor) or index.dtype is not bool_ or index.ndim == 0:
        return None
    if index.shape != x.shape[: index.ndim]:
        raise located(IndexError(f"Tensor: the mask {index.spec} does not fit the leading axes of {x.spec}"))
    return index


def _in_range(index: int, extent: int, axis: int) -> int:
    if not -extent <= index < extent:
        raise located(IndexError(f"Tensor: index {index} is out of range for axis {axis} with extent {extent}"))
    return index % extent


def _slice_range(item: slice, extent: int) -> tuple[int, int, int]:
    """First position, count and step."""
    try:
        chosen = range(*item.indices(extent))
    except (TypeError, ValueError) as error:
        raise located(type(error)(f"Tensor: the slice {item} does not fit extent {extent}: {error}")) from None
    return chosen.start, len(chosen), chosen.step


# Gathering


def _gather(block: Tensor, chosen: dict[int, Any]) -> Tensor:
    """The block's elements at positions along some of its axes, which broadcast together.

    Their axes come where the first of these axes was, or first, if the axes are not neighbours (as in NumPy).
    """
    axes = sorted(chosen)
    tensors = [_positions(chosen[a], block.shape[a], a) for a in axes]
    tensors = broadcast_all("Tensor[...]", tensors)
    first = axes[0]
    if axes != list(range(first, first + len(axes))):
        block, first = moveaxis(block, axes, list(range(len(axes)))), 0
    return gather_(block, *tensors, axis=first)


def _positions(item: Any, extent: int, axis: int) -> Tensor:
    """Positions in [0, extent): of an array checked now, of a Tensor when they are used."""
    if isinstance(item, Tensor):
        return from_end(item, extent)
    counted = np.where((item < 0) & (item >= -extent), item + extent, item)
    check_positions(f"Tensor: axis {axis}", counted, extent)
    return Tensor.wrap(np.ascontiguousarray(counted).reshape(item.shape))


