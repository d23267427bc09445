"""Factorizations of matrices in the op table: `cholesky`, `triangular_solve`, `qr`, `complete`, `svd` and `eigh`.

An op has one result, so those of several factors have them side by side: `qr` as one vector, Q before R; `svd` and
`eigh` as a row for each singular value or eigenvalue with its vectors. `graphc.ops.solvers` has what users call. Where
factors are not unique, the choice is part of an op's meaning: the diagonal of R has the signs that LAPACK gives it; of
each right singular vector and each eigenvector the component of the largest size (the first of equal ones) is above 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.coerce import full_like
from graphc.ops.creation import row_and_column
from graphc.ops.determinant import square_type
from graphc.ops.elementwise import equal, select
from graphc.ops.linalg import matmul_
from graphc.ops.shape import concat, reshape, swapaxes
from graphc.ops.triangles import tril, triu
from graphc.ops.views import take_range
from graphc.tensor import Tensor

__all__ = ["cholesky_", "complete_", "eigh_", "orthogonal_and_upper", "qr_", "svd_", "triangular_solve_"]


def _matrices(name: str, x: TensorType) -> tuple[tuple[int, ...], int, int]:
    """The batch, the rows and the columns of matrices of floats."""
    if not x.dtype.is_float:
        raise TypeError(f"{name}: expected floats, got {x}")
    if x.ndim < 2:
        raise ValueError(f"{name}: expected matrices [..., M, N], got {x}")
    return x.shape[:-2], x.shape[-2], x.shape[-1]


def _mean_with_transpose(x: Any) -> Any:
    return (x + np.swapaxes(x, -1, -2)) / 2


def transposed(x: Tensor) -> Tensor:
    """Matrices `[..., M, N]` as `[..., N, M]`."""
    return swapaxes(x, -1, -2)


def _symmetric(x: Tensor) -> Tensor:
    return (x + transposed(x)) * 0.5


def _columns(x: Tensor, begin: int, count: int) -> Tensor:
    return take_range(x, x.ndim - 1, begin, count)


# Cholesky's factor


@define_op(infer=square_type("cholesky"), exact=False, traits="checks", name="cholesky")
def cholesky_(x: np.ndarray) -> np.ndarray:
    """The lower triangle L, with a diagonal above 0, of `L L^T = (x + x^T) / 2`, of each matrix `[..., N, N]`.

    Raises:
        RuntimeError: when it runs, a matrix that is not positive definite.
    """
    return np.asarray(np.linalg.cholesky(_mean_with_transpose(x)))


@cholesky_.def_vjp
def cholesky_vjp(ct: Tensor, y: Tensor, x: Tensor) -> Any:
    """The mean with the transpose of `L^-T P L^-1`, P the lower triangle of `L^T ct` with half of its diagonal.

    I. Murray, "Differentiation of the Cholesky decomposition" (2016), equation 10.
    """
    inner = tril(matmul_(y, ct, transpose_a=True))
    row, column = row_and_column(y.shape)
    inner = select(equal(row, column), inner * 0.5, inner)
    left = triangular_solve_(y, inner, upper=False, transpose=True)
    return (_symmetric(triangular_solve_(y, transposed(left), upper=False, transpose=True)),)


cholesky_.def_kernel("cholesky")


# Triangular systems


def _triangular_type(
    a: TensorType, b: TensorType, *, upper: bool, transpose: bool = False, unit: bool = False
) -> TensorType:
    batch, rows, columns = _matrices("triangular_solve", a)
    if rows != columns or a.dtype is not b.dtype or b.shape[:-2] != batch or b.ndim != a.ndim or b.shape[-2] != rows:
        raise ValueError(f"triangular_solve: expected [..., N, N] and [..., N, K] of one float type, got {a} and {b}")
    return b


@define_op(infer=_triangular_type, exact=False, name="triangular_solve")
def triangular_solve_(
    a: np.ndarray, b: np.ndarray, *, upper: bool, transpose: bool = False, unit: bool = False
) -> np.ndarray:
    """The solution `[..., N, K]` of `a x = b`, of which only one triangle of `a` is read.

    Elements are infinite or NaN where the diagonal has zeros.

    Args:
        a: `[..., N, N]`.
        b: `[..., N, K]`, with the same batch dimensions.
        upper: read the upper triangle rather than the lower one.
        transpose: solve `a^T x = b`.
        unit: take the diagonal to be 1.
    """
    read = np.triu(a, 1 if unit else 0) if upper else np.tril(a, -1 if unit else 0)
    read = read + np.eye(a.shape[-1]) if unit else read
    if not (np.diagonal(read, 0, -2, -1) != 0).all():
        return np.full_like(b, np.nan)
    return np.asarray(np.linalg.solve(np.swapaxes(read, -1, -2) if transpose else read, b))


@triangular_solve_.def_vjp
def triangular_solve_vjp(
    ct: Tensor, y: Tensor, a: Tensor, b: Tensor, *, upper: bool, transpose: bool = False, unit: bool = False
) -> Any:
    """`a^-T ct` of `b`, and `-a^-T ct y^T` of what is read of `a`: M. Giles, "Collected matrix derivative results"."""
    slope = triangular_solve_(a, ct, upper=upper, transpose=not transpose, unit=unit)

    def of_matrix() -> Tensor:
        factors = (y, slope) if transpose else (slope, y)
        product = -matmul_(*factors, transpose_b=True)
        return triu(product, 1 if unit else 0) if upper else tril(product, -1 if unit else 0)

    return of_matrix, slope


triangular_solve_.def_kernel("triangular_solve")


# QR


def _qr_type(x: TensorType) -> TensorType:
    batch, rows, columns = _matrices("qr", x)
    return TensorType((*batch, min(rows, columns) * (rows + columns)), x.dtype)


@define_op(infer=_qr_type, exact=False, name="qr")
def qr_(x: np.ndarray) -> np.ndarray:
    """Q `[M, P]` with orthonormal columns and the upper triangle R `[P, N]` of `x = Q R` `[..., M, N]`, P = min(M, N).

    Both in one vector for each matrix: the elements of Q, then those of R.
    """
    q, r = np.linalg.qr(x)
    batch = x.shape[:-2]
    size = min(x.shape[-2:])
    return np.concatenate([q.reshape(*batch, x.shape[-2] * size), r.reshape(*batch, size * x.shape[-1])], -1)


def orthogonal_and_upper(y: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Q and R of what `qr` gives for matrices of so many rows and columns."""
    count, batch = min(rows, columns), y.shape[:-1]
    q, r = _columns(y, 0, rows * count), _columns(y, rows * count, count * columns)
    return reshape(q, (*batch, rows, count)), reshape(r, (*batch, count, columns))


@qr_.def_vjp
def qr_vjp(ct: Tensor, y: Tensor, x: Tensor) -> Any:
    """S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2010), section 4.

    Of a wide matrix `[A, B] = Q [R, S]` the right part is `B = Q S`, which adds `B ct_S^T` to the cotangent of Q.
    """
    rows, columns = x.shape[-2:]
    (q, r), (q_ct, r_ct) = (orthogonal_and_upper(t, rows, columns) for t in (y, ct))
    if columns > rows:
        rest, rest_ct = _columns(x, rows, columns - rows), _columns(r_ct, rows, columns - rows)
        q_ct = q_ct + matmul_(rest, rest_ct, transpose_b=True)
        left = _qr_slope(q, _columns(r, 0, rows), q_ct, _columns(r_ct, 0, rows))
        return (concat((left, matmul_(q, rest_ct)), -1),)
    return (_qr_slope(q, r, q_ct, r_ct),)


def _qr_slope(q: Tensor, r: Tensor, q_ct: Tensor, r_ct: Tensor) -> Tensor:
    """`(ct_Q + Q S) R^-T`, S with the lower triangle of `R ct_R^T - ct_Q^T Q` on both sides."""
    inner = matmul_(r, triu(r_ct), transpose_b=True) - matmul_(q_ct, q, transpose_a=True)
    both = tril(inner) + transposed(tril(inner, -1))
    return transposed(triangular_solve_(r, transposed(q_ct + matmul_(q, both)), upper=True))


qr_.def_kernel("qr")


def _complete_type(q: TensorType) -> TensorType:
    batch, rows, columns = _matrices("complete", q)
    if columns > rows:
        raise ValueError(f"complete: expected at least as many rows as columns, got {q}")
    return TensorType((*batch, rows, rows), q.dtype)


@define_op(infer=_complete_type, exact=False, name="complete")
def complete_(q: np.ndarray) -> np.ndarray:
    """Orthonormal columns `[..., M, K]` and others that complete them to an orthogonal matrix `[..., M, M]`."""
    columns = q.shape[-1]
    return np.concatenate([q, np.linalg.qr(q, "complete")[0][..., columns:]], -1)


@complete_.def_vjp
def complete_vjp(ct: Tensor, y: Tensor, q: Tensor) -> Any:
    """As `dW = -Q dQ^T W` keeps the columns W added orthogonal to Q; that they turn among themselves is left out.

    So it is the gradient of what does not depend on which of the bases of the complement they are.
    """
    count, more = q.shape[-1], y.shape[-1] - q.shape[-1]
    added, added_ct = _columns(y, count, more), _columns(ct, count, more)
    return (_columns(ct, 0, count) - matmul_(added, matmul_(added_ct, q, transpose_a=True)),)


complete_.def_kernel("complete")


# Eigenvalues and singular values


def _signs(vectors: np.ndarray) -> np.ndarray:
    """-1 for rows whose component of the largest size is below 0, else 1."""
    largest = np.argmax(np.abs(vectors), -1, keepdims=True)
    return np.where(np.take_along_axis(vectors, largest, -1) < 0, -1.0, 1.0)


def _quotients(x: Tensor, values: Tensor) -> Tensor:
    """`x[i, j] / values[i, j]`, 0 where `x` is: what does not depend on vectors does not mind equal values."""
    none = equal(x, 0)
    return select(none, full_like(x, 0), x / select(none, full_like(x, 1), values))


def _differences(values: Tensor) -> Tensor:
    """`values[j] - values[i]` of a column of values."""
    return transposed(values) - values


def _eigh_type(x: TensorType) -> TensorType:
    *batch, rows, columns = square_type("eigh")(x).shape
    return TensorType((*batch, rows, columns + 1), x.dtype)


@define_op(infer=_eigh_type, exact=False, name="eigh")
def eigh_(x: np.ndarray) -> np.ndarray:
    """For each eigenvalue of `(x + x^T) / 2`, in ascending order, a row: itself and its vector; `[..., N, N + 1]`."""
    values, vectors = np.linalg.eigh(_mean_with_transpose(x))
    rows = np.swapaxes(vectors, -1, -2)
    return np.concatenate([values[..., None], rows * _signs(rows)], -1) if x.size else np.zeros((*x.shape[:-1], 1))


@eigh_.def_vjp
def eigh_vjp(ct: Tensor, y: Tensor, x: Tensor) -> Any:
    """`V (diag(ct_w) + (V^T ct_V)[i, j] / (w[j] - w[i])) V^T`: M. Giles, "Collected matrix derivative results", 3.1.

    Of that the mean with its transpose. The vectors of equal eigenvalues have no derivative: it is not finite there, if
    it is asked for.
    """
    n = x.shape[-1]
    values, rows = _columns(y, 0, 1), _columns(y, 1, n)
    turned = matmul_(rows, _columns(ct, 1, n), transpose_b=True)
    row, column = row_and_column(x.shape)
    diagonal = equal(row, column)
    off = _quotients((turned - transposed(turned)) * 0.5, _differences(values))
    inner = select(diagonal, _columns(ct, 0, 1) + full_like(turned, 0), off)
    return (matmul_(matmul_(rows, inner, transpose_a=True), rows),)


eigh_.def_kernel("eigh")


def _svd_type(x: TensorType) -> TensorType:
    batch, rows, columns = _matrices("svd", x)
    return TensorType((*batch, min(rows, columns), rows + 1 + columns), x.dtype)


@define_op(infer=_svd_type, exact=False, name="svd")
def svd_(x: np.ndarray) -> np.ndarray:
    """For each singular value of `[..., M, N]`, in descending order, a row: left vector, value, right vector."""
    u, s, v = np.linalg.svd(x, full_matrices=False)
    signs = _signs(v) if x.size else np.ones((*s.shape, 1))
    return np.concatenate([np.swapaxes(u, -1, -2) * signs, s[..., None], v * signs], -1)


@svd_.def_vjp
def svd_vjp(ct: Tensor, y: Tensor, x: Tensor) -> Any:
    """J. Townsend, "Differentiating the singular value decomposition" (2016), equation 31 and its like for V.

    The vectors of equal values, and of values that are 0, have no derivative: it is not finite there, if it is asked
    for.
    """
    rows, columns = x.shape[-2:]
    (u, s, v), (u_ct, s_ct, v_ct) = (
        (_columns(t, 0, rows), _columns(t, rows, 1), _columns(t, rows + 1, columns)) for t in (y, ct)
    )
    gaps = _differences(s) * (transposed(s) + s)
    of_u, of_v = (matmul_(left, right, transpose_b=True) for left, right in ((u, u_ct), (v, v_ct)))
    off_u, off_v = (_quotients(p - transposed(p), gaps) for p in (of_u, of_v))
    row, column = row_and_column(gaps.shape)
    inner = off_u * transposed(s) + off_v * s
    inner = select(equal(row, column), s_ct + full_like(inner, 0), inner)
    slope = matmul_(matmul_(u, inner, transpose_a=True), v)
    if rows > columns:  # what of the vectors' cotangents is orthogonal to all of them
        outside = u_ct - matmul_(of_u, u, transpose_a=True)
        slope = slope + matmul_(_quotients(outside, s + full_like(outside, 0)), v, transpose_a=True)
    if columns > rows:
        outside = v_ct - matmul_(of_v, v, transpose_a=True)
        slope = slope + matmul_(u, _quotients(outside, s + full_like(outside, 0)), transpose_a=True)
    return (slope,)


svd_.def_kernel("svd")
