"""Operands for the table's ops of matrix products, convolution, pooling, resizing, losses and random numbers.

They are chosen so that every branch of an op's rules is taken: both transposes, strides that leave a rest, padding,
dilation, groups, windows that overlap and windows that do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from op_samples import Sample

import graphc.ops.random
import graphc.ops.resize
import graphc.ops.windows
from graphc.dtype import float32, float64
from graphc.passes.winograd import INPUT, RESULT, WEIGHT

_rng = np.random.default_rng(20)


def _floats(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape)


def _apart(*shape: int) -> np.ndarray:
    """Floats no two of which are near: a maximum stays one while an element is moved a little."""
    count = int(np.prod(shape))
    return _rng.permutation(count).reshape(shape) * 0.5 - count / 4


def _both(*operands: np.ndarray, **attrs: Any) -> list[Sample]:
    """Of float64 operands a smooth sample, and one in float32."""
    single = tuple(o.astype(np.float32) if o.dtype == np.float64 else o for o in operands)
    return [Sample(operands, attrs, smooth=True), Sample(single, attrs)]


def _all(*pairs: list[Sample]) -> list[Sample]:
    return [sample for pair in pairs for sample in pair]


def _window(kernel: Any, stride: Any, padding: Any = 0, dilation: Any = 1, dims: int = 2) -> dict[str, Any]:
    def each(value: Any) -> tuple[Any, ...]:
        return value if isinstance(value, tuple) else (value,) * dims

    pairs = tuple(p if isinstance(p, tuple) else (p, p) for p in each(padding))
    return {"kernel": each(kernel), "stride": each(stride), "padding": pairs, "dilation": each(dilation)}


_WINDOWS = [
    ((2, 3, 6, 4), _window(2, 2)),  # windows side by side
    ((1, 2, 7, 8), _window(3, 2, 1)),  # overlapping, padded
    ((1, 1, 5, 4), _window((3, 2), (1, 2), 1)),
    ((1, 2, 7, 9), _window((3, 2), (1, 3), ((1, 0), (0, 1)), (2, 1))),  # dilated, with gaps, padded unevenly
    ((2, 1, 9), _window(2, 3, dims=1)),  # with gaps and a rest
    ((2, 3, 5, 4), _window((5, 4), 1)),  # all of the image
    ((1, 2, 8, 9), _window((7, 3), (1, 2))),  # fewer windows than a window has rows
    ((1, 2, 7, 6), _window((6, 5), (2, 1), ((1, 2), (2, 0)))),
    ((1, 1, 4, 3, 5), _window((2, 3, 2), 2, dims=3)),
]


def _outputs(shape: tuple[int, ...], window: dict[str, Any]) -> tuple[int, ...]:
    rows = zip(shape[2:], window["kernel"], window["stride"], window["padding"], window["dilation"], strict=True)
    return (*shape[:2], *((n + lo + hi - d * (k - 1) - 1) // s + 1 for n, k, s, (lo, hi), d in rows))


def _indices(shape: tuple[int, ...], window: dict[str, Any]) -> np.ndarray:
    """For each window the position of an element of the input."""
    return graphc.ops.windows.max_pool_index.meaning(_apart(*shape), **window).astype(np.int32)


def _geometry(
    stride: tuple[int, ...], dilation: tuple[int, ...], low: tuple[int, ...], size: tuple[int, ...], groups: int = 1
) -> dict[str, Any]:
    return {"stride": stride, "dilation": dilation, "low": low, "size": size, "groups": groups}


_CONVOLUTIONS = [  # input, weight, attributes
    ((2, 3, 5, 6), (4, 3, 3, 2), _geometry((1, 1), (1, 1), (0, 0), (3, 5))),
    ((9, 2, 6, 7), (3, 2, 3, 3), _geometry((2, 2), (1, 1), (1, 0), (3, 4))),
    ((2, 4, 7, 8), (6, 2, 2, 3), _geometry((2, 1), (2, 2), (0, 3), (3, 7), groups=2)),
    ((2, 3, 6, 5), (3, 1, 3, 3), _geometry((1, 1), (1, 1), (1, 1), (6, 5), groups=3)),
    ((3, 5, 4, 4), (7, 5, 1, 1), _geometry((1, 1), (1, 1), (0, 0), (4, 4))),
    ((2, 3, 11), (2, 3, 3), _geometry((3,), (1,), (2,), (5,))),
    ((2, 3, 40), (2, 3, 5), _geometry((1,), (4,), (9,), (42,))),
    ((1, 2, 4, 5, 3), (3, 2, 2, 3, 2), _geometry((1, 2, 1), (1, 1, 1), (1, 0, 2), (4, 2, 4))),
    ((2, 3, 7, 6), (2, 3, 3, 3), _geometry((1, 1), (1, 1), (-2, -1), (3, 4))),
]


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

def _loop(count: int, backwards: bool, dtype: str) -> Sample:
    """h = tanh(x + h w), of which all steps and the last one's are kept; a bias of one number; and a running sum."""
    short = {"float32": "f32", "float64": "f64"}[dtype]
    body = f"""graph step(%h: {short}[2,8], %sum: {short}[2,8], %x: {short}[2,8], %w: {short}[8,8], %b: {short}[]) {{
      %0: {short}[2,8] = matmul(%h, %w, transpose_a=False, transpose_b=False)
      %1: {short}[2,8] = broadcast_to(%b, shape=(2, 8))
      %2: {short}[2,8] = add(%0, %1)
      %3: {short}[2,8] = add(%2, %x)
      %4: {short}[2,8] = tanh(%3)
      %5: {short}[2,8] = add(%sum, %4)
      return %4, %5
    }}"""
    shift = 1 if backwards else -1
    carried = (-1, 0, count, shift, 0), (-1, 16 * count, count, shift, 1)
    attrs = {
        "body": body, "count": count, "backwards": backwards, "writes": ((0, count), (16 * count, count)),
        "reads": (*carried, (2, 0, count, 0, -1), (3, 0, 0, 0, -1), (4, 0, 0, 0, -1)),
    }
    shapes = ((2, 8), (2, 8), (count, 2, 8), (8, 8), (1,))
    return Sample(tuple(_floats(*shape).astype(dtype) for shape in shapes), attrs, smooth=dtype == "float64")


SAMPLES: dict[str, list[Sample]] = {
    "matmul": _all(
        _both(_floats(3, 4), _floats(4, 5), transpose_a=False, transpose_b=False),
        _both(_floats(4, 3), _floats(4, 5), transpose_a=True, transpose_b=False),
        _both(_floats(3, 4), _floats(5, 4), transpose_a=False, transpose_b=True),
        _both(_floats(4, 3), _floats(5, 4), transpose_a=True, transpose_b=True),
        _both(_floats(2, 3, 2, 3), _floats(2, 3, 3, 4)),
        _both(_floats(1, 7), _floats(7, 1)),
        [Sample((_floats(17, 20).astype(np.float32), _floats(20, 18).astype(np.float32)))],
        [Sample((_rng.integers(-9, 9, (3, 4)), _rng.integers(-9, 9, (4, 2))))],
        [Sample((_floats(2, 0), _floats(0, 3)))],
    ),
    "masked_matmul": [
        Sample((x.astype(kind), y.astype(kind)), {"where": where, "transpose_a": turn_a, "transpose_b": turn_b})
        for kind in (np.float32, np.float64)
        for x, y, where, turn_a, turn_b in [
            (_floats(3, 4), _floats(4, 5), 0, False, False),
            (_floats(4, 3), _floats(5, 4), 1, True, True),
            (np.tril(_floats(2, 40, 150)), _floats(2, 150, 17), 0, False, False),
            (np.triu(_floats(150, 40)), _floats(150, 17), 0, True, False),
            (_floats(40, 20), _floats(30, 20), 2, False, True),
        ]
    ],
    "conv": _all(*(_both(_floats(*x), _floats(*w), **attrs) for x, w, attrs in _CONVOLUTIONS)),
    "conv_grad_weight": _all(
        *(
            _both(_floats(*x), _floats(x[0], w[0], *size), kernel=w[2:], **attrs)
            for x, w, geometry in _CONVOLUTIONS
            for size, attrs in [(geometry["size"], {k: v for k, v in geometry.items() if k != "size"})]
        )
    ),
    "to_tiles": [
        Sample((_floats(*shape).astype(kind),), {"matrix": matrix, "step": step, "low": low, "count": count})
        for kind in (np.float32, np.float64)
        for shape, matrix, step, low, count in [
            ((2, 3, 8, 8), INPUT, 2, (1, 1), (4, 4)),  # lanes across rows
            ((1, 2, 7, 40), INPUT, 2, (0, 2), (3, 21)),  # beyond either end
            ((1, 5, 3, 3), WEIGHT, 1, (0, 0), (1, 1)),
            ((3, 2, 9), ((1.0, -2.0), (0.0, 0.5), (-1.0, 3.0)), 3, (-1,), (2,)),
            ((1, 2, 3, 4, 5), ((1.0, 1.0), (-1.0, 1.0)), 1, (0, 1, 0), (2, 4, 4)),
        ]
    ],
    "from_tiles": [
        Sample((_floats(*shape).astype(kind),), {"matrix": matrix})
        for kind in (np.float32, np.float64)
        for shape, matrix in [
            ((2, 4, 4, 3, 4, 4), RESULT),
            ((1, 4, 4, 2, 3, 21), RESULT),
            ((1, 4, 4, 37, 1, 1), tuple(zip(*WEIGHT, strict=True))),  # filters, nine elements apart
            ((3, 2, 5, 4), ((1.0, 1.0), (0.0, -2.0), (-1.0, 0.5))),
            ((1, 2, 2, 2, 3, 2, 3, 2), ((1.0, 1.0), (-1.0, 1.0))),
        ]
    ],
    "sum_pool": _all(*(_both(_floats(*shape), **window) for shape, window in _WINDOWS)),
    "sum_pool_grad": _all(
        *(_both(_floats(*_outputs(shape, window)), size=shape[2:], **window) for shape, window in _WINDOWS)
    ),
    "max_pool": _all(
        *(_both(_apart(*shape), **window) for shape, window in _WINDOWS),
        [Sample((_rng.integers(-50, 50, (1, 2, 5, 5)).astype(np.int32),), _window(2, 1, 1))],
        [Sample((np.array([[[1, np.nan, -np.inf, -np.inf, 2, np.inf]]], np.float32),), _window(2, 2, dims=1))],
    ),
    "max_pool_index": [
        *(Sample((_apart(*shape),), window) for shape, window in _WINDOWS),
        Sample((np.array([[[1, 2, 2, 2, 2, np.nan, 5, np.nan, -np.inf]]], np.float32),), _window(3, 3, dims=1)),
    ],
    "max_pool_grad": _all(
        *(
            _both(_floats(*_outputs(shape, window)), _indices(shape, window), size=shape[2:], **window)
            for shape, window in _WINDOWS
        )
    ),
    "max_pool_gather": _all(*(_both(_floats(*shape), _indices(shape, window), **window) for shape, window in _WINDOWS)),
    "pick": _all(
        _both(_floats(5, 4), _rng.integers(0, 4, 5)),
        _both(_floats(2, 3, 7), _rng.integers(0, 7, (2, 3)).astype(np.int32)),
        _both(_floats(4), np.array(2, np.uint8)),
    ),
    "place": _all(
        _both(_floats(5), _rng.integers(0, 4, 5), extent=4),
        [Sample((_floats(2, 3), np.array([[0, 6, 9], [-1, 2, 2]], np.int32)), {"extent": 7})],
    ),
    "resize": _all(*(_both(_floats(1, n, 2), axis=1, **attrs) for n, attrs in _RESIZES)),
    "resize_grad": _all(*(_both(_floats(2, attrs["size"]), axis=1, **{**attrs, "size": n}) for n, attrs in _RESIZES)),
    "random_bits": [Sample((state,), {"shape": shape}) for state in _STATES for shape in ((5,), (3, 70), ())],
    "random_uniform": [
        Sample((state,), {"shape": shape, "dtype": dtype})
        for state in _STATES for shape in ((5,), (3, 70)) for dtype in (float32, float64)
    ],
    "scan": [
        _loop(count, backwards, dtype) for count in (1, 2, 5) for backwards in (False, True)
        for dtype in ("float32", "float64")
    ],
}  # fmt: skip
