"""Triangles of matrices, with zeros in place of the rest."""

from __future__ import annotations

from typing import Any

from graphc.ops.coerce import as_tensor, full_like
from graphc.ops.creation import row_and_column
from graphc.ops.elementwise import greater_equal, less_equal, select
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["tril", "triu"]


def tril(input: Any, diagonal: int = 0) -> Tensor:
    """`input` with zeros above the diagonal of its last two axes (`diagonal` > 0: further up)."""
    return _triangle("tril", input, diagonal, below=True)


def triu(input: Any, diagonal: int = 0) -> Tensor:
    """`input` with zeros below the diagonal of its last two axes (`diagonal` > 0: further up)."""
    return _triangle("triu", input, diagonal, below=False)


def _triangle(name: str, input: Any, diagonal: int, below: bool) -> Tensor:
    x = as_tensor(name, input)
    if x.ndim < 2:
        raise located(ValueError(f"{name}: expected at least 2 dimensions, got {x.spec}"))
    row, column = row_and_column(x.shape)
    edge = row + diagonal if diagonal else row
    kept = less_equal(column, edge) if below else greater_equal(column, edge)
    return select(kept, x, full_like(x, 0))
