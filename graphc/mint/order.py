"""Positions of extremes, sorting, running extremes."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import int64
from graphc.ops.coerce import cast
from graphc.tensor import Tensor

__all__ = ["argmax", "argmin", "argsort", "cummax", "cummin", "sort", "topk"]


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The position of the first greatest element along an axis; None: in the flat tensor."""
    return cast(ops.argmax(input, dim, keepdim), int64)


def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The position of the first smallest element along an axis; None: in the flat tensor."""
    return cast(ops.argmin(input, dim, keepdim), int64)


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The positions of the elements in order along an axis: always stable."""
    return cast(ops.argsort(input, dim, descending), int64)


def sort(input: Any, *, dim: int = -1, descending: bool = False, stable: bool = False) -> tuple[Tensor, Tensor]:
    """The elements in order along an axis, and their positions: always stable."""
    values, positions = ops.sort(input, dim, descending)
    return values, cast(positions, int64)


def topk(
    input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Tensor, Tensor]:
    """The k greatest (or smallest) elements along an axis, in order, and their positions."""
    values, positions = ops.topk(input, k, dim, largest, sorted)
    return values, cast(positions, int64)


def cummax(input: Any, dim: int) -> tuple[Tensor, Tensor]:
    """The greatest element so far along an axis, and its position."""
    values, positions = ops.cummax(input, dim)
    return values, cast(positions, int64)


def cummin(input: Any, dim: int) -> tuple[Tensor, Tensor]:
    """The smallest element so far along an axis, and its position."""
    values, positions = ops.cummin(input, dim)
    return values, cast(positions, int64)
