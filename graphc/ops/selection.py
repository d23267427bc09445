"""Elements chosen by truth or by value: masks, elements that are not 0, distinct ones, counts.

How many there are depends on values, and a graph's shapes are fixed; so all but `masked_fill` need eager mode.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dispatch import located
from graphc.dtype import bool_, int64
from graphc.ops.coerce import as_tensor, broadcast_all, cast
from graphc.ops.elementwise import select
from graphc.ops.gather import gather_
from graphc.ops.shape import reshape
from graphc.tensor import Tensor, TracedValueError

__all__ = ["argwhere", "bincount", "masked_fill", "masked_select", "nonzero", "unique"]


def masked_fill(input_x: Any, mask: Any, value: Any) -> Tensor:
    """`value` where the bool `mask` (broadcast) is true, elsewhere `input_x`, whose dtype the result has."""
    x = as_tensor("masked_fill", input_x)
    return select(mask, cast(as_tensor("masked_fill", value), x.dtype), x)


def with_value(name: str, tensor: Tensor) -> np.ndarray:
    """The value of a tensor on which the result's shape depends.

    Raises:
        TracedValueError: it is being traced into a graph, whose shapes are fixed.
    """
    if tensor.is_traced:
        raise located(
            TracedValueError(
                f"{name}: the result's shape depends on the values of {tensor.type}, and a graph's shapes are fixed; "
                "use ops.where or a mask, or eager mode"
            )
        )
    return tensor.numpy_view()


def masked_select(input: Any, mask: Any) -> Tensor:
    """The elements of `input` where the bool `mask` (the two broadcast) is true, as a vector; eager mode only."""
    x, chosen = broadcast_all("masked_select", [as_tensor("masked_select", input), as_tensor("masked_select", mask)])
    places = np.flatnonzero(with_value("masked_select", cast(chosen, bool_)))
    return gather_(reshape(x, (x.size,)), Tensor.wrap(places), axis=0)


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not 0: int64 `[count, ndim]`, or a tuple of vectors; eager mode only."""
    x = as_tensor("nonzero", input)
    found = np.nonzero(with_value("nonzero", x)) if x.ndim else ()
    if as_tuple:
        return tuple(Tensor(p.astype(np.int64)) for p in found)
    return Tensor(np.stack(found, -1) if found else np.zeros((int(bool(x.item())), 0), np.int64))


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
    values, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.argsort(order, kind="stable")
    positions = rank[inverse.reshape(-1)].reshape(x.shape)
    return Tensor(values[order]), Tensor(positions.astype(np.int64 if x.dtype is int64 else np.int32))


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
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
    shape = x.shape if dim is None else (-1,)
    found = [Tensor(values)]
    found += [Tensor(inverse.reshape(shape).astype(np.int64))] if return_inverse else []
    found += [Tensor(counts.astype(np.int64))] if return_counts else []
    return tuple(found) if len(found) > 1 else found[0]


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
        raise located(ValueError(f"bincount: expected integers [N], got {x.type}"))
    shares = None if weights is None else as_tensor("bincount", weights)
    if shares is not None and shares.shape != x.shape:
        raise located(ValueError(f"bincount: expected weights of the shape {x.shape}, got {shares.type}"))
    numbers = with_value("bincount", x)
    if (numbers < 0).any():
        raise located(ValueError(f"bincount: expected no negative number, got {numbers.min()}"))
    counts = np.bincount(numbers, None if shares is None else with_value("bincount", shares), minlength)
    return Tensor(counts.astype(np.float32))
