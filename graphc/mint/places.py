"""Elements chosen, put and added by their places."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.ops.coerce import as_tensor
from graphc.tensor import Tensor

__all__ = ["diag", "index_add", "meshgrid", "scatter", "scatter_add", "select", "where"]


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, elsewhere `other`; of a condition alone where it holds, as `nonzero`."""
    if input is None and other is None:
        return ops.nonzero(condition, as_tuple=True)
    return ops.where(condition, input, other)


def select(input: Any, dim: int, index: int) -> Tensor:
    """One slice along an axis, without the axis."""
    x = as_tensor("select", input)
    result: Tensor = x.select(dim, index)
    return result


def scatter(input: Any, dim: int, index: Any, src: Any) -> Tensor:
    """`input` with each element of `src` (or one number) at its own index, its position along `dim` from `index`."""
    return ops.scatter(input, dim, index, _first_of(src, index))


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Tensor:
    """`input` with each element of `src` added at its own index, its position along `dim` from `index`."""
    return ops.tensor_scatter_elements(input, index, _first_of(src, index), dim, "add")


def _first_of(src: Any, index: Any) -> Any:
    """As many elements along each axis as there are positions."""
    source, places = as_tensor("scatter", src), as_tensor("scatter", index)
    return source[tuple(slice(n) for n in places.shape)] if source.ndim == places.ndim else source


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Tensor:
    """`input` with the slices of `source`, times `alpha`, added to its slices along `dim` at `index`."""
    return ops.index_add(input, index, source if alpha == 1 else ops.mul(source, alpha), dim)


def diag(input: Any, diagonal: int = 0) -> Tensor:
    """The matrix with a vector on a diagonal, or a diagonal of a matrix."""
    x = as_tensor("diag", input)
    return ops.diagonal(x, diagonal) if x.ndim == 2 else ops.diag_embed(x, diagonal)


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Grids of the vectors' elements; `indexing` is "ij" (as None) or "xy"."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    return ops.meshgrid(*given, indexing=indexing or "ij")
