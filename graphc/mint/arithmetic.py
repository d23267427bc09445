"""Arithmetic and comparison."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import int64
from graphc.ops.coerce import as_tensor, cast
from graphc.tensor import Tensor

__all__ = ["add", "bincount", "cdist", "equal", "item", "sub"]


def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """`input + alpha * other`."""
    return ops.add(input, other if alpha == 1 else ops.mul(other, alpha))


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """`input - alpha * other`."""
    return ops.subtract(input, other, alpha=alpha)


def equal(input: Any, other: Any) -> bool:
    """Whether two tensors have one shape and equal elements; eager mode only."""
    x, y = as_tensor("equal", input), as_tensor("equal", other)
    return x.shape == y.shape and bool(ops.all(ops.equal(x, y)))


def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """See `ops.cdist`; whatever `compute_mode` says, distances are those of differences."""
    return ops.cdist(x1, x2, p)


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each number occurs: int64; with weights the sums of them. Eager mode only."""
    found = ops.bincount(input, weights, minlength)
    return found if weights is not None else cast(found, int64)


def item(input: Any) -> Any:
    """The one element as a Python number."""
    return as_tensor("item", input).item()
