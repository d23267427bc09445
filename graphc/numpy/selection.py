"""Elements chosen by a condition, a place or their value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.dtype import bool_, int32
from graphc.numpy.creation import asarray
from graphc.numpy.dtypes import to
from graphc.numpy.shapes import ravel
from graphc.ops import abs as abs
from graphc.ops.axes import axis_of
from graphc.ops.coerce import broadcast_shape, cast
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["array_equal", "clip", "isclose", "select", "take", "take_along_axis", "unique", "where"]


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """`x` where the condition holds, elsewhere `y`; without both the positions where it does, axis by axis."""
    chosen = asarray(condition)
    if (x is None) != (y is None):
        raise located(ValueError("where: expected both x and y, or neither"))
    if x is None:
        return tuple(ops.unstack(ops.argwhere(chosen), 1))
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        x = asarray(x)
    return ops.where(cast(chosen, bool_), x, y)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tensor:
    """From each choice the elements of which its condition is the first that holds."""
    if len(condlist) != len(choicelist) or not condlist:
        raise located(ValueError(f"select: got {len(condlist)} conditions for {len(choicelist)} choices"))
    result: Any = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = where(condition, choice, result)
    found: Tensor = result
    return found


def clip(x: Any, xmin: Any, xmax: Any, dtype: Any = None) -> Tensor:
    """The elements, none below `xmin` and none above `xmax`, of which one may be None."""
    value = asarray(x)
    if xmin is None and xmax is None:
        raise located(ValueError("clip: expected xmin or xmax"))
    low = value if xmin is None else ops.maximum(value, xmin)
    return to(low if xmax is None else ops.minimum(low, xmax), dtype)


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "clip") -> Tensor:
    """The slices at these indices along an axis, by default elements of all as a vector.

    Args:
        mode: of indices beyond the axis: "clip" takes the nearest slice (the first for negative ones), "wrap" counts
            round and round, "raise" makes them an error; there negative ones count from the end.
    Raises:
        ValueError: another `mode`.
        IndexError: an index is out of range, with "raise".
    """
    x, where = asarray(a), asarray(indices)
    x, along = (ravel(x), 0) if axis is None else (x, axis_of("take", axis, x.ndim))
    size = x.shape[along]
    if mode == "clip":
        where = ops.clamp(where, 0, size - 1)
    elif mode == "wrap":
        where = ops.remainder(where, size)
    elif mode == "raise":
        where = ops.where(where < 0, where + size, where)
    else:
        raise located(ValueError(f"take: mode must be 'raise', 'wrap' or 'clip', got {mode!r}"))
    return ops.gather(x, where, along)


def take_along_axis(arr: Any, indices: Any, axis: int | None) -> Tensor:
    """For each place of `indices` the element at that index along the axis; the other axes are broadcast."""
    x, where = asarray(arr), asarray(indices)
    if axis is None:
        return ops.gather_elements(ravel(x), 0, where)
    if x.ndim != where.ndim:
        raise located(ValueError(f"take_along_axis: expected as many axes, got {x.spec} and indices {where.spec}"))
    along = axis_of("take_along_axis", axis, x.ndim)
    others = broadcast_shape("take_along_axis", [(*t.shape[:along], *t.shape[along + 1 :]) for t in (x, where)])
    x, where = (ops.broadcast_to(t, (*others[:along], t.shape[along], *others[along:])) for t in (x, where))
    return ops.gather_elements(x, along, where)


def unique(x: Any, return_inverse: bool = False) -> Any:
    """The different elements in ascending order; with `return_inverse` also where each element is among them."""
    flat = ravel(x)
    values, _ = ops.unique(ops.sort(flat)[0])
    if not return_inverse:
        return values
    return values, ops.reshape(cast(ops.searchsorted(values, flat), int32), asarray(x).shape)


def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether `|a - b| <= atol + rtol * |b|`."""
    return ops.isclose(asarray(a), asarray(b), rtol, atol, equal_nan)


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Tensor:
    """Whether shapes and all elements are equal: a bool tensor `[]`."""
    x, y = asarray(a1), asarray(a2)
    if x.shape != y.shape:
        return Tensor(False)
    same = ops.equal(x, y)
    return ops.all(ops.logical_or(same, ops.logical_and(ops.isnan(x), ops.isnan(y))) if equal_nan else same)
