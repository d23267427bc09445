"""`graphc.numpy` against NumPy, call by call, in both modes; dtypes as MindSpore has them."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

import graphc
import graphc.numpy as mnp
from graphc import Tensor

X = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
XI = numpy.arange(6, dtype=numpy.int32).reshape(2, 3)
V = numpy.array([1, 2, 3], numpy.float32)

CALLS = """
np.arange(1, 5) | np.arange(0, 1, 0.25) | np.arange(5.0) | np.zeros((2, 3)) | np.ones(3) | np.zeros_like(xi)
np.full((2, 2), 3) | np.full((2, 3), v) | np.full_like(x, 7) | np.array([[1, 2], [3, 4]]) | np.array([True, False])
np.array((x, x)) | np.asarray(x) | np.where(x > 2, x, 0) | np.where(x > 2, x, xi) | np.where(xi > 2, 1, 0)
np.where(x > 2)[1] | np.concatenate((x, x), axis=1) | np.concatenate([x, xi]) | np.concatenate([x, x], axis=None)
np.sum(x) | np.sum(xi, axis=1) | np.sum(x, (0, 1), keepdims=True) | np.sum(x, initial=3) | np.tile(v, (2, 2))
np.tile(x, 2) | np.reshape(x, (3, 2)) | np.reshape(x, -1) | np.sqrt(v) | np.stack([v, v], axis=1) | np.stack((v, v), -1)
np.expand_dims(v, 0) | np.expand_dims(v, (0, 2)) | np.broadcast_to(v, (2, 3)) | np.square(xi) | np.log(v) | np.mean(x)
np.mean(x, axis=0, keepdims=True) | np.flip(x, 1) | np.flip(x) | np.reciprocal(v) | np.split(x, 3, axis=1)[1]
np.split(v, (1, 2))[0] | np.array_split(v, 2)[0] | np.diag(v) | np.diag(v, -2) | np.diag(x, 1) | np.linspace(0, 1, 5)
np.linspace(0, 1, 5, endpoint=False) | np.linspace(0, 1, 3, retstep=True)[1] | np.linspace(v, 2 * v, 4, axis=1)
np.logspace(0, 2, 3) | np.eye(3) | np.eye(2, 3, 1) | np.identity(2) | np.tri(2, 3) | np.tril(x) | np.triu(x, 1)
np.clip(x, 1, 4) | np.clip(x, None, 4) | np.clip(xi, 1, None) | np.abs(-x) | np.minimum(x, 2) | np.maximum(x, 2.5)
np.squeeze(x[:1]) | np.squeeze(x[:1], 0) | np.transpose(x) | np.transpose(x, (1, 0)) | np.pad(x, ((1, 1), (0, 2)))
np.pad(x, 1) | np.pad(x, 1, mode="edge") | np.pad(x, 1, "constant", constant_values=5) | np.pad(x, 1, "reflect")
np.repeat(v, 2) | np.repeat(x, 2, axis=0) | np.power(v, 2) | np.power(2, v) | np.cross(v, v + 1) | np.cross(x, x * x)
np.matmul(x, x.T) | np.dot(x, v) | np.dot(v, v) | np.dot(2.0, v) | np.roll(x, 1) | np.roll(x, 1, axis=1)
np.swapaxes(x, 0, 1) | np.tensordot(x, x, axes=([1], [1])) | np.tensordot(x, x, 2) | np.meshgrid(v, v[:2])[0]
np.meshgrid(v, v[:2], indexing="ij")[1] | np.meshgrid(v, v[:2], sparse=True)[1] | np.equal(x, xi) | np.isclose(x, x)
np.max(x, axis=1) | np.max(xi, 0) | np.min(x, axis=(0, 1), keepdims=True) | np.argmax(x) | np.argmax(x, axis=1)
np.argmin(x, 0) | np.ptp(x, 0) | np.take(x, [0, 2], axis=1) | np.take(x, [0, 4]) | np.sign(-x) | np.floor_divide(xi, 2)
np.mod(xi, 2) | np.std(x) | np.std(x, axis=0, ddof=1) | np.var(x, axis=1, keepdims=True) | np.cumsum(x, axis=1)
np.cumsum(x) | np.vstack((v, v)) | np.hstack((v, v)) | np.hstack((x, x)) | np.dstack((v, v)) | np.dstack((x, x))
np.column_stack((v, v)) | np.atleast_1d(2.0) | np.atleast_2d(v) | np.atleast_3d(v) | np.atleast_3d(x) |
np.atleast_1d(2.0, v)[0] | np.atleast_2d(v, x)[1] | np.atleast_3d(v, 2.0)[1] |
np.ravel(x) | np.moveaxis(x, 0, 1) | np.outer(v, v)
np.trace(x) | np.unique(np.array([3, 1, 3])) | np.unique(np.array([3, 1, 3]), return_inverse=True)[1]
np.count_nonzero(x, 1) | np.average(x, axis=0) | np.average(x, axis=1, weights=v) | np.bincount(np.array([0, 1, 1, 3]))
np.diff(x) | np.diagonal(x, 1) | np.array_equal(x, xi) | np.nansum(v * np.nan)
np.select([x > 4, x > 2], [x, x * 10], -1)
np.append(x, x, axis=0) | np.rint(v / 2) | np.fix(-v / 2) | np.hypot(v, v) | np.arctan2(v, -v) | np.size(x) | np.pi
"""  # fmt: skip
NAMES = [call.strip() for line in CALLS.strip().splitlines() for call in line.split("|") if call.strip()]


@pytest.mark.parametrize("mode", [graphc.GRAPH_MODE, graphc.PYNATIVE_MODE])
def test_as_numpy(mode: int) -> None:
    graphc.set_context(mode=mode)
    operands = {"x": X, "xi": XI, "v": V}
    for call in NAMES:
        wanted = numpy.asarray(eval(call, {"np": numpy, **operands}))
        found = eval(call, {"np": mnp, **{name: Tensor(a) for name, a in operands.items()}})
        found = found.asnumpy() if isinstance(found, Tensor) else numpy.asarray(found)
        assert found.shape == wanted.shape, call
        assert found.dtype.kind == wanted.dtype.kind or call.startswith("np.bincount"), call
        numpy.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6, err_msg=call)


def test_whole_numbers_are_int32_and_others_float32() -> None:
    for made, dtype in (
        (mnp.arange(5), "int32"), (mnp.arange(5.0), "float32"), (mnp.array([1, 2]), "int32"),
        (mnp.array([1.5]), "float32"), (mnp.full((2,), 3), "int32"), (mnp.zeros(2), "float32"),
        (mnp.array(XI), "int32"), (mnp.ones(2, mnp.int64), "int64"), (mnp.mean(mnp.arange(4)), "float32"),
        (mnp.where(mnp.array([True]), 1, 0), "int32"), (mnp.randn(2, 3), "float32"), (mnp.randint(0, 5, 3), "int32"),
    ):  # fmt: skip
        assert made.dtype.name == dtype


def test_norms() -> None:
    x = Tensor(X)
    for options in ({}, {"axis": 1}, {"ord": 1, "axis": 0, "keepdims": True}, {"ord": numpy.inf, "axis": 1}):
        wanted = numpy.linalg.norm(X, **options)
        numpy.testing.assert_allclose(mnp.norm(x, **options).asnumpy(), wanted, rtol=1e-6)


def test_within_a_graph_and_its_gradient() -> None:
    @graphc.jit
    def loss(x: Tensor) -> Tensor:
        rows = mnp.arange(3, dtype=mnp.float32)
        return mnp.sum(mnp.where(x > 2, mnp.sqrt(x + 1), x * rows)) + mnp.norm(x)

    value, gradient = graphc.value_and_grad(loss)(Tensor(X))
    rows = numpy.arange(3)
    numpy.testing.assert_allclose(
        value.asnumpy(), numpy.where(X > 2, numpy.sqrt(X + 1), X * rows).sum() + numpy.linalg.norm(X), rtol=1e-6
    )
    slope = numpy.where(X > 2, 0.5 / numpy.sqrt(X + 1), rows) + X / numpy.linalg.norm(X)
    numpy.testing.assert_allclose(gradient.asnumpy(), slope, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: mnp.split(Tensor(X), 2, axis=1), ValueError, "split: axis 1 of f32.2,3. does not make 2 equal parts"),
        (lambda: mnp.pad(Tensor(X), 1, "wrap"), ValueError, "pad: mode must be"),
        (lambda: mnp.where(True, 1), ValueError, "expected both x and y, or neither"),
        (lambda: mnp.cross(Tensor(X.T), Tensor(X.T)), ValueError, "cross: expected 3 elements"),
        (lambda: mnp.concatenate([]), ValueError, "at least one tensor"),
        (lambda: mnp.expand_dims(Tensor(X), (0, 0)), ValueError, "expected different axes"),
        (lambda: mnp.float16, AttributeError, "graphc has no float16"),
        (lambda: mnp.zeros((2, 3), "half"), TypeError, "dtype"),
        (lambda: mnp.array("text"), TypeError, "got str"),
    ],
)
def test_errors(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
