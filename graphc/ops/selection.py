"""Elements chosen by truth or by value: masks, elements that are not 0, distinct ones, counts.

How many there are depends on values, and a graph's shapes are fixed; so all but `masked_fill` need eager mode.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dtype import bool_, int64
from graphc.ops.axes import as_int
from graphc.ops.coerce import as_tensor, broadcast_all, cast, element
from graphc.ops.elementwise import select
from graphc.ops.gather import gather_
from graphc.ops.scan import argsort_
from graphc.ops.shape import reshape
from graphc.place import located
from graphc.state import state
from graphc.tensor import Tensor, TracedValueError

__all__ = ["argwhere", "bincount", "masked_fill", "masked_select", "nonzero", "unique"]


def masked_fill(input_x: Any, mask: Any, value: Any) -> Tensor:
    """`value` where the bool `mask` (broadcast) is true, elsewhere `input_x`, whose dtype the result has."""
    x = as_tensor("masked_fill", input_x)
    return select(mask, element("masked_fill", value, x.dtype), x)


def with_value(name: str, tensor: Tensor) -> np.ndarray:
    """The value of a tensor on which the result's shape depends.

    Raises:
        TracedValueError: it is being traced into a graph, whose shapes are fixed.
    """
    if tensor.is_traced:
        raise located(
            TracedValueError(
                f"{name}: the result's shape depends on the values of {tensor.spec}, and a graph's shapes are fixed; "
                "use ops.where or a mask, or eager mode"
            )
        )
    return tensor.numpy_view()


def takes_no_note() -> bool:
    """Whether nobody takes note of ops, for a graph or a derivative, so that elements may be chosen by NumPy."""
    return state.now.trace is None and not state.now.tapes


def masked_select(input: Any, mask: Any) -> Tensor:
    """The elements of `input` where the bool `mask` (the two broadcast) is true, as a vector; eager mode only."""
    x, chosen = broadcast_all("masked_select", [as_tensor("masked_select", input), as_tensor("masked_select", mask)])
    places = np.flatnonzero(with_value("masked_select", cast(chosen, bool_)))
    if takes_no_note():
        return Tensor.wrap(with_value("masked_select", x).reshape(-1).take(places))
    return gather_(reshape(x, (x.size,)), Tensor.wrap(places), axis=0)


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not 0: int64 `[count, ndim]`, or a tuple of vectors; eager mode only."""
    x = as_tensor("nonzero", input)
    value = with_value("nonzero", x)
    if not x.ndim:
        return () if as_tuple else Tensor(np.zeros((int(bool(value)), 0), np.int64))
    rest, along = np.flatnonzero(value), []
    for extent in x.shape[:0:-1]:
        rest, place = _divided(rest, extent)
        along.append(place)
    found = [rest, *along[::-1]]
    if as_tuple:
        return tuple(map(Tensor.wrap, found))
    return Tensor.wrap(np.stack(found, -1))


def _divided(numbers: np.ndarray, by: int) -> tuple[np.ndarray, np.ndarray]:
    """Quotients and remainders."""
    quotients = numbers // by
    return quotients, numbers - quotients * by


def argwhere(input: Any) -> Tensor:
    """The positions of the elements that are not 0: int64 `[count, ndim]`; eager mode only."""
    found: Tensor = nonzero(input)
    return found


def unique(input: Any) -> tuple[Tensor, Tensor]:
    """The distinct elements in the order in which they first appear, and for each element which one it is.

    The positions are int64 if `input` is, else int32. Eager mode only: how many there are depends on values.
    """
    x = as_tensor("unique", input)
    flat = with_value("unique", x).reshape(-1)
    order, fresh = _runs(flat)
    first = order[fresh]  # where each appears first: equal elements keep their order
    appearing = np.argsort(first, kind="stable")
    rank = np.empty_like(appearing)
    rank[appearing] = np.arange(len(rank))
    positions = _in_place(rank[np.cumsum(fresh) - 1] if len(rank) else rank, order)
    positions = positions.astype(np.int64 if x.dtype is int64 else np.int32, copy=False)
    return Tensor.wrap(flat[first[appearing]]), Tensor.wrap(positions.reshape(x.shape))


def _runs(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positions of a vector's elements in order, and for each whether it is another than the one before it.

    NaNs are taken for equal.
    """
    order = argsort_(Tensor.wrap(flat), descending=False).numpy_view()
    return order, _others(flat[order])


def _others(ordered: np.ndarray) -> np.ndarray:
    """Which elements are others than those before them; all NaNs are taken for one."""
    fresh = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    if ordered.dtype.kind == "f" and len(ordered) and np.isnan(ordered[-1]):
        fresh[np.searchsorted(ordered, np.nan) + 1 :] = False
    return fresh


def _in_place(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """What is given for the elements in order, for each where it was."""
    found = np.empty_like(values)
    found[order] = values
    return found


def unique_in_order(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct elements, or slices along `dim`, in order. Eager mode only: how many there are depends on values.

    Args:
        sorted: they are in order either way.
        return_inverse: give for each element its position in the result, too.
        return_counts: give how often each is there, too.
    """
    x = with_value("unique", as_tensor("unique", input))
    if dim is not None:
        values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
        inverse = inverse.reshape(-1)
    else:
        flat = x.reshape(-1)
        order, fresh = _runs(flat)
        values = flat[order[fresh]]
        inverse = _in_place(np.cumsum(fresh) - 1, order).reshape(x.shape) if return_inverse else order
        counts = _lengths(fresh) if return_counts else order
    found = [Tensor.wrap(np.ascontiguousarray(values))]
    found += [Tensor.wrap(inverse.astype(np.int64, copy=False))] if return_inverse else []
    found += [Tensor.wrap(counts.astype(np.int64, copy=False))] if return_counts else []
    return tuple(found) if len(found) > 1 else found[0]


def _lengths(fresh: np.ndarray) -> np.ndarray:
    """How long each run is, of which it is given where they begin."""
    return np.diff(np.append(np.flatnonzero(fresh), len(fresh)))


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each number occurs, or the sum of its weights: float32 `[max(input) + 1]`, or longer for `minlength`.

    Eager mode only: how long it is depends on values.

    Args:
        input: integers `[N]`, none of them negative.
        weights: `[N]`.
        minlength: the least length of the result.
    Raises:
        ValueError: another shape, a negative number, or weights of another shape.
    """
    x = as_tensor("bincount", input)
    if x.ndim != 1 or not x.dtype.is_int:
        raise located(ValueError(f"bincount: expected integers [N], got {x.spec}"))
    shares = None if weights is None else as_tensor("bincount", weights)
    if shares is not None and shares.shape != x.shape:
        raise located(ValueError(f"bincount: expected weights of the shape {x.shape}, got {shares.spec}"))
    numbers, given = with_value("bincount", x), None if shares is None else with_value("bincount", shares)
    try:
        counts = np.bincount(numbers, given, as_int("bincount", minlength, "minlength", 0))
    except ValueError:
        if not len(numbers) or numbers.min() >= 0:
            raise
        raise located(ValueError(f"bincount: expected no negative number, got {numbers.min()}")) from None
    return Tensor.wrap(counts.astype(np.float32))
