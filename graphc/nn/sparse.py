"""Layers on sparse tensors."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.ops.sparse_tensors import COOTensor
from graphc.tensor import Tensor


class SparseToDense(Cell):
    """The dense tensor of a `COOTensor`."""

    def construct(self, coo_tensor: COOTensor) -> Tensor:
        if not isinstance(coo_tensor, COOTensor):
            raise TypeError(f"SparseToDense: expected a COOTensor, got {type(coo_tensor).__name__}")
        return coo_tensor.to_dense()


class SparseTensorDenseMatmul(Cell):
    """The product of a sparse matrix, given by the parts of a `COOTensor`, and a dense one.

    Args:
        adjoint_st: take the sparse matrix transposed.
        adjoint_dt: take the dense matrix transposed.
    """

    def __init__(self, adjoint_st: bool = False, adjoint_dt: bool = False) -> None:
        super().__init__()
        self.adjoint_st = check.boolean("SparseTensorDenseMatmul", "adjoint_st", adjoint_st)
        self.adjoint_dt = check.boolean("SparseTensorDenseMatmul", "adjoint_dt", adjoint_dt)

    def construct(self, indices: Tensor, values: Tensor, sparse_shape: Any, dense: Tensor) -> Tensor:
        sparse, matrix = COOTensor(indices, values, sparse_shape), dense.T if self.adjoint_dt else dense
        across = 0 if self.adjoint_st else 1
        row, column = ops.unstack(sparse.indices, 1)[:: 1 if across else -1]
        if sparse.ndim != 2 or matrix.ndim != 2 or matrix.shape[0] != sparse.shape[across]:
            got = f"{sparse.shape} and {matrix.type}"
            raise ValueError(f"SparseTensorDenseMatmul: expected matrices whose inner dimensions agree, got {got}")
        terms = ops.expand_dims(sparse.values, 1) * ops.gather(matrix, column, 0)
        return ops.unsorted_segment_sum(terms, row, sparse.shape[1 - across])
