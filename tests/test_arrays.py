"""NumPy's everyday functions of arrays: NumPy's result, in eager mode and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import in_both_modes

from graphc import Tensor, nn, ops
from graphc.dtype import float32, int32, int64

_rng = np.random.default_rng(12)
A = _rng.normal(size=(3, 4)).astype(np.float32)
B = _rng.normal(size=(3, 4)).astype(np.float32)
V = _rng.normal(size=5).astype(np.float32)
S = _rng.normal(size=(2, 3, 3)).astype(np.float32)
SPECIAL = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan], np.float32)


def diagonals(x: np.ndarray, offset: int) -> np.ndarray:
    return np.stack([np.diag(row, offset) for row in x])


CASES: list[tuple[str, Callable[..., Any], Any, tuple[np.ndarray, ...]]] = [
    ("msort", ops.msort, np.sort(A, 0), (A,)),
    ("msort method", lambda x: x.msort(), np.sort(A, 0), (A,)),
    ("ravel", ops.ravel, A.reshape(-1), (A,)),
    ("reverse", lambda x: ops.reverse(x, (0, 1)), A[::-1, ::-1], (A,)),
    ("atleast_1d", ops.atleast_1d, V[:1], (V[0],)),
    ("atleast_2d", ops.atleast_2d, V[None], (V,)),
    ("atleast_3d of a vector", ops.atleast_3d, V[None, :, None], (V,)),
    ("atleast_3d of a matrix", ops.atleast_3d, A[:, :, None], (A,)),
    ("atleast_2d of several", lambda *x: ops.atleast_2d(list(x)), (V[None], A), (V, A)),
    ("vecdot", ops.vecdot, (A * B).sum(-1), (A, B)),
    ("vecdot along 0", lambda x, y: ops.vecdot(x, y, axis=0), (A * B).sum(0), (A, B)),
    ("addbmm", lambda x, y: ops.addbmm(x[0], x, y, beta=2, alpha=0.5), 2 * S[0] + 0.5 * (S @ S).sum(0), (S, S)),
    ("bias_add", ops.bias_add, S + V[None, :3, None], (S, V[:3])),
    ("sgn", ops.sgn, np.sign(A), (A,)),
    ("positive", ops.positive, A, (A,)),
    ("isposinf", ops.isposinf, np.isposinf(SPECIAL), (SPECIAL,)),
    ("isneginf", lambda x: x.isneginf(), np.isneginf(SPECIAL), (SPECIAL,)),
    ("copysign", ops.copysign, np.copysign(SPECIAL[:, None], SPECIAL[:6]), (SPECIAL[:, None], SPECIAL[:6])),
    ("diag_embed", ops.diag_embed, diagonals(A, 0), (A,)),
    ("diag_embed above", lambda x: ops.diag_embed(x, 2), diagonals(A, 2), (A,)),
    ("diag_embed below", lambda x: ops.diag_embed(x, -1), diagonals(A, -1), (A,)),
    ("diag_embed axes", lambda x: ops.diag_embed(x, 1, 0, 2), np.moveaxis(diagonals(A, 1), 0, 1), (A,)),
    ("dist", ops.dist, np.linalg.norm((A - B).reshape(-1)), (A, B)),
    ("dist of p 1", lambda x, y: ops.dist(x, y, 1), abs(A - B).sum(), (A, B)),
    ("nanmean", lambda x: ops.nanmean(x, 0, True), np.nanmean(np.where(A > 1, np.nan, A), 0, keepdims=True),
     (np.where(A > 1, np.nan, A),)),
    ("matrix_power", lambda x: ops.matrix_power(x, 5), np.linalg.matrix_power(S, 5), (S,)),
    ("matrix_power 1", lambda x: ops.matrix_power(x, 1), S, (S,)),
    ("matrix_power 0", lambda x: ops.matrix_power(x, 0), np.broadcast_to(np.eye(3, dtype="f"), S.shape), (S,)),
    ("matrix_power -2", lambda x: ops.matrix_power(x, -2), np.linalg.matrix_power(S.astype("d"), -2), (S,)),
    ("round", round, np.round(A), (A,)),
    ("round to decimals", lambda x: round(x, 1), np.round(A, 1), (A,)),
    ("rot90 method", lambda x: x.rot90(1, (0, 1)), np.rot90(A), (A,)),
    ("hsplit method", lambda x: x.hsplit(2), (A[:, :2], A[:, 2:]), (A,)),
    ("cross method", lambda x, y: x.cross(y, 0), np.cross(A, B, axis=0), (A, B)),
]  # fmt: skip


@pytest.mark.parametrize("name, function, wanted, arrays", CASES, ids=[case[0] for case in CASES])
def test_as_numpy(name: str, function: Any, wanted: Any, arrays: Any) -> None:
    for one, array in in_both_modes(function, arrays, wanted):
        np.testing.assert_allclose(one.asnumpy(), array, rtol=2e-4 if "-2" in name else 2e-5, atol=1e-6)
        if name == "copysign":
            np.testing.assert_array_equal(np.signbit(one.asnumpy()), np.signbit(array))


def test_indices_of_triangles() -> None:
    for offset in (-1, 0, 2):
        np.testing.assert_array_equal(ops.tril_indices(3, 4, offset).asnumpy(), np.tril_indices(3, offset, 4))
        np.testing.assert_array_equal(ops.triu_indices(4, 3, offset).asnumpy(), np.triu_indices(4, offset, 3))
    assert ops.tril_indices(2, 2).dtype is int64 and ops.triu_indices(2, 2, dtype=int32).dtype is int32


def test_dtypes_as_mindspore_has_them() -> None:
    assert nn.Range(5)().dtype is int32 and nn.Range(0.0, 1.0, 0.5)().dtype is float32
    assert ops.unique(Tensor([3, 1, 3]))[1].dtype is int64
    assert ops.unique(Tensor([3.0, 1.0, 3.0]))[1].dtype is ops.unique(Tensor([3, 1], int32))[1].dtype is int32


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: ops.bias_add(Tensor(A), Tensor(V)), ValueError, "bias_add: expected"),
        (lambda: ops.diag_embed(Tensor(1.0)), ValueError, "diag_embed: expected"),
        (lambda: ops.diag_embed(Tensor(A), 0, 1, 1), ValueError, "two axes"),
        (lambda: ops.matrix_power(Tensor(S), 1.5), TypeError, "n must be an int"),
        (lambda: ops.matrix_power(Tensor(A), 2), ValueError, "square"),
        (lambda: ops.addbmm(Tensor(A), Tensor(V), Tensor(B)), ValueError, "bmm"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_frequencies_and_their_order() -> None:
    for n, d in ((4, 1.0), (5, 0.1), (1, 2)):
        for name in ("fftfreq", "rfftfreq"):
            found = getattr(ops, name)(n, d)
            wanted = getattr(np.fft, name)(n, d)
            assert found.dtype.name == "float32"
            np.testing.assert_allclose(found.asnumpy(), wanted, rtol=1e-6)
    x = np.arange(30).reshape(2, 3, 5)
    for dim in (None, 1, (0, 2), -1):
        shifted = ops.fftshift(Tensor(x), dim)
        np.testing.assert_array_equal(shifted.asnumpy(), np.fft.fftshift(x, dim))
        np.testing.assert_array_equal(ops.ifftshift(shifted, dim).asnumpy(), x)
    for call, error in (
        (lambda: ops.fftfreq(1.5), TypeError), (lambda: ops.fftfreq(4, "1"), TypeError),
        (lambda: ops.rfftfreq(0), ValueError), (lambda: ops.fftshift(Tensor(x), 3), ValueError),
    ):  # fmt: skip
        with pytest.raises(error):
            call()
