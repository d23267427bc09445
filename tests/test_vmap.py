"""`vmap` against loops in NumPy: axes, nesting, gradients of samples, both modes, errors."""

from __future__ import annotations

import numpy as np
import pytest
from modes import mode

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Tensor, nn, ops

X = np.arange(12, dtype=np.float32).reshape(3, 4)
V = np.array([1.0, -1.0, 2.0, 0.5], np.float32)


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_axes(each: int) -> None:
    x, v = Tensor(X), Tensor(V)
    with mode(each):
        np.testing.assert_array_equal(ms.vmap(lambda a, b: (a * b).sum(), (0, None))(x, v).asnumpy(), X @ V)
        np.testing.assert_array_equal(ms.vmap(lambda a: a * 2, 1, 1)(x).asnumpy(), X * 2)
        np.testing.assert_array_equal(ms.vmap(lambda a: a * 2, -1)(x).asnumpy(), X.T * 2)
        total, (least, most) = ms.vmap(lambda p: (p[0].sum(), (p[0].min(), p[1].max())), ((0, 1),))((x, Tensor(X.T)))
        np.testing.assert_array_equal(total.asnumpy(), X.sum(1))
        np.testing.assert_array_equal(least.asnumpy(), X.min(1))
        np.testing.assert_array_equal(most.asnumpy(), X.max(1))
        outer = ms.vmap(ms.vmap(lambda a, b: a * b, (None, 0)), (0, None))(v, v)
        np.testing.assert_array_equal(outer.asnumpy(), np.outer(V, V))


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_gradients_of_samples(each: int) -> None:
    net = nn.Dense(4, 1)
    with mode(each):
        per_sample = ms.vmap(ms.grad(lambda x: (net(x.expand_dims(0)) ** 2).sum()))(Tensor(X)).asnumpy()
        together = ms.grad(lambda x: (net(x) ** 2).sum())(Tensor(X)).asnumpy()
        compiled = ms.jit(ms.vmap(lambda x: ops.tanh(x).sum()))(Tensor(X)).asnumpy()
    np.testing.assert_allclose(per_sample, together, rtol=1e-6)
    np.testing.assert_allclose(compiled, np.tanh(X).sum(1), rtol=1e-6)


def test_what_does_not_fit_is_said() -> None:
    x = Tensor(X)
    for call, text in (
        (lambda: ms.vmap(ops.add)(x, Tensor(V)), "must have one extent, got 3, 4"),
        (lambda: ms.vmap(ops.add, (0,))(x, x), "in_axes has 1 entries for 2 arguments"),
        (lambda: ms.vmap(ops.relu, 2)(x), r"axis 2 is out of range for f32\[3,4\]"),
        (lambda: ms.vmap(ops.relu, (None,))(x), "got none"),
        (lambda: ms.vmap(lambda a: (a, a), out_axes=(0,))(x), "out_axes has 1 entries for 2 results"),
    ):
        with pytest.raises(ValueError, match=text):
            call()
    with pytest.raises(TypeError, match="expected a Tensor and an axis, got float"):
        ms.vmap(ops.add)(x, 1.0)
    with pytest.raises(TypeError, match="fn must return Tensors, got int"):
        ms.vmap(lambda a: 1)(x)


def test_vmap_is_under_ops_as_well() -> None:
    assert ops.vmap(ops.square)(Tensor([1.0, 2.0])).tolist() == [1, 4]
