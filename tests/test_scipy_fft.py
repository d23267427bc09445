"""Cosine transforms: MindSpore's numbers, their inverses, and derivatives, in both modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Tensor, ops
from graphc.scipy import fft

X = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def matrix(size: int) -> np.ndarray:
    rows = [np.cos(np.pi * k * (2 * np.arange(size) + 1) / (2 * size)) * np.sqrt(2 / size) for k in range(size)]
    rows[0] = rows[0] / np.sqrt(2)
    return np.array(rows)


def test_as_mindspore() -> None:
    np.testing.assert_allclose(fft.dct(Tensor([1, 2, 3])).asnumpy(), [3.4641018, -1.4142137, 0], atol=1e-6)
    found = fft.idct(Tensor([1, 2, 3]), 2, 3, -1, "ortho").asnumpy()
    np.testing.assert_allclose(found, [3.2163088, -1.8721395, 0.38788158], rtol=1e-5)
    y = Tensor([[1, 2, 3], [2, 1, 1]])
    found = fft.dctn(y, 2, s=(2, 3), axes=(0, 1), norm="ortho").asnumpy()
    np.testing.assert_allclose(found, [[4.082483, -0.5, 0.28867507], [0.81649655, -1.5, -0.28867513]], rtol=1e-5)
    found = fft.idctn(y, s=(2, 3), axes=(0, 1)).asnumpy()
    np.testing.assert_allclose(found, [[3.8794453, -1.0846562, 0.8794453], [0.66910195, -1.5629487, -0.33089805]], 1e-5)


def test_sizes_and_axes() -> None:
    x = Tensor(X)
    np.testing.assert_allclose(fft.dct(x, n=4).asnumpy(), np.pad(X, ((0, 0), (0, 1))) @ matrix(4).T, atol=1e-5)
    np.testing.assert_allclose(fft.dct(x, n=2).asnumpy(), X[:, :2] @ matrix(2).T, atol=1e-5)
    np.testing.assert_allclose(fft.dct(x, axis=0).asnumpy(), matrix(2) @ X, atol=1e-5)
    np.testing.assert_allclose(fft.dctn(x, s=(4,)).asnumpy(), fft.dct(x, n=4).asnumpy())
    np.testing.assert_allclose(fft.dctn(x, axes=(0,)).asnumpy(), fft.dct(x, axis=0).asnumpy())
    np.testing.assert_allclose(fft.idctn(fft.dctn(x)).asnumpy(), X, atol=1e-5)
    assert fft.dct(Tensor(X.astype(np.float16))).dtype is ms.float32
    assert fft.dct(Tensor(X.astype(np.float64))).dtype is ms.float64


def test_both_modes_and_derivatives() -> None:
    x = Tensor(X)
    eager = fft.dctn(x)
    compiled = ms.jit(fft.dctn)(x)
    assert eager.asnumpy().tobytes() == compiled.asnumpy().tobytes()
    weight = Tensor(np.cos(X))
    slope = ms.grad(lambda x: ops.sum(fft.dctn(x) * weight))(x)
    np.testing.assert_allclose(slope.asnumpy(), fft.idctn(weight).asnumpy(), atol=1e-6)  # as it is orthonormal


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fft.dct(Tensor(X), 1), ValueError, "type must be 2"),
        (lambda: fft.dct(Tensor(X), norm="forward"), ValueError, "norm must be"),
        (lambda: fft.dct(Tensor(X), n=0), ValueError, "n must be an int >= 1, got 0"),
        (lambda: fft.dct(Tensor(X), n=1.5), TypeError, "n must be an int"),
        (lambda: fft.dct(Tensor(X), axis=2), ValueError, "axis"),
        (lambda: fft.dctn(Tensor(X), s=(1, 2), axes=(0,)), ValueError, "got 2 and 1"),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
