"""Decompositions of matrices, and what is solved with them, as users call them.

All take stacks of matrices `[..., M, N]` of float32 or float64, and give the same bits in both modes. The factors come
from `graphc.ops.factors`, which says how they are chosen where they are not unique.
"""

from __future__ import annotations

from typing import Any

from graphc.autograd import with_vjp
from graphc.dtype import float_info, int64
from graphc.ops.coerce import as_tensor, broadcast, broadcast_shape, cast, filled, full_like
from graphc.ops.creation import iota, row_and_column
from graphc.ops.determinant import inverse_
from graphc.ops.elementwise import (
    abs_,
    ceil,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    log2,
    maximum,
    minimum,
    select,
    sign,
    stop_gradient,
)
from graphc.ops.factors import (
    cholesky_,
    complete_,
    eigh_,
    orthogonal_and_upper,
    qr_,
    svd_,
    transposed,
    triangular_solve_,
)
from graphc.ops.functions import exp2
from graphc.ops.gather import gather_elements
from graphc.ops.linalg import matmul, same_dtype
from graphc.ops.reduce import amax, norm, sum_over
from graphc.ops.shape import concat, expand_dims, reshape
from graphc.ops.views import take_range
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "cond", "eigh", "eigvalsh", "lstsq", "lu_solve", "lu_unpack",
    "matrix_exp", "matrix_rank", "matrix_solve", "pinv", "qr", "solve", "solve_triangular", "svd", "svdvals",
    "triangular_solve",
]  # fmt: skip


def _matrices(name: str, input: Any) -> Tensor:
    x = as_tensor(name, input)
    if not x.dtype.is_float:
        raise located(TypeError(f"{name}: expected floats, got {x.spec}"))
    if x.ndim < 2:
        raise located(ValueError(f"{name}: expected matrices [..., M, N], got {x.spec}"))
    return x


def _square(name: str, input: Any) -> Tensor:
    x = _matrices(name, input)
    if x.shape[-1] != x.shape[-2]:
        raise located(ValueError(f"{name}: expected square matrices [..., N, N], got {x.spec}"))
    return x


def _identity(x: Tensor) -> Tensor:
    """The identity in the type of square matrices."""
    row, column = row_and_column(x.shape)
    return select(equal(row, column), full_like(x, 1), full_like(x, 0))


def mirrored(x: Tensor, lower: bool) -> Tensor:
    """Square matrices with one triangle in place of the other."""
    row, column = row_and_column(x.shape)
    return select(greater_equal(row, column) if lower else less_equal(row, column), x, transposed(x))


def _systems(name: str, a: Any, b: Any, square: bool = True) -> tuple[Tensor, Tensor, bool]:
    """Matrices `[..., M, N]` and right-hand sides `[..., M, K]` of one dtype and batch, and whether `b` was a vector.

    It was if it has one dimension, or the shape of `a` without its last one.
    """
    x, y = same_dtype(name)(a, b)
    x = _square(name, x) if square else _matrices(name, x)
    vector = y.ndim == 1 or (y.ndim == x.ndim - 1 and y.shape == x.shape[:-1])
    y = expand_dims(y, -1) if vector else y
    if y.ndim < 2 or y.shape[-2] != x.shape[-2]:
        raise located(ValueError(f"{name}: expected right-hand sides of {x.shape[-2]} rows for {x.spec}, got {y.spec}"))
    batch = broadcast_shape(name, (x.shape[:-2], y.shape[:-2]), lambda: f"{x.spec} and {y.spec}")
    return broadcast(x, (*batch, *x.shape[-2:])), broadcast(y, (*batch, *y.shape[-2:])), vector


def _without(x: Tensor, vector: bool) -> Tensor:
    return reshape(x, x.shape[:-1]) if vector else x


# Triangles


def cholesky(input_x: Any, upper: bool = False) -> Tensor:
    """The triangle L with `L L^T`, or U with `U^T U`, equal to symmetric positive definite matrices.

    Args:
        input_x: `[..., N, N]`; of a matrix that is not symmetric the mean with its transpose is taken.
        upper: give U rather than L.
    Raises:
        RuntimeError: when it runs, a matrix that is not positive definite.
    """
    found = cholesky_(_square("cholesky", input_x))
    return transposed(found) if upper else found


def solve_triangular(
    a: Any, b: Any, *, upper: bool = False, transpose: bool = False, unit_diagonal: bool = False
) -> Tensor:
    """The solution of `a x = b`, of which only one triangle of `a` is read.

    Args:
        a: `[..., N, N]`.
        b: `[..., N, K]`, or vectors: `[N]`, or the shape of `a` without its last dimension.
        upper: read the upper triangle rather than the lower one.
        transpose: solve `a^T x = b`.
        unit_diagonal: take the diagonal of `a` to be 1.
    Returns:
        In the shape of `b`, batches broadcast; infinite or NaN where the diagonal has zeros.
    """
    x, y, vector = _systems("solve_triangular", a, b)
    return _without(triangular_solve_(x, y, upper=upper, transpose=transpose, unit=unit_diagonal), vector)


def _rows_of_pivots(name: str, LU_data: Any, LU_pivots: Any) -> tuple[Tensor, Tensor]:  # noqa: N803
    """The factors in one, and for each row of their product the row of the matrix that it is: `[..., N]`."""
    data, pivots = as_tensor(name, LU_data), as_tensor(name, LU_pivots)
    if data.ndim < 2 or pivots.shape != (*data.shape[:-2], min(data.shape[-2:])) or not pivots.dtype.is_int:
        raise located(ValueError(f"{name}: expected [..., M, N] and as many pivots, got {data.spec}, {pivots.spec}"))
    places = iota(shape=(*data.shape[:-2], data.shape[-2]), axis=data.ndim - 2, dtype=int64)
    rows = places
    for i in range(pivots.shape[-1]):  # row i and the row of its pivot, counted from 1, change places
        other = cast(take_range(pivots, pivots.ndim - 1, i, 1), int64) - 1
        mine, theirs = take_range(rows, rows.ndim - 1, i, 1), gather_elements(rows, -1, other)
        rows = select(equal(places, i), theirs, select(equal(places, other), mine, rows))
    return data, rows


def lu_unpack(
    LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True,  # noqa: N803
) -> tuple[Tensor, ...]:
    """The factors P, L and U of matrices `P L U` from L and U in one `[..., M, N]`, and pivots that count from 1.

    Args:
        LU_pivots: `[..., min(M, N)]`: with which row each row changed places.
        unpack_data, unpack_pivots: whether L and U, whether P is wanted.
    Returns:
        P `[..., M, M]`, L `[..., M, min(M, N)]` and U `[..., min(M, N), N]`, those wanted.
    """
    data, rows = _rows_of_pivots("lu_unpack", LU_data, LU_pivots)
    m, n = data.shape[-2:]
    least, found = min(m, n), list[Tensor]()
    if unpack_pivots:
        column = iota(shape=(*data.shape[:-2], m, m), axis=data.ndim - 2, dtype=int64)
        found.append(cast(equal(column, expand_dims(rows, -2)), data.dtype))
    if unpack_data:
        row, column = row_and_column(data.shape)
        one = full_like(data, 1)
        lower = select(greater(row, column), data, select(equal(row, column), one, 0.0))
        upper = select(greater(row, column), 0.0, data)
        found += [take_range(lower, data.ndim - 1, 0, least), take_range(upper, data.ndim - 2, 0, least)]
    return tuple(found)


def lu_solve(b: Any, LU_data: Any, LU_pivots: Any) -> Tensor:  # noqa: N803
    """The solution of `P L U x = b`, of factors as `lu_unpack` takes them, `[..., N, N]`; b: `[..., N, K]` or `[N]`."""
    data, rows = _rows_of_pivots("lu_solve", LU_data, LU_pivots)
    data, y, vector = _systems("lu_solve", data, b)
    places = broadcast(expand_dims(rows, -1), y.shape)
    half = triangular_solve_(data, gather_elements(y, -2, places), upper=False, transpose=False, unit=True)
    return _without(triangular_solve_(data, half, upper=True, transpose=False, unit=False), vector)


def triangular_solve(
    b: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False,  # noqa: N803
) -> tuple[Tensor, Tensor]:
    """The solution of `A x = b`, and A; see `solve_triangular`."""
    found = solve_triangular(A, b, upper=upper, transpose=transpose, unit_diagonal=unitriangular)
    return found, as_tensor("triangular_solve", A)


def cholesky_solve(input: Any, input2: Any, upper: bool = False) -> Tensor:
    """The solution `[..., N, K]` of `A x = input` for the Cholesky factor `input2` `[..., N, N]` of A.

    Args:
        upper: the factor is U, of `A = U^T U`, rather than L.
    """
    factor, b, vector = _systems("cholesky_solve", input2, input)
    half = triangular_solve_(factor, b, upper=upper, transpose=upper)
    return _without(triangular_solve_(factor, half, upper=upper, transpose=not upper), vector)


def cholesky_inverse(input_x: Any, upper: bool = False) -> Tensor:
    """The inverse of the matrices `[..., N, N]` whose Cholesky factors are given: L, or U if `upper`."""
    factor = _square("cholesky_inverse", input_x)
    return cholesky_solve(_identity(factor), factor, upper)


# QR, and systems solved with it


def qr(input: Any, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """Q with orthonormal columns and an upper triangle R with `input = Q R`.

    Args:
        input: `[..., M, N]`.
        mode: `"reduced"`, or `"complete"`, where Q is square. The gradient of columns of Q beyond N is that of what
            does not depend on which basis of the complement they are.
    Returns:
        Q `[..., M, P]` and R `[..., P, N]`, P the smaller of M and N, or M. R's diagonal has either sign, as LAPACK's.
    """
    x = _matrices("qr", input)
    if mode not in ("reduced", "complete"):
        raise located(ValueError(f"qr: mode must be 'reduced' or 'complete', got {mode!r}"))
    rows, columns = x.shape[-2:]
    q, r = orthogonal_and_upper(qr_(x), rows, columns)
    if mode == "reduced" or rows <= columns:
        return q, r
    return complete_(q), concat((r, filled(0, r.dtype, (*r.shape[:-2], rows - columns, columns))), -2)


def qr_method(self: Any, some: bool = True) -> tuple[Tensor, Tensor]:
    """Q and R; see `ops.qr`, whose mode is `"complete"` without `some`."""
    return qr(self, "reduced" if some else "complete")


def lstsq(input: Any, A: Any) -> Tensor:  # noqa: N803 (MindSpore's name)
    """The `x` with the smallest `|input x - A|`, or of those that solve the system the smallest.

    Args:
        input: `[..., M, N]` of full rank.
        A: `[..., M, K]`, or vectors.
    Returns:
        `[..., N, K]`; `[..., N, 1]` of vectors.
    """
    x, b, _ = _systems("lstsq", input, A, square=False)
    return _least_squares(x, b)


def _least_squares(x: Tensor, b: Tensor) -> Tensor:
    rows, columns = x.shape[-2:]
    if rows >= columns:
        q, r = orthogonal_and_upper(qr_(x), rows, columns)
        return triangular_solve_(r, matmul(transposed(q), b), upper=True)
    q, r = orthogonal_and_upper(qr_(transposed(x)), columns, rows)
    return matmul(q, triangular_solve_(r, b, upper=True, transpose=True))


def solve(A: Any, B: Any) -> Tensor:  # noqa: N803 (PyTorch's names)
    """The solution of `A x = B`, by QR; not finite where a matrix has no inverse.

    Args:
        A: `[..., N, N]`.
        B: `[..., N, K]`, or vectors: `[N]`, or the shape of `A` without its last dimension.
    """
    x, b, vector = _systems("solve", A, B)
    return _without(_least_squares(x, b), vector)


def matrix_solve(matrix: Any, rhs: Any, adjoint: bool = False) -> Tensor:
    """The solution `[..., N, K]` of `matrix x = rhs`; with `adjoint` of `matrix^T x = rhs`."""
    x, b, vector = _systems("matrix_solve", matrix, rhs)
    return _without(_least_squares(transposed(x) if adjoint else x, b), vector)


# Singular values and eigenvalues


def svd(
    input: Any, full_matrices: bool = False, compute_uv: bool = True
) -> tuple[Tensor, Tensor, Tensor] | Tensor:
    """Singular values, in descending order, and vectors: `input = U diag(S) V^T`.

    Of each column of V the component of the largest size is above 0. Vectors of equal values, and of values that are 0,
    have no derivative; the values themselves do.

    Args:
        input: `[..., M, N]`.
        full_matrices: make U and V square.
        compute_uv: give the vectors too.
    Returns:
        `(S, U, V)`: `[..., P]`, `[..., M, P]` and `[..., N, P]` with P the smaller of M and N; or S alone.
    """
    u, s, v = _factors(_matrices("svd", input))
    if not compute_uv:
        return s
    return (s, complete_(u), complete_(v)) if full_matrices else (s, u, v)


def _factors(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U, S and V."""
    found, (rows, columns), axis = svd_(x), x.shape[-2:], x.ndim - 1
    u, s, v = (take_range(found, axis, at, n) for at, n in ((0, rows), (rows, 1), (rows + 1, columns)))
    return transposed(u), reshape(s, s.shape[:-1]), transposed(v)


def svdvals(A: Any) -> Tensor:  # noqa: N803 (PyTorch's name)
    """The singular values of `[..., M, N]`, in descending order."""
    return _factors(_matrices("svdvals", A))[1]


def eigh(A: Any, UPLO: str = "L") -> tuple[Tensor, Tensor]:  # noqa: N803 (PyTorch's names)
    """Eigenvalues `[..., N]`, in ascending order, and vectors, as columns `[..., N, N]`, of symmetric matrices.

    Of each vector the component of the largest size is above 0. Vectors of equal values have no derivative.

    Args:
        A: `[..., N, N]`.
        UPLO: the triangle that is read: `"L"` or `"U"`.
    """
    x = _square("eigh", A)
    if UPLO not in ("L", "U"):
        raise located(ValueError(f"eigh: UPLO must be 'L' or 'U', got {UPLO!r}"))
    return _eigen(mirrored(x, UPLO == "L"))


def _eigen(x: Tensor) -> tuple[Tensor, Tensor]:
    found = eigh_(x)
    values, vectors = (take_range(found, x.ndim - 1, at, n) for at, n in ((0, 1), (1, x.shape[-1])))
    return reshape(values, values.shape[:-1]), transposed(vectors)


def eigvalsh(A: Any, UPLO: str = "L") -> Tensor:  # noqa: N803 (PyTorch's names)
    """The eigenvalues of symmetric matrices, in ascending order; see `eigh`."""
    return eigh(A, UPLO)[0]


def _cut(x: Tensor, sizes: Tensor, atol: Any, rtol: Any) -> Tensor:
    """Below what, `[..., 1]`, singular values count as 0: `max(atol, rtol * largest)`."""
    if rtol is None:
        rtol = max(x.shape[-2:]) * float(float_info(x.dtype).eps)
        if atol is not None:
            positive = greater(as_tensor("pinv", atol), 0)
            rtol = select(positive, full_like(cast(positive, x.dtype), 0), rtol)
    bounds = [as_tensor("pinv", 0.0 if t is None else t) for t in (atol, rtol)]
    absolute, relative = (expand_dims(cast(t, x.dtype), -1) if t.ndim else cast(t, x.dtype) for t in bounds)
    return stop_gradient(maximum(absolute, relative * amax(sizes, -1, True)))


def pinv(x: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """The Moore-Penrose pseudo-inverse `[..., N, M]` of `[..., M, N]`.

    Args:
        atol, rtol: numbers, or tensors that broadcast with the batch: singular values that are not above
            `max(atol, rtol * largest)` count as 0. By default 0, and the larger of M and N times the dtype's epsilon
            (0 where `atol` is above 0).
        hermitian: take the matrices to be symmetric and read their lower triangle only.

    The gradient is that of a matrix of the rank found: what counts as 0 is taken to be 0 and to stay it.
    """
    a = mirrored(_square("pinv", x), True) if hermitian else _matrices("pinv", x)
    return _pseudo_inverse(a, atol, rtol, hermitian)


def _pseudo_inverse(a: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Tensor:
    if hermitian:
        w, v = _eigen(a)
        s, u = abs_(w), v * expand_dims(sign(w), -2)
    else:
        u, s, v = _factors(a)
    if not s.shape[-1]:
        return full_like(transposed(a), 0)
    kept = greater(s, _cut(a, s, atol, rtol))
    factor = select(kept, 1 / select(kept, s, 1.0), 0.0)
    value = matmul(v * expand_dims(factor, -2), transposed(u))

    def backward(ct: Tensor) -> tuple[Tensor]:
        """G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses" (1973), 4.12."""
        p = _pseudo_inverse(a, atol, rtol, hermitian)
        p_t, ct_t = transposed(p), transposed(ct)
        outside, inside = ct_t - matmul(a, matmul(p, ct_t)), ct_t - matmul(matmul(ct_t, p), a)
        slope = matmul(matmul(outside, p), p_t) + matmul(p_t, matmul(p, inside)) - matmul(matmul(p_t, ct), p_t)
        return (slope,)

    result: Tensor = with_vjp("pinv", value, (a,), backward)
    return result


def matrix_rank(A: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:  # noqa: N803
    """How many singular values of `[..., M, N]` are not 0, int64 `[...]`; tolerances as of `pinv`."""
    x = _square("matrix_rank", A) if hermitian else _matrices("matrix_rank", A)
    sizes = abs_(eigvalsh(x)) if hermitian else svdvals(x)
    if not sizes.shape[-1]:
        return full_like(cast(sum_over(sizes, (sizes.ndim - 1,)), int64), 0)
    return sum_over(cast(greater(sizes, _cut(x, sizes, atol, rtol)), int64), (sizes.ndim - 1,))


def cond(A: Any, p: Any = None) -> Tensor:  # noqa: N803 (MindSpore's name)
    """The condition number of matrices: a norm times that of the inverse.

    Args:
        A: `[..., M, N]`; square but for `p` None, 2 and -2.
        p: None (as 2), 2 (greatest singular value by smallest), -2, or what `matrix_norm` takes as `ord`.
    """
    if p is None or p in (2, -2):
        s = svdvals(_matrices("cond", A))
        last = s.ndim - 1
        first, end = (reshape(take_range(s, last, at, 1), s.shape[:-1]) for at in (0, s.shape[-1] - 1))
        return end / first if p == -2 else first / end
    x = _square("cond", A)
    return norm(x, p, (-2, -1)) * norm(inverse_(x), p, (-2, -1))


# The exponential

SQUARINGS = 24
"""Enough for the exponential of matrices whose columns have sums of absolute values up to 2 ** 23."""


def matrix_exp(input: Any) -> Tensor:
    """The exponential of square matrices `[..., N, N]`: the sum of `input^k / k!` over k.

    A Taylor polynomial of the matrix divided by a power of two, squared as often: N. J. Higham, "Functions of matrices"
    (2008), 10.3. NaN for matrices with sums of absolute values beyond 2 ** 23.
    """
    x = _square("matrix_exp", input)
    if not x.size:
        return x
    size = expand_dims(expand_dims(stop_gradient(norm(x, 1, (-2, -1))), -1), -1)
    times = maximum(minimum(ceil(log2(maximum(size, 1e-30))) + 1, SQUARINGS + 1), 0)  # so that the norm is at most 1/2
    scaled = x * exp2(-times)
    one = _identity(x)
    terms = 9 if x.dtype.itemsize == 4 else 15
    result = one
    for k in range(terms, 0, -1):
        result = one + matmul(scaled, result) / k
    for step in range(SQUARINGS):
        more = greater(times, step)
        base = select(more, result, 0.0)  # where it is squared: else it might overflow, and its gradient with it
        result = select(more, matmul(base, base), result)
    return select(less(times, SQUARINGS + 1), result, float("nan"))
