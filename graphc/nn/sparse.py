"""Layers on sparse tensors."""

from __future__ import annotations

from typing import Any

from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.ops.sparse_tensors import COOTensor, sparse_dense_matmul
from graphc.tensor import Tensor

__all__ = ["SparseTensorDenseMatmul", "SparseToDense"]


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
        return sparse_dense_matmul(COOTensor(indices, values, sparse_shape), dense, self.adjoint_st, self.adjoint_dt)
