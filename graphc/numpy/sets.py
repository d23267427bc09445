"""Vectors as sets of numbers."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import int32
from graphc.numpy.creation import asarray
from graphc.numpy.selection import unique
from graphc.numpy.shapes import ravel
from graphc.ops import abs as abs
from graphc.ops.coerce import cast
from graphc.tensor import Tensor

__all__ = ["array_equiv", "in1d", "intersect1d", "isin", "setdiff1d"]


def isin(element: Any, test_elements: Any, invert: bool = False) -> Tensor:
    """Whether each element is among those of the other (or is not, if `invert`)."""
    x, others = asarray(element), ravel(test_elements)
    found = ops.any(ops.equal(ops.expand_dims(x, -1), others), -1)
    return ops.logical_not(found) if invert else found


def in1d(ar1: Any, ar2: Any, invert: bool = False) -> Tensor:
    """`isin` of the flat tensor."""
    return isin(ravel(ar1), ar2, invert)


def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The numbers that are in both, in ascending order; with `return_indices` also where they are first in each.

    Args:
        assume_unique: each holds its numbers once.
    """
    first, second = ravel(ar1), ravel(ar2)
    values = first if assume_unique else unique(first)
    common = ops.sort(ops.masked_select(values, isin(values, second)))[0]
    if not return_indices:
        return common
    places = [
        cast(ops.argmax(cast(ops.equal(ops.expand_dims(common, 1), x), int32), 1), int32) for x in (first, second)
    ]
    return common, *places


def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Tensor:
    """The numbers of the first that are not in the second, in ascending order (in their own if `assume_unique`)."""
    values = ravel(ar1) if assume_unique else unique(ar1)
    return ops.masked_select(values, isin(values, ar2, invert=True))


def array_equiv(a1: Any, a2: Any) -> Tensor:
    """Whether the shapes broadcast and all elements are equal: a bool tensor `[]`."""
    x, y = asarray(a1), asarray(a2)
    pairs = zip(x.shape[::-1], y.shape[::-1], strict=False)
    if not all(n == m or 1 in (n, m) for n, m in pairs):
        return Tensor(False)
    return ops.all(ops.equal(x, y))

