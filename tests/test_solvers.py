"""Decompositions, and what is solved with them: against NumPy, in both modes, with gradients by finite differences.

The table's ops that they stand on are in test_op_table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import each_of, mode

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Tensor, mint, ops
from graphc.scipy import linalg

_rng = np.random.default_rng(8)


def normal(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape)


TALL, WIDE, SQUARE, MORE = normal(2, 5, 3), normal(2, 3, 5), normal(2, 4, 4), normal(2, 4, 3)
MIRRORED = SQUARE + SQUARE.swapaxes(-1, -2)
DEFINITE = SQUARE @ SQUARE.swapaxes(-1, -2) + np.eye(4)
RANK_TWO = normal(5, 2) @ normal(2, 4)
L = np.linalg.cholesky(DEFINITE)
T = L.swapaxes(-1, -2)


def exponential(x: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eig(x.astype(complex))
    return (vectors * np.exp(values)[..., None, :] @ np.linalg.inv(vectors)).real


CASES: list[tuple[str, Callable[..., Any], Any, tuple[np.ndarray, ...]]] = [
    ("cholesky", ops.cholesky, L, (DEFINITE,)),
    ("cholesky upper", lambda x: x.cholesky(upper=True), T, (DEFINITE,)),
    ("mint cholesky", lambda x: mint.linalg.cholesky(x, upper=True), T, (DEFINITE,)),
    ("scipy det", linalg.det, np.linalg.det(SQUARE), (SQUARE,)),
    ("cholesky_inverse", ops.cholesky_inverse, np.linalg.inv(DEFINITE), (L,)),
    ("cholesky_inverse upper", lambda x: x.cholesky_inverse(True), np.linalg.inv(DEFINITE), (T,)),
    ("cholesky_solve", lambda x, y: ops.cholesky_solve(y, x), np.linalg.solve(DEFINITE, MORE), (L, MORE)),
    ("cho_solve", lambda x, y: linalg.cho_solve(linalg.cho_factor(x), y), np.linalg.solve(DEFINITE, MORE),
     (DEFINITE, MORE)),
    ("solve_triangular", ops.solve_triangular, np.linalg.solve(np.tril(SQUARE), MORE), (SQUARE, MORE)),
    ("solve_triangular of vectors", lambda x, y: linalg.solve_triangular(x, y, "T"),
     np.linalg.solve(np.triu(SQUARE).swapaxes(-1, -2), MORE[..., :1])[..., 0], (SQUARE, MORE[..., 0])),
    ("solve_triangular from the right", lambda x, y: mint.linalg.solve_triangular(x, y, upper=True, left=False),
     MORE.swapaxes(-1, -2) @ np.linalg.inv(np.triu(SQUARE)), (SQUARE, MORE.swapaxes(-1, -2).copy())),
    ("triangular_solve", lambda x, y: mint.triangular_solve(y, x, unitriangular=True)[0],
     np.linalg.solve(np.triu(SQUARE, 1) + np.eye(4), MORE), (SQUARE, MORE)),
    ("qr", ops.qr, tuple(np.linalg.qr(TALL)), (TALL,)),
    ("qr wide", lambda x: x.qr(), tuple(np.linalg.qr(WIDE)), (WIDE,)),
    ("qr complete", lambda x: mint.linalg.qr(x, "complete"), tuple(np.linalg.qr(MORE, "complete")), (MORE,)),
    ("svdvals", ops.svdvals, np.linalg.svd(TALL, compute_uv=False), (TALL,)),
    ("svd without vectors", lambda x: x.svd(compute_uv=False), np.linalg.svd(WIDE, compute_uv=False), (WIDE,)),
    ("eigvalsh", ops.eigvalsh, np.linalg.eigvalsh(MIRRORED), (MIRRORED,)),
    ("eigh upper", lambda x: linalg.eigh(x, lower=False, eigvals_only=True), np.linalg.eigvalsh(SQUARE, "U"),
     (SQUARE,)),
    ("pinv", ops.pinv, np.linalg.pinv(TALL), (TALL,)),
    ("pinv of low rank", ops.pinv, np.linalg.pinv(RANK_TWO, 1e-10), (RANK_TWO,)),
    ("pinv atol", lambda x: ops.pinv(x, atol=1.0), np.linalg.pinv(np.diag([3.0, 2, 0])), (np.diag([3.0, 2, 0.5]),)),
    ("pinv hermitian", lambda x: mint.linalg.pinv(x, hermitian=True), np.linalg.inv(MIRRORED), (MIRRORED,)),
    ("lstsq", ops.lstsq, np.linalg.pinv(TALL) @ TALL[::-1, :, :2],
     (TALL, TALL[::-1, :, :2].copy())),
    ("lstsq wide", ops.lstsq, np.linalg.pinv(WIDE) @ MORE[:, :3], (WIDE, MORE[:, :3].copy())),
    ("scipy lstsq", lambda x, y: linalg.lstsq(x, y)[:2], np.linalg.lstsq(TALL[0], TALL[1], rcond=None)[:2],
     (TALL[0], TALL[1])),
    ("solve", ops.solve, np.linalg.solve(SQUARE, MORE), (SQUARE, MORE)),
    ("matrix_solve", lambda x, y: ops.MatrixSolve(adjoint=True)(x, y), np.linalg.solve(SQUARE.swapaxes(1, 2), MORE),
     (SQUARE, MORE)),
    *((f"cond {p}", lambda x, p=p: ops.cond(x, p), np.linalg.cond(SQUARE, p), (SQUARE,))
      for p in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc")),
    ("norm nuc", lambda x: ops.norm(x, "nuc", (0, 2)), np.linalg.norm(TALL, "nuc", (0, 2)), (TALL,)),
    ("norm 2", lambda x: ops.matrix_norm(x, 2), np.linalg.norm(TALL, 2, (1, 2)), (TALL,)),
    ("norm -2", lambda x: ops.matrix_norm(x, -2, (2, 0), True), np.linalg.norm(TALL, -2, (2, 0), True), (TALL,)),
    ("matrix_exp", ops.matrix_exp, exponential(SQUARE), (SQUARE,)),
    ("matrix_exp of large ones", ops.matrix_exp, exponential(SQUARE * 4), (SQUARE * 4,)),
    ("matrix_exp of small ones", ops.MatrixExp(), exponential(SQUARE / 16), (SQUARE / 16,)),
]  # fmt: skip


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
@pytest.mark.parametrize("name, function, wanted, arrays", CASES, ids=[case[0] for case in CASES])
def test_as_numpy(each: int, name: str, function: Any, wanted: Any, arrays: tuple[np.ndarray, ...]) -> None:
    with mode(each):
        for dtype in (np.float64, np.float32):
            if name == "pinv of low rank" and dtype is np.float32:
                continue  # rounding the operand makes it one of full rank, and nearly singular
            found = function(*(Tensor(a.astype(dtype)) for a in arrays))
            tolerance = 100 * np.finfo(dtype).eps
            for got, array in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, wanted)), strict=True):
                assert got.dtype.np == dtype and got.shape == np.shape(array)
                scale = max(1.0, float(np.max(np.abs(array), initial=0)))
                np.testing.assert_allclose(got.asnumpy(), array, rtol=tolerance, atol=tolerance * scale)


SMOOTH = [case for case in CASES if case[0] != "pinv atol"]  # which leaves out what is not 0


@pytest.mark.parametrize("name, function, wanted, arrays", SMOOTH, ids=[case[0] for case in SMOOTH])
def test_gradients(name: str, function: Any, wanted: Any, arrays: tuple[np.ndarray, ...]) -> None:
    """The slope along a direction, and along it that of the slope, by finite differences; the same in both modes."""
    symmetric = name.startswith(("cholesky", "mint cholesky", "cho_solve")) and arrays[0] is DEFINITE
    directions = [np.random.default_rng(3 + k).normal(size=a.shape) for k, a in enumerate(arrays)]
    if symmetric:
        directions[0] = directions[0] + directions[0].swapaxes(-1, -2)
    if name == "pinv of low rank":  # keeps the rank, without which there is no derivative
        directions = [RANK_TWO @ normal(4, 4)]
    positions = tuple(range(len(arrays)))

    def value(*tensors: Tensor) -> Tensor:
        found = function(*tensors)
        parts = [x for x in (found if isinstance(found, tuple) else (found,)) if x.size]
        return sum(((x * x.shape[-1] + x * x).sum() for x in parts[1:]), (parts[0] * parts[0] + parts[0]).sum())

    def slope(*tensors: Tensor) -> Tensor:
        found = each_of(ms.grad(value, positions)(*tensors))
        return sum((g * Tensor(d)).sum() for g, d in zip(found, directions, strict=True))

    def differences(of: Any, step: float = 1e-6) -> float:
        above, below = (of(*(Tensor(a + sign * d) for a, d in zip(arrays, directions, strict=True)))
                        for sign in (step, -step))  # fmt: skip
        return (above.item() - below.item()) / (2 * step)

    tensors = [Tensor(a) for a in arrays]
    with mode(GRAPH_MODE):
        compiled = slope(*tensors).item()
        if name != "pinv of low rank":
            second = each_of(ms.grad(slope, positions)(*tensors))
            got = sum((g * Tensor(d)).sum() for g, d in zip(second, directions, strict=True)).item()
            np.testing.assert_allclose(got, differences(slope), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(compiled, differences(value), rtol=1e-7, atol=1e-7)
    with mode(PYNATIVE_MODE):
        assert slope(*tensors).item() == compiled


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "x",
    [normal(3, 7, 4), normal(4, 7), normal(33, 33), np.ones((6, 6)), np.zeros((3, 2)), np.diag([1e-30, 1, 1e30, 0]),
     np.eye(5)],
    ids=["tall", "wide", "square", "rank 1", "zeros", "graded", "identity"],
)  # fmt: skip
def test_svd_decomposes(each: int, dtype: Any, full: bool, x: np.ndarray) -> None:
    x, small = x.astype(dtype), 60 * np.finfo(dtype).eps
    with mode(each):
        s, u, v = (t.asnumpy().astype("d") for t in ops.svd(Tensor(x), full))
    rows, columns = x.shape[-2:]
    least = min(rows, columns)
    assert u.shape[-2:] == (rows, rows if full else least) and v.shape[-2:] == (columns, columns if full else least)
    for vectors in (u, v):
        gram = vectors.swapaxes(-1, -2) @ vectors
        np.testing.assert_allclose(gram, np.broadcast_to(np.eye(gram.shape[-1]), gram.shape), atol=small)
    together = u[..., :least] * s[..., None, :] @ v[..., :least].swapaxes(-1, -2)
    np.testing.assert_allclose(together, x, atol=small * max(float(s.max()), 1e-30))
    assert (np.diff(s) <= 0).all() and (s >= 0).all()


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "x",
    [MIRRORED, np.zeros((3, 3)), np.eye(4), -np.ones((5, 5)), np.diag([2.0, -2, 2, 0]), MIRRORED * 1e30,
     np.array([[0.0, 1], [1, 0]]), np.array([[-3.0]])],
)  # fmt: skip
def test_eigh_decomposes(each: int, dtype: Any, x: np.ndarray) -> None:
    x, small = x.astype(dtype), 60 * np.finfo(dtype).eps
    with mode(each):
        w, v = (t.asnumpy().astype("d") for t in ops.eigh(Tensor(x)))
    size = max(float(np.abs(w).max()), 1e-30)
    np.testing.assert_allclose(v.swapaxes(-1, -2) @ v, np.broadcast_to(np.eye(x.shape[-1]), x.shape), atol=small)
    np.testing.assert_allclose(x.astype("d") @ v, v * w[..., None, :], atol=small * size)
    np.testing.assert_allclose(w, np.linalg.eigvalsh(x.astype("d")), atol=small * size)


def test_generalized_eigenvalues() -> None:
    w, v = (t.asnumpy() for t in linalg.eigh(Tensor(MIRRORED), Tensor(DEFINITE)))
    np.testing.assert_allclose(MIRRORED @ v, DEFINITE @ v * w[..., None, :], atol=1e-12)
    np.testing.assert_allclose(v.swapaxes(-1, -2) @ DEFINITE @ v, np.broadcast_to(np.eye(4), v.shape), atol=1e-12)


def test_orders_of_results() -> None:
    """MindSpore's svd gives S first and V; PyTorch's, U first and V transposed."""
    s, u, v = ops.Svd()(Tensor(TALL))
    first, second, third = mint.linalg.svd(Tensor(TALL), full_matrices=False)
    for one, other in ((first, u), (second, s), (third, ops.swapaxes(v, -1, -2))):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())
    for one, other in zip(ops.Qr(full_matrices=True)(Tensor(TALL)), ops.qr(Tensor(TALL), "complete"), strict=True):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())
    assert ops.lstsq(Tensor(TALL[0]), Tensor(TALL[0, :, 0])).shape == (3, 1)


def test_ranks_and_blocks() -> None:
    assert ops.matrix_rank(Tensor(RANK_TWO)).item() == 2
    assert ops.matrix_rank(Tensor(-np.ones((3, 4, 4), np.float32)), hermitian=True).asnumpy().tolist() == [1, 1, 1]
    assert ops.matrix_rank(Tensor(np.diag([3.0, 2, 1])), atol=1.5).item() == 2
    assert ops.matrix_rank(Tensor(np.diag([3.0, 2, 1])), rtol=0.5).item() == 2
    found = linalg.block_diag(Tensor(np.ones((1, 2))), Tensor(np.full((2, 1), 2.0))).asnumpy()
    assert found.tolist() == [[1, 1, 0], [0, 0, 2], [0, 0, 2]]


def test_singular_values_have_gradients_where_vectors_have_none() -> None:
    slope = ms.grad(lambda x: ops.norm(x, "nuc", (0, 1)))(Tensor(np.eye(3))).asnumpy()
    np.testing.assert_allclose(slope, np.eye(3), atol=1e-15)
    assert not np.isfinite(ms.grad(lambda x: ops.svd(x)[1][0, 1] * 1.0)(Tensor(np.eye(3))).asnumpy()).all()
    np.testing.assert_allclose(ms.grad(lambda x: ops.pinv(x).sum())(Tensor(np.eye(3))).asnumpy(), -np.ones((3, 3)))


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_matrices_that_are_not_positive_definite(each: int) -> None:
    """The first of them is named, in what comes to be an update nothing has changed, and the next call is as any."""
    batch = np.stack([np.eye(3), np.diag([1.0, -1, 1]), np.zeros((3, 3))])
    weight = ms.Parameter(Tensor(np.ones(3)), name="weight")

    def step(x: Tensor) -> Tensor:
        factor = ops.cholesky(x)
        return ops.assign_add(weight, factor.sum((0, 1)))

    with mode(each):
        step = ms.jit(step) if each == GRAPH_MODE else step
        for bad in (batch, np.full((3, 3, 3), np.nan)):
            with pytest.raises(RuntimeError, match=r"not positive definite: the pivot of row [01] .*; .*\.py:\d+$"):
                float(step(Tensor(bad)).sum())
            assert weight.asnumpy().tolist() == [1, 1, 1]
        float(step(Tensor(np.stack([np.eye(3)] * 3))).sum())
        assert weight.asnumpy().tolist() == [4, 4, 4]


def test_not_finite() -> None:
    bad = Tensor(np.where(np.eye(4) > 0, np.nan, SQUARE))
    for found in (*ops.svd(bad)[:2], ops.eigh(bad)[0], *ops.qr(bad), ops.pinv(bad), ops.matrix_exp(bad)):
        assert not np.isfinite(found.asnumpy()).all()
    infinite = ops.solve_triangular(Tensor(np.diag([1.0, 0])), Tensor(np.ones(2))).asnumpy()
    assert infinite.tolist() == [1, np.inf]


def test_threads_make_no_difference() -> None:
    x = normal(64, 24, 24).astype(np.float32)
    found = []
    for count in (1, 2, 3):
        ms.set_context(runtime_num_threads=count)
        found.append([t.asnumpy() for t in (*ops.svd(Tensor(x)), *ops.qr(Tensor(x)), *ops.eigh(Tensor(x)))])
    for one, two, three in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: ops.cholesky(Tensor(TALL)), ValueError, "cholesky: expected square matrices"),
        (lambda: ops.cholesky(Tensor(np.eye(2, dtype=np.int32))), TypeError, "cholesky: expected floats"),
        (lambda: ops.qr(Tensor(TALL), "raw"), ValueError, "qr: mode must be"),
        (lambda: ops.svd(Tensor(np.ones(3))), ValueError, "svd: expected matrices"),
        (lambda: ops.eigh(Tensor(SQUARE), "X"), ValueError, "eigh: UPLO must be"),
        (lambda: ops.solve(Tensor(SQUARE), Tensor(np.ones((3, 1)))), ValueError, "solve: expected right-hand sides"),
        (lambda: ops.solve(Tensor(SQUARE), Tensor(np.ones((3, 4, 1)))), ValueError, "solve: shapes do not broadcast"),
        (lambda: ops.norm(Tensor(SQUARE), 3, (0, 1)), ValueError, "norm: ord 3 is not available"),
        (lambda: ops.norm(Tensor(np.ones((0, 2))), 2, (0, 1)), ValueError, "norm: matrices without elements"),
        (lambda: linalg.solve_triangular(Tensor(SQUARE), Tensor(MORE), "X"), ValueError, "trans must be"),
        (lambda: linalg.lstsq(Tensor(TALL), Tensor(TALL)), ValueError, "lstsq: expected"),
        (lambda: linalg.block_diag(Tensor(TALL)), ValueError, "block_diag: expected"),
    ],
)
def test_errors(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()
