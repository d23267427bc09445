"""`graphc.scipy.linalg`: decompositions and systems under SciPy's names and defaults, for stacks of matrices too.

Arguments that in SciPy only say what may be overwritten or is checked beforehand are not there.
"""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.ops.coerce import as_tensor
from graphc.ops.linalg import same_dtype
from graphc.ops.solvers import mirrored
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["block_diag", "cho_factor", "cho_solve", "cholesky", "det", "eigh", "inv", "lstsq", "solve_triangular"]


def inv(a: Any) -> Tensor:
    """The inverse of square matrices; see `ops.inverse`."""
    return ops.inverse(a)


def det(a: Any) -> Tensor:
    """The determinants of square matrices; see `ops.det`."""
    return ops.det(a)


def cholesky(a: Any, lower: bool = False) -> Tensor:
    """U with `a = U^T U`, or L with `a = L L^T`; see `ops.cholesky`."""
    return ops.cholesky(a, not lower)


def cho_factor(a: Any, lower: bool = False) -> tuple[Tensor, bool]:
    """What `cho_solve` takes: the factor of `cholesky`, with zeros in its other triangle, and `lower`."""
    return cholesky(a, lower), lower


def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Tensor:
    """The solution of `a x = b` for what `cho_factor` gave of `a`; `b` is `[..., N, K]` or vectors."""
    factor, lower = c_and_lower
    return ops.cholesky_solve(b, factor, not lower)


def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Tensor:
    """The solution of `a x = b`, or with `trans` 1, 2, "T" or "C" of `a^T x = b`; see `ops.solve_triangular`."""
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise located(ValueError(f"solve_triangular: trans must be 0, 1, 2, 'N', 'T' or 'C', got {trans!r}"))
    return ops.solve_triangular(a, b, upper=not lower, transpose=trans not in (0, "N"), unit_diagonal=unit_diagonal)


def eigh(a: Any, b: Any = None, lower: bool = True, eigvals_only: bool = False) -> tuple[Tensor, Tensor] | Tensor:
    """Eigenvalues, in ascending order, and vectors of symmetric matrices: `a v = w b v`.

    Args:
        a: `[..., N, N]`.
        b: symmetric positive definite matrices `[..., N, N]`; None: the identity.
        lower: read the lower triangles rather than the upper ones.
        eigvals_only: give no vectors.
    Returns:
        `(w, v)`: `[..., N]` and, as columns, `[..., N, N]`, with `v^T b v = 1`; or w alone.
    Raises:
        RuntimeError: when it runs, a `b` that is not positive definite.
    """
    side = "L" if lower else "U"
    if b is None:
        values, vectors = ops.eigh(a, side)
        return values if eigvals_only else (values, vectors)
    x, y = same_dtype("eigh")(a, b)
    factor = ops.cholesky(mirrored(y, lower))
    half = ops.solve_triangular(factor, mirrored(x, lower))
    values, vectors = ops.eigh(ops.solve_triangular(factor, ops.swapaxes(half, -1, -2)))
    return values if eigvals_only else (values, ops.solve_triangular(factor, vectors, transpose=True))


def lstsq(A: Any, B: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: N803 (SciPy's names)
    """The smallest `x` with the smallest `|A x - B|`, whatever the rank of A.

    Args:
        A: `[M, N]`.
        B: `[M, K]` or `[M]`.
    Returns:
        `x` `[N, K]` or `[N]`; the sums of squares of what is left, `[K]` or a scalar (of no elements unless M > N);
        the rank of A; its singular values.
    """
    a, b = same_dtype("lstsq")(A, B)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise located(ValueError(f"lstsq: expected [M, N] and [M, K] or [M], got {a.spec} and {b.spec}"))
    x = ops.matmul(ops.pinv(a), b)
    rest = ops.square(ops.matmul(a, x) - b).sum(0)
    return x, rest if a.shape[0] > a.shape[1] else ops.zeros((0,), a.dtype), ops.matrix_rank(a), ops.svdvals(a)


def block_diag(*arrs: Any) -> Tensor:
    """The matrices (or vectors, as rows) one after the other along the diagonal, zeros elsewhere."""
    blocks = [ops.atleast_2d(as_tensor("block_diag", a)) for a in arrs]
    if not blocks or any(x.ndim != 2 for x in blocks):
        raise located(ValueError("block_diag: expected one or more matrices"))
    columns, rows, before = sum(x.shape[1] for x in blocks), [], 0
    for x in blocks:
        rows.append(ops.pad(x, (before, columns - before - x.shape[1])))
        before += x.shape[1]
    return ops.concat(same_dtype("block_diag")(*rows), 0)
