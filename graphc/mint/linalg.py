"""`graphc.mint.linalg`: linear algebra, under PyTorch's names, arguments and orders of results."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.mint.signatures import renamed
from graphc.ops import (
    cond,
    det,
    eigh,
    eigvalsh,
    matrix_exp,
    matrix_power,
    matrix_rank,
    norm,
    slogdet,
    solve,
    svdvals,
)
from graphc.ops import inverse as inv
from graphc.ops.matrices import adjoint
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "cholesky", "cond", "det", "eigh", "eigvalsh", "inv", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank",
    "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals", "vector_norm",
]  # fmt: skip

cholesky = renamed(ops.cholesky, "input, *, upper=False")
pinv = renamed(ops.pinv, "A, *, atol=None, rtol=None, hermitian=False")
matrix_norm = renamed(
    ops.matrix_norm, "A, ord='fro', dim=(-2, -1), keepdim=False, *, dtype=None", dim="axis", keepdim="keepdims"
)
qr = renamed(ops.qr, "A, mode='reduced'")
vector_norm = renamed(
    ops.vector_norm, "x, ord=2, dim=None, keepdim=False, *, dtype=None", dim="axis", keepdim="keepdims"
)


def solve_triangular(
    A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False,  # noqa: N803 (PyTorch's names)
) -> Tensor:
    """The solution `[..., N, K]` of `A x = B`, of which one triangle of A is read; without `left` of `x A = B`.

    Args:
        A: `[..., N, N]`.
        B: `[..., N, K]`; without `left` `[..., K, N]`.
        upper: read the upper triangle rather than the lower one.
        unitriangular: take the diagonal of A to be 1.
    """
    options = {"upper": upper, "unit_diagonal": unitriangular}
    if left:
        return ops.solve_triangular(A, B, **options)
    return adjoint(ops.solve_triangular(A, adjoint(B), transpose=True, **options))


def svd(A: Any, full_matrices: bool = True) -> tuple[Tensor, Tensor, Tensor]:  # noqa: N803 (PyTorch's name)
    """U, S and V transposed: `A = U diag(S) Vh`; see `ops.svd`, which gives them otherwise."""
    if not isinstance(full_matrices, bool):
        raise located(TypeError(f"svd: full_matrices must be a bool, got {full_matrices!r}"))
    s, u, v = ops.svd(A, full_matrices)
    return u, s, adjoint(v)
