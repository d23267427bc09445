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
np.array_equiv(x, v * 0 + x[:1]) | np.bartlett(5) | np.hanning(4) | np.hamming(4) | np.blackman(6) | np.cbrt(v - 2)
np.choose(np.array([0, 1, 0]), [v, v + 10]) | np.convolve(v, v) | np.convolve(v, v[:2], "same") | np.copysign(v, v - 2)
np.convolve(v[:2], v, "valid") | np.correlate(v, v[:2]) | np.correlate(v[:2], v, "full") | np.correlate(v, v, "same")
np.corrcoef(x * x) | np.cov(x * x) | np.cov(x.T * 2, rowvar=False) | np.cov(x * x, x, ddof=0) | np.cov(v, bias=True)
np.cumprod(x + 1) | np.cumprod(xi, 0) | np.diag_indices(3)[1] | np.diagflat(x, 1) | np.digitize(x, v)
np.digitize(x, v[::-1]) | np.digitize(x, v, right=True) | np.divmod(xi, 4)[1] | np.ediff1d(x, 9, 8) | np.fabs(x - 3)
np.float_power(xi, 2) | np.gcd(xi, 4) | np.lcm(xi, 4) | np.geomspace(1, 16, 5) | np.geomspace(1, 16, 4, endpoint=False)
np.gradient(v * v) | np.gradient(x * x)[0] | np.gradient(x, 2.0, axis=1) | np.gradient(x[:, :2], 0.5, 0.25)[1]
np.histogram(x, 4)[0] | np.histogram(x, 4)[1] | np.histogram(x, [0.0, 2.0, 5.0])[0] | np.histogram(v, 3, (0, 2))[0]
np.histogram(x, 3, weights=x)[0] | np.histogram(x, 3, density=True)[0] | np.histogram_bin_edges(v, 4) | np.radians(v)
np.histogram2d(v, v * v, 2)[0] | np.histogramdd([v, v, v], (2, 1, 3), density=True)[0] | np.isin(x, v)
np.isin(x, v, invert=True) | np.indices((2, 3))[1] | np.interp(x, v, v * v) | np.interp(x, v, v, left=-1, right=9)
np.intersect1d(x, v) | np.intersect1d(v, x, return_indices=True)[2] | np.setdiff1d(x, v) | np.isposinf(v / 0)
np.isneginf(-v / 0) | np.isscalar(3) | np.isscalar(v) | np.ix_([0, 1], [2])[1] | np.kron(x, v) | np.logaddexp2(v, v)
np.mgrid[0:3, 0:2] | np.mgrid[0:1:3j] | np.ogrid[0:3, 1:2][0] | np.nancumsum(v)
np.nanmax(x / x, 0) | np.nanmin(x / x) | np.nanmean(x / x * x) | np.nanstd(x / x * x, 1) | np.nanvar(x / x * x, ddof=1)
np.nancumsum(x / x, axis=1) | np.polyadd(v, v[:2]) | np.polysub(v[:2], v) | np.polymul(v, v[:2]) | np.polyval(v, x)
np.polyder(v) | np.polyder(v, 2) | np.polyint(v) | np.polyint(v, 2, [1, 2])
np.ravel_multi_index(([0, 1], [1, 2]), (2, 3)) | np.rollaxis(x, 1) |
np.rollaxis(x[None], 0, 3) | np.rot90(x) | np.rot90(x, 3) | np.searchsorted(v, x)
np.searchsorted(v, 2, "right") | np.tril_indices(3)[0]
np.tril_indices_from(x, 1)[1] | np.triu_indices(3, 1, 4)[1] | np.triu_indices_from(x)[0]
np.unravel_index([1, 5], (2, 3))[1] | np.unravel_index([1, 5], (2, 3), order="F")[0]
np.unwrap(v * 4) | np.unwrap(x * 3.5, axis=0) | np.vander(v)
np.vander(v, 2, increasing=True) | np.apply_along_axis(lambda a: a.sum(), 0, x) | np.hsplit(x, 3)[1]
np.vsplit(x, 2)[0]
np.apply_along_axis(lambda a: a * 2, 1, x) | np.apply_over_axes(np.sum, x, [0, 1]) | np.dsplit(x[None], 3)[2]
np.hsplit(v, [1])[1] | np.pad(x, 1, "symmetric") | np.pad(v, 2, "wrap") | np.pad(x, ((1, 0), (0, 2)), "maximum")
np.pad(x, 1, "minimum") | np.pad(x, ((0, 0), (1, 2)), "mean") | np.pad(v, 2, "linear_ramp", end_values=(0, 5))
np.pad(x, 1, constant_values=((1, 2), (3, 4))) | np.piecewise(v, [v < 2, v > 2], [lambda a: a * 2, 7, 1])
np.around(v / 3, 2) | np.around(v / 2)
np.add(x, xi) | np.add(x, 1, dtype=np.float32) | np.sin(xi, dtype=np.float32) | np.divide(xi, xi + 1)
np.power(xi, 2, dtype=np.float64) | np.equal(x, 1, dtype=np.bool_) | np.greater(v, 2) | np.maximum([1, 5], [3, 2])
np.inner(v, v) | np.outer(v, x) | np.matmul(x, [[1.0], [2.0], [0.5]]) | np.diff(v, prepend=0, append=[9, 9])
np.diff(x, axis=0, prepend=1) | np.take(x, [-1, 7], mode="clip") | np.take(x, [-1, 7], axis=1, mode="wrap")
np.take(v, [-1, 1], mode="raise") | np.take_along_axis(x, np.array([[1, 0]]), 1) | np.heaviside(x - 2, 0.5) |
np.clip(x, 1, 4, dtype=np.float64) |
np.append(x, x, axis=0) | np.rint(v / 2) | np.fix(-v / 2) | np.hypot(v, v) | np.arctan2(v, -v) | np.size(x) | np.pi
"""  # fmt: skip
NAMES = [call.strip() for line in CALLS.strip().splitlines() for call in line.split("|") if call.strip()]


@pytest.mark.parametrize("mode", [graphc.GRAPH_MODE, graphc.PYNATIVE_MODE])
def test_as_numpy(mode: int) -> None:
    graphc.set_context(mode=mode)
    operands = {"x": X, "xi": XI, "v": V}
    for call in NAMES:
        with numpy.errstate(all="ignore"):
            wanted = numpy.asarray(eval(call, {"np": numpy, **operands}))
        found = eval(call, {"np": mnp, **{name: Tensor(a) for name, a in operands.items()}})
        found = found.asnumpy() if isinstance(found, Tensor) else numpy.asarray(found)
        assert found.shape == wanted.shape, call
        assert found.dtype.kind == wanted.dtype.kind or call.startswith(("np.bincount", "np.histogram(")), call
        numpy.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6, err_msg=call)


def test_whole_numbers_are_int32_and_others_float32() -> None:
    for made, dtype in (
        (mnp.arange(5), "int32"), (mnp.arange(5.0), "float32"), (mnp.array([1, 2]), "int32"),
        (mnp.array([1.5]), "float32"), (mnp.full((2,), 3), "int32"), (mnp.zeros(2), "float32"),
        (mnp.array(XI), "int32"), (mnp.ones(2, mnp.int64), "int64"), (mnp.mean(mnp.arange(4)), "float32"),
        (mnp.where(mnp.array([True]), 1, 0), "int32"), (mnp.randn(2, 3), "float32"), (mnp.randint(0, 5, 3), "int32"),
    ):  # fmt: skip
        assert made.dtype.name == dtype


def test_what_numpy_has_under_other_names() -> None:
    x, v = Tensor(X), Tensor(V)
    numpy.testing.assert_allclose(mnp.trapz(x, dx=0.5).asnumpy(), numpy.trapezoid(X, dx=0.5))
    numpy.testing.assert_allclose(mnp.trapz(v, v * v).asnumpy(), numpy.trapezoid(V, V * V))
    numpy.testing.assert_allclose(mnp.multi_dot([x, x.T, x, v]).asnumpy(), X @ X.T @ X @ V)
    assert mnp.in1d(x, [1, 5]).asnumpy().tolist() == [False, True, False, False, False, True]
    assert mnp.sometrue(x > 4, 1).asnumpy().tolist() == [False, True]
    assert mnp.array_str(Tensor(XI)) == "[[0 1 2]\n [3 4 5]]"
    assert mnp.promote_types(mnp.int32, "float32") is mnp.float32
    assert mnp.result_type(x, [1, 2], mnp.int64) is mnp.float32 and mnp.result_type(1, 2) is mnp.int32
    assert mnp.ravel_multi_index(([0, 5], [4, -1]), (2, 3), "wrap").asnumpy().tolist() == [1, 5]
    assert mnp.setdiff1d([3, 1, 2], [2], assume_unique=True).asnumpy().tolist() == [3, 1]


def test_operands_have_numpys_names() -> None:
    x, y = Tensor(X), Tensor(X + 1)
    for name in (
        "add", "arctan2", "bitwise_and", "divide", "equal", "floor_divide", "fmod", "greater", "heaviside", "hypot",
        "less", "logaddexp", "logical_or", "maximum", "mod", "multiply", "not_equal", "power", "remainder", "subtract",
    ):  # fmt: skip
        one, two = (Tensor(XI), Tensor(XI + 1)) if name == "bitwise_and" else (x, y)
        found = getattr(mnp, name)(x1=one, x2=two, dtype=mnp.float64)
        assert found.dtype is mnp.float64
        numpy.testing.assert_allclose(found.asnumpy(), getattr(numpy, name)(one.asnumpy(), two.asnumpy()), rtol=1e-6)
    for name in ("abs", "ceil", "cos", "exp", "floor", "isnan", "log1p", "rint", "sign", "sqrt", "square", "trunc"):
        found = getattr(mnp, name)(x=y, dtype=mnp.float64)
        numpy.testing.assert_allclose(found.asnumpy(), getattr(numpy, name)(X + 1), rtol=1e-6)
    assert mnp.swapaxes(x, axis1=0, axis2=1).shape == mnp.moveaxis(a=x, source=0, destination=1).shape == (3, 2)
    assert mnp.inner(a=x, b=x).shape == (2, 2) and mnp.outer(a=x, b=x).shape == (6, 6)
    assert mnp.argwhere(a=x).shape == (5, 2) and mnp.empty_like(prototype=x).shape == (2, 3)
    numpy.testing.assert_allclose(mnp.matrix_power(x[:, :2], 3).asnumpy(), numpy.linalg.matrix_power(X[:, :2], 3))


def test_take_says_what_is_no_mode_or_index() -> None:
    with pytest.raises(ValueError, match="mode must be"):
        mnp.take(Tensor(X), [0], mode="nearest")
    with pytest.raises(IndexError, match="out of range"):
        mnp.take(Tensor(V), [7], mode="raise").asnumpy()
    with pytest.raises(ValueError, match="as many axes"):
        mnp.take_along_axis(Tensor(X), [0], 1)


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
        (lambda: mnp.pad(Tensor(X), 1, "around"), ValueError, "pad: mode is not known"),
        (lambda: mnp.polyadd(Tensor(X), [1]), ValueError, "vectors of coefficients"),
        (lambda: mnp.polyint([1, 2], 2, [1, 2, 3]), ValueError, "expected 2 constants"),
        (lambda: mnp.polyder([1], -1), ValueError, "m must be an int >= 0, got -1"),
        (lambda: mnp.vander(Tensor(X)), ValueError, "expected a vector"),
        (lambda: mnp.correlate(Tensor(X), [1]), ValueError, "expected two vectors"),
        (lambda: mnp.convolve([1, 2], [1], "half"), ValueError, "mode must be"),
        (lambda: mnp.gradient([1.0]), ValueError, "at least 2 elements"),
        (lambda: mnp.gradient([1.0, 2.0], edge_order=2), ValueError, "edge_order"),
        (lambda: mnp.histogram([1.0], 0), ValueError, "bins must be positive"),
        (lambda: mnp.histogramdd([[1.0], [2.0]], [1]), ValueError, "2 axes"),
        (lambda: mnp.interp(1.0, [1, 2], [1]), ValueError, "vectors of points"),
        (lambda: mnp.searchsorted([1], 1, "middle"), ValueError, "side must be"),
        (lambda: mnp.tril_indices_from([1, 2]), ValueError, "expected a matrix"),
        (lambda: mnp.ravel_multi_index(([0],), (2, 3)), ValueError, "1 indices for 2"),
        (lambda: mnp.unravel_index(1, (2, 3), "K"), ValueError, "order must be"),
        (lambda: mnp.piecewise([1.0], [True, False], [1]), ValueError, "1 functions for 2"),
        (lambda: mnp.rollaxis(Tensor(X), 2), ValueError, "out of range"),
        (lambda: mnp.rollaxis(Tensor(X), 0, 3), ValueError, "rollaxis: start 3 is out of range"),
        (lambda: mnp.take_along_axis(Tensor(X), Tensor([[0]]), 5), ValueError, "take_along_axis: axis 5 is out"),
        (lambda: mnp.size(Tensor(X), 2), ValueError, "size: axis 2 is out of range"),
        (lambda: mnp.take(Tensor(X), 0, "0"), TypeError, "take: an axis must be an int"),
        (lambda: mnp.full(2.5, 1), TypeError, "full: broadcast_to: shape must be an int or a tuple of ints, got 2.5"),
        (lambda: mnp.tile([1], None), TypeError, "tile: reps must be an int"),
        (lambda: mnp.tril_indices("3"), TypeError, "tril_indices: n must be an int"),
        (lambda: mnp.diag([1], "1"), TypeError, "diag: k must be an int"),
        (lambda: mnp.broadcast_arrays([1, 2], [1, 2, 3]), ValueError, "broadcast_arrays: shapes do not broadcast"),
        (lambda: mnp.apply_over_axes(mnp.sum, Tensor(X), 2), ValueError, "apply_over_axes: axis 2 is out of range"),
        (lambda: mnp.vsplit([1, 2], 2), ValueError, "at least 2 dimensions"),
        (lambda: mnp.dsplit(Tensor(X), 3), ValueError, "at least 3 dimensions"),
        (lambda: mnp.hanning(2.5), TypeError, "M must be an int, got 2.5"),
        (lambda: mnp.gcd([1.5], 2), TypeError, "integers"),
        (lambda: mnp.where(True, 1), ValueError, "expected both x and y, or neither"),
        (lambda: mnp.cross(Tensor(X.T), Tensor(X.T)), ValueError, "cross: expected 3 elements"),
        (lambda: mnp.concatenate([]), ValueError, "at least one tensor"),
        (lambda: mnp.expand_dims(Tensor(X), (0, 0)), ValueError, "expected different axes"),
        (lambda: mnp.uint64, AttributeError, "graphc has no uint64"),
        (lambda: mnp.zeros((2, 3), "quarter"), TypeError, "dtype"),
        (lambda: mnp.array("text"), TypeError, "got str"),
    ],
)
def test_errors(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
