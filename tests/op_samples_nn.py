"""Operands for the table's ops of matrix products, convolution, pooling, losses and random numbers.

`SAMPLES` maps an op's name to (operands, attributes) pairs, chosen so that every branch of its rules is taken: both
transposes, strides that leave a rest, padding, dilation, groups, windows that overlap and windows that do not.
"""

import numpy as np

import graphc.ops.random
import graphc.ops.resize  # noqa: F401 (enter their ops into the table)
from graphc.dtype import float32, float64

_rng = np.random.default_rng(20)


def _floats(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape).astype(np.float32)


def _apart(*shape: int) -> np.ndarray:
    """Floats no two of which are near: a maximum stays one while an element is moved a little."""
    count = int(np.prod(shape))
    return (_rng.permutation(count).reshape(shape) * 0.5 - count / 4).astype(np.float32)


def _window(kernel, stride, padding=0, dilation=1, dims=2):
    def each(value):
        return value if isinstance(value, tuple) else (value,) * dims

    pairs = tuple(p if isinstance(p, tuple) else (p, p) for p in each(padding))
    return {"kernel": each(kernel), "stride": each(stride), "padding": pairs, "dilation": each(dilation)}


_WINDOWS = [
    ((2, 3, 6, 4), _window(2, 2)),  # windows side by side
    ((1, 2, 7, 8), _window(3, 2, 1)),  # overlapping, padded
    ((1, 2, 7, 9), _window((3, 2), (1, 3), ((1, 0), (0, 1)), (2, 1))),  # dilated, with gaps, padded unevenly
    ((2, 1, 9), _window(2, 3, dims=1)),  # with gaps and a rest
    ((1, 1, 4, 3, 5), _window((2, 3, 2), 2, dims=3)),
]


def _outputs(shape, window):
    rows = zip(shape[2:], window["kernel"], window["stride"], window["padding"], window["dilation"], strict=True)
    return (*shape[:2], *((n + lo + hi - d * (k - 1) - 1) // s + 1 for n, k, s, (lo, hi), d in rows))


def _indices(shape, window):
    """For each window the position of an element of the input."""
    from graphc.ops.pool import max_pool_index

    return max_pool_index.meaning(_apart(*shape), **window).astype(np.int32)


_CONVOLUTIONS = [  # input, weight, attributes
    ((2, 3, 5, 6), (4, 3, 3, 2), {"stride": (1, 1), "dilation": (1, 1), "groups": 1}),
    ((9, 2, 6, 7), (3, 2, 3, 3), {"stride": (2, 2), "dilation": (1, 1), "groups": 1}),
    ((2, 4, 7, 8), (6, 2, 2, 3), {"stride": (2, 1), "dilation": (2, 2), "groups": 2}),
    ((2, 3, 6, 5), (3, 1, 3, 3), {"stride": (1, 1), "dilation": (1, 1), "groups": 3}),
    ((3, 5, 4, 4), (7, 5, 1, 1), {"stride": (1, 1), "dilation": (1, 1), "groups": 1}),
    ((2, 3, 11), (2, 3, 3), {"stride": (3,), "dilation": (1,), "groups": 1}),
    ((1, 2, 4, 5, 3), (3, 2, 2, 3, 2), {"stride": (1, 2, 1), "dilation": (1, 1, 1), "groups": 1}),
]


def _conv_outputs(x, w, attrs):
    rows = zip(x[2:], w[2:], attrs["stride"], attrs["dilation"], strict=True)
    return (x[0], w[0], *((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in rows))


_RESIZES = [  # extent, attributes
    (5, {"size": 8, "start": 0, "step": 10, "den": 16, "kernel": "nearest"}),
    (5, {"size": 3, "start": 5, "step": 10, "den": 6, "kernel": "nearest"}),
    (5, {"size": 8, "start": -3, "step": 10, "den": 16, "kernel": "linear"}),
    (7, {"size": 3, "start": 4, "step": 14, "den": 6, "kernel": "linear"}),
    (4, {"size": 9, "start": 0, "step": 3, "den": 8, "kernel": "linear"}),
    (5, {"size": 8, "start": -3, "step": 10, "den": 16, "kernel": "cubic"}),
    (2, {"size": 5, "start": -3, "step": 4, "den": 10, "kernel": "cubic"}),
]
_STATES = [np.array([7, 0], np.int64), np.array([2**40 + 5, 2**33 + 1], np.int64)]

SAMPLES = {
    "matmul": [
        ((_floats(3, 4), _floats(4, 5)), {"transpose_a": False, "transpose_b": False}),
        ((_floats(4, 3), _floats(4, 5)), {"transpose_a": True, "transpose_b": False}),
        ((_floats(3, 4), _floats(5, 4)), {"transpose_a": False, "transpose_b": True}),
        ((_floats(4, 3), _floats(5, 4)), {"transpose_a": True, "transpose_b": True}),
        ((_floats(2, 3, 17, 20), _floats(2, 3, 20, 18)), {}),
        ((_rng.integers(-9, 9, (3, 4)), _rng.integers(-9, 9, (4, 2))), {}),
        ((_floats(1, 7), _floats(7, 1)), {}),
    ],
    "conv": [((_floats(*x), _floats(*w)), attrs) for x, w, attrs in _CONVOLUTIONS],
    "conv_grad_weight": [
        ((_floats(*x), _floats(*_conv_outputs(x, w, attrs))), {"kernel": w[2:], **attrs})
        for x, w, attrs in _CONVOLUTIONS
    ],
    "sum_pool": [((_floats(*shape),), window) for shape, window in _WINDOWS],
    "sum_pool_grad": [
        ((_floats(*_outputs(shape, window)),), {"size": shape[2:], **window}) for shape, window in _WINDOWS
    ],
    "max_pool": [
        *(((_apart(*shape),), window) for shape, window in _WINDOWS),
        ((_rng.integers(-50, 50, (1, 2, 5, 5)).astype(np.int32),), _window(2, 1, 1)),
    ],
    "max_pool_index": [
        *(((_apart(*shape),), window) for shape, window in _WINDOWS),
        ((np.array([[[1, 2, 2, np.nan, 5, np.nan, -np.inf, -np.inf]]], np.float32),), _window(2, 2, dims=1)),
    ],
    "max_pool_grad": [
        ((_floats(*_outputs(shape, window)), _indices(shape, window)), {"size": shape[2:], **window})
        for shape, window in _WINDOWS
    ],
    "max_pool_gather": [((_floats(*shape), _indices(shape, window)), window) for shape, window in _WINDOWS],
    "pick": [
        ((_floats(5, 4), _rng.integers(0, 4, 5)), {}),
        ((_floats(2, 3, 7), _rng.integers(0, 7, (2, 3)).astype(np.int32)), {}),
        ((_floats(4), np.array(2, np.uint8)), {}),
    ],
    "place": [
        ((_floats(5), _rng.integers(0, 4, 5)), {"extent": 4}),
        ((_floats(2, 3), np.array([[0, 6, 9], [-1, 2, 2]], np.int32)), {"extent": 7}),
    ],
    "resize": [((_floats(2, n, 3),), {"axis": 1, **attrs}) for n, attrs in _RESIZES],
    "resize_grad": [
        ((_floats(3, attrs["size"]),), {"axis": 1, **attrs, "size": n}) for n, attrs in _RESIZES
    ],
    "random_bits": [((state,), {"shape": shape}) for state in _STATES for shape in ((5,), (3, 70), ())],
    "random_uniform": [
        ((state,), {"shape": shape, "dtype": dtype})
        for state in _STATES for shape in ((5,), (3, 70)) for dtype in (float32, float64)
    ],
}  # fmt: skip
