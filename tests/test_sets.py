"""Counts, runs and choices of elements, against NumPy and in both modes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Tensor, mint, ops
from graphc.dtype import float32, int32, int64
from graphc.jit import jit
from graphc.tensor import TracedValueError

X = np.random.default_rng(8).normal(size=(3, 40)).astype(np.float32)


@pytest.mark.parametrize("options", [(), (4,), (7, -1.0, 0.5), (3, 1.0, 1.0)])
def test_histc(options: tuple[Any, ...]) -> None:
    def call(x: Tensor) -> Tensor:
        return ops.histc(x, *options)

    bins, ends = options[0] if options else 100, options[1:] or (X.min(), X.max())
    ends = (0.0, 2.0) if ends == (1.0, 1.0) else ends
    wanted = np.histogram(X, bins, ends)[0]
    eager, compiled = call(Tensor(X)), jit(call)(Tensor(X))
    assert eager.dtype is compiled.dtype is float32
    np.testing.assert_array_equal(eager.asnumpy(), wanted)
    np.testing.assert_array_equal(compiled.asnumpy(), wanted)


def test_histc_of_integers_nan_and_equal_elements() -> None:
    counts = Tensor(np.array([0, 1, 9, 9, 5], np.int32)).histc(3)
    assert counts.dtype is int32 and counts.asnumpy().tolist() == [2, 1, 2]
    assert ops.histc(Tensor([1.0, float("nan"), 3.0]), 2, 0.0, 4.0).asnumpy().tolist() == [1, 1]
    assert ops.histc(Tensor([1.0, 1.0]), 3).asnumpy().tolist() == [0, 2, 0]
    assert ops.histc(Tensor([1.0, 2.0]), 1).asnumpy().tolist() == [2]
    for bad in ({"bins": 0}, {"min": 2.0, "max": 1.0}):
        with pytest.raises(ValueError, match="histc"):
            ops.histc(Tensor(X), **bad)


def test_aminmax() -> None:
    for axis, keep in ((0, False), (1, True), (None, False)):
        least, most = jit(lambda x, axis=axis, keep=keep: ops.aminmax(x, axis=axis, keepdims=keep))(Tensor(X))
        np.testing.assert_array_equal(least.asnumpy(), X.min(axis, keepdims=keep))
        np.testing.assert_array_equal(most.asnumpy(), X.max(axis, keepdims=keep))
    assert [t.shape for t in Tensor(X).aminmax()] == [(40,), (40,)]
    assert [t.item() for t in ops.aminmax(Tensor(2.5))] == [2.5, 2.5]


def test_unique_consecutive() -> None:
    x = Tensor(np.array([[1, 1, 2], [2, 3, 3]], np.int32))
    values, places, counts = ops.unique_consecutive(x, True, True)
    assert (values.dtype, places.dtype, counts.dtype) == (int32, int64, int64)
    assert values.asnumpy().tolist() == [1, 2, 3] and counts.asnumpy().tolist() == [2, 2, 2]
    assert places.asnumpy().tolist() == [[0, 0, 1], [1, 2, 2]]
    assert x.unique_consecutive().asnumpy().tolist() == [1, 2, 3]
    rows = Tensor(np.array([[1, 1, 2], [1, 1, 2], [3, 3, 3]]))
    for dim, wanted in ((0, [[1, 1, 2], [3, 3, 3]]), (1, [[1, 2], [1, 2], [3, 3]])):
        values, places, counts = ops.unique_consecutive(rows, True, True, dim)
        assert values.asnumpy().tolist() == wanted
        assert places.asnumpy().tolist() == [0, 0, 1] and counts.asnumpy().tolist() == [2, 1]
    back = Tensor(np.array([[0, 1], [2, 3], [2, 3], [0, 1], [0, 9]]))  # a slice that comes again, and one half like it
    assert ops.unique_consecutive(back, dim=0).asnumpy().tolist() == [[0, 1], [2, 3], [0, 1], [0, 9]]
    assert ops.unique_consecutive(Tensor([float("nan")] * 2)).shape == (2,)
    assert ops.unique_consecutive(Tensor([])).shape == (0,)
    with pytest.raises(TracedValueError, match="unique_consecutive"):
        jit(ops.unique_consecutive, fullgraph=True)(x)


def test_ger_and_vander() -> None:
    v = np.array([2.0, -1.0, 0.0, 0.5], np.float32)
    np.testing.assert_array_equal(Tensor(v).ger(Tensor(v[:2])).asnumpy(), np.outer(v, v[:2]))
    for count in (None, 1, 3, 6):
        for function in (ops.vander, jit(ops.vander)):
            np.testing.assert_allclose(function(Tensor(v), count).asnumpy(), np.vander(v, count), rtol=1e-6)
    whole = ops.vander(Tensor(np.array([1, 2, 3], np.int32)))
    assert whole.dtype is int64
    np.testing.assert_array_equal(whole.asnumpy(), np.vander([1, 2, 3]))
    slope = ms.grad(lambda x: ops.vander(x, 3).sum())(Tensor(v)).asnumpy()
    np.testing.assert_array_equal(slope, 2 * v + 1)
    for bad in (lambda: ops.vander(Tensor(X)), lambda: ops.vander(Tensor(v), 0)):
        with pytest.raises(ValueError, match="vander"):
            bad()


def test_block_diag() -> None:
    parts = [np.ones((2, 3), np.float32), np.full(2, 4, np.float32), np.float32(5)]
    wanted = np.zeros((4, 6), np.float32)
    wanted[:2, :3], wanted[2, 3:5], wanted[3, 5] = parts
    for function in (ops.block_diag, jit(ops.block_diag)):
        np.testing.assert_array_equal(function(*map(Tensor, parts)).asnumpy(), wanted)
    assert ops.block_diag(Tensor([1]), Tensor([[0.5]])).dtype is float32
    for bad in ((), (Tensor(np.ones((1, 1, 1))),)):
        with pytest.raises(ValueError, match="block_diag"):
            ops.block_diag(*bad)


@pytest.mark.parametrize("r", [1, 2, 3, 6])
def test_combinations(r: int) -> None:
    v = np.arange(5, dtype=np.int32) * 3
    for again, choose in ((False, itertools.combinations), (True, itertools.combinations_with_replacement)):
        wanted = np.array(list(choose(v.tolist(), r))).reshape(-1, r)
        found = ops.combinations(Tensor(v), r, again)
        assert found.dtype is int32 and found.shape == wanted.shape
        np.testing.assert_array_equal(found.asnumpy(), wanted)
        compiled = jit(lambda x, again=again: ops.combinations(x, r, again))(Tensor(v))
        np.testing.assert_array_equal(compiled.asnumpy(), wanted)
    assert ops.combinations(Tensor([1, 2, 3])).asnumpy().tolist() == [[1, 2], [1, 3], [2, 3]]
    with pytest.raises(ValueError, match="combinations"):
        ops.combinations(Tensor(X), r)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_])
def test_distinct_elements_of_long_vectors_are_numpys(dtype):
    rng = np.random.default_rng(3)
    for x in (rng.integers(0, 2 if dtype is np.bool_ else 90, 12_000), rng.permutation(12_000), np.zeros(0)):
        x = x.astype(dtype)
        if x.dtype.kind == "f":
            x[5::7] = np.nan
        values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
        found = mint.unique(Tensor(x), return_inverse=True, return_counts=True)
        for ours, theirs in zip(found, (values, inverse, counts), strict=True):
            np.testing.assert_array_equal(ours.asnumpy(), theirs)
        np.testing.assert_array_equal(mint.unique(Tensor(x)).asnumpy(), values)
        in_order, positions = ops.unique(Tensor(x))
        np.testing.assert_array_equal(in_order.asnumpy()[positions.asnumpy()], x)
        assert len(in_order) == len(values)
        first = np.sort(np.unique(x, return_index=True)[1])
        np.testing.assert_array_equal(in_order.asnumpy(), x[first])


def test_elements_are_chosen_without_ops_where_nobody_takes_note(monkeypatch):
    x, mask = np.arange(12.0, dtype=np.float32).reshape(3, 4), np.array([True, False, True])
    monkeypatch.setattr("graphc.dispatch._applied", None)
    tensor = Tensor(x)
    np.testing.assert_array_equal(tensor[Tensor(mask)].asnumpy(), x[mask])
    np.testing.assert_array_equal(tensor[Tensor(x > 4)].asnumpy(), x[x > 4])
    np.testing.assert_array_equal(ops.masked_select(tensor, Tensor(x > 4)).asnumpy(), x[x > 4])
    np.testing.assert_array_equal(ops.unique_consecutive(Tensor([1, 1, 2, 1])).asnumpy(), [1, 2, 1])


def test_chosen_elements_have_gradients():
    x, mask = Tensor(np.arange(12.0, dtype=np.float32).reshape(3, 4)), Tensor(np.array([True, False, True]))
    grad = ms.grad(lambda x: (x[mask] ** 2).sum())(x).asnumpy()
    np.testing.assert_array_equal(grad, 2 * x.asnumpy() * mask.asnumpy()[:, None])
    grad = ms.grad(lambda x: ops.masked_select(x, x > 4).sum())(x).asnumpy()
    np.testing.assert_array_equal(grad, (x.asnumpy() > 4).astype(np.float32))
