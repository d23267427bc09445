"""Inverses and determinants against NumPy, in both modes, with gradients; the table's ops are in test_op_table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from modes import mode

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Tensor, ops

X = np.random.default_rng(5).normal(size=(2, 3, 5, 5)) + 2 * np.eye(5)[::-1]


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_numpy(each: int, dtype: Any) -> None:
    x, tolerance = X.astype(dtype), 200 * np.finfo(dtype).eps
    with mode(each):
        t = Tensor(x)
        inverse, det, (sign, size) = ops.inverse(t), ops.det(t), ops.slogdet(t)
        assert inverse.shape == x.shape and det.shape == sign.shape == size.shape == (2, 3)
        assert inverse.dtype is det.dtype is sign.dtype is size.dtype is t.dtype
        np.testing.assert_allclose(inverse.asnumpy(), np.linalg.inv(x), rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(det.asnumpy(), np.linalg.det(x), rtol=tolerance)
        np.testing.assert_array_equal(sign.asnumpy(), np.linalg.slogdet(x)[0])
        np.testing.assert_allclose(size.asnumpy(), np.linalg.slogdet(x)[1], rtol=tolerance, atol=tolerance)
        wanted = np.where(np.linalg.det(x) > 0, np.linalg.slogdet(x)[1], np.nan)
        np.testing.assert_allclose(ops.logdet(t).asnumpy(), wanted, rtol=tolerance, atol=tolerance)
        for same in (t.det(), ops.matrix_determinant(t), ops.MatrixDeterminant()(t)):
            np.testing.assert_array_equal(same.asnumpy(), det.asnumpy())
        np.testing.assert_array_equal(t.inverse().asnumpy(), ops.MatrixInverse()(t).asnumpy())


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_gradients(each: int) -> None:
    """Of det it is det times the inverse, transposed; of the logarithm the inverse alone."""
    with mode(each):
        t = Tensor(X)
        slope = ms.grad(lambda x: ops.det(x).sum())(t).asnumpy()
        logarithm = ms.grad(lambda x: ops.slogdet(x)[1].sum())(t).asnumpy()
    inverse = np.swapaxes(np.linalg.inv(X), -1, -2)
    np.testing.assert_allclose(slope, np.linalg.det(X)[..., None, None] * inverse, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(logarithm, inverse, rtol=1e-11, atol=1e-11)


def test_matrices_without_inverse() -> None:
    for x in (np.zeros((3, 3), np.float32), np.ones((4, 4), np.float32)):
        assert ops.det(Tensor(x)).item() == 0 and ops.logdet(Tensor(x)).item() == -np.inf
        assert not np.isfinite(ops.inverse(Tensor(x)).asnumpy()).all()


def test_empty() -> None:
    assert ops.det(Tensor(np.zeros((2, 0, 0), np.float32))).asnumpy().tolist() == [1, 1]
    assert ops.inverse(Tensor(np.zeros((0, 3, 3), np.float32))).shape == (0, 3, 3)


@pytest.mark.parametrize("name", ["inverse", "det", "slogdet", "logdet"])
@pytest.mark.parametrize(
    "x, error", [(np.ones((2, 3)), ValueError), (np.ones(3), ValueError), (np.ones((2, 2), int), TypeError)]
)
def test_errors(name: str, x: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error, match="expected"):
        getattr(ops, name)(Tensor(x))
