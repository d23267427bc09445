"""Maxima of windows placed at random: where the windows are, what is largest in them, its gradient, both modes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Tensor, nn, ops


def begins(size: int, kernel: int, count: int, u: float) -> list[int]:
    """As the paper has it, in the numbers of the compiled code."""
    step, number = np.float32((size - kernel) / max(count - 1, 1)), np.float32(u)
    placed = [int((np.float32(i) + number) * step) - int(number * step) for i in range(count - 1)]
    return [*placed, size - kernel]


def reference(x: np.ndarray, kernel: Any, count: Any, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maxima and their places, window by window; `samples` [N, C, dimensions], of each dimension in order."""
    y = np.zeros((*x.shape[:2], *count), x.dtype)
    places = np.zeros(y.shape, np.int64)
    for n, c in np.ndindex(*x.shape[:2]):
        starts = [
            begins(*of, float(u)) for *of, u in zip(x.shape[2:], kernel, count, samples[n, c], strict=True)
        ]
        for at in itertools.product(*map(range, count)):
            corner = [s[i] for s, i in zip(starts, at, strict=True)]
            window = x[(n, c, *(slice(b, b + k) for b, k in zip(corner, kernel, strict=True)))]
            where = np.unravel_index(window.argmax(), window.shape)
            y[(n, c, *at)] = window.max()
            inside = [b + w for b, w in zip(corner, where, strict=True)]
            places[(n, c, *at)] = np.ravel_multi_index(inside, x.shape[2:])
    return y, places


@pytest.mark.parametrize("mode", [ms.PYNATIVE_MODE, ms.GRAPH_MODE])
@pytest.mark.parametrize(
    ("size", "kernel", "count"), [((7, 9), (2, 3), (4, 3)), ((8, 8), (2, 2), (7, 1)), ((5, 6, 7), (2, 2, 3), (3, 4, 2))]
)
def test_maxima_and_their_places(size: Any, kernel: Any, count: Any, mode: int) -> None:
    ms.set_context(mode=mode)
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2, 3, *size)).astype(np.float32)
    samples = rng.uniform(size=(2, 3, len(size))).astype(np.float32)
    wanted = reference(x, kernel, count, samples)
    pool = ops.fractional_max_pool2d if len(size) == 2 else ops.fractional_max_pool3d
    given = Tensor(samples[..., ::-1].copy() if len(size) == 2 else samples)  # in 2-D the first is that of W
    got = ms.jit(lambda t, u: pool(t, kernel, count, return_indices=True, _random_samples=u))(Tensor(x), given)
    np.testing.assert_array_equal(got[0].asnumpy(), wanted[0])
    np.testing.assert_array_equal(got[1].asnumpy(), wanted[1])
    assert got[1].dtype is ms.int64
    grad = ms.grad(lambda t: (pool(t, kernel, count, _random_samples=given) * 2.0).sum())(Tensor(x))
    counted = np.zeros((6, int(np.prod(size))), np.float32)
    for row, places in zip(counted, wanted[1].reshape(6, -1), strict=True):
        np.add.at(row, places, 2.0)
    np.testing.assert_array_equal(grad.asnumpy().reshape(6, -1), counted)


def test_the_example_of_mindspore() -> None:
    x = Tensor([
        [0.3220, 0.9545, 0.7879, 0.0975, 0.3698], [0.5135, 0.5740, 0.3435, 0.1895, 0.8764],
        [0.9581, 0.4760, 0.9014, 0.8522, 0.3664], [0.4980, 0.9673, 0.9879, 0.6988, 0.9022],
        [0.9304, 0.1558, 0.0153, 0.1559, 0.9852],
    ]).reshape((1, 1, 5, 5))  # fmt: skip
    for options in ({"output_size": (2, 2)}, {"output_ratio": (0.5, 0.5)}):
        net = nn.FractionalMaxPool2d(2, return_indices=True, _random_samples=Tensor([[[0.8, 0.8]]]), **options)
        y, places = net(x)
        assert places.asnumpy().tolist() == [[[[1, 9], [16, 24]]]]
        np.testing.assert_allclose(y.asnumpy(), [[[[0.9545, 0.8764], [0.9673, 0.9852]]]])
    assert "kernel_size=2, output_size=None, output_ratio=(0.5, 0.5)" in repr(net)


def test_windows_are_placed_anew_in_each_call() -> None:
    ms.set_seed(1)
    x = Tensor(np.random.default_rng(0).normal(size=(3, 20, 20)).astype(np.float32))
    net = nn.FractionalMaxPool2d(2, output_ratio=0.6)
    first, second = net(x).asnumpy(), net(x).asnumpy()
    assert first.shape == (3, 12, 12) and not np.array_equal(first, second)
    ms.set_seed(1)
    np.testing.assert_array_equal(net(x).asnumpy(), first)
    whole = nn.FractionalMaxPool3d((1, 2, 2), output_size=(2, 2, 3))(Tensor(np.arange(54).reshape(1, 1, 3, 3, 6)))
    assert whole.shape == (1, 1, 2, 2, 3) and whole.dtype is ms.int64 and int(whole[0, 0, 1, 1, 2]) == 53


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "expected output_size or output_ratio, got neither"),
        ({"output_size": 5}, "5 windows of 2 elements do not fit into an extent of 5"),
        ({"output_ratio": 1.5}, "output_ratio must be a number between 0 and 1 or 2 of them, got 1.5"),
        ({"output_size": (2, 2, 2)}, "output_size must be an int >= 1 or 2 of them"),
        ({"output_size": 2, "_random_samples": Tensor([0.5])}, r"expected _random_samples, floats \[N, C, 2\]"),
    ],
)
def test_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ops.fractional_max_pool2d(ops.ones((1, 1, 5, 5)), 2, **options)
